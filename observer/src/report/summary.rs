//! What there is to say about a run.

use std::collections::{BTreeMap, BTreeSet};

use countersign_manifests_schema::report::{DriftReport, Guard, Notice, RunnerReport, Status, Step, StepStatus};
use countersign_shared::exit::Outcome;

use super::classes::{Class, Finding, classes, new_findings};
use super::{ReportContext, counted, items_that_count};

/// Numbers of a run. Waived items count for nothing but `waived`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// In the fleet.
    pub runners: u64,
    /// Whose package set was read.
    pub observed: u64,
    /// About which nothing is known.
    pub failed: u64,
    /// With at least one item.
    pub drifted: u64,
    /// Items on all runners.
    pub items: u64,
    /// Items that the last run did not have.
    pub new: u64,
    /// Items that the last run had too.
    pub unchanged: u64,
    /// Items under a waiver.
    pub waived: u64,
    /// Items that the last run had and this one has not; `None` without a last run.
    pub gone: Option<u64>,
    /// Observed runners of which something could not be judged.
    pub unjudged: u64,
}

/// The one sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No runner in the report at all.
    Empty,
    /// No runner was observed.
    Blind,
    /// Drift, or runners that were not observed, or both.
    Mixed,
    /// All observed, no drift, but a part was not judged.
    AsFarAsJudged,
    /// All observed, all judged, no drift.
    Clean,
}

/// Runners that failed for the same cause.
#[derive(Debug, Clone)]
pub struct FailureGroup<'r> {
    /// The code of the error.
    pub code: &'r str,
    /// Name and message, sorted by name.
    pub runners: Vec<(&'r str, &'r str)>,
}

/// What the renderers lay out.
#[derive(Debug, Clone)]
pub struct Summary<'r> {
    /// The report itself.
    pub report: &'r DriftReport,
    /// What it does not hold.
    pub context: &'r ReportContext,
    /// Numbers.
    pub counts: Counts,
    /// Unwaived items by code; codes without an item are left out.
    pub by_code: BTreeMap<&'r str, u64>,
    /// The architecture of all items that have one, if there is only one.
    pub only_arch: Option<&'r str>,
    /// New since the last run.
    pub new: Vec<Finding<'r>>,
    /// All drift, the class on most runners first.
    pub classes: Vec<Class<'r>>,
    /// All failed runners, the cause of most first.
    pub failures: Vec<FailureGroup<'r>>,
}

impl<'r> Summary<'r> {
    /// Counts and sorts.
    pub fn of(report: &'r DriftReport, context: &'r ReportContext) -> Summary<'r> {
        let mut counts = Counts { runners: report.runners.len() as u64, ..Counts::default() };
        counts.gone = context.previous.as_ref().map(|previous| previous.gone);
        let mut by_code: BTreeMap<&str, u64> = BTreeMap::new();
        for runner in &report.runners {
            match runner.status {
                Status::Observed => counts.observed += 1,
                Status::Failed => counts.failed += 1,
            }
            let before = counts.items;
            for item in items_that_count(runner) {
                counts.items += 1;
                counts.new += u64::from(item.new);
                *by_code.entry(&item.code).or_default() += 1;
            }
            counts.drifted += u64::from(counts.items > before);
            counts.waived += runner.drift.len() as u64 - (counts.items - before);
            let unjudged = context.unjudged.get(&runner.name).is_some_and(|notices| !notices.is_empty());
            counts.unjudged += u64::from(unjudged && runner.status == Status::Observed);
        }
        counts.unchanged = counts.items - counts.new;
        let mut archs: Vec<&str> = Vec::new();
        for arch in report.runners.iter().flat_map(items_that_count).filter_map(|item| item.arch.as_deref()) {
            if archs.len() < 2 && !archs.contains(&arch) {
                archs.push(arch);
            }
        }
        let only_arch = if let [one] = archs.as_slice() { Some(*one) } else { None };
        let new = new_findings(report);
        Summary {
            report,
            context,
            counts,
            by_code,
            only_arch,
            new,
            classes: classes(report, context),
            failures: failures(report),
        }
    }

    /// What it comes down to.
    pub fn verdict(&self) -> Verdict {
        let Counts { runners, observed, failed, items, unjudged, .. } = self.counts;
        match (runners, observed, failed, items, unjudged) {
            (0, ..) => Verdict::Empty,
            (_, 0, ..) => Verdict::Blind,
            (_, _, 0, 0, 0) => Verdict::Clean,
            (_, _, 0, 0, _) => Verdict::AsFarAsJudged,
            _ => Verdict::Mixed,
        }
    }

    /// The verdict as a sentence or two.
    pub fn verdict_text(&self) -> String {
        let counts = &self.counts;
        let unjudged = if counts.unjudged == 0 {
            String::new()
        } else {
            format!(" On {} something could not be judged.", counted(counts.unjudged, "runner"))
        };
        match self.verdict() {
            Verdict::Empty => "There is no runner in this report: nothing was judged.".to_owned(),
            Verdict::Blind if counts.runners == 1 => "The only runner was not observed: nothing is known.".to_owned(),
            Verdict::Blind => {
                format!("None of the {} was observed: nothing is known.", counted(counts.runners, "runner"))
            }
            Verdict::Clean | Verdict::AsFarAsJudged => {
                let calm = self.verdict() == Verdict::Clean && self.report.guards.is_empty();
                let calm = if calm && self.failed_steps().next().is_none() { " Nothing to do." } else { "" };
                match counts.runners {
                    1 => format!("The only runner is as its manifest says.{unjudged}{calm}"),
                    many => format!("All {} are as their manifests say.{unjudged}{calm}", counted(many, "runner")),
                }
            }
            Verdict::Mixed => {
                let drift = if counts.items == 0 {
                    format!("No drift on the {} observed.", counted(counts.observed, "runner"))
                } else {
                    format!("Drift on {} of {} observed.", counts.drifted, counted(counts.observed, "runner"))
                };
                let failed = match counts.failed {
                    0 => String::new(),
                    1 => " 1 runner was not observed: nothing is known about it.".to_owned(),
                    n => format!(" {} were not observed: nothing is known about them.", counted(n, "runner")),
                };
                format!("{drift}{failed}{unjudged}")
            }
        }
    }

    /// Steps that failed.
    pub fn failed_steps(&self) -> impl Iterator<Item = &'r Step> + use<'r> {
        self.report.steps.iter().filter(|step| step.status == StepStatus::Failed)
    }

    /// Guards that the last run did not have, or not for the same runners.
    pub fn new_guards(&self) -> impl Iterator<Item = &'r Guard> + use<'r> {
        let previous = self.context.previous.as_ref().map_or(&[][..], |previous| &previous.guards);
        let known: BTreeSet<_> = previous.iter().flat_map(guard_keys).collect();
        self.report.guards.iter().filter(move |guard| guard_keys(guard).iter().any(|key| !known.contains(key)))
    }

    /// Runners that failed now and not in the last run.
    pub fn new_failures(&self) -> impl Iterator<Item = &'r RunnerReport> + use<'r> {
        let previous = self.context.previous.as_ref();
        let known = move |name: &str| previous.is_some_and(|previous| previous.failed.contains(name));
        self.report.runners.iter().filter(move |runner| runner.status == Status::Failed && !known(&runner.name))
    }

    /// Steps that failed now and not in the last run.
    pub fn new_failed_steps(&self) -> impl Iterator<Item = &'r Step> + use<'r> {
        let previous = self.context.previous.as_ref();
        let known = move |name: &str| previous.is_some_and(|previous| previous.failed_steps.contains(name));
        self.failed_steps().filter(move |step| !known(&step.step))
    }

    /// How the command that made the report ends.
    pub fn outcome(&self) -> Outcome {
        let holds = |condition: bool, outcome: Outcome| if condition { outcome } else { Outcome::Clean };
        [
            holds(self.counts.items > 0, Outcome::Drift),
            holds(self.counts.failed > 0, Outcome::NotObserved),
            holds(self.failed_steps().next().is_some(), Outcome::Failed),
        ]
        .into_iter()
        .collect()
    }

    /// Runners that were observed and have no item that counts, and of which all was judged.
    pub fn clean_runners(&self) -> impl Iterator<Item = &'r RunnerReport> + use<'_, 'r> {
        let judged = |name: &str| self.context.unjudged.get(name).is_none_or(Vec::is_empty);
        self.report
            .runners
            .iter()
            .filter(move |runner| runner.status == Status::Observed && runner.drift.is_empty() && judged(&runner.name))
    }

    /// Observed runners with something to show: drift, waived drift, sections not judged.
    pub fn shown_runners(&self) -> impl Iterator<Item = &'r RunnerReport> + use<'_, 'r> {
        let unjudged = |name: &str| self.context.unjudged.get(name).is_some_and(|notices| !notices.is_empty());
        self.report.runners.iter().filter(move |runner| {
            runner.status == Status::Observed && (!runner.drift.is_empty() || unjudged(&runner.name))
        })
    }

    /// Sections that were not judged: the code and on how many runners.
    pub fn unjudged_by_code(&self) -> BTreeMap<&'r str, u64> {
        let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
        for notice in self.context.unjudged.values().flatten() {
            *codes.entry(&notice.code).or_default() += 1;
        }
        codes
    }

    /// `12 unchanged, 2 waived, 1 gone since last run`.
    pub fn quiet_counts(&self) -> String {
        let Counts { unchanged, waived, gone, .. } = self.counts;
        let gone = match gone {
            Some(gone) => format!("{gone} gone since last run"),
            None => "no earlier run to compare with".to_owned(),
        };
        format!("{unchanged} unchanged, {waived} waived, {gone}")
    }
}

/// What makes a guard the same one in the next run: its code and each of its runners, or its text without any.
fn guard_keys(guard: &Guard) -> Vec<(&str, &str)> {
    match guard.runners.as_slice() {
        [] => vec![(&guard.code, &guard.message)],
        runners => runners.iter().map(|runner| (guard.code.as_str(), runner.as_str())).collect(),
    }
}

fn failures(report: &DriftReport) -> Vec<FailureGroup<'_>> {
    let mut groups: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for runner in report.runners.iter().filter(|runner| runner.status == Status::Failed) {
        let unknown = ("unknown", "no reason is known");
        let (code, message) = runner.error.as_ref().map_or(unknown, |Notice { code, message }| (code, message));
        groups.entry(code).or_default().push((&runner.name, message));
    }
    let mut groups: Vec<_> = groups.into_iter().map(|(code, runners)| FailureGroup { code, runners }).collect();
    groups.sort_by_key(|group| (std::cmp::Reverse(group.runners.len()), group.code));
    groups
}
