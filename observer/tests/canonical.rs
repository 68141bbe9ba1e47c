//! Canonical is fetched, judged by its history, and loaded or explained.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::disallowed_types, reason = "a test makes repositories; the observer itself starts nothing")]

#[path = "../../shared/tests/repositories/mod.rs"]
mod repositories;

use countersign_observer::canonical::{CanonicalError, Source, fetch_and_load, load_fetched, preview};
use countersign_observer::config::Repository;
use countersign_shared::exit::Outcome;
use countersign_shared::git::{CommitId, GitError};
use repositories::{commit, git, repository};
use std::path::{Path, PathBuf};

const FLEET: &str = "schema = \"countersign/fleet/1\"\n[groups.builders]\nowner = \"a@example.org\"\nmanifests = [\"builder\"]\n\
    [runners.runner-01]\naddress = \"10.0.0.11\"\ngroups = [\"builders\"]\n";
const MANIFEST: &str = "schema = \"countersign/manifest/1\"\n[packages]\nhtop = \"*\"\n";
const GOOD: &[(&str, &str)] = &[("fleet.toml", FLEET), ("manifests/builder.toml", MANIFEST)];
const BAD: &[(&str, &str)] = &[
    ("fleet.toml", FLEET),
    ("manifests/builder.toml", "schema = \"countersign/manifest/1\"\n[packages]\nhtop = \"2\"\nvim = \"!= 3\"\n"),
];

struct Place {
    root: tempfile::TempDir,
    repository: PathBuf,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> (Self, CommitId) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.git");
        let tip = id(&repository(&path, files));
        (Self { repository: path, root }, tip)
    }

    fn source(&self, anchor: Option<CommitId>) -> Source {
        let repository = Repository {
            url: self.repository.to_str().unwrap().to_owned(),
            branch: "main".to_owned(),
            ssh_key: None,
            known_hosts: None,
            anchor: anchor.map(|a| a.to_string()),
        };
        Source::new(&repository, &self.root.path().join("state")).unwrap()
    }

    fn commit(&self, branch: &str, files: &[(&str, &str)]) -> CommitId {
        id(&commit(&self.repository, branch, files))
    }

    fn move_to(&self, branch: &str, commit: CommitId) {
        git(&self.repository, &["update-ref", &format!("refs/heads/{branch}"), &commit.to_string()]);
    }
}

fn id(text: &str) -> CommitId {
    CommitId::parse(text).unwrap()
}

#[test]
fn the_tip_is_loaded_and_can_be_loaded_again_without_a_connection() {
    let (place, tip) = Place::new(GOOD);
    let source = place.source(None);
    assert_eq!(load_fetched(&source).unwrap_err().code(), "no-branch");
    let loaded = fetch_and_load(&source, None).unwrap();
    assert_eq!((loaded.commit, loaded.committed_at), (tip, 1_763_600_000));
    assert_eq!(loaded.canonical.fleet.runners[0].name, "runner-01");
    std::fs::remove_dir_all(&place.repository).unwrap();
    assert_eq!(load_fetched(&source).unwrap().commit, tip);
    let error = fetch_and_load(&source, Some(tip)).unwrap_err();
    assert_eq!((error.code(), error.outcome()), ("no-repository", Outcome::Failed));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_place() {
    let (place, tip) = Place::new(BAD);
    let error = fetch_and_load(&place.source(None), None).unwrap_err();
    assert_eq!((error.code(), error.outcome()), ("lint", Outcome::Invalid));
    assert_eq!(error.at().as_deref(), Some("manifests/builder.toml:3:8"));
    let CanonicalError::Lint { commit, diagnostics } = error else { panic!("{error}") };
    assert_eq!(commit, tip);
    let lines: Vec<u32> = diagnostics.iter().filter(|d| d.file.starts_with("manifests/")).map(|d| d.line).collect();
    assert_eq!(lines, [3, 4]);
}

#[test]
fn a_preview_loads_a_branch_a_tag_a_reference_or_a_commit_and_leaves_the_tip_alone() {
    let (place, tip) = Place::new(GOOD);
    let source = place.source(None);
    fetch_and_load(&source, None).unwrap();
    let two = format!("{FLEET}[runners.runner-02]\naddress = \"10.0.0.12\"\n");
    place.move_to("topic", tip);
    let topic = place.commit("topic", &[("fleet.toml", &two), GOOD[1]]);
    git(&place.repository, &["tag", "v1", &topic.to_string()]);
    git(&place.repository, &["update-ref", "refs/pull/7/head", &topic.to_string()]);
    for name in ["topic", "v1", "refs/pull/7/head", &topic.to_string()] {
        let loaded = preview(&source, name).unwrap();
        assert_eq!((loaded.commit, loaded.canonical.fleet.runners.len()), (topic, 2), "{name}");
    }
    assert_eq!(load_fetched(&source).unwrap().commit, tip);
    assert_eq!(preview(&source, "-x").unwrap_err().code(), "usage");
    for name in ["nothing", "HEAD", "refs/pull/8/head", &topic.to_string()[..12], &"0123456789".repeat(4)] {
        let error = preview(&source, name).unwrap_err();
        assert_eq!((error.code(), error.outcome()), ("no-branch", Outcome::Invalid), "{name}");
        assert!(error.to_string().contains(name) && error.hint().unwrap().contains("full id"), "{name}: {error}");
    }
    place.commit("broken", BAD);
    assert_eq!(preview(&source, "broken").unwrap_err().outcome(), Outcome::Invalid);
}

#[test]
fn a_rewritten_history_is_refused_until_a_person_moves_the_anchor_into_it() {
    let (place, first) = Place::new(GOOD);
    let seen = place.commit("main", GOOD);
    let source = place.source(Some(first));
    assert_eq!(fetch_and_load(&source, None).unwrap().commit, seen);
    place.move_to("main", first);
    let now = place.commit("main", &[GOOD[0], GOOD[1], ("README.md", "another history")]);
    let error = fetch_and_load(&source, Some(seen)).unwrap_err();
    assert_eq!((error.code(), error.outcome()), ("history-rewritten", Outcome::Refused));
    // An anchor that both histories have accepts nothing, one of the new history does.
    assert_eq!(fetch_and_load(&place.source(Some(now)), Some(seen)).unwrap().commit, now);
    // The next run has seen the new tip.
    assert_eq!(fetch_and_load(&source, Some(now)).unwrap().commit, now);
    // A tip that does not descend from the anchor is refused even when nothing was seen.
    let error = fetch_and_load(&place.source(Some(seen)), None).unwrap_err();
    assert_eq!(error.code(), "history-rewritten");
    assert!(matches!(error, CanonicalError::Git(GitError::HistoryRewritten { .. })));
}

#[test]
fn a_symbolic_link_in_canonical_is_an_invalid_input() {
    let (place, _) = Place::new(GOOD);
    let work = place.root.path().join("work");
    git(place.root.path(), &["clone", "--quiet", place.repository.to_str().unwrap(), work.to_str().unwrap()]);
    std::os::unix::fs::symlink("/etc/passwd", Path::new(&work).join("manifests/x.toml")).unwrap();
    git(&work, &["add", "."]);
    git(&work, &["commit", "--quiet", "--no-gpg-sign", "-m", "A link"]);
    git(&work, &["push", "--quiet", "origin", "HEAD:main"]);
    let error = fetch_and_load(&place.source(None), None).unwrap_err();
    assert_eq!((error.code(), error.outcome()), ("not-a-regular-file", Outcome::Invalid));
}

#[test]
fn an_unsigned_history_a_missing_anchor_and_missing_people_are_violations() {
    use countersign_observer::privilege::people::{Trusted, gather, judge};
    let (place, first) = Place::new(GOOD);
    let tip = place.commit("main", GOOD);
    let source = place.source(Some(first));
    fetch_and_load(&source, None).unwrap();
    let mirror = countersign_shared::git::Mirror::open(&source.mirror).unwrap();
    let pinned = place.root.path().join("approvers");
    let trusted = Trusted { pinned: &pinned, revoked: None, bots: &[] };
    let violation = |anchor| judge(&gather(&mirror, tip, anchor, &trusted, 0)).map(|v| v.message);
    assert!(violation(Some(first)).unwrap().contains("No such file"));
    std::fs::write(&pinned, "ada\n").unwrap();
    assert!(violation(Some(first)).unwrap().contains("line 1"));
    std::fs::write(&pinned, "").unwrap();
    assert!(violation(Some(first)).unwrap().contains(&tip.to_string()));
    assert!(violation(None).unwrap().contains("no anchor"));
    // Nothing has come since the anchor.
    assert_eq!(violation(Some(tip)), None);
    // A revocation that cannot be read is no list of none.
    let revoked = place.root.path().join("revoked");
    let trusted = Trusted { revoked: Some(&revoked), ..trusted };
    let violation = || judge(&gather(&mirror, tip, Some(tip), &trusted, 0)).map(|v| v.message);
    assert!(violation().unwrap().contains("No such file"));
    std::fs::write(&revoked, "# none\nada\n").unwrap();
    assert!(violation().unwrap().contains("line 2"));
}
