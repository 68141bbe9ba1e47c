//! One row of a report: what a runner answered, against what it should be.

use super::past::Past;
use super::stop::Stop;
use crate::assess::{self, Assessment, Circumstances, Earlier};
use crate::canonical::{LoadedCanonical, Source};
use crate::config::{Config, Trust};
use crate::guard::{self, Finding, Footprint, Found, Receipt, Spread, Watched};
use crate::history::{HistoryError, Outcome, Previous, Run, Store};
use crate::privilege;
use countersign_manifests_schema::report::{Guard, Notice, RunnerReport, Status};
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
    /// By the address of the shared manifest.
    prepared: HashMap<usize, Arc<Compiled>>,
}

impl Manifests {
    /// Prepares the manifests of every runner of `canonical`, which must outlive what is asked of this.
    pub(super) fn new(canonical: &Canonical) -> Result<Self, Stop> {
        let mut prepared = HashMap::new();
        for runner in &canonical.fleet.runners {
            let effective = canonical.effective(runner);
            let key = address(&effective);
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
        match self.prepared.get(&address(&canonical.effective(runner))) {
            Some(compiled) => Arc::clone(compiled),
            None => unreachable!("every runner of canonical was prepared"),
        }
    }
}

/// Runners with the same manifests share one value, so where it is tells which it is.
fn address(effective: &Arc<Effective>) -> usize {
    Arc::as_ptr(effective).addr()
}

/// The rows of one run as they come, and what is said beside them.
pub(super) struct Rows<'a> {
    loaded: &'a LoadedCanonical,
    manifests: &'a Manifests,
    trust: Trust,
    run: Run,
    past: Past,
    spread: Spread,
    accepted: BTreeMap<(String, String), Vec<String>>,
    /// One per runner seen so far.
    pub(super) runners: Vec<RunnerReport>,
    /// What is kept of each runner.
    pub(super) footprints: BTreeMap<String, Footprint>,
    /// What the sequence guard found on single runners.
    pub(super) findings: Vec<Finding>,
}

/// What a runner's answer says, once it is believed.
struct Believed {
    packages: u64,
    /// Whether a run before has observed it.
    known: bool,
    accepted: Vec<Notice>,
    assessment: Assessment,
    footprint: Footprint,
    findings: Vec<Finding>,
}

impl<'a> Rows<'a> {
    /// No row yet.
    pub(super) fn new(
        config: &Config,
        loaded: &'a LoadedCanonical,
        manifests: &'a Manifests,
        run: &Run,
    ) -> Result<Self, Stop> {
        Ok(Self {
            loaded,
            manifests,
            trust: config.trust.clone(),
            run: run.clone(),
            past: Past::open(&Source::new(&config.canonical, &config.state_dir)?, loaded)?,
            spread: Spread::default(),
            accepted: BTreeMap::new(),
            runners: Vec::with_capacity(loaded.canonical.fleet.runners.len()),
            footprints: BTreeMap::new(),
            findings: Vec::new(),
        })
    }

    /// Takes in the rows of other runners.
    pub(super) fn join(&mut self, other: Rows<'_>) {
        self.runners.extend(other.runners);
        self.footprints.extend(other.footprints);
        self.findings.extend(other.findings);
        self.spread.join(other.spread);
        for (proof, runners) in other.accepted {
            self.accepted.entry(proof).or_default().extend(runners);
        }
    }

    /// Adds the row of a runner. An answer that is not believed becomes a failure in `outcome` as well.
    pub(super) fn add(&mut self, store: &Store, runner: &Runner, outcome: &mut Outcome) -> Result<(), HistoryError> {
        let believed = match &outcome.answer {
            Err(failure) => Err(failure.clone()),
            Ok(answer) => self.believe(store, runner, &answer.record, outcome.at)?,
        };
        let mut row = RunnerReport {
            name: runner.name.clone(),
            groups: runner.groups.clone(),
            status: Status::Failed,
            error: None,
            packages: 0,
            warm: false,
            drift: Vec::new(),
            unjudged: Vec::new(),
            proposal: None,
        };
        match (believed, &outcome.answer) {
            (Ok(believed), Ok(answer)) => {
                row.status = Status::Observed;
                row.packages = believed.packages;
                row.warm = answer.warm;
                for notice in believed.accepted.iter().chain(&answer.accepted) {
                    let key = (notice.code.clone(), notice.message.clone());
                    self.accepted.entry(key).or_default().push(runner.name.clone());
                }
                row.drift = believed.assessment.items;
                // On a runner that was never seen before everything is new, and nothing came at once.
                if believed.known {
                    self.spread.note(&runner.name, &row.drift);
                }
                row.unjudged = believed.assessment.unjudged;
                self.footprints.insert(runner.name.clone(), believed.footprint);
                self.findings.extend(believed.findings);
            }
            (believed, answer) => {
                let failure = believed.err().or_else(|| answer.as_ref().err().cloned());
                let failure = failure.unwrap_or_else(|| Failure::new("bug", "neither an answer nor a failure"));
                row.error = Some(Notice { code: failure.code.clone(), message: failure.message.clone() });
                outcome.answer = Err(failure);
            }
        }
        self.runners.push(row);
        Ok(())
    }

    /// Reads an answer, proves the account's bounds, compares and assesses.
    fn believe(
        &mut self,
        store: &Store,
        runner: &Runner,
        record: &str,
        at: i64,
    ) -> Result<Result<Believed, Failure>, HistoryError> {
        let compiled = self.manifests.of(&self.loaded.canonical, runner);
        let observation = match Observation::parse(record, at) {
            Ok(observation) => observation,
            Err(failure) => return Ok(Err(failure)),
        };
        let settled = privilege::settle(privilege::account::judge(&observation.privileges), &self.trust);
        if let Some(violation) = settled.refused.first() {
            return Ok(Err(violation.failure()));
        }
        let drift = match drift::drift(&compiled, &observation) {
            Ok(drift) => self.narrowed(store, runner, &compiled, &observation, drift)?,
            Err(failure) => return Ok(Err(failure)),
        };
        let previous = store.previous(&self.run, &runner.name)?;
        let (assessment, footprint, findings) =
            self.assess(store, runner, &compiled, &observation, &drift, previous.as_ref())?;
        let packages = observation.packages.seen().map_or(0, |packages| packages.list.len() as u64);
        let accepted = settled.accepted.iter().map(privilege::Violation::notice).collect();
        Ok(Ok(Believed { packages, known: previous.is_some(), accepted, assessment, footprint, findings }))
    }

    /// What came behind dnf's back is told apart with the help of the answer before.
    fn narrowed(
        &self,
        store: &Store,
        runner: &Runner,
        compiled: &Compiled,
        observation: &Observation<'_>,
        drift: Drift,
    ) -> Result<Drift, HistoryError> {
        if drift.items.iter().all(|item| item.code != Code::OutOfBand) {
            return Ok(drift);
        }
        let Some(Ok(answer)) = store.answer_before(self.run.id, &runner.name)?.map(|before| before.answer) else {
            return Ok(drift);
        };
        match Observation::parse(&answer.record, answer.full_at) {
            Ok(before) => Ok(drift::drift_since(compiled, observation, Some(&before)).unwrap_or(drift)),
            Err(_) => Ok(drift),
        }
    }

    fn assess(
        &mut self,
        store: &Store,
        runner: &Runner,
        compiled: &Compiled,
        observation: &Observation<'_>,
        drift: &Drift,
        previous: Option<&Previous>,
    ) -> Result<(Assessment, Footprint, Vec<Finding>), HistoryError> {
        let judged_by = previous.map(|previous| previous.canonical_at);
        let spec = self.past.changes(&runner.name, drift, observation, judged_by);
        let waivers = self.loaded.canonical.waivers_for(runner);
        let circumstances = Circumstances {
            waivers: &waivers,
            earlier: previous.map(|p| Earlier { items: &p.items, canonical_at: p.canonical_at }),
            observed_at: observation.at,
            spec: &spec,
            now: self.run.started,
        };
        let assessment = assess::assess(drift, compiled.effective(), &circumstances);
        let rules = match previous {
            Some(previous) if previous.canonical_commit != self.loaded.commit.to_string() => {
                self.past.rule_changes(&runner.name, &previous.canonical_commit)
            }
            _ => Vec::new(),
        };
        let footprint = Footprint::new(observation, drift, &assessment, rules);
        let earlier = store.footprints(&self.run, &runner.name, self.run.started - guard::WINDOW)?;
        let findings = guard::watch(&Watched {
            runner: &runner.name,
            observation,
            drift,
            assessment: &assessment,
            now: &footprint,
            earlier: &earlier,
            receipts: &Receipt::all(observation),
            actuator_user: &runner.actuator_user,
        });
        Ok((assessment, footprint, findings))
    }

    /// The proofs that were let pass, one notice for all runners alike.
    pub(super) fn trust(&self) -> Vec<Notice> {
        let say = |((code, message), runners): (&(String, String), &Vec<String>)| {
            // They came in the order in which they answered.
            let mut runners = runners.clone();
            runners.sort();
            let shown = runners.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let more = match runners.len() {
                0..=3 => String::new(),
                n => format!(" and {} more", n - 3),
            };
            Notice { code: code.clone(), message: format!("{message} ({shown}{more})") }
        };
        self.accepted.iter().map(say).collect()
    }

    /// Everything that the sequence guard found, over single runners, the fleet and canonical, and what stands of the
    /// last report.
    pub(super) fn guards(&mut self, earlier: Option<&Found>) -> Vec<Guard> {
        let breaker = &self.loaded.canonical.policy.breaker;
        let mut findings = std::mem::take(&mut self.findings);
        findings.extend(self.spread.findings(self.loaded.canonical.fleet.runners.len(), breaker.spread_percent));
        let seen = earlier.map(|earlier| earlier.canonical_commit.as_str());
        let changes = self.past.manifest_changes(self.run.started, seen);
        findings.extend(guard::burst(&changes, self.run.started, breaker.burst_manifests));
        let mut guards = guard::gather(findings);
        if let Some(earlier) = earlier.filter(|earlier| earlier.has_serious()) {
            let reset = self.past.resets_since(&earlier.canonical_commit);
            let fleet = &self.loaded.canonical.fleet;
            guards.extend(guard::standing(earlier, &reset, |name| fleet.runner(name).is_some()));
            guards.sort_by_key(|guard| guard::Code::parse(&guard.code));
        }
        guards
    }
}
