//! At every step the actuator is killed, or loses its connection: afterwards the runner is in the approved or in the former
//! state, the ledger says which, and nothing was started twice.

use crate::scene::Scene;
use countersign_actuator::apply::Step;
use countersign_manifests_schema::notary::Outcome;
use countersign_manifests_schema::plan::ApplyResult;
use countersign_manifests_schema::warden::Stage;

const RUNNER: &str = "runner-06";

#[test]
fn what_is_approved_is_applied_once_and_the_next_report_is_in_sync() {
    let scene = Scene::new(&["runner-03", "runner-04", "runner-06"]);
    let ran = scene.apply();
    assert_eq!(ran.status, Some(0), "{}", ran.text);
    let rows = ran.said.unwrap().proposals;
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_eq!((row.result, row.receipt.is_some()), (Some(ApplyResult::Applied), true), "{row:?}");
    }
    let report = scene.nightly();
    for runner in &report.runners {
        assert!(runner.drift.is_empty(), "{runner:?}");
    }
    for (_, id) in &scene.proposals {
        assert_eq!(scene.ends(id), [Some(Some(Outcome::Applied))]);
    }
    let verified = scene.run(&["ledger", "verify"], &[]);
    for runner in ["runner-03", "runner-04", "runner-06"] {
        assert!(verified.text.contains(&format!("warden of {runner}: agrees up to entry ")), "{}", verified.text);
    }
    let entries = scene.ledger().len();
    let again = scene.apply();
    assert_eq!((again.status, again.said.unwrap().proposals.len()), (Some(0), 0), "{}", again.text);
    assert_eq!(scene.ledger().len(), entries);
    assert!(scene.wardens.iter().all(|warden| warden.started().len() == 1));
}

#[test]
fn stopped_or_cut_off_at_every_step_it_is_in_one_of_two_states_and_started_once() {
    let mut points = 0;
    for step in Step::ALL {
        for action in ["kill", "lose"] {
            stopped_at(step, action);
            points += 1;
        }
    }
    eprintln!("{points} points: {} steps, killed and cut off at each", Step::ALL.len());
}

fn stopped_at(step: Step, action: &str) {
    let what = format!("{} {action}", step.name());
    let scene = Scene::new(&[RUNNER]);
    let (_, id) = &scene.proposals[0];
    let warden = &scene.wardens[0];
    let begun = scene.acting.dir.path().join("begun");
    if step == Step::UnderWay {
        warden.hold_at(&begun);
    }
    let environment = [("COUNTERSIGN_FAULT", what.as_str()), ("COUNTERSIGN_FAULT_BEGUN", begun.to_str().unwrap())];
    let ran = scene.run(&["apply", "--all", "--json"], &environment);
    let _ = std::fs::remove_file(&begun);
    assert!(ran.text.contains(&format!("fault: {what}")), "{what} was not reached: {}", ran.text);
    match action {
        "kill" => assert_eq!(ran.signal, Some(9), "{what}: the fault was not reached: {}", ran.text),
        _ => assert!(ran.status.is_some(), "{what}"),
    }
    if action == "kill" {
        let status = scene.run(&["status"], &[]);
        let open = scene.ends(id).contains(&None);
        assert_eq!(status.text.contains("UNDER WAY"), open, "{what}: {}", status.text);
    }
    // What was not spent may be started by a later run; what was spent never is.
    for _ in 0..3 {
        scene.apply();
    }
    let ends = scene.ends(id);
    let started = warden.started();
    assert!(!ends.contains(&None), "{what}: every start has an end: {ends:?}");
    assert!(started.len() <= 1, "{what}: {started:?}");
    let spent = ends.iter().filter(|end| matches!(end, Some(Some(_)))).count();
    assert_eq!(spent, 1, "{what}: {ends:?}");
    let last = ends.last().unwrap().unwrap().unwrap();
    let former = warden.machine().rpmdb_digest() == scene.before[0];
    match last {
        Outcome::Applied => {
            assert!(!former, "{what}");
            assert_eq!(started[0].stage, Stage::Confirmed, "{what}");
        }
        Outcome::Undone => {
            assert!(former, "{what}");
            assert!(started.iter().all(|application| application.stage == Stage::Undone), "{what}");
        }
        Outcome::Failed => panic!("{what}: {ends:?}"),
    }
    // The two that the token separates: before it nothing is spent, after it something must have been.
    eprintln!("{what:<16} {ends:?}");
}
