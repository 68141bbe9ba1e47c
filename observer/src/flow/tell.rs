//! From a report to what is printed and written.

use super::Done;
use super::prepare::Desk;
use super::stop::Stop;
use crate::canonical::LoadedCanonical;
use crate::history::Run;
use crate::notify::{self, RunFacts};
use crate::report::files::{self, Written};
use crate::report::{Extent, PreviousRun, ReportContext, Summary, json, text};
use anyhow::Context as _;
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
        unjudged: report
            .runners
            .iter()
            .filter(|r| !r.unjudged.is_empty())
            .map(|r| (r.name.clone(), r.unjudged.clone()))
            .collect(),
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
pub(super) fn write(desk: &Desk, report: &DriftReport, context: &ReportContext) -> anyhow::Result<Written> {
    let summary = Summary::of(report, context);
    Ok(files::write(&desk.config.report_dir(), &summary, desk.config.history.reports)?)
}

/// Tells whoever wants to know; `None` when nobody does, or there is no news.
pub(super) async fn notify(
    desk: &Desk,
    report: &DriftReport,
    context: &ReportContext,
    written: Option<&Written>,
) -> Option<anyhow::Result<()>> {
    let argv = &desk.config.notify.on_new_drift;
    if argv.is_empty() {
        return None;
    }
    let line = notify::news(&Summary::of(report, context))?;
    let Some(written) = written else {
        return Some(Err(anyhow::anyhow!("there is no report file to tell of")));
    };
    Some(notify::page(argv, &written.json, &line, notify::TIMEOUT).await.map_err(Into::into))
}

/// Writes the Prometheus text file, where one is configured; without a report, that the run failed.
pub(super) fn metrics(
    desk: &Desk,
    report: Option<(&DriftReport, &ReportContext)>,
    started: Timestamp,
) -> anyhow::Result<()> {
    let Some(path) = &desk.config.notify.textfile else {
        return Ok(());
    };
    let summary = report.map(|(report, context)| Summary::of(report, context));
    let facts = RunFacts {
        version: env!("CARGO_PKG_VERSION"),
        started: started.as_second(),
        finished: Timestamp::now().as_second(),
        summary: summary.as_ref(),
    };
    notify::write_metrics(path, &facts).with_context(|| format!("cannot write {}", path.display()))
}
