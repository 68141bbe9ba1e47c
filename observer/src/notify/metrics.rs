//! The text file for Prometheus' node exporter, in its text exposition format 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use countersign_shared::drift::Code;
use countersign_shared::terminal::visible;

use crate::report::Summary;
use crate::report::files::replace;

/// One run, whether or not it came to a report.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'r> {
    /// Of the program.
    pub version: &'r str,
    /// Unix seconds.
    pub started: i64,
    /// Unix seconds.
    pub finished: i64,
    /// The report; `None` for a run that failed before there was one.
    pub summary: Option<&'r Summary<'r>>,
}

impl RunFacts<'_> {
    /// Whether there is a report of at least one runner, and no step failed.
    fn is_complete(&self) -> bool {
        self.summary.is_some_and(|summary| summary.counts.observed > 0 && summary.failed_steps().next().is_none())
    }
}

const LAST_SUCCESS: &str = "countersign_last_success_timestamp_seconds";

/// Replaces the file. The time of the last complete run is taken over from what is there when this run was none.
///
/// # Errors
/// The file could not be replaced.
pub fn write_metrics(path: &Path, facts: &RunFacts<'_>) -> std::io::Result<()> {
    // NOTE: a file that is not there, or not readable, knows of no complete run; the alert on its absence is right.
    let before = std::fs::read_to_string(path).ok();
    replace(path, metrics(facts, before.as_deref()).as_bytes())
}

/// The text, given the text before. Numbers that are not known are left out, never zero.
pub fn metrics(facts: &RunFacts<'_>, before: Option<&str>) -> String {
    let mut text = Exposition::default();
    text.gauge("countersign_build_info", "The program that wrote this.");
    text.labelled("countersign_build_info", "version", facts.version, 1);
    text.single("countersign_last_run_timestamp_seconds", "Start of the last run.", facts.started);
    let duration = (facts.finished - facts.started).max(0);
    text.single("countersign_last_run_duration_seconds", "How long the last run took.", duration);
    let complete = facts.is_complete();
    text.single(
        "countersign_last_run_success",
        "Whether the last run came to its end with no failed step and at least one runner observed.",
        i64::from(complete),
    );
    let success = if complete { Some(facts.finished) } else { before.and_then(last_success) };
    if let Some(success) = success {
        text.single(LAST_SUCCESS, "End of the last run with success.", success);
    }
    if let Some(summary) = facts.summary {
        text.report(summary);
    }
    text.0
}

fn last_success(before: &str) -> Option<i64> {
    before.lines().find_map(|line| line.strip_prefix(LAST_SUCCESS)?.trim().parse().ok())
}

#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn line(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.0.write_fmt(arguments).expect("NOTE: a String never fails");
        self.0.push('\n');
    }

    fn gauge(&mut self, name: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} gauge"));
    }

    fn single(&mut self, name: &str, help: &str, value: i64) {
        self.gauge(name, help);
        self.line(format_args!("{name} {value}"));
    }

    fn labelled(&mut self, name: &str, label: &str, value: &str, number: u64) {
        let value = visible(value).replace('\\', "\\\\").replace('"', "\\\"");
        self.line(format_args!("{name}{{{label}=\"{value}\"}} {number}"));
    }

    fn family<'v>(&mut self, name: &str, help: &str, label: &str, values: impl IntoIterator<Item = (&'v str, u64)>) {
        // Two values that look alike once made visible would be the same series twice.
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        for (value, number) in values {
            *seen.entry(visible(value).into_owned()).or_default() += number;
        }
        if seen.is_empty() {
            return;
        }
        self.gauge(name, help);
        for (value, number) in seen {
            self.labelled(name, label, &value, number);
        }
    }

    fn report(&mut self, summary: &Summary<'_>) {
        let counts = &summary.counts;
        let states = [("observed", counts.observed), ("failed", counts.failed)];
        self.family("countersign_runners", "Runners of the fleet in the last run.", "state", states);
        let causes = summary.failures.iter().map(|group| (group.code, group.runners.len() as u64));
        self.family("countersign_runners_failed", "Runners not observed, by cause.", "cause", causes);
        let steps = summary.failed_steps().map(|step| (step.step.as_str(), 1));
        self.family("countersign_steps_failed", "Steps of the last run that failed.", "step", steps);
        let guards = summary.report.guards.iter().map(|guard| (guard.code.as_str(), 1));
        self.family("countersign_guards", "Findings of the sequence guard.", "code", guards);
        if counts.observed == 0 {
            return;
        }
        let zero = Code::ALL.map(|code| (code.as_str(), 0));
        let codes = zero.into_iter().chain(summary.by_code.iter().map(|(code, items)| (*code, *items)));
        self.family("countersign_drift_items", "Drift items on observed runners, without waived ones.", "code", codes);
        let single = [
            ("countersign_drift_items_new", "Drift items that the last run did not have.", counts.new),
            ("countersign_drift_items_waived", "Drift items under a waiver.", counts.waived),
            ("countersign_runners_drifted", "Observed runners with at least one drift item.", counts.drifted),
        ];
        for (name, help, number) in single {
            self.single(name, help, i64::try_from(number).unwrap_or(i64::MAX));
        }
    }
}
