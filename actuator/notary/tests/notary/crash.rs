//! kill -9 of the notary at every point of every request: no burned token comes back, nothing that was answered is lost.

use crate::process::{Given, Torn};
use crate::stage::{Stage, USUAL, code, head, id, outcome, token};
use countersign_manifests_schema::lease::OrderKind;
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest, Outcome};
use countersign_notary::desk::Point;
use countersign_shared::journal::Step;
use std::fs;

const KINDS: [&str; 6] = ["token", "outcome", "lease", "reset", "halt", "resume"];

/// The points that handling a request of this kind passes; the rest is of the start.
fn passes(kind: &str, point: Point) -> bool {
    match point {
        Point::Read | Point::Answered => true,
        Point::Signed => kind == "token",
        Point::Halt => matches!(kind, "halt" | "resume"),
        // A halt is not kept waiting for the time.
        Point::Marked => kind != "halt",
        Point::Memory(step) => matches!(step, Step::Begun | Step::Written | Step::Synced),
    }
}

fn torn(point: Point) -> &'static [Torn] {
    if point == Point::Memory(Step::Begun) { &Torn::ALL } else { &[Torn::Nothing] }
}

/// Burned and ended before: 1. Burned, and failed: 2. Under a lease: 1, 2, 3, 4.
fn situation(stage: &Stage, kind: &str) {
    stage.lease(&(1..=4).map(id).collect::<Vec<_>>(), &USUAL);
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done");
    assert_eq!(code(&stage.ask(&outcome(&id(1), Outcome::Applied, 2))), "done");
    match kind {
        "outcome" => assert_eq!(code(&stage.ask(&token(&id(3), 3))), "done"),
        "reset" => {
            assert_eq!(code(&stage.ask(&token(&id(2), 3))), "done");
            assert_eq!(code(&stage.ask(&outcome(&id(2), Outcome::Failed, 4))), "done");
        }
        "resume" => assert_eq!(code(&stage.ask(&NotaryRequest::Halt { reason: "look".to_owned() })), "done"),
        _ => {}
    }
}

fn request(stage: &Stage, kind: &str) -> NotaryRequest {
    match kind {
        "token" => token(&id(3), 10),
        "outcome" => outcome(&id(3), Outcome::Failed, 10),
        "lease" => stage.sign_lease(&stage.draft(&[id(5)], &USUAL), &USUAL),
        "reset" => stage.order(OrderKind::ResetBreaker),
        "halt" => NotaryRequest::Halt { reason: "stop".to_owned() },
        _ => stage.order(OrderKind::Resume),
    }
}

/// What must hold after the restart, whether the client was answered or not.
fn holds(stage: &Stage, kind: &str, request: &NotaryRequest, answer: Option<&NotaryAnswer>, at: &str) {
    let state = stage.state();
    assert!(state.burned.contains(&id(1)), "{at}");
    let answered = answer.is_some();
    match kind {
        "token" => {
            let burned = state.burned.contains(&id(3));
            assert!(burned || !answered, "{at}: a token that is out is burned");
            assert_eq!(state.head, Some(if burned { head(10) } else { head(2) }), "{at}");
            let second = stage.ask(&token(&id(3), 11));
            assert_eq!(code(&second), if burned { "spent" } else { "done" }, "{at}");
            assert_eq!(code(&stage.ask(&token(&id(3), 12))), "spent", "{at}");
        }
        "outcome" => {
            let known = state.tripped.is_some();
            assert!(known || !answered, "{at}");
            assert_eq!(state.under_way.is_empty(), known, "{at}");
            assert_eq!(code(&stage.ask(request)), "done", "{at}: it may be said again");
            assert_eq!(code(&stage.ask(&token(&id(4), 11))), "breaker", "{at}");
        }
        "lease" => {
            let known = state.leases.len() == 2;
            assert!(known || !answered, "{at}");
            assert_eq!(code(&stage.ask(request)), "nonce", "{at}: never twice");
            assert_eq!(code(&stage.ask(&token(&id(5), 10))), if known { "done" } else { "no-lease" }, "{at}");
        }
        "reset" => {
            let known = state.reset.is_some();
            assert!(known || !answered, "{at}");
            assert_eq!(state.tripped.is_none(), known, "{at}");
            assert_eq!(code(&stage.ask(request)), "nonce", "{at}: never twice");
        }
        "halt" => {
            assert!(state.halted.is_some() || !answered, "{at}");
            let drawn = code(&stage.ask(&token(&id(4), 10))).to_owned();
            assert_eq!(drawn == "halted", state.halted.is_some(), "{at}");
        }
        _ => {
            assert!(state.halted.is_none() || !answered, "{at}");
            assert_eq!(code(&stage.ask(request)), "nonce", "{at}: never twice");
        }
    }
}

#[test]
fn it_may_die_at_every_point_of_every_request() {
    let mut points = 0;
    for kind in KINDS {
        for (index, point) in Point::ALL.into_iter().enumerate().filter(|(_, point)| passes(kind, *point)) {
            for torn in torn(point) {
                let at = format!("{kind} at {point:?}, {torn:?}");
                let stage = Stage::new();
                let mut given = Given::new(&stage.path(""));
                given.death = Some((index, *torn));
                let notary = stage.start_given(&given);
                situation(&stage, kind);
                let request = request(&stage, kind);
                fs::write(&given.armed, "").unwrap();
                let answer = stage.try_ask(&request).ok();
                assert!(!notary.ended().success(), "{at}: it must die there");
                fs::remove_file(&given.armed).unwrap();
                given.death = None;
                let notary = stage.start_given(&given);
                holds(&stage, kind, &request, answer.as_ref(), &at);
                // What was written behind a torn line can be read again.
                notary.kill();
                let _notary = stage.start_given(&given);
                assert!(stage.state().burned.contains(&id(1)), "{at}");
                points += 1;
            }
        }
    }
    eprintln!("killed at {points} points");
}

#[test]
fn it_may_die_while_it_starts_and_mends_what_was_torn() {
    let mut points = 0;
    let steps = [Step::Created, Step::Mending, Step::Mended].map(Point::Memory);
    for (index, point) in Point::ALL.into_iter().enumerate().filter(|(_, point)| steps.contains(point)) {
        for torn in Torn::ALL {
            if torn == Torn::Nothing && point != steps[0] {
                continue;
            }
            let at = format!("{point:?}, {torn:?}");
            let stage = Stage::new();
            let mut given = Given::new(&stage.path(""));
            // The first death leaves the torn line, the second comes while it is mended.
            let begun = Point::ALL.into_iter().position(|p| p == Point::Memory(Step::Begun)).unwrap();
            given.death = Some((begun, torn));
            let notary = stage.start_given(&given);
            situation(&stage, "token");
            fs::write(&given.armed, "").unwrap();
            let request = token(&id(3), 10);
            assert!(stage.try_ask(&request).is_err(), "{at}");
            assert!(!notary.ended().success());
            given.death = Some((index, Torn::Nothing));
            let dead = stage.start_given(&given);
            assert!(!dead.said.contains("listening"), "{at}: it must die there");
            drop(dead);
            fs::remove_file(&given.armed).unwrap();
            let _notary = stage.start_given(&given);
            holds(&stage, "token", &request, None, &at);
            points += 1;
        }
    }
    // And before there was anything at all.
    let stage = Stage::new();
    let mut given = Given::new(&stage.path(""));
    given.death = Some((Point::ALL.into_iter().position(|p| p == steps[0]).unwrap(), Torn::Nothing));
    fs::write(&given.armed, "").unwrap();
    assert!(!stage.start_given(&given).said.contains("listening"));
    fs::remove_file(&given.armed).unwrap();
    let _notary = stage.start_given(&given);
    assert!(stage.state().burned.is_empty());
    eprintln!("killed at {} points of the start", points + 1);
}

#[test]
fn a_memory_that_is_damaged_gives_nothing_out() {
    let stage = Stage::new();
    let notary = stage.start();
    situation(&stage, "token");
    notary.kill();
    let path = stage.path("state/memory.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let burned = lines.iter().position(|line| line.contains("burned")).unwrap();
    let without = |index: usize| {
        let mut lines = lines.clone();
        lines.remove(index);
        lines.concat()
    };
    for (text, why) in [
        (whole.replacen("burned", "burnt", 1), "an unknown record"),
        (whole.replacen("\"at\":", "\"at\": ", 1), "another spelling"),
        (format!("{whole}{}", lines[burned]), "burned twice"),
        (without(burned), "ended, and never burned"),
        (format!("{whole}garbage"), "an end that is none"),
        (whole.replacen('{', "", 1), "not JSON"),
    ] {
        assert_ne!(text, whole);
        fs::write(&path, &text).unwrap();
        let notary = stage.start();
        assert!(!notary.said.contains("listening"), "{why}: {}", notary.said);
        assert!(notary.said.contains("memory"), "{why}: {}", notary.said);
        assert_eq!(notary.ended().code(), Some(1), "{why}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{why}: it is left as it is");
    }
    fs::write(&path, &whole).unwrap();
    let _notary = stage.start();
    assert_eq!(code(&stage.ask(&token(&id(1), 10))), "spent");
}
