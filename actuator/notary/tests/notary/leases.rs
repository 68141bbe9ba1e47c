//! A lease counts if a listed person signed it, in its namespace, over a nonce of this notary, for at most 30 minutes.

use crate::stage::{Shape, Stage, USUAL, code, id, token};
use countersign_manifests_schema::lease::{LEASE_NAMESPACE, Lease, OrderKind, RESET_NAMESPACE, RESUME_NAMESPACE};
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest};
use jiff::Timestamp;
use std::fs;

/// The code with which a lease is refused that differs in its signature or in its words.
fn with(stage: &Stage, shape: Shape, edit: impl FnOnce(&mut Lease)) -> String {
    let mut lease = stage.draft(&[id(1)], &shape);
    edit(&mut lease);
    code(&stage.ask(&stage.sign_lease(&lease, &shape))).to_owned()
}

#[test]
fn a_lease_that_no_person_signed_so_is_refused() {
    let stage = Stage::new();
    stage.keygen("robot");
    let lists = fs::read_to_string(stage.path("approvers")).unwrap();
    let narrow = format!("carol@example.org namespaces=\"git\" {}", stage.public("mallory"));
    let robot = format!("robot@example.org {}", stage.public("robot"));
    fs::write(stage.path("approvers"), lists + &robot + &narrow).unwrap();
    stage.configure(&format!("require_touch = false\nbots = [\"{}\"]\n", stage.public("robot").trim()));
    let _notary = stage.start();
    let mut cases = 0;
    let mut refused = |expected: &str, why: &str, code: String| {
        cases += 1;
        assert_eq!(code, expected, "{why}");
    };
    let by = |key| Shape { key, ..USUAL };
    let none = |_: &mut Lease| ();
    refused("not-human", "a bot, though listed", with(&stage, by("robot"), none));
    refused("not-human", "a key that is listed for git alone", with(&stage, by("mallory"), none));
    refused("not-human", "the notary's own key", with(&stage, by("notary"), none));
    for namespace in [RESET_NAMESPACE, RESUME_NAMESPACE, "countersign", "git", "countersign-token"] {
        refused("not-human", namespace, with(&stage, Shape { namespace, ..USUAL }, none));
    }
    refused("request", "31 minutes", with(&stage, Shape { seconds: 1801, ..USUAL }, none));
    refused("request", "no time at all", with(&stage, Shape { seconds: 0, ..USUAL }, none));
    refused("request", "for nothing", with(&stage, USUAL, |lease| lease.max = 0));
    refused("request", "for no proposal", with(&stage, USUAL, |lease| lease.proposals.clear()));
    refused("request", "not sorted", with(&stage, USUAL, |lease| lease.proposals = vec![id(2), id(1)]));
    refused("request", "one twice", with(&stage, USUAL, |lease| lease.proposals = vec![id(1), id(1)]));
    refused("request", "a short id", with(&stage, USUAL, |lease| lease.proposals = vec![id(1)[52..].to_owned()]));
    refused("request", "no reason", with(&stage, USUAL, |lease| lease.reason = " ".to_owned()));
    refused("request", "another schema", with(&stage, USUAL, |lease| lease.schema = "countersign/order/1".to_owned()));
    refused("nonce", "a nonce of somebody else", with(&stage, USUAL, |lease| lease.nonce = id(7)));
    let shifted = |lease: &mut Lease| {
        for time in [&mut lease.issued, &mut lease.expires] {
            let seconds = time.parse::<Timestamp>().unwrap().as_second() + 30;
            *time = Timestamp::from_second(seconds).unwrap().to_string();
        }
    };
    refused("nonce", "30 s later than the notary said", with(&stage, USUAL, shifted));
    let earlier = |lease: &mut Lease| {
        lease.issued = "2026-01-01T00:00:00Z".to_owned();
        lease.expires = "2026-01-01T00:30:00Z".to_owned();
    };
    refused("expired", "from another day", with(&stage, USUAL, earlier));
    let (future, end) = ("2100-01-01T00:00:00Z", "2100-01-01T00:30:00Z");
    let later = |lease: &mut Lease| (lease.issued, lease.expires) = (future.to_owned(), end.to_owned());
    refused("expired", "from the future", with(&stage, USUAL, later));

    // Signed, and then changed.
    let lease = stage.draft(&[id(1)], &USUAL);
    let NotaryRequest::Lease { lease: mut signed } = stage.sign_lease(&lease, &USUAL) else { panic!() };
    signed.text = signed.text.replace(&id(1), &id(2));
    refused(
        "not-human",
        "changed after it was signed",
        code(&stage.ask(&NotaryRequest::Lease { lease: signed })).into(),
    );

    assert!(stage.state().leases.is_empty());
    refused("done", "and beside all of them, it works", with(&stage, USUAL, none));
    eprintln!("{cases} leases");
}

#[test]
fn a_nonce_is_used_once_and_dies_with_the_process() {
    let stage = Stage::new();
    let notary = stage.start();
    let lease = stage.sign_lease(&stage.draft(&[id(1)], &USUAL), &USUAL);
    let waiting = stage.sign_lease(&stage.draft(&[id(1)], &USUAL), &USUAL);
    assert_eq!(code(&stage.ask(&lease)), "done");
    assert_eq!(code(&stage.ask(&lease)), "nonce", "replayed");
    notary.kill();
    let _notary = stage.start();
    assert_eq!(code(&stage.ask(&lease)), "nonce", "replayed after a restart");
    assert_eq!(code(&stage.ask(&waiting)), "nonce", "given out before the restart");
    assert_eq!(stage.state().leases.len(), 1, "what was taken in is remembered");
    // One nonce is not good for a lease and for an order.
    let order = stage.draft_order(OrderKind::Resume);
    assert_eq!(code(&stage.ask(&stage.sign_order(&order, "bob", RESUME_NAMESPACE))), "done");
    let mut lease = stage.draft(&[id(1)], &USUAL);
    (lease.nonce, lease.issued) = (order.nonce, order.issued);
    assert_eq!(code(&stage.ask(&stage.sign_lease(&lease, &USUAL))), "nonce");
}

#[test]
fn a_lease_covers_its_proposals_as_often_as_it_says() {
    let stage = Stage::with("require_touch = false\n[breaker]\nrunners_at_once = 9\n");
    let _notary = stage.start();
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "no-lease", "none at all");
    stage.lease(&[id(1), id(2), id(3)], &Shape { max: 2, ..USUAL });
    assert_eq!(code(&stage.ask(&token(&id(4), 1))), "no-lease", "for other proposals");
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done");
    assert_eq!(code(&stage.ask(&token(&id(2), 2))), "done");
    assert_eq!(code(&stage.ask(&token(&id(3), 3))), "no-lease", "used up");
    stage.lease(&[id(3)], &USUAL);
    assert_eq!(code(&stage.ask(&token(&id(3), 3))), "done", "under another");
    let drawn: Vec<u32> = stage.state().leases.iter().map(|lease| lease.drawn).collect();
    assert_eq!(drawn, [2, 1]);
}

#[test]
fn who_leaves_the_list_or_is_revoked_leaves_at_once() {
    let stage = Stage::new();
    fs::write(stage.path("revoked"), "").unwrap();
    stage.configure("require_touch = false\nrevoked = \"revoked\"\n");
    let _notary = stage.start();
    let by = |key| Shape { key, ..USUAL };
    assert_eq!(with(&stage, by("alice"), |_| ()), "done");
    fs::write(stage.path("revoked"), stage.public("alice")).unwrap();
    assert_eq!(with(&stage, by("alice"), |_| ()), "not-human", "revoked");
    assert_eq!(with(&stage, by("bob"), |_| ()), "done");
    fs::write(stage.path("approvers"), format!("alice@example.org {}", stage.public("alice"))).unwrap();
    assert_eq!(with(&stage, by("bob"), |_| ()), "not-human", "not listed any more");
    for (file, text) in [("revoked", "garbage\n"), ("approvers", "garbage\n")] {
        fs::write(stage.path(file), text).unwrap();
        assert_eq!(with(&stage, by("bob"), |_| ()), "storage", "{file} cannot be read");
    }
    fs::remove_file(stage.path("revoked")).unwrap();
    assert_eq!(with(&stage, by("alice"), |_| ()), "storage", "a list of the revoked that is gone revokes nobody");
}

#[test]
fn a_key_in_software_is_not_enough_unless_it_is_said_to_be() {
    let stage = Stage::with("");
    let _notary = stage.start();
    let answer = stage.ask(&stage.sign_lease(&stage.draft(&[id(1)], &USUAL), &USUAL));
    let NotaryAnswer::Refused { code, message } = answer else { panic!() };
    assert_eq!(code, "not-human");
    assert!(message.contains("security key"), "{message}");
}

#[test]
fn each_order_has_its_own_namespace_and_needs_a_person() {
    let stage = Stage::new();
    let _notary = stage.start();
    let cases = [
        (OrderKind::ResetBreaker, "alice", RESET_NAMESPACE, "done"),
        (OrderKind::Resume, "alice", RESUME_NAMESPACE, "done"),
        (OrderKind::ResetBreaker, "alice", RESUME_NAMESPACE, "not-human"),
        (OrderKind::Resume, "alice", RESET_NAMESPACE, "not-human"),
        (OrderKind::Resume, "alice", LEASE_NAMESPACE, "not-human"),
        (OrderKind::Resume, "mallory", RESUME_NAMESPACE, "not-human"),
        (OrderKind::ResetBreaker, "mallory", RESET_NAMESPACE, "not-human"),
    ];
    for (kind, key, namespace, expected) in cases {
        let request = stage.sign_order(&stage.draft_order(kind), key, namespace);
        assert_eq!(code(&stage.ask(&request)), expected, "{kind:?} by {key} in {namespace}");
        let again = if expected == "done" { "nonce" } else { expected };
        assert_eq!(code(&stage.ask(&request)), again, "and again");
    }
}
