//! A runner that is gone, never comes to an end, or says too much costs itself, and not the fleet.

use crate::scene::{Ran, Scene};
use countersign_integration::embedded::acting::done;
use countersign_manifests_schema::ledger::Event;
use countersign_manifests_schema::notary::Outcome;
use countersign_manifests_schema::plan::ApplyResult;
use countersign_manifests_schema::warden::Stage;

type Row<'a> = (&'a str, Option<ApplyResult>, Option<&'a str>);

fn rows(ran: &Ran) -> Vec<Row<'_>> {
    let proposals = &ran.said.as_ref().unwrap().proposals;
    proposals.iter().map(|row| (row.runner.as_str(), row.result, row.refusal.as_deref())).collect()
}

/// It was permitted, and nobody hears of its runner again.
fn begun_and_gone(scene: &Scene) -> String {
    let (_, id) = scene.proposals[0].clone();
    let killed = scene.run(&["apply", &id, "--json"], &[("COUNTERSIGN_FAULT", "Permitted kill")]);
    assert_eq!(killed.signal, Some(9), "{}", killed.text);
    scene.wardens[0].leave(true);
    id
}

fn reset(scene: &Scene) {
    done(scene.acting.person(&["reset-breaker", "--yes", "--reason", "runner-04 burned down"])).unwrap();
}

#[test]
fn a_runner_that_is_gone_holds_back_itself_alone() {
    let scene = Scene::new(&["runner-04", "runner-06"]);
    let id = begun_and_gone(&scene);
    // As every failure it trips the breaker; a person who knows of it resets it.
    let ran = scene.apply();
    let open = ("runner-04", Some(ApplyResult::Failed), Some("spent"));
    assert_eq!(rows(&ran), [open, ("runner-06", Some(ApplyResult::Refused), Some("breaker"))], "{}", ran.text);
    reset(&scene);
    let ran = scene.apply();
    assert_eq!(rows(&ran), [open, ("runner-06", Some(ApplyResult::Applied), None)], "{}", ran.text);
    assert_eq!((ran.status, scene.ends(&id)), (Some(1), vec![None]), "{}", ran.text);
    // It comes back, and is asked.
    scene.wardens[0].leave(false);
    let ran = scene.apply();
    assert_eq!(scene.ends(&id), [Some(Some(Outcome::Undone))], "{}", ran.text);
}

#[test]
fn what_stays_unheard_of_is_closed_once_a_person_has_reset_the_breaker_after_it() {
    let scene = Scene::new(&["runner-04"]);
    let id = begun_and_gone(&scene);
    scene.apply();
    assert_eq!(scene.ends(&id), [None], "nobody has said anything yet");
    reset(&scene);
    let soon = scene.apply();
    assert_eq!(scene.ends(&id), [None], "it may still be at work: {}", soon.text);
    let ran = scene.run(&["apply", "--all", "--json"], &[("COUNTERSIGN_FAULT_GIVEN_UP", "1")]);
    assert_eq!(rows(&ran), [("runner-04", Some(ApplyResult::Failed), Some("spent"))], "{}", ran.text);
    assert!(ran.text.contains("never heard of"), "{}", ran.text);
    assert_eq!(scene.ends(&id), [Some(Some(Outcome::Failed))], "{}", ran.text);
    let ran = scene.apply();
    assert_eq!((ran.status, rows(&ran)), (Some(0), Vec::new()), "it is over: {}", ran.text);
}

#[test]
fn a_runner_that_is_at_work_for_ever_does_not_keep_the_run_for_ever() {
    let scene = Scene::new(&["runner-04"]);
    let (_, id) = scene.proposals[0].clone();
    scene.wardens[0].deny();
    scene.wardens[0].stall();
    let patience = ("COUNTERSIGN_FAULT_PATIENCE", "500");
    for _ in 0..2 {
        let ran = scene.run(&["apply", "--all", "--json"], &[patience]);
        assert_eq!((ran.status, rows(&ran)[0].1), (Some(1), Some(ApplyResult::Failed)), "{}", ran.text);
        assert!(ran.text.contains("not known yet"), "{}", ran.text);
    }
    assert_eq!(scene.ends(&id), [None]);
}

#[test]
fn what_a_runner_says_too_much_of_is_cut_and_the_ledger_goes_on() {
    let scene = Scene::new(&["runner-04"]);
    let (_, id) = scene.proposals[0].clone();
    scene.wardens[0].chatter(33 << 20);
    let ran = scene.apply();
    assert_eq!(ran.status, Some(0), "{}", &ran.text[..ran.text.len().min(2000)]);
    assert_eq!(scene.ends(&id), [Some(Some(Outcome::Applied))]);
    assert_eq!(scene.wardens[0].started()[0].stage, Stage::Confirmed);
    let said = scene.ledger().into_iter().find_map(|entry| match entry.event {
        Event::Ended { commands, .. } => commands.last().map(|command| command.argv[0].clone()),
        _ => None,
    });
    assert_eq!(said.as_deref(), Some("... and 1 more, too long to be recorded"));
    assert_eq!(scene.apply().status, Some(0));
}
