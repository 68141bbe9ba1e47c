//! The copy of the ledger on another machine is brought up to date at the end of a run.

use crate::scene::Scene;
use countersign_integration::embedded::acting::git;
use countersign_manifests_schema::plan::ApplyResult;
use std::fs;

#[test]
fn a_mirror_that_cannot_be_reached_is_told_and_made_good_by_the_next_run() {
    let scene = Scene::new(&["runner-06"]);
    let path = scene.acting.dir.path().join("actuator.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("[ledger]\n", "[ledger]\nmirror = \"receipts.git\"\n")).unwrap();
    let ran = scene.apply();
    let document = ran.said.unwrap();
    assert_eq!((ran.status, document.proposals[0].result), (Some(0), Some(ApplyResult::Applied)), "{}", ran.text);
    let told: Vec<&str> = document.trust.iter().map(|notice| notice.code.as_str()).collect();
    assert!(told.contains(&"ledger-mirror"), "{told:?}");
    let verified = scene.run(&["ledger", "verify"], &[]);
    assert!(!verified.text.contains("mirror: agrees"), "{}", verified.text);

    git(scene.acting.dir.path(), &["init", "--quiet", "--bare", "-b", "main", "receipts.git"]).unwrap();
    let ran = scene.apply();
    let document = ran.said.unwrap();
    assert_eq!((ran.status, document.proposals.len()), (Some(0), 0), "{}", ran.text);
    assert!(document.trust.iter().all(|notice| notice.code != "ledger-mirror"), "{}", ran.text);
    let entries = scene.ledger().len();
    let verified = scene.run(&["ledger", "verify"], &[]);
    assert_eq!(verified.status, Some(0), "{}", verified.text);
    let agrees = format!("mirror: agrees up to entry {entries}");
    assert!(verified.text.contains(&agrees), "{}", verified.text);
    let receipts = scene.acting.dir.path().join("receipts.git");
    let files = git(&receipts, &["ls-tree", "-r", "--name-only", "main"]).unwrap();
    let kept = files.lines().map(|file| git(&receipts, &["show", &format!("main:{file}")]).unwrap());
    let kept = kept.collect::<Vec<_>>().join("\n");
    let own = fs::read_to_string(scene.acting.dir.path().join("state/ledger.jsonl")).unwrap();
    assert_eq!(kept.trim(), own.trim());
}
