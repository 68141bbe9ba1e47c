//! Time goes on: leases and tokens end, what was never heard of again fails, and a clock that went back stops everything.

use crate::process::Given;
use crate::stage::{Shape, Stage, USUAL, code, id, outcome, token};
use countersign_manifests_schema::lease::OrderKind;
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest, Outcome};

const START: i64 = 1_800_000_000;

#[test]
fn a_lease_ends_and_its_nonce_with_it() {
    let stage = Stage::new();
    let given = Given::new(&stage.path(""));
    let at = |seconds: i64| given.set(START + seconds, 1_000 + seconds, "boot-a");
    let _notary = stage.start_given(&given);
    stage.lease(&[id(1), id(2)], &USUAL);
    let short = Shape { seconds: 60, ..USUAL };
    stage.lease(&[id(3)], &short);
    let unsigned = stage.draft(&[id(4)], &USUAL);
    at(59);
    assert_eq!(code(&stage.ask(&token(&id(3), 1))), "done");
    assert_eq!(code(&stage.ask(&outcome(&id(3), Outcome::Applied, 2))), "done");
    at(60);
    assert_eq!(stage.state().leases.len(), 1);
    at(1799);
    assert_eq!(code(&stage.ask(&token(&id(1), 3))), "done", "the last second");
    at(1800);
    assert_eq!(code(&stage.ask(&token(&id(2), 4))), "no-lease", "the one after it");
    assert_eq!(code(&stage.ask(&stage.sign_lease(&unsigned, &USUAL))), "expired");
    // With a later end it is over 30 minutes, with a later beginning it is not what the notary said.
    let mut longer = unsigned.clone();
    longer.expires = "2027-01-15T09:00:00Z".to_owned();
    assert_eq!(code(&stage.ask(&stage.sign_lease(&longer, &USUAL))), "request");
    longer.issued = "2027-01-15T08:31:00Z".to_owned();
    assert_eq!(code(&stage.ask(&stage.sign_lease(&longer, &USUAL))), "nonce");
}

#[test]
fn what_is_never_heard_of_again_has_failed() {
    let stage = Stage::new();
    let given = Given::new(&stage.path(""));
    let at = |seconds: i64| given.set(START + seconds, 1_000 + seconds, "boot-a");
    let notary = stage.start_given(&given);
    stage.lease(&[id(1)], &USUAL);
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done");
    at(3599);
    stage.lease(&[id(2), id(3)], &USUAL);
    assert_eq!(stage.state().tripped, None);
    at(3600);
    assert!(stage.state().tripped.unwrap().contains("unheard of"));
    assert_eq!(code(&stage.ask(&token(&id(2), 2))), "breaker");
    notary.kill();
    let _notary = stage.start_given(&given);
    assert_eq!(code(&stage.ask(&token(&id(2), 2))), "breaker");
    assert_eq!(code(&stage.ask(&stage.order(OrderKind::ResetBreaker))), "done");
    let state = stage.state();
    assert_eq!((state.tripped, state.under_way), (None, Vec::new()), "a person has written it off");
    assert_eq!(code(&stage.ask(&token(&id(2), 2))), "done");
    // It is heard of after all, and it is bad.
    assert_eq!(code(&stage.ask(&outcome(&id(1), Outcome::Failed, 3))), "done");
    assert_eq!(code(&stage.ask(&token(&id(3), 4))), "breaker");
}

#[test]
fn a_day_later_the_budget_of_the_day_is_there_again() {
    let stage = Stage::with("require_touch = false\n[breaker]\ntransactions_per_day = 1\n");
    let given = Given::new(&stage.path(""));
    let at = |seconds: i64| given.set(START + seconds, 1_000 + seconds, "boot-a");
    let _notary = stage.start_given(&given);
    stage.lease(&[id(1)], &USUAL);
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done");
    assert_eq!(code(&stage.ask(&outcome(&id(1), Outcome::Applied, 2))), "done");
    for (seconds, expected) in [(86_399, "breaker"), (86_400, "done")] {
        at(seconds);
        stage.lease(&[id(2)], &USUAL);
        assert_eq!(code(&stage.ask(&token(&id(2), 3))), expected, "{seconds}");
    }
}

#[test]
fn a_clock_that_went_back_stops_everything_but_the_brakes() {
    let stage = Stage::new();
    let given = Given::new(&stage.path(""));
    let notary = stage.start_given(&given);
    stage.lease(&[id(1)], &USUAL);
    let waiting = stage.sign_lease(&stage.draft(&[id(1)], &USUAL), &USUAL);
    let order = stage.order(OrderKind::ResetBreaker);
    // The lease is over, by a clock that has gone on; then somebody sets it back.
    given.set(START + 2_000, 3_000, "boot-a");
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "no-lease");
    let refuse_everything = |why: &str| {
        for request in [
            NotaryRequest::Nonce {},
            token(&id(1), 1),
            outcome(&id(1), Outcome::Applied, 1),
            waiting.clone(),
            order.clone(),
        ] {
            assert_eq!(code(&stage.ask(&request)), "clock", "{why}: {request:?}");
        }
    };
    given.set(START + 100, 3_001, "boot-a");
    refuse_everything("set back");
    let NotaryAnswer::Refused { message, .. } = stage.ask(&token(&id(1), 1)) else { panic!() };
    assert!(message.contains("1901 s before") && message.contains("clock.json"), "{message}");
    notary.kill();
    let notary = stage.start_given(&given);
    refuse_everything("set back, and started again");
    given.set(START + 100, 10, "boot-b");
    refuse_everything("set back, and booted again");
    stage.state();
    assert_eq!(code(&stage.ask(&NotaryRequest::Halt { reason: "the clock is odd".to_owned() })), "done");
    assert!(stage.state().halted.is_some());
    // The wall clock is later than the mark, but less has passed than since the boot.
    given.set(START + 2_001, 3_002, "boot-a");
    assert_eq!(code(&stage.ask(&NotaryRequest::Nonce {})), "done", "it is right again");
    given.set(START + 2_500, 9_000, "boot-a");
    refuse_everything("set back slowly");
    notary.kill();
    // As the message says.
    std::fs::remove_file(stage.path("state/clock.json")).unwrap();
    let _notary = stage.start_given(&given);
    assert_eq!(code(&stage.ask(&NotaryRequest::Nonce {})), "done");
}

#[test]
fn a_lease_that_was_given_while_the_clock_was_ahead_is_not_in_force() {
    let stage = Stage::new();
    let given = Given::new(&stage.path(""));
    given.set(START + 1_000_000, 1_000, "boot-a");
    let notary = stage.start_given(&given);
    stage.lease(&[id(1)], &USUAL);
    notary.kill();
    given.set(START, 1_100, "boot-a");
    std::fs::remove_file(stage.path("state/clock.json")).unwrap();
    let _notary = stage.start_given(&given);
    assert!(stage.state().leases.is_empty());
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "no-lease");
}

#[test]
fn what_was_burned_is_a_mark_that_the_clock_does_not_pass_under() {
    let stage = Stage::new();
    let given = Given::new(&stage.path(""));
    let notary = stage.start_given(&given);
    stage.lease(&[id(1)], &USUAL);
    given.set(START + 20, 1_020, "boot-a");
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done");
    notary.kill();
    given.set(START + 19, 10, "boot-b");
    let _notary = stage.start_given(&given);
    assert_eq!(code(&stage.ask(&NotaryRequest::Nonce {})), "clock", "one second before it");
    given.set(START + 20, 10, "boot-b");
    assert_eq!(code(&stage.ask(&NotaryRequest::Nonce {})), "done");
}
