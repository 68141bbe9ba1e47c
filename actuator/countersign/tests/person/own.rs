//! The person's own configuration, keys and remotes: they say who signs and where it goes, never what is made.

use super::stage::Stage;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// An executable file.
fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn both_lists_of_people_must_agree_where_there_are_two() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    stage.configure("[trust]\napprovers = \"own\"\n");
    for (name, status) in [("ben@example.org", 20), ("ada@example.com", 20), ("ada@example.org", 0)] {
        let key = stage.public(&name[..3]);
        fs::write(stage.path("own"), format!("{name} {key}\n")).unwrap();
        assert_eq!(stage.run(&["approve", &ids[0], "--yes"]).status, status, "{name}");
    }
}

#[test]
fn the_persons_configuration_says_who_signs_and_never_what() {
    let (stage, mut ids) = Stage::ready(&["runner-01", "runner-02"]);
    stage.run(&["approve", &ids[0], "--yes"]).ended(0);
    // There is something new to fetch, with a tag on it.
    let mut other = stage.proposal("runner-02");
    other.expires = super::proposals::time(50_000);
    ids[1] = stage.publish("runner-02", &[other]).remove(0);
    stage.git(&stage.path("proposed.git"), &["tag", "v1", "proposals/runner-02"]);
    let plain = stage.git(&stage.path("proposed.git"), &["log", "-1", "--format=%B", "main"]);

    let marker = stage.path("a hook ran");
    let hooks = stage.path("hooks");
    fs::create_dir(&hooks).unwrap();
    let own = stage.path("clones/proposed/.git/hooks");
    // The remote is on this machine, and would run what is for all repositories: those are in the clone alone.
    let of_servers = ["pre-receive", "reference-transaction", "update"];
    for name in ["pre-push", "commit-msg", "prepare-commit-msg", "pre-merge-commit", "post-merge", "post-commit"] {
        for dir in [&hooks, &own] {
            script(&dir.join(name), &format!("touch {}; exit 1", quoted(&marker)));
        }
    }
    for name in of_servers {
        script(&own.join(name), &format!("touch {}; exit 1", quoted(&marker)));
    }
    let settings = [
        ("core.hooksPath", hooks.to_str().unwrap()),
        ("merge.ff", "only"),
        ("merge.log", "true"),
        ("merge.verifySignatures", "true"),
        ("branch.main.mergeoptions", "--squash"),
        ("commit.gpgsign", "false"),
        ("commit.cleanup", "strip"),
        ("commit.verbose", "true"),
        ("core.commentChar", "C"),
        ("core.autocrlf", "true"),
        ("core.editor", "false"),
        ("i18n.commitEncoding", "ISO-8859-1"),
        ("format.signOff", "true"),
        ("push.default", "nothing"),
        ("push.followTags", "true"),
        ("push.gpgSign", "true"),
        ("fetch.prune", "true"),
        ("remote.origin.pruneTags", "true"),
        ("remote.origin.push", "+refs/heads/*:refs/heads/*"),
        ("fetch.writeCommitGraph", "true"),
        ("diff.external", "false"),
        ("pager.log", "false"),
    ];
    for (name, value) in settings {
        stage.set(name, value);
    }
    for name in ["merge", "push", "commit-tree", "fetch", "config", "rev-parse"] {
        stage.set(&format!("alias.{name}"), "!false");
    }
    // The person is in the middle of something.
    let clone = stage.path("clones/proposed");
    fs::write(clone.join("staged"), "staged").unwrap();
    fs::write(clone.join("untracked"), "untracked").unwrap();
    stage.git(&clone, &["add", "staged"]);
    stage.git(&clone, &["-c", "core.hooksPath=/dev/null", "tag", "main"]);
    stage.git(&clone, &["-c", "core.hooksPath=/dev/null", "tag", "--no-sign", "--annotate", "-m", "x", "mine", "main"]);
    let state = || {
        let refs = stage.git(
            &clone,
            &[
                "for-each-ref",
                "--format=%(refname) %(objectname)",
                "refs/heads",
                "refs/remotes/origin/proposals",
                "refs/tags",
            ],
        );
        refs + &stage.git(&clone, &["status", "--porcelain=v2"])
    };
    let before = state();
    stage.run(&["approve", &ids[1], "--yes"]).ended(0);
    assert_eq!(state(), before);
    assert!(!marker.exists());
    assert_eq!(stage.approver_by_merge("runner-02", &ids[1]), "ada@example.org");
    let message = stage.git(&stage.path("proposed.git"), &["log", "-1", "--format=%B", "main"]);
    assert_eq!(message, plain.replace("runner-01", "runner-02").replace(&ids[0], &ids[1]));
    assert_eq!(stage.git(&stage.path("proposed.git"), &["tag"]), "v1");
    stage.git(&stage.path("home"), &["config", "--global", "--unset", "core.hooksPath"]);
    stage.run(&["reject", &ids[0], "--reason", "again", "--yes"]).ended(0);
    assert!(!marker.exists() && state() == before);
}

#[test]
fn where_git_would_not_sign_nothing_is_begun() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let before = stage.tip("proposed", "main");
    let approve = ["approve", &ids[0], "--yes", "--json"];
    stage.set("gpg.format", "openpgp");
    stage.run(&approve).stopped(2, "no-signature");
    stage.git(&stage.path("home"), &["config", "--global", "--unset", "gpg.format"]);
    stage.run(&approve).stopped(2, "no-signature");
    stage.set("gpg.format", "ssh");
    stage.git(&stage.path("home"), &["config", "--global", "--unset", "user.signingkey"]);
    stage.run(&approve).stopped(2, "no-signature");
    // A stranger, and a bot that is even listed.
    for name in ["stranger", "bot"] {
        stage.set("user.signingkey", stage.path(&format!("keys/{name}")).to_str().unwrap());
        let said = stage.run(&approve).stopped(20, "not-human");
        assert!(!said.stderr.contains("commit-tree"), "it is said before anything is signed: {}", said.stderr);
    }
    // A key that only its signature tells: judged when it is made, before it is pushed.
    fs::remove_file(stage.path("keys/stranger.pub")).unwrap();
    stage.set("user.signingkey", stage.path("keys/stranger").to_str().unwrap());
    let said = stage.run(&approve).stopped(20, "not-human");
    assert!(said.stderr.contains("commit-tree") && !said.stderr.contains("--porcelain"), "{}", said.stderr);
    // A key that is not there, a program that does not sign, and one that signs with another key.
    stage.set("user.signingkey", stage.path("keys/nobody").to_str().unwrap());
    stage.run(&approve).stopped(1, "not-signed");
    stage.set("user.signingkey", stage.path("keys/ada").to_str().unwrap());
    stage.set("gpg.ssh.program", "false");
    stage.run(&approve).stopped(1, "not-signed");
    let other = stage.path("keys/other");
    script(&other, &format!("exec ssh-keygen -Y sign -n git -f {} \"$7\"", quoted(&stage.path("keys/bot"))));
    stage.set("gpg.ssh.program", other.to_str().unwrap());
    stage.run(&approve).stopped(20, "not-human");
    assert_eq!(stage.tip("proposed", "main"), before);
}

#[test]
fn a_touch_is_asked_for_unless_both_sides_let_it_pass() {
    let (stage, _) = Stage::ready(&[]);
    stage.restart("canonical");
    let policy = fs::read_to_string(stage.path("work/canonical/policy.toml")).unwrap();
    stage.write("canonical", "policy.toml", policy.replace("require_touch = false\n", "").as_bytes());
    stage.commit("canonical", Some("ada"), "Want a touch", "main");
    let id = stage.publish("runner-01", &[stage.proposal("runner-01")]).remove(0);
    stage.run(&["approve", &id, "--yes", "--json"]).stopped(20, "not-human");
    stage.configure("[trust]\naccept = [\"software-keys\"]\n");
    stage.run(&["approve", &id, "--yes"]).ended(0);
}

#[test]
fn a_push_in_the_very_moment_of_signing_costs_another_round() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    // The first signature takes so long that somebody pushes meanwhile.
    stage.restart("proposed");
    stage.write("proposed", "HALT", b"x");
    stage.commit("proposed", Some("ben"), "Halt", "ben");
    let (slow, remote) = (stage.path("slow"), stage.path("proposed.git"));
    let text = format!("git -C {} update-ref refs/heads/main refs/heads/ben; exec ssh-keygen \"$@\"", quoted(&remote));
    script(&slow, &text);
    stage.set("gpg.ssh.program", slow.to_str().unwrap());
    let json = stage.run(&["approve", &ids[0], "--yes", "--json"]);
    // The second signature resets it again, so it must end without a push or with one on top of ben's commit.
    let json = json.ended(0).json();
    let pushes = json["commands"].as_array().unwrap().iter().filter(|c| c.to_string().contains("\"push\"")).count();
    assert_eq!(pushes, 2);
    assert_eq!(stage.content("HALT"), b"x");
    assert_eq!(stage.approver_by_merge("runner-01", &ids[0]), "ada@example.org");
}

#[test]
fn what_was_taken_back_in_the_moment_of_signing_is_not_brought_back() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    stage.restart("proposed");
    stage.write("proposed", "NOTES", b"x");
    let before = stage.tip("proposed", "main");
    stage.commit("proposed", Some("ben"), "Note", "main");
    let slow = stage.path("slow");
    let back = format!("git -C {} update-ref refs/heads/main {before}", quoted(&stage.path("proposed.git")));
    script(&slow, &format!("{back}; exec ssh-keygen \"$@\""));
    stage.set("gpg.ssh.program", slow.to_str().unwrap());
    stage.run(&["approve", &ids[0], "--yes", "--json"]).stopped(20, "history-rewritten");
    assert_eq!(stage.tip("proposed", "main"), before);
}

#[test]
fn a_main_branch_that_was_rewritten_is_refused() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    stage.run(&["review"]).ended(0);
    let work = stage.path("work/proposed");
    stage.git(&work, &["checkout", "--quiet", "--orphan", "other"]);
    // A remote that has no main branch for a while does not make us forget.
    stage.git(&stage.path("proposed.git"), &["update-ref", "-d", "refs/heads/main"]);
    stage.run(&["review", "--json"]).stopped(1, "fetch");
    stage.commit("proposed", Some("ada"), "Begin again", "main");
    for args in [vec!["review"], vec!["show", &ids[0]], vec!["approve", &ids[0], "--yes"]] {
        stage.run(&[&args[..], &["--json"]].concat()).stopped(20, "history-rewritten");
    }
}

#[test]
fn a_remote_with_other_refs_is_told_about_and_not_followed() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let remote = stage.path("proposed.git");
    let tip = stage.tip("proposed", "proposals/runner-01");
    for name in [
        "refs/heads/proposals/UPPER",
        "refs/heads/proposals/a/b",
        "refs/heads/proposals/@@x",
        "refs/tags/main",
        "refs/heads/origin/main",
    ] {
        stage.git(&remote, &["update-ref", name, &tip]);
    }
    stage.git(&remote, &["symbolic-ref", "HEAD", "refs/heads/proposals/runner-01"]);
    let json = stage.run(&["review", "--json"]).ended(0).json();
    assert_eq!(json["proposals"].as_array().unwrap().len(), 1);
    assert_eq!(json["unreadable"].as_array().unwrap().len(), 3, "{json:#}");
    stage.run(&["approve", &ids[0], "--yes"]).ended(0);
    assert_eq!(stage.approver_by_merge("runner-01", &ids[0]), "ada@example.org");
    // git finds this one ambiguous, and so do we.
    stage.git(&remote, &["update-ref", "refs/heads/refs/heads/main", &tip]);
    stage.run(&["reject", &ids[0], "--reason", "x", "--yes", "--json"]).stopped(1, "push");
    stage.git(&remote, &["update-ref", "-d", "refs/heads/main"]);
    stage.run(&["review", "--json"]).stopped(1, "fetch");
}

#[test]
fn a_server_that_refuses_is_quoted_and_nothing_is_there() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let before = stage.tip("proposed", "main");
    let hook = stage.path("proposed.git/hooks/pre-receive");
    script(&hook, "printf 'no \\033[31mway\\n' >&2; exit 1");
    let said = stage.run(&["approve", &ids[0], "--yes", "--json"]).stopped(1, "push");
    assert!(said.stdout.contains("way") && !said.stdout.contains("\\u001b"), "{}", said.stdout);
    assert_eq!(stage.tip("proposed", "main"), before);
}

#[test]
fn a_revoked_key_signs_nothing() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    fs::write(stage.path("revoked"), format!("# lost\n{}\n", stage.public("ada"))).unwrap();
    stage.configure("[trust]\nrevoked = \"revoked\"\n");
    stage.run(&["approve", &ids[0], "--yes", "--json"]).stopped(20, "not-human");
    fs::write(stage.path("revoked"), "nonsense\n").unwrap();
    stage.run(&["approve", &ids[0], "--yes", "--json"]).stopped(2, "config");
}
