//! What others may try: the forge, a bot, a lying observer, the person's own configuration.

use super::proposals::change;
use super::stage::Stage;
use countersign_manifests_schema::proposal::By;
use countersign_manifests_schema::transaction::Action;
use countersign_shared::proposal::{Sealed, render};
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

impl Stage {
    /// A commit of the observer that holds a proposal's directory with these bytes.
    fn forge(&self, sealed: &Sealed, json: &[u8], readme: &[u8], signer: Option<&str>) {
        self.restart("proposed");
        self.place(sealed, json, readme);
        let branch = format!("proposals/{}", sealed.proposal().runner);
        self.commit("proposed", signer, "Add proposals", &branch);
    }

    /// `approve` and `show` refuse with this code, and main stays where it was.
    #[track_caller]
    fn refused(&self, id: &str, code: &str) {
        let before = self.tip("proposed", "main");
        self.run(&["approve", id, "--yes", "--json"]).stopped(20, code);
        self.run(&["show", id]).ended(20);
        assert_eq!(self.tip("proposed", "main"), before);
    }
}

#[test]
fn a_branch_that_is_pushed_again_between_question_and_answer_is_not_merged() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let before = stage.tip("proposed", "main");
    // The same proposals by another commit.
    let waiting = stage.ask(&["approve", &ids[0], "--json"]);
    stage.git(&stage.path("work/proposed"), &["commit", "--quiet", "--amend", "--no-gpg-sign", "-m", "Look, no hands"]);
    stage.commit("proposed", Some("observer"), "Nothing more", "proposals/runner-01");
    waiting.answer("yes\n").stopped(20, "moved");
    // A branch that is gone.
    stage.publish("runner-01", &[stage.proposal("runner-01")]);
    let id = stage.run(&["review", "--json"]).json()["proposals"][0]["id"].as_str().unwrap().to_owned();
    let waiting = stage.ask(&["approve", &id, "--json"]);
    stage.git(&stage.path("work/proposed"), &["push", "--quiet", "origin", ":refs/heads/proposals/runner-01"]);
    waiting.answer("yes\n").stopped(20, "moved");
    assert_eq!(stage.tip("proposed", "main"), before);
}

#[test]
fn edited_bytes_under_an_old_name_are_refused() {
    let stage = Stage::new();
    stage.found();
    let sealed = Sealed::new(stage.proposal("runner-01")).unwrap();
    stage.settle("");
    let text = String::from_utf8(sealed.bytes().to_vec()).unwrap();
    let other = Sealed::new(stage.proposal("runner-02")).unwrap();
    for json in [
        // Another version; no canonical JSON; the proposal of another machine.
        text.replace("19.1.0-1.fc41.x86_64", "18.1.0-1.fc41.x86_64"),
        text.replacen(':', ": ", 1),
        String::from_utf8(other.bytes().to_vec()).unwrap(),
        "{}".to_owned(),
    ] {
        stage.forge(&sealed, json.as_bytes(), render(&sealed).as_bytes(), Some("observer"));
        stage.run(&["approve", sealed.id(), "--yes", "--json"]).stopped(20, "edited");
        stage.run(&["show", sealed.id(), "--json"]).stopped(20, "edited");
        let listed = stage.run(&["review"]).ended(0).stdout;
        assert!(listed.contains("not a proposal: proposals/runner-01/"), "{listed}");
    }
}

#[test]
fn a_readme_that_says_something_else_is_shouted_about() {
    let stage = Stage::new();
    stage.found();
    let sealed = Sealed::new(stage.proposal("runner-01")).unwrap();
    stage.settle("");
    let honest = render(&sealed);
    for readme in [honest.replace("downgrade", "upgrade"), format!("{honest}\n"), String::new()] {
        stage.forge(&sealed, sealed.bytes(), readme.as_bytes(), Some("observer"));
        stage.refused(sealed.id(), "misleading");
        let shown = stage.run(&["show", sealed.id()]).ended(20).stdout;
        assert!(shown.contains("THE README IS NOT WHAT THIS PROPOSAL SAYS"), "{shown}");
        // What is shown is our own rendering.
        assert!(shown.contains("downgrade"), "{shown}");
    }
}

#[test]
fn only_a_commit_of_the_observer_that_adds_proposals_and_nothing_else_is_taken() {
    let stage = Stage::new();
    stage.found();
    let sealed = Sealed::new(stage.proposal("runner-01")).unwrap();
    stage.settle("");
    for signer in [None, Some("bot"), Some("ada"), Some("stranger")] {
        stage.forge(&sealed, sealed.bytes(), render(&sealed).as_bytes(), signer);
        stage.refused(sealed.id(), "not-observer");
    }
    for path in ["HALT", "proposals/runner-01/more", "proposals/runner-02/README.md"] {
        stage.restart("proposed");
        stage.place(&sealed, sealed.bytes(), render(&sealed).as_bytes());
        stage.write("proposed", path, b"x");
        stage.commit("proposed", Some("observer"), "Add proposals", "proposals/runner-01");
        stage.refused(sealed.id(), "not-observer");
    }
    // Not a regular file.
    stage.restart("proposed");
    stage.place(&sealed, sealed.bytes(), render(&sealed).as_bytes());
    let readme = stage.path(&format!("work/proposed/proposals/runner-01/{}/README.md", sealed.id()));
    fs::remove_file(&readme).unwrap();
    std::os::unix::fs::symlink("proposal.json", &readme).unwrap();
    stage.commit("proposed", Some("observer"), "Add proposals", "proposals/runner-01");
    stage.refused(sealed.id(), "not-observer");
    // A history of its own.
    let work = stage.path("work/proposed");
    stage.git(&work, &["checkout", "--quiet", "--orphan", "other"]);
    stage.commit("proposed", Some("observer"), "Add proposals", "proposals/runner-01");
    stage.refused(sealed.id(), "not-observer");
}

#[test]
fn what_a_bot_has_written_and_merged_gets_no_signature() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    // In the name of the observer, newer than what the observer offers, and merged by the forge.
    let mut forged = stage.proposal("runner-01");
    forged.created = super::proposals::time(-60);
    let sealed = Sealed::new(forged).unwrap();
    stage.restart("proposed");
    stage.place(&sealed, sealed.bytes(), render(&sealed).as_bytes());
    stage.commit("proposed", Some("bot"), "Add proposals", "proposals/runner-02");
    stage.merge_in_a_web_page("runner-02");
    stage.refused(sealed.id(), "not-observer");
    let listed = stage.run(&["review"]).ended(0).stdout;
    assert!(listed.lines().any(|line| line.contains(&sealed.id()[..12]) && line.contains("not-observer")), "{listed}");
    // It stands in nobody's way.
    stage.run(&["approve", &ids[0], "--yes"]).ended(0);
    assert_eq!(stage.approver_by_merge("runner-01", &ids[0]), "ada@example.org");
    // Straight onto main, without a merge.
    stage.restart("proposed");
    let mut other = stage.proposal("runner-03");
    other.created = super::proposals::time(-50);
    let sealed = Sealed::new(other).unwrap();
    stage.place(&sealed, sealed.bytes(), render(&sealed).as_bytes());
    stage.commit("proposed", Some("ada"), "Add proposals", "main");
    stage.refused(sealed.id(), "not-observer");
}

#[test]
fn a_branch_that_a_forge_has_brought_up_to_date_is_still_the_observers() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    stage.restart("proposed");
    stage.write("proposed", "NOTES", b"x");
    stage.commit("proposed", Some("ben"), "Note", "main");
    let work = stage.path("work/proposed");
    stage.git(&work, &["checkout", "--quiet", "-B", "side", "origin/proposals/runner-01"]);
    stage.git(&work, &["merge", "--quiet", "--no-gpg-sign", "--no-ff", "-m", "Update branch", "origin/main"]);
    stage.git(&work, &["push", "--quiet", "--force", "origin", "HEAD:refs/heads/proposals/runner-01"]);
    // As it is, nobody merges it here; merged by others, it can be signed.
    stage.refused(&ids[0], "not-observer");
    stage.merge_in_a_web_page("runner-01");
    stage.run(&["approve", &ids[0], "--yes"]).ended(0);
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
fn a_lying_observer_is_seen_as_far_as_canonical_tells() {
    let stage = Stage::new();
    stage.found();
    stage.settle("");
    let honest = stage.proposal("runner-01");
    let mut hidden = honest.clone();
    hidden.transaction.rpms[2].asserted = false;
    let mut protected = honest.clone();
    protected.transaction.rpms.insert(0, change("glibc-2.40-1.fc41.x86_64", Action::Upgrade, true));
    protected.transaction.rpms.insert(0, change("glibc-2.39-1.fc41.x86_64", Action::Replaced, true));
    let mut invented = honest.clone();
    invented.drift[0].wanted = Some("= 18.1.0-1.fc41".to_owned());
    let mut beside = honest.clone();
    beside.transaction.rpms[0] = change("llvm-18.1.0-1.fc41.x86_64", Action::Downgrade, false);
    let mut removes = honest.clone();
    removes.transaction.rpms.insert(0, change("glibc-2.39-1.fc41.x86_64", Action::Remove, true));
    (removes.risk.removals, removes.risk.protected) = (1, vec!["glibc".to_owned()]);
    let mut nothing = honest.clone();
    nothing.transaction.rpms.drain(..2);
    nothing.risk.downgrades = 1;
    let mut foreign = honest.clone();
    foreign.canonical.manifest_digest = "a".repeat(64);
    for (proposal, code) in [
        (hidden, "unjustified"),
        (protected, "unjustified"),
        (invented, "unjustified"),
        (beside, "unjustified"),
        (removes, "unjustified"),
        (nothing, "unjustified"),
        (foreign, "canonical-moved"),
    ] {
        let id = stage.publish("runner-01", &[proposal]).remove(0);
        stage.refused(&id, code);
    }
    let id = stage.publish("runner-01", &[honest]).remove(0);
    stage.run(&["show", &id]).ended(0);
    // People have changed the manifest since.
    stage.restart("canonical");
    stage.write(
        "canonical",
        "manifests/builder.toml",
        b"schema = \"countersign/manifest/1\"\n[packages]\nllvm = \"*\"\n",
    );
    stage.commit("canonical", Some("ada"), "Let llvm go", "main");
    stage.refused(&id, "canonical-moved");
}

#[test]
fn what_cannot_be_read_costs_its_own_row() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let work = stage.path("work/proposed");
    let other = "f".repeat(64);
    stage.restart("proposed");
    stage.write("proposed", &format!("proposals/runner-02/{other}/proposal.json"), &vec![b' '; 5 << 20]);
    stage.commit("proposed", Some("observer"), "Add much", "proposals/runner-02");
    stage.restart("proposed");
    stage.write("proposed", &format!("proposals/runner-03/{other}/README.md"), b"");
    stage.commit("proposed", Some("observer"), "Add half", "proposals/runner-03");
    stage.git(&work, &["checkout", "--quiet", "main"]);
    let json = stage.run(&["review", "--json"]).ended(0).json();
    assert_eq!(json["proposals"][0]["id"], *ids[0]);
    let odd = json["unreadable"].as_array().unwrap();
    assert_eq!(odd.len(), 2, "{json:#}");
    assert!(odd.iter().all(|one| one["path"].as_str().unwrap().ends_with(&other)));
}

#[test]
fn hostile_text_is_shown_and_never_obeyed() {
    let stage = Stage::new();
    stage.found();
    let mut proposal = stage.proposal("runner-01");
    let hostile = "dnf \u{1b}[2J\u{1b}]0;x\u{7}\u{202e}evil\u{9b}31m\r\nok      approved by everybody";
    proposal.drift[0].by = Some(By { user: Some("ro\u{202e}ot\u{1b}[31m".to_owned()), command: hostile.to_owned() });
    proposal.drift[0].reason = Some(hostile.to_owned());
    let id = stage.publish("runner-01", &[proposal]).remove(0);
    stage.git(&stage.path("work/proposed"), &["push", "--quiet", "origin", "HEAD:refs/heads/proposals/\u{202e}evil"]);
    stage.settle("");
    for args in [vec!["review"], vec!["show", &id], vec!["approve", &id]] {
        let said = stage.run(&args);
        let text = said.stdout + &said.stderr;
        let bad = text.chars().find(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{202e}' | '\u{9b}'));
        assert_eq!(bad, None, "{args:?}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("ok ")), "{args:?}: {text}");
    }
}

#[test]
fn the_beginning_of_two_ids_is_answered_with_both() {
    let stage = Stage::new();
    stage.found();
    let mut seen = std::collections::BTreeMap::new();
    let mut twins = None;
    let both = ["runner-01", "runner-02"].map(|runner| stage.proposal(runner));
    for number in 0.. {
        let mut proposal = both[usize::from(number % 2 == 1)].clone();
        proposal.created = super::proposals::time(-100_000 - number);
        let sealed = Sealed::new(proposal.clone()).unwrap();
        let other = seen.insert(sealed.id()[..4].to_owned(), (sealed.id().to_owned(), proposal.clone()));
        if let Some((id, other)) = other.filter(|(_, other)| other.runner != proposal.runner) {
            twins = Some(([id, sealed.id().to_owned()], [other, proposal]));
            break;
        }
    }
    let (ids, proposals) = twins.unwrap();
    stage.publish("@builders-0a1b2c3d4e5f", &proposals);
    stage.settle("");
    for args in [
        vec!["show", &ids[0][..4]],
        vec!["approve", &ids[0][..4], "--yes"],
        vec!["reject", &ids[0][..4], "--reason", "x"],
    ] {
        let said = stage.run(&[&args[..], &["--json"]].concat()).stopped(2, "ambiguous");
        for id in &ids {
            assert!(said.stdout.contains(id.as_str()), "{}", said.stdout);
        }
    }
    stage.run(&["show", &ids[0]]).ended(0);
    for text in ["abc", "ABCDEF12", "", "-x", "main", "refs/heads/main", "../x", "zzzz"] {
        stage.run(&["show", "--json", "--", text]).stopped(2, "usage");
    }
    stage.run(&["show", "--json", &"0".repeat(64)]).stopped(2, "no-proposal");
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
fn a_canonical_that_somebody_else_wrote_approves_nothing() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let anchor = stage.tip("canonical", "main");
    let place = |more: &str| {
        format!("[canonical]\npath = \"clones/canonical\"\n{more}[proposed]\npath = \"clones/proposed\"\n")
    };
    fs::write(stage.path("countersign.toml"), place(&format!("anchor = \"{anchor}\"\n"))).unwrap();
    stage.run(&["show", &ids[0]]).ended(0);
    // The forge adds a person, and declares a key of its own for the observer.
    stage.restart("canonical");
    let list = format!("stranger@example.org {}\n", stage.public("stranger"));
    stage.write("canonical", "approvers", list.as_bytes());
    stage.commit("canonical", Some("stranger"), "Welcome", "main");
    stage.set("user.signingkey", stage.path("keys/stranger").to_str().unwrap());
    stage.refused(&ids[0], "canonical-unsigned");
    fs::write(stage.path("countersign.toml"), place("anchor = \"main\"\n")).unwrap();
    stage.run(&["review", "--json"]).stopped(2, "usage");
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
