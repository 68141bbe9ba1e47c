//! What the ledger says of failures stands until a person resets the breaker, by our own lists; and the copy of the
//! ledger is a witness.

use crate::repositories::git;
use crate::stage::Stage;
use countersign_actuator::config::Config;
use countersign_actuator::ledger::Ledger;
use countersign_actuator::ledger::mirror::LedgerMirror;
use countersign_manifests_schema::bundle::{BUNDLE_SCHEMA, Bundle, SignedText};
use countersign_manifests_schema::lease::{LEASE_NAMESPACE, ORDER_SCHEMA, Order, OrderKind, RESET_NAMESPACE};
use countersign_manifests_schema::ledger::Event;
use countersign_manifests_schema::notary::{OrderState, Outcome};
use countersign_shared::canonical_json;
use countersign_shared::journal::Watch;
use countersign_shared::signing_key::SigningKey;
use jiff::Timestamp;

fn ledger(stage: &Stage) -> Ledger {
    std::fs::create_dir_all(stage.at("state")).unwrap();
    let key = SigningKey::load(&stage.key("ledger")).unwrap();
    Ledger::open(&stage.at("state/ledger.jsonl"), key, Watch::default(), &mut |_, _| ()).unwrap()
}

fn tripped(reason: &str) -> Event {
    Event::Tripped { reason: reason.to_owned() }
}

/// An order that the notary says it obeyed `after` seconds from now.
fn reset(stage: &Stage, who: &str, namespace: &str, kind: OrderKind, after: i64) -> OrderState {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let at = Timestamp::from_second(now.as_second() + after).unwrap().to_string();
    let (schema, reason) = (ORDER_SCHEMA.to_owned(), "llvm is fixed".to_owned());
    let order = Order { schema, kind, nonce: "ab".repeat(32), reason, issued: now.to_string() };
    let text = String::from_utf8(canonical_json::to_bytes(&order).unwrap()).unwrap();
    let signature = stage.signature(who, namespace, text.as_bytes());
    OrderState { order: SignedText { text, signature }, by: "ada@example.org".to_owned(), at }
}

#[test]
fn a_breaker_that_the_ledger_knows_as_tripped_is_reset_by_a_person_alone() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.ready(&sealed);
    let long_ago = Timestamp::now().as_second() - 500;
    ledger(&stage).append(long_ago, tripped("runner-02 failed")).unwrap();
    assert!(stage.refused(&sealed, "breaker").contains("runner-02 failed"));
    for (who, namespace, kind, why) in [
        ("eve", RESET_NAMESPACE, OrderKind::ResetBreaker, "not a person"),
        ("bot", RESET_NAMESPACE, OrderKind::ResetBreaker, "a bot"),
        ("ada", LEASE_NAMESPACE, OrderKind::ResetBreaker, "another namespace"),
        ("ada", RESET_NAMESPACE, OrderKind::Resume, "another order"),
    ] {
        let order = reset(&stage, who, namespace, kind, 0);
        stage.notary.set(|state| state.reset = Some(order));
        assert!(stage.refused(&sealed, "breaker").contains("runner-02 failed"), "{why}");
    }
    let order = reset(&stage, "ada", RESET_NAMESPACE, OrderKind::ResetBreaker, 0);
    stage.notary.set(|state| state.reset = Some(order.clone()));
    stage.ready(&sealed);
    // Once it is recorded, it holds without the notary's word.
    let recorded = Event::Reset { order: order.order.clone(), by: order.by.clone() };
    ledger(&stage).append(Timestamp::now().as_second(), recorded).unwrap();
    stage.notary.set(|state| state.reset = None);
    stage.ready(&sealed);
    // What comes later than an order may be obeyed is not lifted by it, whatever the notary says.
    stage
        .notary
        .set(|state| state.reset = Some(reset(&stage, "ada", RESET_NAMESPACE, OrderKind::ResetBreaker, 90_000)));
    ledger(&stage).append(Timestamp::now().as_second() + 1801, tripped("runner-01 failed")).unwrap();
    assert!(stage.refused(&sealed, "breaker").contains("runner-01 failed"));
}

#[test]
fn a_notary_that_forgot_what_was_applied_is_not_drawn_from() {
    let stage = Stage::new();
    let sealed = stage.merged();
    let (proposal, runner) = ("ab".repeat(32), "runner-02".to_owned());
    let bundle = Bundle {
        schema: BUNDLE_SCHEMA.to_owned(),
        proposal: "{}\n".to_owned(),
        statements: Vec::new(),
        lease: None,
        token: None,
    };
    let started = Event::Started {
        proposal: proposal.clone(),
        runner: runner.clone(),
        approved_by: Vec::new(),
        bundle,
        before: String::new(),
        staged: String::new(),
        commands: Vec::new(),
    };
    let (outcome, commands) = (Outcome::Applied, Vec::new());
    let ended = Event::Ended { proposal: proposal.clone(), runner, outcome, after: None, commands, detail: None };
    let now = Timestamp::now().as_second();
    ledger(&stage).append(now, started).unwrap();
    // A token may not be drawn yet.
    stage.ready(&sealed);
    ledger(&stage).append(now, ended).unwrap();
    assert!(stage.refused(&sealed, "breaker").contains("its memory was taken back"));
    stage.notary.set(|state| state.burned = vec![proposal]);
    stage.ready(&sealed);
}

#[test]
fn the_copy_of_the_ledger_is_asked_as_a_witness() {
    let stage = Stage::new();
    git(&stage.at(""), &["init", "-q", "--bare", "-b", "main", "receipts.git"]);
    let text = std::fs::read_to_string(stage.config()).unwrap();
    std::fs::write(stage.config(), text.replace("[ledger]\n", "[ledger]\nmirror = \"receipts.git\"\n")).unwrap();
    ledger(&stage).append(Timestamp::now().as_second(), tripped("why")).unwrap();
    let config = Config::load(&stage.config()).unwrap();
    let key = SigningKey::load(&stage.key("ledger")).unwrap();
    let path = stage.at("state/ledger.jsonl");
    LedgerMirror::configured(&config).unwrap().unwrap().push(&path, key.public(), 0).unwrap();
    let (status, document) = stage.json(&["ledger", "verify"]);
    assert_eq!((status, document["proven"].as_u64()), (0, Some(1)), "{document}");
    std::fs::write(&path, "").unwrap();
    let (status, document) = stage.json(&["ledger", "verify"]);
    assert_eq!(status, 20, "{document}");
    assert!(document.to_string().contains("its end was cut off"), "{document}");
}
