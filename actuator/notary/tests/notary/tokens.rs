//! A token is given out once: to one of two, not again after a restart, not for another runner, not after its time.

use crate::process::{answered, client};
use crate::stage::{Stage, USUAL, code, copy, head, id, outcome, token};
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest, Outcome};
use countersign_manifests_schema::token::{TOKEN_NAMESPACE, Token};
use countersign_shared::approval::people::read_keys;
use countersign_shared::approval::signed::{SignedRefusal, open_token};
use countersign_shared::canonical_json;
use jiff::Timestamp;
use std::fs;

#[test]
fn a_token_is_signed_by_the_notary_for_exactly_what_was_asked_and_for_ten_minutes() {
    let stage = Stage::new();
    let _notary = stage.start();
    stage.lease(&[id(1), id(2)], &USUAL);
    let NotaryAnswer::Token { token: signed } = stage.ask(&token(&id(1), 1)) else { panic!() };
    let keys = read_keys(&stage.public("notary")).unwrap();
    let read: Token = serde_json::from_str(&signed.text).unwrap();
    let issued = read.issued.parse::<Timestamp>().unwrap().as_second();
    let opened = open_token(&signed, &keys[0], issued).unwrap();
    assert_eq!((opened.proposal, opened.runner.as_str()), (id(1), "runner-04"));
    assert_eq!((opened.nonce, opened.staged), (id(0xbeef), id(0xcafe)));
    let state = stage.state();
    assert_eq!(opened.lease, canonical_json::sha256(state.leases[0].lease.text.as_bytes()));
    assert_eq!((state.leases[0].drawn, state.leases[0].by.as_str()), (1, "alice@example.org"));
    assert_eq!((state.burned, state.under_way), (vec![id(1)], vec![id(1)]));
    assert_eq!((state.tokens_today, state.head), (1, Some(head(1))));
    // The last second, and the one after it.
    open_token(&signed, &keys[0], issued + 599).unwrap();
    assert!(matches!(open_token(&signed, &keys[0], issued + 600), Err(SignedRefusal::Late)));
    // ssh-keygen sees the same signature.
    fs::write(stage.path("allowed"), format!("notary {}", stage.public("notary"))).unwrap();
    fs::write(stage.path("token.sig"), &signed.signature).unwrap();
    fs::write(stage.path("token"), &signed.text).unwrap();
    let verified = std::process::Command::new("ssh-keygen")
        .args(["-q", "-Y", "verify", "-I", "notary", "-n", TOKEN_NAMESPACE, "-f"])
        .arg(stage.path("allowed"))
        .arg("-s")
        .arg(stage.path("token.sig"))
        .stdin(fs::File::open(stage.path("token")).unwrap())
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
    assert_eq!(stage.ask(&outcome(&id(1), Outcome::Applied, 2)), NotaryAnswer::Done {});
    assert!(stage.state().under_way.is_empty());
}

#[test]
fn a_token_is_not_given_twice_whoever_asks_for_whatever_and_whenever() {
    let stage = Stage::new();
    let notary = stage.start();
    stage.lease(&[id(1)], &USUAL);
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done");
    let NotaryRequest::Token { proposal, nonce, staged, removals, .. } = token(&id(1), 3) else { panic!() };
    let elsewhere =
        NotaryRequest::Token { proposal, runner: "runner-05".to_owned(), nonce, staged, removals, head: head(3) };
    assert_eq!(code(&stage.ask(&token(&id(1), 2))), "spent");
    assert_eq!(code(&stage.ask(&elsewhere)), "spent", "for another runner");
    assert_eq!(code(&stage.ask(&outcome(&id(1), Outcome::Applied, 2))), "done");
    assert_eq!(code(&stage.ask(&token(&id(1), 3))), "spent", "after it was applied");
    stage.lease(&[id(1)], &USUAL);
    assert_eq!(code(&stage.ask(&token(&id(1), 3))), "spent", "under another lease");
    notary.kill();
    let _notary = stage.start();
    assert_eq!(code(&stage.ask(&token(&id(1), 3))), "spent", "after a restart");
    assert_eq!(stage.state().burned, [id(1)]);
}

#[test]
fn of_many_processes_that_ask_at_once_one_gets_it() {
    let stage = Stage::new();
    let _notary = stage.start();
    for round in 1..=5 {
        stage.lease(&[id(round)], &USUAL);
        let ask = |number| client(&stage.path(""), None, &stage.socket(), &token(&id(round), 100 * round + number));
        let clients: Vec<_> = (0..8).map(ask).collect();
        let answers: Vec<_> = clients.into_iter().map(|child| answered(child).unwrap()).collect();
        let mut codes: Vec<&str> = answers.iter().map(code).collect();
        codes.sort_unstable();
        assert_eq!(codes, ["done", "spent", "spent", "spent", "spent", "spent", "spent", "spent"]);
        assert_eq!(code(&stage.ask(&outcome(&id(round), Outcome::Applied, 100 * round + 50))), "done");
    }
}

#[test]
fn a_request_that_says_no_clear_thing_is_refused() {
    let stage = Stage::new();
    let _notary = stage.start();
    stage.lease(&[id(1)], &USUAL);
    let edit = |edit: fn(&mut serde_json::Value)| {
        let mut value = serde_json::to_value(token(&id(1), 1)).unwrap();
        edit(&mut value);
        serde_json::from_value(value).unwrap()
    };
    for request in [
        edit(|t| t["proposal"] = id(1)[..12].into()),
        edit(|t| t["proposal"] = id(0xa).to_uppercase().into()),
        edit(|t| t["runner"] = "Runner 04".into()),
        edit(|t| t["runner"] = "".into()),
        edit(|t| t["nonce"] = "".into()),
        edit(|t| t["staged"] = "x".repeat(64).into()),
        edit(|t| t["head"]["sha256"] = "".into()),
        edit(|t| t["head"]["number"] = 0.into()),
    ] {
        assert_eq!(code(&stage.ask(&request)), "request", "{request:?}");
    }
    assert!(stage.state().burned.is_empty());
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done", "and beside it, it works");
}

#[test]
fn another_ledger_gets_nothing() {
    let stage = Stage::new();
    let notary = stage.start();
    stage.lease(&(1..=9).map(id).collect::<Vec<_>>(), &USUAL);
    assert_eq!(code(&stage.ask(&token(&id(1), 5))), "done");
    let other = |mut request: NotaryRequest, number| {
        if let NotaryRequest::Token { head: head_of, .. } | NotaryRequest::Outcome { head: head_of, .. } = &mut request
        {
            *head_of = head(99);
            head_of.number = number;
        }
        request
    };
    let cases = [
        (token(&id(2), 4), "smaller"),
        (token(&id(2), 5), "the same: the start is not recorded"),
        (other(token(&id(2), 0), 5), "other bytes at the same number"),
        (outcome(&id(1), Outcome::Applied, 4), "smaller"),
        (other(outcome(&id(1), Outcome::Applied, 0), 5), "other bytes at the same number"),
    ];
    let all_refused = || {
        for (request, why) in &cases {
            assert_eq!(code(&stage.ask(request)), "ledger", "{why}");
        }
    };
    all_refused();
    notary.kill();
    let _notary = stage.start();
    all_refused();
    assert_eq!(
        code(&stage.ask(&outcome(&id(1), Outcome::Applied, 5))),
        "done",
        "nothing new in the ledger, but the same"
    );
    assert_eq!(code(&stage.ask(&token(&id(2), 6))), "done");
}

#[test]
fn an_outcome_is_said_of_what_was_burned_and_may_be_said_again() {
    let stage = Stage::new();
    let _notary = stage.start();
    stage.lease(&[id(1)], &USUAL);
    assert_eq!(code(&stage.ask(&outcome(&id(1), Outcome::Applied, 1))), "request", "never burned");
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done");
    for _ in 0..2 {
        assert_eq!(code(&stage.ask(&outcome(&id(1), Outcome::Applied, 2))), "done");
    }
    assert_eq!(code(&stage.ask(&outcome(&id(1), Outcome::Failed, 3))), "request", "another one");
    assert_eq!(stage.state().head, Some(head(2)));
}

#[test]
fn a_state_that_was_taken_back_does_not_know_what_the_ledger_knows() {
    let stage = Stage::new();
    let notary = stage.start();
    stage.lease(&[id(1), id(2)], &USUAL);
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done");
    notary.kill();
    copy(&stage.path("state"), &stage.path("old"));
    let notary = stage.start();
    assert_eq!(code(&stage.ask(&outcome(&id(1), Outcome::Applied, 2))), "done");
    assert_eq!(code(&stage.ask(&token(&id(2), 3))), "done");
    notary.kill();
    fs::remove_dir_all(stage.path("state")).unwrap();
    copy(&stage.path("old"), &stage.path("state"));
    let _notary = stage.start();
    // It says so itself to whoever reports an outcome, and `ledger verify` sees its old head.
    assert_eq!(code(&stage.ask(&outcome(&id(2), Outcome::Applied, 4))), "request");
    let state = stage.state();
    assert_eq!((state.head, state.burned), (Some(head(1)), vec![id(1)]));
    // The one that is under way holds the slots, so that not everything can be drawn again.
    assert_eq!(state.under_way, [id(1)]);
}
