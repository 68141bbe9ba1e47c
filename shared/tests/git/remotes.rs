//! Fetching, and what happens when it fails.

use super::repositories::{commit, git, repository};
use super::servers::{self, READ_ONLY, Sshd};
use super::{FILES, Place, fetch_error, main_branch, over_ssh, remote};
use countersign_shared::git::snapshot::CANONICAL;
use countersign_shared::git::write_probe::WriteAnswer;
use countersign_shared::git::{CommitId, GitError, Limits, Mirror, Reference};
use std::fs;
use std::time::Duration;

#[test]
fn the_same_snapshot_comes_over_every_kind_of_connection() {
    let place = Place::new();
    let tip = repository(&place.path("a.git"), FILES);
    let sshd = Sshd::start(&place.path("sshd"));
    let script = sshd.script("read", READ_ONLY);
    let key = sshd.key("reader", &format!("restrict,command=\"{}\"", script.display()));
    let base = place.root.path();
    let remotes = [
        remote(place.path("a.git").to_str().unwrap()),
        remote(&format!("file://{}", place.path("a.git").display())),
        remote(&format!("git://127.0.0.1:{}/a.git", servers::daemon(base, false))),
        remote(&format!("http://127.0.0.1:{}/a.git", servers::http(base, false))),
        over_ssh(&sshd, &place.path("a.git"), &key),
    ];
    for (number, remote) in remotes.iter().enumerate() {
        let mirror = Mirror::open_or_create(&place.path(&format!("mirror-{number}"))).unwrap();
        let fetched = mirror.fetch(remote, &main_branch()).unwrap();
        assert_eq!(fetched.to_string(), tip, "{}", remote.url);
        let snapshot = mirror.snapshot(fetched, &CANONICAL, &Limits::default()).unwrap();
        let names: Vec<_> = snapshot.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["fleet.toml", "manifests/base.toml", "manifests/teams/a.toml"]);
        assert_eq!(snapshot.files["manifests/base.toml"], b"base\n");
        assert_eq!(snapshot.committed_at, 1_763_600_000);
        mirror.probe_read(remote).unwrap();
    }
}

#[test]
fn a_mirror_follows_the_branch_and_works_without_network_afterwards() {
    let place = Place::new();
    let source = place.path("a.git");
    let first = repository(&source, FILES);
    let remote = remote(source.to_str().unwrap());
    assert_eq!(place.mirror().fetch(&remote, &main_branch()).unwrap().to_string(), first);
    let second = commit(&source, "main", &[("fleet.toml", "new")]);
    assert_eq!(place.mirror().tip(&main_branch()).unwrap().to_string(), first);
    assert_eq!(place.mirror().fetch(&remote, &main_branch()).unwrap().to_string(), second);
    fs::remove_dir_all(&source).unwrap();
    let mirror = place.mirror();
    let tip = mirror.tip(&main_branch()).unwrap();
    assert_eq!(mirror.snapshot(tip, &CANONICAL, &Limits::default()).unwrap().files.len(), 1);
    assert!(matches!(mirror.tip(&Reference::branch("other").unwrap()), Err(GitError::NotFetched { .. })));
}

#[test]
fn other_references_and_commits_are_fetched_for_a_preview() {
    let place = Place::new();
    let source = place.path("a.git");
    repository(&source, FILES);
    let proposed = commit(&source, "topic", &[("fleet.toml", "proposed")]);
    git(&source, &["update-ref", "refs/pull/7/head", &proposed]);
    let remote = remote(source.to_str().unwrap());
    let mirror = place.mirror();
    let pull = Reference::parse("refs/pull/7/head").unwrap();
    assert_eq!(mirror.fetch(&remote, &pull).unwrap().to_string(), proposed);
    let other = Mirror::open_or_create(&place.path("other")).unwrap();
    let id = CommitId::parse(&proposed).unwrap();
    other.fetch_commit(&remote, id).unwrap();
    assert_eq!(other.commit(id).unwrap().id, id);
    let unknown = CommitId::parse(&"ab".repeat(20)).unwrap();
    assert!(matches!(other.fetch_commit(&remote, unknown), Err(GitError::NoReference { .. })));
}

#[test]
fn each_failure_of_a_remote_has_its_own_code() {
    let place = Place::new();
    repository(&place.path("good.git"), FILES);
    git(&place.path("good.git"), &["branch", "-m", "main", "trunk"]);
    fs::create_dir_all(place.path("empty.git")).unwrap();
    git(&place.path("empty.git"), &["init", "--quiet", "--bare", "."]);
    fs::create_dir_all(place.path("sha256.git")).unwrap();
    git(&place.path("sha256.git"), &["init", "--quiet", "--bare", "--object-format=sha256", "."]);
    commit(&place.path("sha256.git"), "main", FILES);
    repository(&place.path("deep.git"), FILES);
    commit(&place.path("deep.git"), "main", &[("fleet.toml", "2")]);
    let deep = format!("file://{}", place.path("deep.git").display());
    git(place.root.path(), &["clone", "--quiet", "--bare", "--depth=1", &deep, "shallow.git"]);
    let at = |name: &str| place.path(name).to_str().unwrap().to_owned();
    let (dead, silent) = (servers::dead_port(), servers::silent_port());
    let daemon = servers::daemon(place.root.path(), false);
    let http = servers::http(place.root.path(), false);
    let cases = [
        (at("good.git"), "no-branch"),
        (at("empty.git"), "empty-repository"),
        (at("nowhere.git"), "no-repository"),
        (at("sha256.git"), "unsupported-repository"),
        (at("shallow.git"), "shallow"),
        (format!("git://127.0.0.1:{daemon}/nowhere.git"), "no-repository"),
        (format!("http://127.0.0.1:{http}/nowhere.git"), "no-repository"),
        (format!("git://127.0.0.1:{dead}/a.git"), "unreachable"),
        (format!("http://127.0.0.1:{dead}/a.git"), "unreachable"),
        (format!("ssh://127.0.0.1:{dead}/a.git"), "unreachable"),
        ("ssh://nowhere.invalid/a.git".to_owned(), "unreachable"),
        (format!("git://127.0.0.1:{silent}/a.git"), "timeout"),
        (format!("ssh://127.0.0.1:{silent}/a.git"), "timeout"),
    ];
    for (url, code) in &cases {
        let mut remote = remote(url);
        if *code == "timeout" {
            remote.timeout = Duration::from_secs(1);
        }
        let error = fetch_error(&place, &remote);
        assert_eq!(error.code(), *code, "{url}: {error:?}");
        assert!(error.hint().is_some(), "{url}: no hint");
    }
    println!("{} failing remotes", cases.len());
}

#[test]
fn an_unknown_host_key_and_an_unknown_key_are_told_apart() {
    let place = Place::new();
    repository(&place.path("a.git"), FILES);
    let sshd = Sshd::start(&place.path("sshd"));
    let known = sshd.key("known", "restrict,command=\"false\"");
    let other = Sshd::start(&place.path("other"));
    let stranger = other.key("stranger", "");

    let refused = over_ssh(&sshd, &place.path("a.git"), &stranger);
    assert_eq!(fetch_error(&place, &refused).code(), "auth");

    let mut wrong = over_ssh(&sshd, &place.path("a.git"), &known);
    wrong.ssh.known_hosts = Some(place.path("none"));
    assert_eq!(fetch_error(&place, &wrong).code(), "host-key");
    // Changed: the other server's key under this server's address.
    let theirs = fs::read_to_string(other.directory.join("host.pub")).unwrap();
    fs::write(place.path("changed"), format!("[127.0.0.1]:{} {theirs}", sshd.port)).unwrap();
    wrong.ssh.known_hosts = Some(place.path("changed"));
    assert_eq!(fetch_error(&place, &wrong).code(), "host-key");

    let mut absent = over_ssh(&sshd, &place.path("a.git"), &known);
    absent.ssh.key = Some(place.path("no-such-key"));
    assert!(matches!(fetch_error(&place, &absent), GitError::SshKey { .. }));
}

#[test]
fn a_rewritten_branch_arrives_and_is_named() {
    let place = Place::new();
    let source = place.path("a.git");
    let first = repository(&source, FILES);
    let second = commit(&source, "main", &[("fleet.toml", "2")]);
    let remote = remote(source.to_str().unwrap());
    let mirror = place.mirror();
    let seen = mirror.fetch(&remote, &main_branch()).unwrap();
    assert_eq!(seen.to_string(), second);
    git(&source, &["update-ref", "refs/heads/main", &first]);
    let third = commit(&source, "main", &[("fleet.toml", "3")]);
    let now = mirror.fetch(&remote, &main_branch()).unwrap();
    assert_eq!(now.to_string(), third);
    assert!(matches!(mirror.refuse_rewritten(now, seen), Err(GitError::HistoryRewritten { .. })));
    mirror.refuse_rewritten(now, CommitId::parse(&first).unwrap()).unwrap();
    mirror.refuse_rewritten(now, now).unwrap();
    // A rollback to an ancestor is a rewrite as well.
    let error = mirror.refuse_rewritten(CommitId::parse(&first).unwrap(), seen).unwrap_err();
    assert_eq!(error.code(), "history-rewritten");
    // A fresh mirror never saw the old tip: it cannot be an ancestor of what it holds.
    let fresh = Mirror::open_or_create(&place.path("fresh")).unwrap();
    let now = fresh.fetch(&remote, &main_branch()).unwrap();
    assert!(matches!(fresh.refuse_rewritten(now, seen), Err(GitError::HistoryRewritten { .. })));
}

#[test]
fn first_parents_leave_merged_branches_aside() {
    let place = Place::new();
    let source = place.path("a.git");
    let root = repository(&source, FILES);
    let topic = commit(&source, "topic", &[("fleet.toml", "topic")]);
    let main = commit(&source, "main", &[("fleet.toml", "main")]);
    let tree = git(&source, &["rev-parse", "main^{tree}"]);
    let merge = git(&source, &["commit-tree", &tree, "-p", &main, "-p", &topic, "-m", "Merge"]);
    git(&source, &["update-ref", "refs/heads/main", &merge]);
    let mirror = place.mirror();
    let tip = mirror.fetch(&remote(source.to_str().unwrap()), &main_branch()).unwrap();
    let walked: Vec<String> = mirror.first_parents(tip).map(|c| c.unwrap().id.to_string()).collect();
    assert_eq!(walked, [merge, main, root]);
    assert!(mirror.is_descendant(tip, CommitId::parse(&topic).unwrap()).unwrap());
    assert!(mirror.raw_commit(tip).unwrap().starts_with(b"tree "));
}

/// A bare repository with one commit whose tree has this entry at `manifests/<name>`.

#[test]
fn asking_for_receive_pack_tells_who_can_write_and_creates_nothing() {
    let place = Place::new();
    let source = place.path("a.git");
    let tip = CommitId::parse(&repository(&source, FILES)).unwrap();
    let mirror = place.mirror();
    mirror.fetch(&remote(source.to_str().unwrap()), &main_branch()).unwrap();
    let sshd = Sshd::start(&place.path("sshd"));
    let read = sshd.script("read", READ_ONLY);
    let reader = sshd.key("reader", &format!("restrict,command=\"{}\"", read.display()));
    let fixed = format!("restrict,command=\"git-upload-pack {}\"", source.display());
    let fixed = sshd.key("fixed", &fixed);
    let writer = sshd.key("writer", "restrict");
    let stranger = Sshd::start(&place.path("other")).key("stranger", "");
    let base = place.root.path();
    let daemon = |receive| format!("git://127.0.0.1:{}/a.git", servers::daemon(base, receive));
    let http = |receive| format!("http://127.0.0.1:{}/a.git", servers::http(base, receive));
    let dead = servers::dead_port();
    let mut silent = remote(&format!("git://127.0.0.1:{}/a.git", servers::silent_port()));
    silent.timeout = Duration::from_secs(1);
    let cases = [
        ("refused", over_ssh(&sshd, &source, &reader)),
        ("refused", over_ssh(&sshd, &source, &fixed)),
        ("receives", over_ssh(&sshd, &source, &writer)),
        ("unknown", over_ssh(&sshd, &source, &stranger)),
        ("refused", remote(&daemon(false))),
        ("receives", remote(&daemon(true))),
        ("refused", remote(&http(false))),
        ("receives", remote(&http(true))),
        ("unknown", remote(&format!("ssh://127.0.0.1:{dead}/a.git"))),
        ("unknown", remote(&format!("git://127.0.0.1:{dead}/a.git"))),
        ("unknown", remote(&format!("http://127.0.0.1:{dead}/a.git"))),
        ("unknown", silent),
    ];
    let before = git(&source, &["for-each-ref"]);
    let probe = Reference::branch("countersign-probe-0123").unwrap();
    for (expected, remote) in &cases {
        let answer = mirror.probe_write(remote, tip, &probe);
        let said = match &answer {
            WriteAnswer::Receives => "receives",
            WriteAnswer::Refused(_) => "refused",
            WriteAnswer::Unknown(_) => "unknown",
        };
        assert_eq!(said, *expected, "{} {:?}: {answer:?}", remote.url, remote.ssh.key);
    }
    assert_eq!(git(&source, &["for-each-ref"]), before);
    println!("{} remotes asked for receive-pack", cases.len());
}
