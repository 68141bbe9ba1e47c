//! The report for programs.

use std::borrow::Cow;

use countersign_manifests_schema::report::DriftReport;

use super::classes::order;

/// Exactly one document, in canonical order, on one line with a newline at the end.
pub fn json(report: &DriftReport) -> String {
    let report = if is_in_order(report) {
        Cow::Borrowed(report)
    } else {
        let mut sorted = report.clone();
        put_in_order(&mut sorted);
        Cow::Owned(sorted)
    };
    let mut line = serde_json::to_string(&report).expect("NOTE: strings, numbers and lists always serialise");
    line.push('\n');
    line
}

/// Sorts runners by name, their groups, and drift by package, arch, code. Guards, notices and steps keep their order,
/// which has a meaning.
pub fn put_in_order(report: &mut DriftReport) {
    report.runners.sort_by(|a, b| a.name.cmp(&b.name));
    for runner in &mut report.runners {
        runner.groups.sort_unstable();
        runner.drift.sort_by(|a, b| order(a).cmp(&order(b)));
    }
    for guard in &mut report.guards {
        guard.runners.sort_unstable();
    }
}

fn is_in_order(report: &DriftReport) -> bool {
    report.runners.is_sorted_by_key(|runner| &runner.name)
        && report.runners.iter().all(|runner| runner.groups.is_sorted() && runner.drift.is_sorted_by_key(order))
        && report.guards.iter().all(|guard| guard.runners.is_sorted())
}
