//! Reading repositories over every kind of connection, from real servers, and every way in which that fails.
#![cfg(feature = "git")]
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::print_stdout, reason = "a table says how many of its cases ran")]

mod repositories;
mod servers;

use countersign_shared::git::snapshot::CANONICAL;
use countersign_shared::git::write_probe::WriteAnswer;
use countersign_shared::git::{CommitId, GitError, Limits, Mirror, Reference, Remote, RemoteUrl, SshAccess, Wanted};
use repositories::{commit, git, repository};
use servers::{READ_ONLY, Sshd};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const FILES: &[(&str, &str)] = &[
    ("fleet.toml", "schema = \"countersign/fleet/1\"\n"),
    ("manifests/base.toml", "base\n"),
    ("manifests/teams/a.toml", "a\n"),
    ("README.md", "not wanted\n"),
];

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn mirror(&self) -> Mirror {
        Mirror::open_or_create(&self.path("state/mirror.git")).unwrap()
    }
}

fn main_branch() -> Reference {
    Reference::branch("main").unwrap()
}

fn remote(url: &str) -> Remote {
    Remote::new(RemoteUrl::parse(url).unwrap(), SshAccess::default())
}

fn over_ssh(sshd: &Sshd, repository: &Path, key: &Path) -> Remote {
    let access = SshAccess { key: Some(key.to_owned()), known_hosts: Some(sshd.directory.join("known_hosts")) };
    Remote::new(RemoteUrl::parse(&sshd.url(repository)).unwrap(), access)
}

fn fetch_error(place: &Place, remote: &Remote) -> GitError {
    place.mirror().fetch(remote, &main_branch()).unwrap_err()
}

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
fn odd_tree(place: &Place, name: &[u8], mode: i32, directory: bool) -> (Mirror, CommitId) {
    let mirror = Mirror::open_or_create(&place.path(&format!("odd-{mode:o}-{}", name.len()))).unwrap();
    let repository = git2::Repository::open(mirror.path()).unwrap();
    let blob = repository.blob(b"text").unwrap();
    let mut tree = format!("{mode:o} ").into_bytes();
    tree.extend_from_slice(name);
    tree.push(0);
    let target = if directory { repository.odb().unwrap().write(git2::ObjectType::Tree, b"").unwrap() } else { blob };
    tree.extend_from_slice(target.as_bytes());
    let odb = repository.odb().unwrap();
    let below = odb.write(git2::ObjectType::Tree, &tree).unwrap();
    let mut top = b"40000 manifests\0".to_vec();
    top.extend_from_slice(below.as_bytes());
    let top = odb.write(git2::ObjectType::Tree, &top).unwrap();
    let text = format!("tree {top}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n");
    let id = odb.write(git2::ObjectType::Commit, text.as_bytes()).unwrap();
    (mirror, CommitId::parse(&id.to_string()).unwrap())
}

#[test]
fn entries_that_are_no_regular_files_are_errors_with_their_path() {
    let place = Place::new();
    let read = |name: &[u8], mode, directory| {
        let (mirror, id) = odd_tree(&place, name, mode, directory);
        mirror.snapshot(id, &CANONICAL, &Limits::default())
    };
    assert_eq!(read(b"good.toml", 0o100_644, false).unwrap().files.len(), 1);
    assert_eq!(read(b"good.toml", 0o100_755, false).unwrap().files.len(), 1);
    assert!(matches!(read(b"link.toml", 0o120_000, false), Err(GitError::Symlink(p)) if p == "manifests/link.toml"));
    assert!(matches!(read(b"sub", 0o160_000, false), Err(GitError::Submodule(p)) if p == "manifests/sub"));
    assert!(matches!(read(b"wide.toml", 0o100_664, false), Err(GitError::Mode { mode: 0o100_664, .. })));
    assert!(matches!(read(b"latin\xe9.toml", 0o100_644, false), Err(GitError::Name(_))));
    assert!(matches!(read(b"bell\x07.toml", 0o100_644, false), Err(GitError::Name(_))));
    // A directory that the tree calls a file.
    assert!(matches!(read(b"liar.toml", 0o100_644, true), Err(GitError::WrongKind { .. })));
}

#[test]
fn a_wanted_directory_that_is_a_file_is_an_error() {
    let place = Place::new();
    let source = place.path("a.git");
    let mirror = place.mirror();
    for files in [&[("manifests", "a file")][..], &[("fleet.toml/x", "a directory")]] {
        let _ = fs::remove_dir_all(&source);
        repository(&source, files);
        let tip = mirror.fetch(&remote(source.to_str().unwrap()), &main_branch()).unwrap();
        let error = mirror.snapshot(tip, &CANONICAL, &Limits::default()).unwrap_err();
        assert!(matches!(error, GitError::WrongKind { .. }), "{error:?}");
    }
}

#[test]
fn a_snapshot_is_bounded_in_every_direction() {
    let place = Place::new();
    let source = place.path("a.git");
    repository(&source, &[("manifests/a/b/c.toml", "12345"), ("manifests/d.toml", "12345")]);
    let mirror = place.mirror();
    let tip = mirror.fetch(&remote(source.to_str().unwrap()), &main_branch()).unwrap();
    let fits = Limits { files: 2, file_bytes: 5, bytes: 10, depth: 3 };
    mirror.snapshot(tip, &CANONICAL, &fits).unwrap();
    for (limits, code) in [
        (Limits { files: 1, ..fits }, "more than 1 files"),
        (Limits { file_bytes: 4, ..fits }, "has 5 bytes"),
        (Limits { bytes: 9, ..fits }, "more than 9 bytes"),
        (Limits { depth: 2, ..fits }, "2 directories deep"),
    ] {
        let error = mirror.snapshot(tip, &CANONICAL, &limits).unwrap_err();
        assert_eq!(error.code(), "too-large");
        assert!(error.to_string().contains(code), "{error}");
    }
}

#[test]
fn the_key_of_a_snapshot_changes_with_what_is_wanted_only() {
    let place = Place::new();
    let source = place.path("a.git");
    let one = repository(&source, FILES);
    let two = commit(&source, "main", &[FILES[0], FILES[1], FILES[2], ("README.md", "changed")]);
    let three = commit(&source, "main", &[FILES[0], FILES[1]]);
    let mirror = place.mirror();
    mirror.fetch(&remote(source.to_str().unwrap()), &main_branch()).unwrap();
    let key = |id: &str| mirror.snapshot_key(CommitId::parse(id).unwrap(), &CANONICAL).unwrap();
    assert_eq!(key(&one), key(&two));
    assert_ne!(key(&two), key(&three));
    let narrow = Wanted { files: &["fleet.toml"], directories: &[] };
    let id = CommitId::parse(&three).unwrap();
    assert_eq!(
        mirror.snapshot_key(id, &narrow).unwrap(),
        mirror.snapshot_key(CommitId::parse(&one).unwrap(), &narrow).unwrap()
    );
}

#[test]
fn a_mirror_in_a_format_that_libgit2_does_not_read_is_named_as_such() {
    let place = Place::new();
    for format in ["--ref-format=reftable", "--object-format=sha256"] {
        let path = place.path(format.trim_start_matches('-'));
        fs::create_dir_all(&path).unwrap();
        git(&path, &["init", "--quiet", "--bare", format, "."]);
        let error = Mirror::open(&path).unwrap_err();
        assert_eq!(error.code(), "unsupported-repository", "{format}: {error:?}");
    }
    // On the other side reftable does not matter: the mirror has its own format.
    let source = place.path("remote.git");
    fs::create_dir_all(&source).unwrap();
    git(&source, &["init", "--quiet", "--bare", "--ref-format=reftable", "."]);
    let tip = commit(&source, "main", FILES);
    let fetched = place.mirror().fetch(&remote(source.to_str().unwrap()), &main_branch()).unwrap();
    assert_eq!(fetched.to_string(), tip);
}

#[test]
fn objects_that_git_would_not_accept_do_not_come_in() {
    let place = Place::new();
    let source = place.path("a.git");
    repository(&source, FILES);
    let repository = git2::Repository::open(&source).unwrap();
    let odb = repository.odb().unwrap();
    let blob = repository.blob(b"[core]\n\tsshCommand = touch /tmp/x\n").unwrap();
    let mut tree = b"100644 ..\0".to_vec();
    tree.extend_from_slice(blob.as_bytes());
    let tree = odb.write(git2::ObjectType::Tree, &tree).unwrap();
    let text = format!("tree {tree}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n");
    let bad = odb.write(git2::ObjectType::Commit, text.as_bytes()).unwrap();
    git(&source, &["update-ref", "refs/heads/main", &bad.to_string()]);
    let error = fetch_error(&place, &remote(source.to_str().unwrap()));
    assert_eq!(error.code(), "damaged", "{error:?}");
}

#[test]
fn hooks_in_the_mirror_are_not_run() {
    let place = Place::new();
    let source = place.path("a.git");
    repository(&source, FILES);
    let mirror = place.mirror();
    let marker = place.path("hook-ran");
    let hooks = mirror.path().join("hooks");
    fs::create_dir_all(&hooks).unwrap();
    let hook = hooks.join("reference-transaction");
    fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", marker.display())).unwrap();
    std::os::unix::fs::symlink("/bin/true", hooks.join("post-fetch")).unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    mirror.fetch(&remote(source.to_str().unwrap()), &main_branch()).unwrap();
    assert!(!marker.exists());
    // The hook would run: git with its own settings runs it.
    git(mirror.path(), &["fetch", "--quiet", source.to_str().unwrap(), "main:refs/heads/x"]);
    assert!(marker.exists());
}

const HOSTILE: &str = "COUNTERSIGN_TEST_HOSTILE_PLACE";

/// The body of the next test, run in a process with a hostile environment.
#[test]
fn hostile_environment_child() {
    let Some(root) = std::env::var_os(HOSTILE) else {
        return;
    };
    let root = PathBuf::from(root);
    let mirror = Mirror::open_or_create(&root.join("mirror")).unwrap();
    let tip = mirror.fetch(&remote(root.join("a.git").to_str().unwrap()), &main_branch()).unwrap();
    println!("fetched {tip}");
    let dead = remote(&format!("ssh://127.0.0.1:{}/a.git", servers::dead_port()));
    let error = mirror.fetch(&dead, &main_branch()).unwrap_err();
    println!("ssh {}", error.code());
}

#[test]
fn nothing_of_the_callers_environment_or_configuration_counts() {
    let place = Place::new();
    let tip = repository(&place.path("a.git"), FILES);
    repository(&place.path("evil.git"), &[("fleet.toml", "evil")]);
    let marker = place.path("marker");
    let home = place.path("home");
    fs::create_dir_all(home.join(".config/git")).unwrap();
    let rewrite = format!(
        "[url \"{}\"]\n\tinsteadOf = {}\n[core]\n\tsshCommand = touch {}\n",
        place.path("evil.git").display(),
        place.path("a.git").display(),
        marker.display()
    );
    fs::write(home.join(".gitconfig"), &rewrite).unwrap();
    fs::write(home.join(".config/git/config"), &rewrite).unwrap();
    let touch = format!("touch {}", marker.display());
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hostile_environment_child", "--nocapture"])
        .env(HOSTILE, place.root.path())
        .env("HOME", &home)
        .env("GIT_CONFIG_GLOBAL", home.join(".gitconfig"))
        .env("GIT_CONFIG_SYSTEM", home.join(".gitconfig"))
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "core.sshCommand")
        .env("GIT_CONFIG_VALUE_0", &touch)
        .env("GIT_SSH_COMMAND", &touch)
        .env("GIT_SSH", &touch)
        .env("GIT_ASKPASS", &touch)
        .env("GIT_EXEC_PATH", place.path("nowhere"))
        .env("GIT_DIR", place.path("evil.git"))
        .env("GIT_OBJECT_DIRECTORY", place.path("evil.git/objects"))
        .env("GIT_ALLOW_PROTOCOL", "ext")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(&format!("fetched {tip}")), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("ssh unreachable"), "{said}");
    assert!(!marker.exists());
}

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
