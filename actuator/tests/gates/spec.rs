//! canonical and the histories of both repositories.

use super::repositories::{commit, git, repository};
use super::stage::{RUNNER, Stage};
use std::fs;

#[test]
fn a_rewritten_history_is_refused_in_either_repository_until_it_is_repaired() {
    for name in ["canonical", "proposed"] {
        let stage = Stage::new();
        let sealed = stage.merged();
        stage.ready(&sealed);
        let bare = stage.at(&format!("{name}.git"));
        let seen = git(&bare, &["rev-parse", "main"]);
        // Another way to the same content, from the same anchor.
        let work = stage.at(name);
        git(&work, &["fetch", "--quiet", "origin"]);
        git(&work, &["checkout", "--quiet", "-B", "main", "origin/main"]);
        stage.git_as(name, "ada", &["commit", "--quiet", "--amend", "--allow-empty", "-S", "-m", "Begin anew"]);
        git(&work, &["push", "--quiet", "--force", "origin", "HEAD:refs/heads/main"]);
        assert!(stage.verdict(&sealed).refusals().contains(&"history-rewritten"), "{name}");
        // The refused tip is not what the next run compares with.
        assert!(stage.verdict(&sealed).refusals().contains(&"history-rewritten"), "{name}");
        git(&bare, &["update-ref", "refs/heads/main", &seen]);
        stage.ready(&sealed);
    }
}

#[test]
fn canonical_must_be_by_people() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.write("canonical/manifests/other.toml", "schema = \"countersign/manifest/1\"\nowner = \"a@example.org\"\n");
    stage.commit_as("canonical", Some("bob"), "Add a manifest");
    stage.push("canonical");
    stage.ready(&sealed);
    stage.write("canonical/manifests/third.toml", "schema = \"countersign/manifest/1\"\nowner = \"a@example.org\"\n");
    let unsigned = stage.commit_as("canonical", None, "Add another");
    stage.push("canonical");
    assert!(stage.refused(&sealed, "canonical-unsigned").contains(&unsigned));
    // A person vouches for it.
    stage.commit_as("canonical", Some("ada"), &format!("Look at it\n\nCountersign-Endorses: {unsigned}"));
    stage.push("canonical");
    stage.ready(&sealed);
}

#[test]
fn a_bot_that_adds_itself_to_the_approvers_is_seen() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.write("canonical/approvers", &stage.approvers(&["ada", "bob", "bot"]));
    stage.commit_as("canonical", Some("bot"), "Add an approver");
    stage.push("canonical");
    stage.refused(&sealed, "canonical-unsigned");
    // And what it signs then is by nobody, since the copy on this machine does not know it.
    let other = stage.proposal(|proposal| proposal.runner = "runner-02".to_owned());
    stage.merge("bot", &stage.propose(&[&other]), &[&other]);
    stage.lease("ada", &[&other]);
    let row = stage.verdict(&other);
    assert!(row.refusals().starts_with(&["canonical-unsigned", "not-human"]), "{row:?}");
}

#[test]
fn one_person_does_not_change_who_the_people_are() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.write("canonical/approvers", &stage.approvers(&["ada", "bob", "eve"]));
    let commit = stage.commit_as("canonical", Some("ada"), "Add an approver");
    stage.push("canonical");
    stage.refused(&sealed, "canonical-unsigned");
    stage.commit_as("canonical", Some("bob"), &format!("Yes\n\nCountersign-Endorses: {commit}"));
    stage.push("canonical");
    stage.ready(&sealed);
}

#[test]
fn who_has_left_the_people_counts_no_more_even_before_the_copy_here_is_changed() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.ready(&sealed);
    stage.write("canonical/approvers", &stage.approvers(&["bob", "eve"]));
    let commit = stage.commit_as("canonical", Some("ada"), "Say goodbye");
    stage.commit_as("canonical", Some("bob"), &format!("Yes\n\nCountersign-Endorses: {commit}"));
    stage.push("canonical");
    let row = stage.verdict(&sealed);
    assert!(row.refusals().contains(&"not-human") && row.refusals().contains(&"no-lease"), "{row:?}");
    // And who has come does not count before it is.
    stage.sign("eve", "countersign", "approvals", &sealed);
    assert!(stage.verdict(&sealed).refusals().contains(&"not-human"));
    stage.write("approvers", &stage.approvers(&["ada", "bob", "eve"]));
    stage.lease("bob", &[&sealed]);
    stage.ready(&sealed);
}

#[test]
fn without_an_anchor_canonical_is_by_nobody() {
    let stage = Stage::new();
    let sealed = stage.merged();
    let text = fs::read_to_string(stage.config()).unwrap();
    let line = text.lines().find(|line| line.starts_with("anchor")).unwrap();
    stage.write("actuator.toml", &text.replacen(&format!("{line}\n"), "", 1));
    assert!(stage.refused(&sealed, "canonical-unsigned").contains("anchor"));
}

#[test]
fn an_unsigned_canonical_can_be_accepted_and_then_shouts() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.commit_as("canonical", None, "Nobody's");
    stage.push("canonical");
    stage.refused(&sealed, "canonical-unsigned");
    let accept = "\"canonical-writable\", \"proposed-writable\", \"software-keys\", \"canonical-unsigned\"";
    stage.configure_accepting(accept, "", "");
    stage.ready(&sealed);
    assert!(stage.json(&["plan"]).1["trust"].to_string().contains("canonical-unsigned"));
}

#[test]
fn a_manifest_that_has_changed_since_refuses_and_another_file_does_not() {
    let stage = Stage::new();
    let sealed = stage.merged();
    let manifest = stage.at("canonical/manifests/builder.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, format!("# The same rules.\n{text}")).unwrap();
    stage.commit_as("canonical", Some("ada"), "Say more");
    stage.push("canonical");
    stage.ready(&sealed);
    fs::write(&manifest, format!("{text}strace = \"*\"\n")).unwrap();
    stage.commit_as("canonical", Some("ada"), "Want strace");
    stage.push("canonical");
    stage.refused(&sealed, "canonical-moved");
}

#[test]
fn a_runner_that_has_left_the_fleet_gets_nothing() {
    let stage = Stage::new();
    let sealed = stage.merged();
    let fleet = stage.at("canonical/fleet.toml");
    let text = fs::read_to_string(&fleet).unwrap();
    fs::write(&fleet, text.replace(&format!("[runners.{RUNNER}]"), "[runners.runner-09]")).unwrap();
    let commit = stage.commit_as("canonical", Some("ada"), "Rename a runner");
    stage.commit_as("canonical", Some("bob"), &format!("Yes\n\nCountersign-Endorses: {commit}"));
    stage.push("canonical");
    assert!(stage.decided(&sealed, "canonical-moved").contains("fleet.toml"));
}

#[test]
fn a_canonical_that_is_wrong_is_said_with_its_place() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.write("canonical/manifests/builder.toml", "schema = \"countersign/manifest/1\"\n[packages]\nhtop = \"2\"\n");
    stage.commit_as("canonical", Some("ada"), "Break it");
    stage.push("canonical");
    let (status, document) = stage.json(&["plan", sealed.id()]);
    assert_eq!((status, document["schema"].as_str()), (2, Some("countersign/error/1")));
    assert_eq!(document["at"], "manifests/builder.toml:3:8");
}

#[test]
fn another_repository_in_the_place_of_ours_is_a_rewritten_history() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.ready(&sealed);
    // Unrelated from its first commit on, with the same files.
    let other = stage.at("other.git");
    let json = String::from_utf8(sealed.bytes().to_vec()).unwrap();
    let path = format!("proposals/{RUNNER}/{}/proposal.json", sealed.id());
    repository(&other, &[("README.md", "Proposals\n")]);
    commit(&other, "main", &[("README.md", "Proposals\n"), (&path, &json)]);
    fs::remove_dir_all(stage.at("proposed.git")).unwrap();
    fs::rename(&other, stage.at("proposed.git")).unwrap();
    assert!(stage.decided(&sealed, "history-rewritten").contains("proposed"));
}

#[test]
fn a_runner_is_enrolled_by_what_people_have_written_alone() {
    let stage = Stage::new();
    stage.write("warden", "the program");
    let (warden, notary) = (stage.at("warden"), stage.at("ledger.pub"));
    let args = ["enroll", RUNNER, "--warden", warden.to_str().unwrap(), "--notary-key", notary.to_str().unwrap()];
    let (status, document) = stage.json(&args);
    let actuator = stage.public("actuator");
    assert!(document["text"].as_str().unwrap().contains(&actuator), "{document}");
    assert_eq!(status, 0);

    // Who can push to canonical puts a key of its own in the place of the actuator's.
    let bot = stage.public("bot");
    let fleet = fs::read_to_string(stage.at("canonical/fleet.toml")).unwrap();
    stage.write("canonical/fleet.toml", &fleet.replace(&actuator, &bot));
    let unsigned = stage.commit_as("canonical", None, "Turn the key");
    stage.push("canonical");
    let (status, document) = stage.json(&args);
    assert_eq!((status, document["code"].as_str()), (20, Some("canonical-unsigned")), "{document}");
    assert!(document["message"].as_str().unwrap().contains(&unsigned), "{document}");

    // People may have wanted it: two, for it changes whom the runners obey.
    for (person, expected) in [("ada", 20), ("bob", 0)] {
        stage.commit_as("canonical", Some(person), &format!("It is so\n\nCountersign-Endorses: {unsigned}"));
        stage.push("canonical");
        assert_eq!(stage.json(&args).0, expected, "{person}");
    }
    let (status, document) = stage.json(&args);
    assert!(document["text"].as_str().unwrap().contains(&bot), "{document}");
    assert_eq!(status, 0);
}
