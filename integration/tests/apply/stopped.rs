//! What [`crate::faults`] shows on the embedded fleet, on real runners: the actuator is killed, or cut off, at every step.

use crate::yard::{Yard, installed};
use countersign_actuator::apply::Step;
use countersign_integration::embedded::acting::done;
use countersign_integration::lab::{Base, Lab, LabConfig, Runner, plant, turn};
use countersign_manifests_schema::ledger::{Entry, Event};
use countersign_manifests_schema::notary::Outcome;
use countersign_manifests_schema::warden::{Application, Stage};
use std::collections::BTreeSet;
use std::fs;

const ACTIONS: [&str; 2] = ["kill", "lose"];

/// A file that is there from when the warden begins until it has kept or undone what it began.
const BEGUN: &str = "var/lib/countersign-warden/current/journal.json";

#[test]
fn wherever_the_actuator_stops_a_real_runner_is_as_approved_or_as_before() {
    let Some(_turn) = turn("wherever_the_actuator_stops_a_real_runner_is_as_approved_or_as_before") else {
        return;
    };
    let names: Vec<String> = (1..=Step::ALL.len()).map(|number| format!("runner-{number:02}")).collect();
    let base = |index| if index % 2 == 0 { Base::Dnf5 } else { Base::Dnf4 };
    let lab = Lab::up(&LabConfig::new(names.iter().enumerate().map(|(i, name)| (name.as_str(), base(i))))).unwrap();
    let yard = Yard::new(&lab);
    let (mut tally, mut proposed) = (Vec::new(), BTreeSet::new());
    for (round, action) in ACTIONS.into_iter().enumerate() {
        // Another situation each time: what was spent without a change of the machine is the same proposal again.
        drift(&lab, round > 0);
        let report = yard.nightly();
        let ids: Vec<&str> = report.runners.iter().filter_map(|row| row.proposal.as_deref()).collect();
        assert_eq!(ids.len(), names.len(), "{report:#?}");
        done(yard.acting.person(&[&["approve", "--yes"], &ids[..]].concat())).unwrap();
        for (index, row) in report.runners.iter().enumerate() {
            // What dnf5 met in the first round meets dnf4 in the second.
            let step = Step::ALL[(index + round) % Step::ALL.len()];
            let place = Place { yard: &yard, runner: lab.runner(&row.name), id: row.proposal.as_deref().unwrap() };
            assert!(proposed.insert(place.id.to_owned()), "{} was proposed before", place.id);
            tally.push(place.stopped_at(step, action));
        }
    }
    let verified = yard.acting.actuator(&["ledger", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
    let count = |outcome| tally.iter().filter(|found| **found == outcome).count();
    eprintln!(
        "{} points on real runners: {} applied, {} undone",
        tally.len(),
        count(Outcome::Applied),
        count(Outcome::Undone)
    );
    assert!(count(Outcome::Applied) > 0 && count(Outcome::Undone) > 0, "both states were seen");
}

/// A person upgrades llvm on every runner that does not have the new one, all at once; and leaves a compiler there.
pub(crate) fn drift(lab: &Lab, compiler: bool) {
    std::thread::scope(|scope| {
        for runner in lab.runners() {
            scope.spawn(|| {
                if !runner.try_sh(&format!("rpm -q {}", plant::NEW_LLVM)).unwrap().status.success() {
                    plant::person_upgrades_llvm(runner).unwrap();
                }
                if compiler {
                    plant::person_leaves_gcc_toolset(runner).unwrap();
                }
                runner.sh(&format!("{} makecache >/dev/null 2>&1", runner.dnf())).unwrap();
            });
        }
    });
}

/// A runner and what is proposed for it.
pub(crate) struct Place<'a> {
    pub(crate) yard: &'a Yard,
    pub(crate) runner: &'a Runner,
    pub(crate) id: &'a str,
}

impl Place<'_> {
    fn stopped_at(&self, step: Step, action: &str) -> Outcome {
        let what = format!("{} {action}", step.name());
        let (former, policy, transactions) = (installed(self.runner), self.policy(), self.transactions());
        // A lease is for one run, and for no more runners than the policy lets one run have.
        done(self.yard.acting.person(&["lease", "--yes", "--reason", "the llvm incident"])).unwrap();
        let mut actuator = self.yard.acting.actuator(&["apply", self.id, "--json"]);
        actuator.env("COUNTERSIGN_FAULT", &what).env("COUNTERSIGN_FAULT_BEGUN", self.runner.root.join(BEGUN));
        let stopped = actuator.output().unwrap();
        let happened = String::from_utf8_lossy(&stopped.stderr).contains(&format!("fault: {what}"));
        assert!(happened, "{what} was not reached: {stopped:?}");
        assert_eq!(stopped.status.code().is_none(), action == "kill", "{what}: {stopped:?}");
        let under_way = self.ends().contains(&None);
        let status = self.yard.acting.actuator(&["status"]).output().unwrap();
        let said = String::from_utf8_lossy(&status.stdout);
        assert_eq!(said.contains("UNDER WAY"), under_way, "{what}: {said}");
        // What was not spent may be started by a later run; what was spent never is.
        for _ in 0..3 {
            self.yard.acting.actuator(&["apply", self.id, "--json"]).output().unwrap();
        }
        let (ends, started) = (self.ends(), self.started());
        assert!(!ends.contains(&None), "{what}: every start has an end: {ends:?}");
        let spent: Vec<Outcome> = ends.iter().filter_map(|end| end.flatten()).collect();
        assert_eq!(spent.len(), 1, "{what}: {ends:?}");
        assert!(started.len() <= 1, "{what}: {started:?}");
        let moved = self.transactions() - transactions;
        match spent[0] {
            Outcome::Applied => {
                assert_eq!((started[0].stage, moved), (Stage::Confirmed, 1), "{what}");
                let after = installed(self.runner);
                assert!(after.contains("llvm-19.1.0-1.fc41"), "{what}: {after}");
                assert!(["llvm-20", "gcc-toolset-13"].iter().all(|name| !after.contains(name)), "{what}: {after}");
            }
            Outcome::Undone => {
                assert_eq!(installed(self.runner), former, "{what}");
                assert!(started.iter().all(|application| application.stage == Stage::Undone), "{what}: {started:?}");
                assert_eq!(moved, 2 * started.len(), "{what}");
            }
            Outcome::Failed => panic!("{what}: {ends:?}"),
        }
        assert_eq!(self.policy(), policy, "{what}");
        eprintln!("{what:<16} {} {ends:?}", self.runner.dnf());
        if self.yard.acting.state().unwrap().tripped.is_some() {
            done(self.yard.acting.person(&["reset-breaker", "--yes", "--reason", "a test"])).unwrap();
        }
        spent[0]
    }

    /// How each start of the proposal ended, by the ledger.
    pub(crate) fn ends(&self) -> Vec<Option<Option<Outcome>>> {
        let path = self.yard.acting.dir.path().join("state/ledger.jsonl");
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut ends = Vec::new();
        for event in text.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap().event) {
            match event {
                Event::Started { proposal, .. } if proposal == self.id => ends.push(None),
                Event::Refused { proposal, .. } if proposal == self.id => *ends.last_mut().unwrap() = Some(None),
                Event::Ended { proposal, outcome, .. } if proposal == self.id => {
                    assert_eq!(ends.last(), Some(&None), "one end for one start");
                    *ends.last_mut().unwrap() = Some(Some(outcome));
                }
                _ => {}
            }
        }
        ends
    }

    /// Why it ended as it did, by the ledger.
    pub(crate) fn why(&self) -> Option<String> {
        let text = fs::read_to_string(self.yard.acting.dir.path().join("state/ledger.jsonl")).unwrap();
        let events = text.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap().event);
        let mut ends = events.filter_map(|event| match event {
            Event::Ended { proposal, detail, .. } if proposal == self.id => Some(detail),
            _ => None,
        });
        ends.next().flatten()
    }

    /// What the warden remembers of the proposal.
    pub(crate) fn started(&self) -> Vec<Application> {
        let text = fs::read(self.runner.root.join("var/lib/countersign-warden/memory.json")).unwrap();
        let memory: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let all: Vec<Application> = serde_json::from_value(memory["applications"].clone()).unwrap();
        all.into_iter().filter(|application| application.proposal == self.id).collect()
    }

    pub(crate) fn policy(&self) -> String {
        self.runner.sh("sha256sum /etc/countersign/*").unwrap()
    }

    /// What is under way there, as its timer asks.
    pub(crate) fn check(&self) -> String {
        self.runner.sh("/usr/libexec/countersign/warden check").unwrap()
    }

    /// How many transactions dnf's own history has.
    pub(crate) fn transactions(&self) -> usize {
        let listed = self.runner.sh(&format!("{} history list", self.runner.dnf())).unwrap();
        listed.lines().filter(|line| line.trim_start().starts_with(|first: char| first.is_ascii_digit())).count()
    }
}
