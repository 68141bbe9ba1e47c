//! Who approved what: not-merged to insufficient-approvals, by ordinary means.

use super::repositories::git;
use super::stage::{RUNNER, Stage, directory, install};
use serde_json::Value;

#[test]
fn a_proposal_that_a_person_merged_passes_every_gate_and_every_gate_is_shown() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.ready(&sealed);
    let (status, mut document) = stage.json(&["plan"]);
    assert_eq!(status, 0);
    redact(&mut document);
    insta::assert_json_snapshot!("plan", document);
    // Plain text for people, with each gate when it is about one.
    let output = stage.run(&["plan"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for word in [RUNNER, "ada@example.org", "ready", "no-token", "TRUSTED WITHOUT PROOF"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

/// Ids, times, seconds and paths differ from run to run.
fn redact(value: &mut Value) {
    match value {
        Value::String(text) => {
            let words = text.split(' ').map(|word| match word {
                word if word.len() >= 40 && word.bytes().all(|b| b.is_ascii_hexdigit()) => "[id]",
                word if word.ends_with("/HALT,") => "[state_dir]/HALT,",
                word if word.starts_with('/') => "[path]",
                word if word.len() == 20 && word.ends_with('Z') => "[time]",
                word if word.parse::<u64>().is_ok_and(|number| number > 100) => "[seconds]",
                word => word,
            });
            *text = words.collect::<Vec<_>>().join(" ");
        }
        Value::Array(list) => list.iter_mut().for_each(redact),
        Value::Object(map) => map.values_mut().for_each(redact),
        _ => {}
    }
}

#[test]
fn one_that_waits_on_its_branch_is_not_merged() {
    let stage = Stage::new();
    let sealed = stage.proposal(|_| ());
    let commit = stage.propose(&[&sealed]);
    stage.lease("ada", &[&sealed]);
    assert!(stage.decided(&sealed, "not-merged").contains("proposals/runner-01"));
    // Without being named it is none of what main has.
    assert_eq!(stage.json(&["plan"]).1["proposals"], serde_json::json!([]));
    stage.merge("ada", &commit, &[&sealed]);
    stage.ready(&sealed);
}

#[test]
fn a_revert_withdraws_for_good() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.ready(&sealed);
    let commit = git(&stage.at("proposed.git"), &["rev-parse", &format!("proposals/{RUNNER}")]);
    stage.on_main();
    stage.git_as("proposed", "bob", &["revert", "--no-edit", "-m", "1", "-S", "HEAD"]);
    stage.push("proposed");
    stage.refused(&sealed, "withdrawn");
    // Putting it back is not an approval of anything.
    stage.on_main();
    stage.git_as("proposed", "bot", &["checkout", &commit, "--", &directory(&sealed)]);
    stage.commit_as("proposed", None, "Bring it back");
    stage.push("proposed");
    assert_eq!(stage.verdict(&sealed).0["refusal"], "withdrawn");
}

#[test]
fn a_signed_rejection_withdraws_and_one_by_a_stranger_does_not() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.sign("eve", "countersign-reject", "rejections", &sealed);
    stage.ready(&sealed);
    // An approval is not a rejection, wherever it lies.
    stage.sign("bob", "countersign", "rejections", &sealed);
    stage.ready(&sealed);
    stage.sign("bob", "countersign-reject", "rejections", &sealed);
    assert!(stage.refused(&sealed, "withdrawn").contains("bob@example.org"));
}

#[test]
fn a_web_merge_approves_nothing_and_blocks_nothing() {
    let stage = Stage::new();
    let sealed = stage.proposal(|_| ());
    let commit = stage.propose(&[&sealed]);
    stage.lease("ada", &[&sealed]);
    stage.merge_on_the_web(&commit, &format!("Merge pull request\n\n{}", super::stage::line(&sealed)));
    stage.refused(&sealed, "not-human");
    // In another namespace it is a signature over something else.
    stage.sign("ada", "file", "approvals", &sealed);
    assert!(stage.refused(&sealed, "not-human").contains("not"));
    stage.sign("ada", "countersign", "approvals", &sealed);
    stage.ready(&sealed);
}

#[test]
fn two_people_are_two_keys_and_two_names() {
    let stage = Stage::with_policy("[approval]\nrequired = 2\nprotected_required = 2\n");
    let sealed = stage.merged();
    assert!(stage.refused(&sealed, "insufficient-approvals").starts_with("1 of 2"));
    // The same person once more is the same person.
    stage.sign("ada", "countersign", "approvals", &sealed);
    assert!(stage.refused(&sealed, "insufficient-approvals").starts_with("1 of 2"));
    stage.sign("bob", "countersign", "approvals", &sealed);
    stage.ready(&sealed);
    assert_eq!(stage.verdict(&sealed).0["approved_by"], serde_json::json!(["ada@example.org", "bob@example.org"]));
}

#[test]
fn one_key_under_two_names_is_nobody() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.write(
        "approvers",
        &(stage.approvers(&["ada", "bob"]) + &format!("ada2@example.org {}\n", stage.public("ada"))),
    );
    let why = stage.verdict(&sealed);
    assert!(why.refusals().contains(&"not-human"), "{why:?}");
    stage.write("approvers", &stage.approvers(&["ada", "bob"]));
    stage.ready(&sealed);
}

#[test]
fn protected_packages_want_more_people() {
    let stage = Stage::with_policy("[protected]\npackages = [\"glibc\"]\n");
    let sealed = stage.proposal(|proposal| {
        proposal.transaction.rpms.insert(0, install("glibc-2.40-3.fc41.x86_64"));
        proposal.risk.protected = vec!["glibc".to_owned()];
    });
    stage.merge("ada", &stage.propose(&[&sealed]), &[&sealed]);
    stage.lease("ada", &[&sealed]);
    assert!(stage.refused(&sealed, "insufficient-approvals").contains("glibc"));
    stage.sign("bob", "countersign", "approvals", &sealed);
    stage.ready(&sealed);
}

#[test]
fn what_is_evidence_is_for_the_policy_to_say() {
    let stage = Stage::with_policy("[approval]\nevidence = \"signature\"\n");
    let sealed = stage.merged();
    assert!(stage.refused(&sealed, "not-human").contains("policy.toml"));
    stage.sign("ada", "countersign", "approvals", &sealed);
    stage.ready(&sealed);
}

#[test]
fn keys_in_software_count_only_where_that_is_accepted_and_then_shout() {
    let stage = Stage::new();
    let sealed = stage.merged();
    let (_, document) = stage.json(&["plan"]);
    let codes = |document: &serde_json::Value| {
        document["trust"].as_array().unwrap().iter().map(|n| n["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(codes(&document).contains(&"software-keys".to_owned()));
    stage.configure_accepting("\"canonical-writable\", \"proposed-writable\"", "", "");
    let row = stage.verdict(&sealed);
    assert!(row.refusals().contains(&"not-human"), "{row:?}");
    assert!(row.detail("not-human").contains("touched"), "{row:?}");
}
