//! What the report says of a runner's drift, given earlier runs, waivers and the history of canonical.

use super::compare::Rows;
use super::stop::Stop;
use crate::history::{HistoryError, Run, Store};
use countersign_manifests_schema::report::{DriftItem, DriftReport, Guard};
use countersign_shared::drift::Drift;
use countersign_shared::manifest::Canonical;
use countersign_shared::manifest::fleet::Runner;
use countersign_shared::terminal::Screen;

/// The items of one runner.
pub(super) fn items(
    store: &Store,
    run: &Run,
    canonical: &Canonical,
    runner: &Runner,
    at: i64,
    drift: Drift,
) -> Result<Vec<DriftItem>, HistoryError> {
    let _ = (canonical, at);
    let earlier = store.previous(run, &runner.name)?.map(|previous| previous.items).unwrap_or_default();
    Ok(drift
        .items
        .into_iter()
        .map(|item| {
            let mut said = DriftItem {
                code: item.code.to_string(),
                package: item.package,
                arch: item.arch,
                wanted: item.wanted,
                seen: item.seen,
                since: item.since.and_then(|s| jiff::Timestamp::from_second(s).ok()).map(|t| t.to_string()),
                by: item.by.map(|by| countersign_manifests_schema::report::By { user: by.user, command: by.command }),
                spec_changed: None,
                waived: None,
                new: true,
                remediable: item.remediable,
                blocked: None,
            };
            said.new =
                !earlier.iter().any(|e| (&e.code, &e.package, &e.arch) == (&said.code, &said.package, &said.arch));
            said
        })
        .collect())
}

/// Findings over the sequence of runs.
pub(super) fn guards(_store: &Store, _run: &Run, _canonical: &Canonical, _rows: &Rows<'_>) -> Result<Vec<Guard>, Stop> {
    Ok(Vec::new())
}

/// Where a package stands.
pub(super) fn why(
    _store: &Store,
    _canonical: &Canonical,
    _run: &Run,
    _report: &DriftReport,
    _package: &str,
    _runner: Option<&str>,
    _screen: Screen,
) -> Result<super::Done, Stop> {
    Err(Stop::invalid("usage", "not yet"))
}
