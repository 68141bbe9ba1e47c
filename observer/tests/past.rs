//! What canonical demanded of a runner over time, read from real commits.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::disallowed_types, reason = "a test makes repositories; the observer itself starts nothing")]

#[path = "../../shared/tests/repositories/mod.rs"]
mod repositories;

use countersign_observer::assess::Versions;
use countersign_observer::canonical::{
    load,
    since::{Past, Until},
};
use countersign_shared::git::{CommitId, Mirror};
use repositories::{commit, git, git_command, repository};
use std::fs;
use std::path::PathBuf;

const FLEET: &str = "schema = \"countersign/fleet/1\"\n\
    [groups.builders]\nowner = \"a@example.org\"\nmanifests = [\"builder\"]\n\
    [groups.others]\nowner = \"b@example.org\"\nmanifests = [\"other\"]\n\
    [runners.runner-01]\naddress = \"10.0.0.11\"\ngroups = [\"builders\"]\n\
    [runners.runner-02]\naddress = \"10.0.0.12\"\ngroups = [\"builders\"]\n\
    [runners.runner-03]\naddress = \"10.0.0.13\"\ngroups = [\"others\"]\n";

fn manifest(rules: &str) -> String {
    format!("schema = \"countersign/manifest/1\"\n[packages]\n{rules}\n")
}

/// A work tree whose commits are one hour apart.
struct History {
    place: tempfile::TempDir,
    count: i64,
}

impl History {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        git(place.path(), &["init", "--quiet", "."]);
        Self { place, count: 0 }
    }

    fn commit(&mut self, files: &[(&str, &str)]) -> String {
        self.count += 1;
        self.commit_at(self.count * 3600, files)
    }

    /// With a date that whoever commits has chosen.
    fn commit_at(&mut self, date: i64, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let file = self.place.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        git(self.place.path(), &["add", "--all"]);
        let mut command = git_command(self.place.path());
        command.env("GIT_COMMITTER_DATE", format!("@{date} +0000"));
        let output = command.args(["commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", "x"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        git(self.place.path(), &["rev-parse", "HEAD"])
    }

    fn past(&self) -> Past {
        let path: PathBuf = self.place.path().join(".git");
        let tip = git(self.place.path(), &["rev-parse", "HEAD"]);
        Past::new(Mirror::open(&path).unwrap(), CommitId::parse(&tip).unwrap())
    }
}

/// Commit and whether the runner was there, newest first.
fn list(versions: &Versions) -> Vec<(&str, bool)> {
    versions.list.iter().map(|v| (v.change.commit.as_str(), v.manifest.is_some())).collect()
}

#[test]
fn each_version_is_named_by_the_commit_that_brought_it() {
    let mut history = History::new();
    let any = manifest("htop = \"*\"");
    let c1 = history.commit(&[("fleet.toml", FLEET), ("manifests/builder.toml", &any), ("manifests/other.toml", &any)]);
    history.commit(&[("README.md", "words")]);
    let c3 = history.commit(&[("manifests/other.toml", &manifest("vim = \"*\""))]);
    let c4 = history.commit(&[("manifests/builder.toml", &manifest("htop = \"= 3\""))]);
    history.commit(&[("policy.toml", "schema = \"countersign/policy/1\"\n")]);
    // Comments and order demand nothing.
    history.commit(&[("manifests/builder.toml", &manifest("# pinned\nhtop = \"=3\""))]);
    let mut past = history.past();
    let versions = past.versions("runner-01", Until::Beginning).unwrap();
    assert_eq!(list(&versions), [(c4.as_str(), true), (c1.as_str(), true)]);
    assert!(versions.complete);
    assert_eq!(versions.list[0].change.at, 4 * 3600);
    assert_eq!(list(&past.versions("runner-02", Until::Beginning).unwrap()), list(&versions));
    let other = past.versions("runner-03", Until::Beginning).unwrap();
    assert_eq!(list(&other), [(c3.as_str(), true), (c1.as_str(), true)]);
    assert_eq!(list(&past.versions("runner-99", Until::Beginning).unwrap()), [(c1.as_str(), false)]);
}

#[test]
fn commits_in_which_canonical_cannot_be_read_are_passed_over() {
    let mut history = History::new();
    let three = manifest("htop = \"= 3\"");
    let c1 =
        history.commit(&[("fleet.toml", FLEET), ("manifests/builder.toml", &three), ("manifests/other.toml", &three)]);
    history.commit(&[("manifests/builder.toml", "not toml [")]);
    history.commit(&[("README.md", "still broken")]);
    history.commit(&[("manifests/builder.toml", &three)]);
    let versions = history.past().versions("runner-01", Until::Beginning).unwrap();
    assert_eq!(list(&versions), [(c1.as_str(), true)]);
    // The tip's own change is still found when what came before is broken from the start.
    let mut history = History::new();
    history.commit(&[("fleet.toml", "broken [")]);
    let c2 =
        history.commit(&[("fleet.toml", FLEET), ("manifests/builder.toml", &three), ("manifests/other.toml", &three)]);
    let versions = history.past().versions("runner-01", Until::Beginning).unwrap();
    assert_eq!(list(&versions), [(c2.as_str(), true)]);
    assert!(versions.complete);
}

#[test]
fn a_runner_that_joined_later_or_changed_its_group_has_versions_of_its_own() {
    let mut history = History::new();
    let without = FLEET.replace("[runners.runner-02]\naddress = \"10.0.0.12\"\ngroups = [\"builders\"]\n", "");
    let c1 = history.commit(&[
        ("fleet.toml", &without),
        ("manifests/builder.toml", &manifest("htop = \"*\"")),
        ("manifests/other.toml", &manifest("vim = \"*\"")),
    ]);
    let c2 = history.commit(&[("fleet.toml", FLEET)]);
    let moved = FLEET.replace("\"10.0.0.12\"\ngroups = [\"builders\"]", "\"10.0.0.12\"\ngroups = [\"others\"]");
    let c3 = history.commit(&[("fleet.toml", &moved)]);
    let mut past = history.past();
    let versions = past.versions("runner-02", Until::Beginning).unwrap();
    assert_eq!(list(&versions), [(c3.as_str(), true), (c2.as_str(), true), (c1.as_str(), false)]);
    assert_eq!(list(&past.versions("runner-01", Until::Beginning).unwrap()), [(c1.as_str(), true)]);
}

#[test]
fn the_past_is_read_no_further_back_than_asked() {
    let mut history = History::new();
    let mut commits = Vec::new();
    for number in 1..=6 {
        let rule = manifest(&format!("htop = \"= {number}\""));
        let files = [("fleet.toml", FLEET), ("manifests/builder.toml", &rule), ("manifests/other.toml", &rule)];
        commits.push(history.commit(&files));
    }
    let mut past = history.past();
    let newest = past.versions("runner-01", Until::Time(6 * 3600)).unwrap();
    assert_eq!(list(&newest), [(commits[5].as_str(), true)]);
    assert!(!newest.complete);
    let three = past.versions("runner-01", Until::Time(4 * 3600 + 1)).unwrap();
    assert_eq!(list(&three), [(commits[5].as_str(), true), (commits[4].as_str(), true), (commits[3].as_str(), true)]);
    assert_eq!(past.versions("runner-01", Until::Beginning).unwrap().list.len(), 6);
    // What is known already is answered from memory, and no more of it than asked.
    assert_eq!(past.versions("runner-01", Until::Time(6 * 3600)).unwrap().list.len(), 1);
}

#[test]
fn only_first_parents_count() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.git");
    let rules = [1, 2, 3].map(|number| manifest(&format!("htop = \"= {number}\"")));
    let [one, two, three] = rules.each_ref().map(|rule| {
        [("fleet.toml", FLEET), ("manifests/builder.toml", rule.as_str()), ("manifests/other.toml", rule.as_str())]
    });
    let root = repository(&path, &one);
    git(&path, &["update-ref", "refs/heads/topic", &root]);
    commit(&path, "topic", &two);
    let topic = commit(&path, "topic", &three);
    let tree = git(&path, &["rev-parse", "topic^{tree}"]);
    let merge = git(&path, &["commit-tree", &tree, "-p", &root, "-p", &topic, "-m", "Merge"]);
    let mut past = Past::new(Mirror::open(&path).unwrap(), CommitId::parse(&merge).unwrap());
    let versions = past.versions("runner-01", Until::Beginning).unwrap();
    assert_eq!(list(&versions), [(merge.as_str(), true), (root.as_str(), true)]);
}

#[test]
fn a_tip_that_is_known_is_not_read_again() {
    let mut history = History::new();
    let any = manifest("htop = \"*\"");
    let files = [("fleet.toml", FLEET), ("manifests/builder.toml", &any), ("manifests/other.toml", &any)];
    let c1 = history.commit(&files);
    let c2 = history.commit(&[("manifests/builder.toml", &manifest("htop = \"= 3\""))]);
    let mirror = Mirror::open(&history.place.path().join(".git")).unwrap();
    let at = |commit: &str| load(&mirror, CommitId::parse(commit).unwrap()).unwrap().canonical;
    let versions = history.past().knowing(at(&c2)).versions("runner-01", Until::Beginning).unwrap();
    assert_eq!(list(&versions), [(c2.as_str(), true), (c1.as_str(), true)]);
    assert!(versions.complete);
    // Another commit's canonical is taken for the tip's: then nothing has changed between the two.
    let versions = history.past().knowing(at(&c1)).versions("runner-01", Until::Beginning).unwrap();
    assert_eq!(list(&versions), [(c1.as_str(), true)]);
}

#[test]
fn what_came_after_a_commit_is_found_whatever_its_date_says() {
    let mut history = History::new();
    let rule = |rule: &str| manifest(&format!("htop = \"{rule}\""));
    let first = rule("= 1");
    let c1 =
        history.commit(&[("fleet.toml", FLEET), ("manifests/builder.toml", &first), ("manifests/other.toml", &first)]);
    let judged = history.commit_at(7200, &[("README.md", "words")]);
    // In the same second, and long before.
    let c3 = history.commit_at(7200, &[("manifests/builder.toml", &rule("= 2"))]);
    let c4 = history.commit_at(60, &[("manifests/builder.toml", &rule("= 3"))]);
    let mut past = history.past();
    assert_eq!(
        past.versions("runner-01", Until::Time(7200)).unwrap().list.len(),
        1,
        "by the dates nothing has changed"
    );
    let since = Until::Commit(CommitId::parse(&judged).unwrap());
    let versions = past.versions("runner-01", since).unwrap();
    assert_eq!(list(&versions)[..2], [(c4.as_str(), true), (c3.as_str(), true)]);
    assert_eq!(versions.list.len(), 3);
    for (commit, count) in [(&c4, 1), (&c3, 2), (&c1, 3)] {
        let since = Until::Commit(CommitId::parse(commit).unwrap());
        assert_eq!(history.past().versions("runner-01", since).unwrap().list.len(), count, "{commit}");
    }
    let nowhere = Until::Commit(CommitId::parse(&"ab".repeat(20)).unwrap());
    assert_eq!(history.past().versions("runner-01", nowhere).unwrap().list.len(), 3, "all there is");
}
