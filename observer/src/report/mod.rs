//! What people and programs are told about a run: text, Markdown, JSON, one HTML page.
//!
//! [`Summary`] says what there is to say, once for all of them; the renderers only lay it out. Whatever came from a
//! runner is escaped where it is laid out. All is pure except [`files`].

mod classes;
mod details;
mod difference;
pub mod files;
mod html;
mod json;
mod markdown;
mod moment;
mod page;
mod summary;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use countersign_manifests_schema::report::{DriftItem, DriftReport, Guard, Notice, RunnerReport, Status};

use crate::history::TrendPoint;

pub use classes::{Class, Finding, Remedy};
pub use html::html;
pub use json::{json, put_in_order};
pub use markdown::markdown;
pub use summary::{Counts, FailureGroup, Summary, Verdict};
pub use text::{Extent, text};

/// What a report shows besides the [`DriftReport`] itself.
#[derive(Debug, Clone, Default)]
pub struct ReportContext {
    /// The program and its version, `countersign-observer 0.1.0`.
    pub generator: String,
    /// Who answers for a group, as `fleet.toml` says.
    pub owners: BTreeMap<String, String>,
    /// The stored runs, oldest first; the run of the report may be the last of them.
    pub trend: Vec<TrendPoint>,
    /// The run before this one; `None` when this is the first.
    pub previous: Option<PreviousRun>,
    /// Sections of an observation that failed on a runner that was observed, so that something there is not judged.
    pub unjudged: BTreeMap<String, Vec<Notice>>,
}

/// The run before, as far as it matters to this one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PreviousRun {
    /// Its id.
    pub run: String,
    /// Unwaived items that were there and are no more, on runners that both runs observed.
    pub gone: u64,
    /// What the sequence guard had found.
    pub guards: Vec<Guard>,
    /// Runners that were not observed.
    pub failed: BTreeSet<String>,
    /// Steps that failed.
    pub failed_steps: BTreeSet<String>,
}

impl PreviousRun {
    /// What the earlier of two reports means to the later one.
    pub fn between(earlier: &DriftReport, later: &DriftReport) -> PreviousRun {
        let observed = |report: &DriftReport| -> BTreeMap<String, BTreeSet<_>> {
            let runners = report.runners.iter().filter(|runner| runner.status == Status::Observed);
            runners.map(|runner| (runner.name.clone(), items_that_count(runner).map(identity).collect())).collect()
        };
        let now = observed(later);
        let gone = observed(earlier)
            .iter()
            .filter_map(|(name, before)| Some(before.difference(now.get(name)?).count() as u64))
            .sum();
        let failed = earlier.runners.iter().filter(|runner| runner.status == Status::Failed);
        let failed_steps = earlier.steps.iter().filter(|step| step.error.is_some());
        PreviousRun {
            run: earlier.run.clone(),
            gone,
            guards: earlier.guards.clone(),
            failed: failed.map(|runner| runner.name.clone()).collect(),
            failed_steps: failed_steps.map(|step| step.step.clone()).collect(),
        }
    }
}

/// What makes an item the same one in the next run.
fn identity(item: &DriftItem) -> (String, Option<String>, Option<String>) {
    (item.code.clone(), item.package.clone(), item.arch.clone())
}

/// The items that no waiver covers.
fn items_that_count(runner: &RunnerReport) -> impl Iterator<Item = &DriftItem> {
    runner.drift.iter().filter(|item| item.waived.is_none())
}

/// `llvm.x86_64`, `llvm`, or `host` for an item that is about no package.
fn subject(item: &DriftItem) -> String {
    match (&item.package, &item.arch) {
        (Some(package), Some(arch)) => format!("{package}.{arch}"),
        (Some(package), None) => package.clone(),
        (None, _) => "host".to_owned(),
    }
}

/// [`subject`] without the architecture if it is this one.
fn subject_unless(item: &DriftItem, arch: Option<&str>) -> String {
    match (&item.package, arch) {
        (Some(package), Some(arch)) if item.arch.as_deref() == Some(arch) => package.clone(),
        _ => subject(item),
    }
}

/// `1 runner`, `2 runners`.
fn counted(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {one}s", grouped(number)) }
}

/// `12,345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
