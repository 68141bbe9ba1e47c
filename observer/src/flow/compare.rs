//! One row of a report: what a runner answered, against what it should be.

use super::prepare::Desk;
use super::stop::Stop;
use crate::canonical::LoadedCanonical;
use crate::config::Trust;
use crate::history::{HistoryError, Outcome, Run, Store};
use crate::privilege;
use countersign_manifests_schema::report::{Notice, RunnerReport, Status};
use countersign_shared::drift::{self, Code, Compiled, Drift};
use countersign_shared::exit;
use countersign_shared::manifest::Canonical;
use countersign_shared::manifest::effective::Effective;
use countersign_shared::manifest::fleet::Runner;
use countersign_shared::observation::{Failure, Observation};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// All manifests in force over the fleet, each prepared once.
pub(super) struct Manifests {
    prepared: HashMap<*const Effective, Arc<Compiled>>,
}

impl Manifests {
    /// Prepares the manifests of every runner of `canonical`, which must outlive what is asked of this.
    pub(super) fn new(canonical: &Canonical) -> Result<Self, Stop> {
        let mut prepared = HashMap::new();
        for runner in &canonical.fleet.runners {
            let effective = canonical.effective(runner);
            let key = Arc::as_ptr(&effective);
            if let std::collections::hash_map::Entry::Vacant(entry) = prepared.entry(key) {
                let compiled =
                    Compiled::new(effective).map_err(|error| Stop::of(exit::Outcome::Invalid, "manifest", &error))?;
                entry.insert(Arc::new(compiled));
            }
        }
        Ok(Self { prepared })
    }

    /// The manifest in force for a runner.
    pub(super) fn of(&self, canonical: &Canonical, runner: &Runner) -> Arc<Compiled> {
        let effective = canonical.effective(runner);
        match self.prepared.get(&Arc::as_ptr(&effective)) {
            Some(compiled) => Arc::clone(compiled),
            None => unreachable!("every runner of canonical was prepared"),
        }
    }
}

/// What a runner's answer says, once it is believed.
pub(super) struct Examined {
    /// The difference.
    pub drift: Drift,
    /// Installed package instances.
    pub packages: u64,
    /// Violated proofs about the account that are let pass.
    pub accepted: Vec<Notice>,
}

/// Reads an answer, proves the account's bounds, and compares. What does not hold is a failure of the runner.
pub(super) fn examine(
    record: &str,
    at: i64,
    compiled: &Compiled,
    trust: &Trust,
    earlier: impl FnOnce() -> Result<Option<Outcome>, HistoryError>,
) -> Result<Result<Examined, Failure>, HistoryError> {
    let observation = match Observation::parse(record, at) {
        Ok(observation) => observation,
        Err(failure) => return Ok(Err(failure)),
    };
    let settled = privilege::settle(privilege::account::judge(&observation.privileges), trust);
    if let Some(violation) = settled.refused.first() {
        return Ok(Err(violation.failure()));
    }
    let mut drift = match drift::drift(compiled, &observation) {
        Ok(drift) => drift,
        Err(failure) => return Ok(Err(failure)),
    };
    if drift.items.iter().any(|item| item.code == Code::OutOfBand)
        && let Some(Ok(answer)) = earlier()?.map(|stored| stored.answer.map(|answer| (stored.at, answer)))
        && let Ok(before) = Observation::parse(&answer.1.record, answer.0)
        && let Ok(narrowed) = drift::drift_since(compiled, &observation, Some(&before))
    {
        drift = narrowed;
    }
    let packages = observation.packages.seen().map_or(0, |packages| packages.list.len() as u64);
    let accepted = settled.accepted.iter().map(privilege::Violation::notice).collect();
    Ok(Ok(Examined { drift, packages, accepted }))
}

/// The rows of one run as they come, and what is said beside them.
pub(super) struct Rows<'a> {
    loaded: &'a LoadedCanonical,
    manifests: &'a Manifests,
    trust: Trust,
    run: Run,
    /// One per runner seen so far.
    pub runners: Vec<RunnerReport>,
    /// Sections that were not read on runners that were observed.
    pub unjudged: BTreeMap<String, Vec<Notice>>,
    /// Runners by the proof that was let pass on them.
    pub accepted: BTreeMap<(String, String), Vec<String>>,
    /// Runners most of whose packages are external to dnf.
    pub reasons_unknown: Vec<String>,
}

impl<'a> Rows<'a> {
    /// No row yet.
    pub(super) fn new(desk: &Desk, loaded: &'a LoadedCanonical, manifests: &'a Manifests, run: &Run) -> Self {
        Self {
            loaded,
            manifests,
            trust: desk.config.trust.clone(),
            run: run.clone(),
            runners: Vec::with_capacity(loaded.canonical.fleet.runners.len()),
            unjudged: BTreeMap::new(),
            accepted: BTreeMap::new(),
            reasons_unknown: Vec::new(),
        }
    }

    /// Adds the row of a runner. An answer that is not believed becomes a failure in `outcome` as well.
    pub(super) fn add(&mut self, store: &Store, runner: &Runner, outcome: &mut Outcome) -> Result<(), HistoryError> {
        let compiled = self.manifests.of(&self.loaded.canonical, runner);
        let at = outcome.at;
        let examined = match &outcome.answer {
            Err(failure) => Err(failure.clone()),
            Ok(answer) => {
                examine(&answer.record, at, &compiled, &self.trust, || store.answer_before(self.run.id, &runner.name))?
            }
        };
        let warm = outcome.answer.as_ref().is_ok_and(|answer| answer.warm);
        let mut row = RunnerReport {
            name: runner.name.clone(),
            groups: runner.groups.clone(),
            status: Status::Failed,
            error: None,
            packages: 0,
            warm: false,
            drift: Vec::new(),
            proposal: None,
        };
        match examined {
            Err(failure) => {
                row.error = Some(Notice { code: failure.code.clone(), message: failure.message.clone() });
                outcome.answer = Err(failure);
            }
            Ok(examined) => {
                row.status = Status::Observed;
                row.packages = examined.packages;
                row.warm = warm;
                if let Ok(answer) = &outcome.answer {
                    let notices = examined.accepted.iter().chain(&answer.accepted);
                    for notice in notices {
                        let key = (notice.code.clone(), notice.message.clone());
                        self.accepted.entry(key).or_default().push(runner.name.clone());
                    }
                }
                if examined.drift.reasons_unknown {
                    self.reasons_unknown.push(runner.name.clone());
                }
                let unjudged: Vec<Notice> = examined
                    .drift
                    .unjudged
                    .iter()
                    .map(|part| Notice {
                        code: part.why.code.clone(),
                        message: format!("{} was not read: {}", part.section, part.why.message),
                    })
                    .collect();
                if !unjudged.is_empty() {
                    self.unjudged.insert(runner.name.clone(), unjudged);
                }
                row.drift = super::assess::items(store, &self.run, &self.loaded.canonical, runner, at, examined.drift)?;
            }
        }
        self.runners.push(row);
        Ok(())
    }

    /// The proofs that were let pass, one notice for all runners alike.
    pub(super) fn trust(&self) -> Vec<Notice> {
        let say = |((code, message), runners): (&(String, String), &Vec<String>)| {
            let shown = runners.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let more = match runners.len() {
                0..=3 => String::new(),
                n => format!(" and {} more", n - 3),
            };
            Notice { code: code.clone(), message: format!("{message} ({shown}{more})") }
        };
        self.accepted.iter().map(say).collect()
    }
}
