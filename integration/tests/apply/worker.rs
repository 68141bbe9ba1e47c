//! The warden's worker is killed on real runners at each of its own boundaries, while `apply` is at work; whoever took the
//! request in says that it was refused. Afterwards ledger, memory, packages and dnf's history say the same.

use crate::stopped::{Place, drift};
use crate::workshop::Forge;
use crate::yard::{Yard, installed};
use countersign_integration::embedded::acting::done;
use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_manifests_schema::notary::Outcome;
use countersign_manifests_schema::plan::ApplyResult;
use countersign_manifests_schema::warden::Stage;
use std::collections::BTreeSet;

/// Where the boundaries are listed.
const WARDEN: &str = include_str!("../../../actuator/warden/src/faults.rs");

/// What becomes of an application whose worker is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing is spent: it may be started another time.
    Unspent,
    /// The token is spent, and the runner never began.
    Void,
    /// It is as before, after so many transactions of dnf.
    Undone(usize),
    Kept,
}

/// Each boundary, what becomes of it, and whether it is tried with dnf5 and dnf4; the others are tried with one of them.
const POINTS: [(&str, Left, bool); 19] = [
    ("StageJudged", Left::Unspent, false),
    ("StageFetched", Left::Unspent, false),
    ("StageWritten", Left::Unspent, false),
    ("ApplyChecked", Left::Void, false),
    ("ApplyJournalled", Left::Void, false),
    ("ApplyMarked", Left::Undone(0), false),
    ("ApplyArmed", Left::Undone(0), false),
    ("ApplyDrained", Left::Undone(0), false),
    ("ApplySnapshot", Left::Undone(0), false),
    ("ApplyBegun", Left::Undone(0), false),
    ("ApplyReplayed", Left::Undone(2), true),
    ("ApplyJudged", Left::Undone(2), false),
    ("ApplyWaiting", Left::Kept, true),
    ("ConfirmJudged", Left::Kept, false),
    ("ConfirmKept", Left::Kept, false),
    ("UndoPlanned", Left::Undone(2), true),
    ("UndoReplayed", Left::Undone(2), true),
    ("UndoJudged", Left::Undone(2), false),
    ("UndoWritten", Left::Undone(2), false),
];

/// On a runner with this file, whatever installs llvm fails: a trigger of a package that is there.
const WORN: &str = "/root/worn";

#[test]
fn what_a_real_runner_did_is_asked_when_its_worker_dies() {
    let Some(_turn) = turn("what_a_real_runner_did_is_asked_when_its_worker_dies") else {
        return;
    };
    let listed: BTreeSet<&str> =
        WARDEN.lines().filter_map(|line| line.trim().strip_prefix("Step::")?.strip_suffix(',')).collect();
    assert_eq!(listed, POINTS.iter().map(|(step, ..)| *step).collect(), "every boundary of the warden");
    let either = |(index, (step, left, _))| (step, left, if index % 2 == 0 { Base::Dnf5 } else { Base::Dnf4 });
    let other = |base| if base == Base::Dnf5 { Base::Dnf4 } else { Base::Dnf5 };
    let mut points: Vec<_> = POINTS.into_iter().enumerate().map(either).collect();
    let both = POINTS.iter().zip(points.clone()).filter(|((.., both), _)| *both);
    points.extend(both.map(|(_, (step, left, base))| (step, left, other(base))).collect::<Vec<_>>());
    let names: Vec<String> = (1..=points.len()).map(|number| format!("runner-{number:02}")).collect();
    let bases = points.iter().map(|(.., base)| *base);
    let lab = Lab::up(&LabConfig::new(names.iter().map(String::as_str).zip(bases))).unwrap();
    let yard = Yard::with_faults(&lab);
    let forge = Forge::new(&lab, lab.runner("runner-01"), "side");
    forge.build("worn", "1.0", "1", &format!("%triggerin -- llvm\n[ ! -e {WORN} ]\n"));
    std::thread::scope(|scope| {
        for (runner, (step, ..)) in lab.runners().iter().zip(&points).filter(|(_, (step, ..))| step.starts_with("Undo"))
        {
            let install = format!("{} -y install worn >/dev/null", runner.dnf());
            scope.spawn(move || runner.sh(&install).unwrap_or_else(|error| panic!("{step}: {error:#}")));
        }
    });
    drift(&lab, false);
    let report = yard.nightly();
    let ids: Vec<&str> = report.runners.iter().filter_map(|row| row.proposal.as_deref()).collect();
    assert_eq!(ids.len(), points.len(), "{report:#?}");
    done(yard.acting.person(&[&["approve", "--yes"], &ids[..]].concat())).unwrap();
    let mut ended = Vec::new();
    for ((name, id), (step, left, _)) in names.iter().zip(ids).zip(points) {
        let place = Place { yard: &yard, runner: lab.runner(name), id };
        killed(&place, step, left);
        ended.push((place, step, installed(lab.runner(name))));
    }
    // What has ended stays as it is, whoever comes by.
    let (status, document) = yard.actuator(&["apply", "--all"]);
    assert_eq!((status, document.proposals.len()), (Some(0), 0), "{document:?}");
    for (place, step, after) in &ended {
        assert_eq!(place.check(), "nothing is under way\n", "{step}");
        assert_eq!(installed(place.runner), *after, "{step}");
    }
    let verified = yard.acting.actuator(&["ledger", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
    eprintln!(
        "{} points at which the warden's worker was killed: every boundary, some with both dnf5 and dnf4",
        ended.len()
    );
}

fn killed(place: &Place<'_>, step: &str, left: Left) {
    let (runner, yard) = (place.runner, place.yard);
    let what = format!("{} {step} {}", runner.name, runner.dnf());
    let (former, policy, transactions) = (installed(runner), place.policy(), place.transactions());
    if step.starts_with("Undo") {
        runner.sh(&format!("touch {WORN}")).unwrap();
    }
    runner.sh(&format!("printf '%s\\n' '{step} kill' >/run/countersign-fault")).unwrap();
    let apply = || {
        done(yard.acting.person(&["lease", "--yes", "--reason", "the llvm incident"])).unwrap();
        let (_, document) = yard.actuator(&["apply", place.id]);
        document.proposals[0].clone()
    };
    let row = apply();
    let unused = runner.try_sh("test -e /run/countersign-fault").unwrap().status.success();
    assert!(!unused, "{what} was never reached: {row:?}");
    let moved = || place.transactions() - transactions;
    let mut result = row.result;
    if left == Left::Unspent {
        assert_eq!((result, place.ends().len()), (Some(ApplyResult::Refused), 0), "{what}: {row:?}");
        assert_eq!((place.started().len(), moved(), installed(runner)), (0, 0, former.clone()), "{what}");
        result = apply().result;
    }
    let (ends, started) = (place.ends(), place.started());
    eprintln!("{what}: {:?} {ends:?} {} {:?}", row.result, moved(), started.first().map(|it| (it.stage, &it.detail)));
    let stages: Vec<Stage> = started.iter().map(|application| application.stage).collect();
    let (outcome, stages_expected, transactions_expected) = match left {
        Left::Unspent | Left::Kept => (Outcome::Applied, vec![Stage::Confirmed], 1),
        Left::Void => (Outcome::Undone, Vec::new(), 0),
        Left::Undone(count) => (Outcome::Undone, vec![Stage::Undone], count),
    };
    assert_eq!(ends, [Some(Some(outcome))], "{what}: {row:?}");
    assert_eq!(stages, stages_expected, "{what}: {started:?}");
    assert_eq!(moved(), transactions_expected, "{what}");
    assert_eq!(place.policy(), policy, "{what}");
    let (tripped, after) = (yard.acting.state().unwrap().tripped, installed(runner));
    if outcome == Outcome::Undone {
        assert_eq!((result, after), (Some(ApplyResult::Undone), former), "{what}");
        assert!(tripped.is_some(), "{what}");
        done(yard.acting.person(&["reset-breaker", "--yes", "--reason", "a test"])).unwrap();
    } else {
        assert!(after.contains("llvm-19.1.0-1.fc41") && !after.contains("llvm-20"), "{what}: {after}");
        assert_eq!((result, tripped), (Some(ApplyResult::Applied), None), "{what}");
    }
}
