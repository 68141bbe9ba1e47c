//! Budgets, the breaker, and the halt: what is used up or stopped stays so over a restart, until a person lifts it.

use crate::stage::{Stage, USUAL, code, head, id, outcome, token};
use countersign_manifests_schema::lease::OrderKind;
use countersign_manifests_schema::notary::{NotaryRequest, Outcome};
use std::fs;

const WIDE: &str =
    "require_touch = false\n[breaker]\nrunners_at_once = 99\ntransactions_per_run = 99\ntransactions_per_day = 99\n";

#[test]
fn each_budget_refuses_at_its_limit_and_not_before_also_after_a_restart() {
    for (budget, limit) in [("transactions_per_run", 3), ("transactions_per_day", 4), ("runners_at_once", 2)] {
        let stage = Stage::new();
        let wide = WIDE.replace(&format!("{budget} = 99"), &format!("{budget} = {limit}"));
        assert_ne!(wide, WIDE);
        stage.configure(&wide);
        let mut notary = stage.start();
        let proposals: Vec<String> = (1..=9).map(id).collect();
        stage.lease(&proposals, &USUAL);
        for number in 1..=limit {
            assert_eq!(code(&stage.ask(&token(&id(number), number))), "done", "{budget}: {number}");
            notary.kill();
            notary = stage.start();
        }
        let over = stage.ask(&token(&id(9), 9));
        assert_eq!(code(&over), "breaker", "{budget}");
        assert!(format!("{over:?}").contains(budget), "{over:?}");
        // What lifts each of them.
        match budget {
            "transactions_per_run" => stage.lease(&proposals, &USUAL),
            "runners_at_once" => {
                assert_eq!(code(&stage.ask(&outcome(&id(1), Outcome::Applied, 8))), "done");
            }
            _ => continue,
        }
        assert_eq!(code(&stage.ask(&token(&id(9), 9))), "done", "{budget}");
    }
}

#[test]
fn too_many_removals_are_refused() {
    let stage = Stage::new();
    let _notary = stage.start();
    stage.lease(&[id(1), id(2)], &USUAL);
    let removing = |proposal: &str, count: u32| {
        let mut request = token(proposal, count.into());
        if let NotaryRequest::Token { removals, .. } = &mut request {
            *removals = count;
        }
        request
    };
    assert_eq!(code(&stage.ask(&removing(&id(1), 6))), "breaker");
    assert_eq!(code(&stage.ask(&removing(&id(1), 5))), "done");
}

#[test]
fn a_failure_trips_the_breaker_until_a_person_resets_it() {
    for ended in [Outcome::Failed, Outcome::Undone] {
        let stage = Stage::new();
        let notary = stage.start();
        stage.lease(&[id(1), id(2)], &USUAL);
        assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done");
        assert_eq!(code(&stage.ask(&outcome(&id(1), ended, 2))), "done");
        assert_eq!(code(&stage.ask(&token(&id(2), 3))), "breaker");
        notary.kill();
        // A larger number in the file does not reset what has tripped.
        stage.configure("require_touch = false\n[breaker]\nfailures = 5\n");
        let notary = stage.start();
        assert_eq!(code(&stage.ask(&token(&id(2), 3))), "breaker");
        assert!(stage.state().tripped.unwrap().contains("1 of the applications"));
        assert_eq!(code(&stage.ask(&stage.order(OrderKind::ResetBreaker))), "done");
        notary.kill();
        let _notary = stage.start();
        let state = stage.state();
        assert_eq!((state.tripped, state.reset.unwrap().by.as_str()), (None, "bob@example.org"));
        assert_eq!(code(&stage.ask(&token(&id(2), 3))), "done");
    }
}

#[test]
fn failures_are_counted_since_the_last_reset() {
    let stage = Stage::with("require_touch = false\n[breaker]\nfailures = 2\n");
    let _notary = stage.start();
    stage.lease(&(1..=9).map(id).collect::<Vec<_>>(), &USUAL);
    let fail = |number: u64| {
        assert_eq!(code(&stage.ask(&token(&id(number), 10 * number))), "done", "{number}");
        assert_eq!(code(&stage.ask(&outcome(&id(number), Outcome::Failed, 10 * number + 1))), "done");
    };
    fail(1);
    assert_eq!(stage.state().tripped, None);
    fail(2);
    assert_eq!(code(&stage.ask(&token(&id(3), 30))), "breaker");
    assert_eq!(code(&stage.ask(&stage.order(OrderKind::ResetBreaker))), "done");
    fail(3);
    assert_eq!(stage.state().tripped, None);
}

#[test]
fn a_halt_stays_until_a_person_resumes_and_does_not_stop_outcomes() {
    let stage = Stage::new();
    let notary = stage.start();
    stage.lease(&[id(1), id(2)], &USUAL);
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done");
    let halt = |reason: &str| stage.ask(&NotaryRequest::Halt { reason: reason.to_owned() });
    assert_eq!(code(&halt("llvm looks\nwrong")), "done");
    assert_eq!(code(&halt("second")), "done");
    assert_eq!(code(&stage.ask(&token(&id(2), 2))), "halted");
    notary.kill();
    let _notary = stage.start();
    assert_eq!(code(&stage.ask(&token(&id(2), 2))), "halted", "after a restart");
    let halted = stage.state().halted.unwrap();
    assert!(halted.starts_with("llvm looks wrong (uid "), "{halted}");
    assert_eq!(code(&stage.ask(&outcome(&id(1), Outcome::Applied, 2))), "done");
    assert_eq!(code(&stage.ask(&stage.order(OrderKind::Resume))), "done");
    assert_eq!(stage.state().halted, None);
    assert_eq!(code(&stage.ask(&token(&id(2), 3))), "done");
    assert_eq!(stage.state().head, Some(head(3)));
}

#[test]
fn a_halt_that_cannot_be_read_is_one() {
    let stage = Stage::new();
    let _notary = stage.start();
    stage.lease(&[id(1)], &USUAL);
    let halt = stage.path("state/HALT");
    fs::create_dir(&halt).unwrap();
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "halted");
    assert!(stage.state().halted.unwrap().contains("cannot be read"));
    fs::remove_dir(&halt).unwrap();
    fs::write(&halt, "by hand").unwrap();
    assert_eq!(stage.state().halted.as_deref(), Some("by hand"), "root may set one without asking");
    fs::remove_file(&halt).unwrap();
    fs::rename(stage.path("state"), stage.path("away")).unwrap();
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "halted", "the directory is gone");
    fs::rename(stage.path("away"), stage.path("state")).unwrap();
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done");
}
