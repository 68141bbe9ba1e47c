//! The other commands, the documents, and how each ends.

use super::stage::{RUNNER, Stage};
use countersign_actuator::ledger::Ledger;
use countersign_manifests_schema::bundle::{BUNDLE_SCHEMA, Bundle};
use countersign_manifests_schema::ledger::Event;
use countersign_manifests_schema::notary::Outcome;
use countersign_shared::journal::Watch;
use countersign_shared::proposal::Sealed;
use countersign_shared::signing_key::SigningKey;

#[test]
fn every_failure_is_one_document_with_a_place_and_a_hint() {
    let stage = Stage::new();
    for (args, code) in [
        (&["plan", "zz"][..], "usage"),
        (&["plan", "ab"], "usage"),
        (&["plan", "abcd"], "no-such-proposal"),
        (&["nonsense"], "usage"),
        (&["review"], "usage"),
        (&["review", "--since", "soon"], "usage"),
        (&["halt", " "], "usage"),
    ] {
        let (status, document) = stage.json(args);
        assert_eq!((status, document["code"].as_str()), (2, Some(code)), "{args:?} {document}");
        assert_eq!(document["schema"], "countersign/error/1");
    }
    stage.write("actuator.toml", "state_dir = \"state\"\n[canonical]\nurI = \"x\"\n");
    let (status, document) = stage.json(&["plan"]);
    assert_eq!((status, document["code"].as_str()), (2, Some("config")));
    assert!(document["at"].as_str().unwrap().ends_with("actuator.toml:3:1"), "{document}");
    let text = String::from_utf8(stage.run(&["plan"]).stderr).unwrap();
    assert!(text.contains("^^^") && text.contains("Hint:"), "{text}");
}

#[test]
fn a_short_id_is_resolved_and_an_ambiguous_one_is_not() {
    let stage = Stage::new();
    // Two whose ids begin alike, found among many.
    let mut seen = std::collections::HashMap::new();
    let (first, second) = (0..5_000)
        .find_map(|seconds: i64| {
            let at = jiff::Timestamp::from_second(1_900_000_000 + seconds).unwrap().to_string();
            let sealed = stage.proposal(|proposal| proposal.expires = at);
            let short = sealed.id()[..4].to_owned();
            seen.insert(short, sealed.clone()).map(|other| (other, sealed))
        })
        .unwrap();
    stage.merge("ada", &stage.propose(&[&first, &second]), &[&first, &second]);
    stage.lease("ada", &[&first, &second]);
    let (status, document) = stage.json(&["plan", &first.id()[..4]]);
    assert_eq!((status, document["code"].as_str()), (2, Some("ambiguous-id")));
    let (_, document) = stage.json(&["plan", &first.id()[..16]]);
    assert_eq!(document["proposals"][0]["id"], first.id());
}

#[test]
fn a_halt_reaches_both_places_and_says_where_it_did_not() {
    let stage = Stage::new();
    let sealed = stage.merged();
    let (status, document) = stage.json(&["halt", "llvm looks wrong"]);
    assert_eq!(status, 0, "{document}");
    assert!(document["places"].as_array().unwrap().iter().all(|place| place["set"] == true), "{document}");
    assert_eq!(stage.json(&["ledger", "show"]).1["entries"][0]["event"]["reason"], "llvm looks wrong");
    stage.refused(&sealed, "halted");
    assert_eq!(stage.notary.state.lock().unwrap().halted.as_deref(), Some("llvm looks wrong"));
    // `status` and `plan` end with it.
    assert_eq!(stage.json(&["status"]).0, 21);
    assert_eq!(stage.json(&["plan"]).0, 21);
    std::fs::remove_file(stage.at("state/HALT")).unwrap();
    std::fs::remove_file(stage.at("notary.sock")).unwrap();
    let (status, document) = stage.json(&["halt", "again"]);
    assert_eq!(status, 1);
    assert_eq!((&document["places"][0]["set"], &document["places"][1]["set"]), (&true.into(), &false.into()));
    assert!(stage.at("state/HALT").exists(), "the local halt needs nobody");
}

#[test]
fn status_asks_no_remote() {
    let stage = Stage::new();
    let sealed = stage.merged();
    let (status, document) = stage.json(&["status"]);
    assert_eq!((status, document["schema"].as_str()), (1, Some("countersign/error/1")), "nothing was fetched yet");
    stage.ready(&sealed);
    std::fs::remove_dir_all(stage.at("proposed.git")).unwrap();
    std::fs::remove_dir_all(stage.at("canonical.git")).unwrap();
    let (status, document) = stage.json(&["status"]);
    assert_eq!((status, document["proposals"][0]["id"].as_str()), (0, Some(sealed.id())));
    let text = String::from_utf8(stage.run(&["status"]).stdout).unwrap();
    assert!(text.contains("on duty") && text.contains("ada@example.org"), "{text}");
    // `plan` does ask.
    let (status, document) = stage.json(&["plan"]);
    assert_eq!((status, document["code"].as_str()), (1, Some("no-repository")));
}

#[test]
fn two_runs_at_once_are_one_and_a_refusal() {
    let stage = Stage::new();
    stage.merged();
    std::fs::create_dir_all(stage.at("state")).unwrap();
    let _held = countersign_shared::state_lock::StateLock::take(&stage.at("state")).unwrap();
    let (status, document) = stage.json(&["plan"]);
    assert_eq!((status, document["code"].as_str()), (1, Some("running")));
}

#[test]
fn what_is_remembered_is_what_is_judged_anew() {
    let stage = Stage::new();
    let sealed = stage.merged();
    let (_, first) = stage.json(&["plan"]);
    let memory = stage.at("state/main.jsonl");
    let written = std::fs::read_to_string(&memory).unwrap();
    assert_eq!(written.lines().count(), 1);
    let (_, second) = stage.json(&["plan"]);
    let without_times = |document: &serde_json::Value| {
        let gates = document["proposals"][0]["gates"].as_array().unwrap();
        gates.iter().map(|gate| (gate["gate"].clone(), gate["verdict"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(without_times(&first), without_times(&second));
    assert_eq!(std::fs::read_to_string(&memory).unwrap(), written, "nothing is written twice");
    // A line that was cut short is one that is not remembered.
    std::fs::write(&memory, &written[..written.len() / 2]).unwrap();
    stage.ready(&sealed);
    // Nothing in it approves anything: whoever writes it only chooses what is looked at.
    std::fs::write(&memory, &written).unwrap();
    let (_, document) = stage.json(&["plan"]);
    assert_eq!(document["proposals"].as_array().unwrap().len(), 1);
}

/// Writes to the ledger as an application does.
fn record(stage: &Stage, events: Vec<Event>) {
    std::fs::create_dir_all(stage.at("state")).unwrap();
    let key = SigningKey::load(&stage.key("ledger")).unwrap();
    let mut ledger = Ledger::open(&stage.at("state/ledger.jsonl"), key, Watch::default(), &mut |_, _| ()).unwrap();
    for event in events {
        ledger.append(jiff::Timestamp::now().as_second(), event).unwrap();
    }
}

fn started(sealed: &Sealed) -> Event {
    let proposal = String::from_utf8(sealed.bytes().to_vec()).unwrap();
    Event::Started {
        proposal: sealed.id().to_owned(),
        runner: RUNNER.to_owned(),
        approved_by: vec!["ada@example.org".to_owned()],
        bundle: Bundle { schema: BUNDLE_SCHEMA.to_owned(), proposal, statements: Vec::new(), lease: None, token: None },
        before: "b".repeat(64),
        staged: "c".repeat(64),
        commands: Vec::new(),
    }
}

fn ended(sealed: &Sealed, outcome: Outcome) -> Event {
    Event::Ended {
        proposal: sealed.id().to_owned(),
        runner: RUNNER.to_owned(),
        outcome,
        after: Some("d".repeat(64)),
        commands: Vec::new(),
        detail: None,
    }
}

#[test]
fn what_the_ledger_has_started_is_spent_and_shown_with_its_end() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.ready(&sealed);
    record(&stage, vec![started(&sealed)]);
    assert!(stage.decided(&sealed, "spent").contains("entry 1"));
    let text = String::from_utf8(stage.run(&["status"]).stdout).unwrap();
    assert!(text.contains("UNDER WAY") && text.contains(sealed.id()), "{text}");
    record(&stage, vec![ended(&sealed, Outcome::Applied)]);
    stage.notary.set(|state| state.burned = vec![sealed.id().to_owned()]);
    stage.refused(&sealed, "spent");
    let (status, document) = stage.json(&["status"]);
    let row = &document["proposals"][0];
    assert_eq!((status, row["result"].as_str()), (0, Some("applied")));
    assert_eq!(row["receipt"].as_str().unwrap().len(), 64);
    // It is done, so it is no refusal of anything that is to be done.
    assert_eq!(stage.json(&["plan"]).0, 0);
    let (status, document) = stage.json(&["review", "--since", "1h"]);
    assert_eq!((status, document["entries"].as_array().unwrap().len()), (0, 2));
    assert_eq!(document["entries"][0]["event"]["approved_by"][0], "ada@example.org");
    let (_, document) = stage.json(&["review", "--since", "2999-01-01"]);
    assert_eq!(document["entries"], serde_json::json!([]));
}

#[test]
fn what_was_given_up_before_it_began_is_not_spent_and_a_failure_trips() {
    let stage = Stage::new();
    let sealed = stage.merged();
    let (proposal, runner) = (sealed.id().to_owned(), RUNNER.to_owned());
    let given_up = Event::Refused { proposal, runner, code: "no-token".to_owned(), detail: "late".to_owned() };
    record(&stage, vec![started(&sealed), given_up]);
    stage.ready(&sealed);
    let other = stage.proposal(|proposal| proposal.runner = "runner-02".to_owned());
    record(&stage, vec![started(&other), ended(&other, Outcome::Failed)]);
    stage.refused(&sealed, "breaker");
}

#[test]
fn a_ledger_that_cannot_be_trusted_lets_nothing_pass() {
    let stage = Stage::new();
    let sealed = stage.merged();
    record(&stage, vec![Event::Halted { reason: "a look".to_owned() }, Event::Halted { reason: "more".to_owned() }]);
    stage.ready(&sealed);
    let (status, document) = stage.json(&["ledger", "verify"]);
    assert_eq!((status, &document["bad"], document["entries"].as_u64()), (0, &serde_json::Value::Null, Some(2)));
    let path = stage.at("state/ledger.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("a look", "a loop", 1)).unwrap();
    let row = stage.verdict(&sealed);
    assert_eq!(row.refusals(), ["spent", "breaker"], "{row:?}");
    let (status, document) = stage.json(&["ledger", "verify"]);
    assert_eq!((status, document["bad"]["line"].as_u64()), (20, Some(1)));
    assert_eq!(stage.json(&["ledger", "show"]).0, 1);
    // A halt does not need it, and says that it is not in it.
    let (status, document) = stage.json(&["halt", "look at the ledger"]);
    assert_eq!((status, &document["recorded"]), (0, &false.into()));
}
