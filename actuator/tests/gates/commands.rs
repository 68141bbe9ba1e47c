//! The other commands, the documents, and how each ends.

use super::stage::Stage;

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
