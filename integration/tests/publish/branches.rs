//! What is in the repository after each night.

use super::stage::{Stage, changes, class_branch, git, id, many, ready};
use countersign_observer::publish::{self, Change, PublishError};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

#[test]
fn nine_runners_alike_are_one_branch_one_commit_and_nine_proposals() {
    let stage = Stage::new();
    let nine = many(1..=9, "llvm", 1);
    let branch = class_branch("llvm");
    assert_eq!(changes(&stage.sync(&nine)), [format!("{branch}: created")]);
    let tip = stage.tip(&branch);
    assert!(stage.verifies(&tip));
    let files = stage.git(&["diff", "--name-status", "main", &tip]);
    assert_eq!(files.lines().count(), 18);
    for proposal in &nine {
        for (name, content) in
            [("proposal.json", &proposal.proposal_json[..]), ("README.md", proposal.readme.as_bytes())]
        {
            let path = format!("proposals/{}/{}/{name}", proposal.runner, proposal.id);
            assert!(files.contains(&format!("A\t{path}")), "{path} is not in {files}");
            assert_eq!(stage.git(&["show", &format!("{tip}:{path}")]).as_bytes(), content.trim_ascii_end());
        }
    }
    assert_eq!(stage.git(&["rev-parse", &format!("{tip}^@")]), stage.tip("main"));
    let who = stage.git(&["show", "--no-patch", "--format=%an %ae %at %cn %ct", &tip]);
    assert_eq!(who, "Countersign observer observer@countersign.invalid 1763686400 Countersign observer 1763686400");
    assert!(!stage.git(&["show", "--no-patch", "--format=%B", &tip]).contains("Countersign-Approves"));
}

#[test]
fn an_unchanged_proposal_is_an_unchanged_commit_on_every_machine() {
    let stage = Stage::new();
    let nine = many(1..=9, "llvm", 1);
    stage.sync(&nine);
    let before = stage.branches();
    assert_eq!(changes(&stage.sync(&nine)), [format!("{}: kept", class_branch("llvm"))]);
    // Main moved, by something else.
    let tree = stage.git(&["rev-parse", "main^{tree}"]);
    let next = stage.git(&["commit-tree", "-m", "Other", "-p", "main", &tree]);
    stage.git(&["update-ref", "refs/heads/main", &next]);
    stage.sync(&nine);
    assert_eq!(stage.branches(), before);
    // Another machine that never saw it, and one where the branch is not there yet.
    stage.sync_from("elsewhere", &nine, &[]).unwrap();
    assert_eq!(stage.branches(), before);
    stage.git(&["update-ref", "refs/heads/main", &format!("{next}^")]);
    stage.git(&["update-ref", "-d", &format!("refs/heads/{}", class_branch("llvm"))]);
    stage.sync_from("third", &nine, &[]).unwrap();
    assert_eq!(stage.branches(), before);
}

#[test]
fn a_newer_proposal_takes_the_place_of_the_old_one_and_what_is_gone_goes() {
    let stage = Stage::new();
    stage.sync(&[ready("a", "one", 1), ready("b", "two", 1)]);
    let first = stage.tip("proposals/a");
    let synced = stage.sync(&[ready("a", "one", 2)]);
    assert_eq!(changes(&synced), ["proposals/a: updated", "proposals/b: gone"]);
    let second = stage.tip("proposals/a");
    assert_ne!(first, second);
    assert_eq!(stage.git(&["ls-tree", "-r", "--name-only", &second]).lines().count(), 2);
    // It is there until its pull request is closed.
    assert!(stage.branches().iter().any(|line| line.starts_with("proposals/b ")));
    stage.remove(&synced);
    assert_eq!(stage.branches(), [format!("proposals/a {second}")]);
    // A second runner joins the class: the first is offered elsewhere.
    let synced = stage.sync(&[ready("a", "one", 2), ready("c", "one", 2)]);
    assert_eq!(changes(&synced), [format!("{}: created", class_branch("one")), "proposals/a: superseded".to_owned()]);
}

#[test]
fn what_was_merged_is_never_offered_again_nor_rewritten() {
    let stage = Stage::new();
    let both = many(1..=2, "llvm", 1);
    stage.sync(&both);
    let branch = class_branch("llvm");
    let merge = stage.merge(&stage.tip(&branch));
    let synced = stage.sync(&both);
    assert_eq!(changes(&synced), [format!("{branch}: gone")]);
    assert_eq!(synced.merged, [0, 1]);
    stage.remove(&synced);
    assert_eq!(stage.branches(), Vec::<String>::new());
    // One of them is renewed: only that one is added, on top of the merge.
    let synced = stage.sync(&[both[0].clone(), ready("runner-02", "llvm", 3)]);
    assert_eq!(changes(&synced), ["proposals/runner-02: created"]);
    assert_eq!(stage.git(&["rev-parse", "proposals/runner-02^"]), merge);
    assert_eq!(stage.tip("main"), merge);
}

#[test]
fn runners_that_could_not_be_judged_keep_what_they_were_offered() {
    let stage = Stage::new();
    stage.sync(&many(1..=3, "llvm", 1));
    let branch = class_branch("llvm");
    let renewed = many(1..=2, "llvm", 2);
    let synced = stage.sync_from("state", &renewed, &["runner-03"]).unwrap();
    assert_eq!(changes(&synced), [format!("{branch}: updated")]);
    assert_eq!((synced.branches[0].offers.len(), synced.branches[0].holds.len()), (2, 3));
    // Nothing at all is known: nothing changes.
    let before = stage.branches();
    let all = ["runner-01", "runner-02", "runner-03"];
    assert_eq!(changes(&stage.sync_from("state", &[], &all).unwrap()), [format!("{branch}: kept")]);
    assert_eq!(stage.branches(), before);
}

#[test]
fn commits_of_other_people_are_left_alone() {
    let mut stage = Stage::new();
    stage.sync(&[ready("a", "one", 1), ready("b", "two", 1)]);
    // A person adds to one branch; a key that is not declared signs another.
    let tree = stage.git(&["rev-parse", "proposals/a^{tree}"]);
    let on_top = stage.git(&["commit-tree", "-m", "Mine", "-p", "proposals/a", &tree]);
    stage.git(&["update-ref", "refs/heads/proposals/a", &on_top]);
    let by_others = stage.declared.clone();
    stage.undeclared_key("stranger");
    stage.declared.clear();
    stage.key("second");
    let place = stage.place("state", "second");
    let synced = publish::sync(&place, &[ready("a", "one", 2)], &BTreeSet::new(), &stage.declared, None).unwrap();
    assert_eq!(changes(&synced), ["proposals/a: foreign", "proposals/b: foreign"]);
    assert_eq!(synced.problems().count(), 2);
    stage.remove(&synced);
    assert_eq!(stage.tip("proposals/a"), on_top);
    assert_eq!(stage.branches().len(), 2);
    // With the key declared, the branch that it signed is its own again.
    let declared = [by_others, stage.declared.clone()].concat();
    let synced = publish::sync(&place, &[ready("b", "two", 2)], &BTreeSet::new(), &declared, None).unwrap();
    assert_eq!(changes(&synced), ["proposals/a: foreign", "proposals/b: updated"]);
}

#[test]
fn a_signed_commit_that_does_anything_else_is_not_taken_for_ours() {
    let stage = Stage::new();
    stage.sync(&[ready("a", "one", 1)]);
    let key = stage.root.path().join("observer");
    let signing = format!("user.signingKey={}", key.display());
    let blob = stage.git(&["hash-object", "-w", "HEAD"]);
    let (good, short) = ("0".repeat(64), "0".repeat(12));
    let both = |folder: &str, mode: &str| {
        ["proposal.json", "README.md"].map(|name| format!("{mode},{blob},proposals/{folder}/{name}")).to_vec()
    };
    for (what, entries) in [
        ("nothing is wrong", both(&format!("a/{good}"), "100644")),
        ("another file of the repository", vec![format!("100644,{blob},HALT")]),
        ("a program", both(&format!("a/{good}"), "100755")),
        ("a link", both(&format!("a/{good}"), "120000")),
        (
            "one file more",
            [both(&format!("a/{good}"), "100644"), vec![format!("100644,{blob},proposals/a/{good}/x")]].concat(),
        ),
        ("half of it", both(&format!("a/{good}"), "100644")[..1].to_vec()),
        ("a short id", both(&format!("a/{short}"), "100644")),
        ("a runner that a shell would run", both(&format!("a'$(id)/{good}"), "100644")),
    ] {
        let index = stage.root.path().join("index");
        let _ = fs::remove_file(&index);
        let run = |arguments: &[&str]| {
            let output = Command::new("git")
                .current_dir(stage.proposed())
                .env("GIT_INDEX_FILE", &index)
                .args(arguments)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        run(&["read-tree", "main"]);
        for entry in &entries {
            run(&["update-index", "--add", "--cacheinfo", entry]);
        }
        let tree = run(&["write-tree"]);
        let commit =
            stage.git(&["-c", "gpg.format=ssh", "-c", &signing, "commit-tree", "-S", "-m", "x", "-p", "main", &tree]);
        assert!(stage.verifies(&commit));
        stage.git(&["update-ref", "refs/heads/proposals/a", &commit]);
        let expected = if what == "nothing is wrong" { "proposals/a: updated" } else { "proposals/a: foreign" };
        assert_eq!(changes(&stage.sync(&[ready("a", "one", 2)])), [expected], "{what}");
    }
}

#[test]
fn two_observers_that_publish_at_once_do_not_undo_one_another() {
    let stage = Stage::new();
    let sets = [many(1..=4, "llvm", 1), many(3..=6, "gcc", 1)];
    std::thread::scope(|scope| {
        for (number, set) in sets.iter().enumerate() {
            let stage = &stage;
            // Each knows nothing of the other's runners.
            let others: Vec<String> = sets[1 - number].iter().map(|ready| ready.runner.clone()).collect();
            scope.spawn(move || {
                let others: Vec<&str> =
                    others.iter().map(String::as_str).filter(|o| set.iter().all(|r| r.runner != *o)).collect();
                for _ in 0..3 {
                    stage.sync_from(&format!("state-{number}"), set, &others).unwrap();
                }
            });
        }
    });
    stage.git(&["fsck", "--strict"]);
    for line in stage.branches() {
        let (_, tip) = line.split_once(' ').unwrap();
        assert!(stage.verifies(tip), "{line}");
    }
    // The same proposals from both: one commit.
    let stage = Stage::new();
    let set = many(1..=4, "llvm", 1);
    std::thread::scope(|scope| {
        for number in 0..2 {
            let (stage, set) = (&stage, &set);
            scope.spawn(move || stage.sync_from(&format!("state-{number}"), set, &[]).unwrap());
        }
    });
    assert_eq!(stage.branches().len(), 1);
    assert_eq!(stage.git(&["rev-list", "--count", &format!("main..{}", class_branch("llvm"))]), "1");
}

#[test]
fn a_branch_that_moved_since_it_was_seen_is_not_overwritten() {
    let stage = Stage::new();
    let synced = stage.sync(&[ready("a", "one", 1)]);
    let gone = stage.sync(&[]);
    assert_eq!(changes(&gone), ["proposals/a: gone"]);
    // Between looking and taking away, the other observer brings a newer one.
    stage.sync_from("other", &[ready("a", "one", 2)], &[]).unwrap();
    let newer = stage.tip("proposals/a");
    assert_ne!(Some(id(&newer)), synced.branches[0].tip);
    let branches: Vec<_> = gone.branches.iter().collect();
    let stays = publish::remove(&stage.place("state", "observer"), &branches).unwrap();
    assert_eq!(stays.len(), 1);
    assert_eq!(stage.tip("proposals/a"), newer);
}

#[test]
fn a_push_that_the_server_rejects_is_told_in_its_words_and_repaired_by_the_next_run() {
    let stage = Stage::new();
    let hook = stage.proposed().join("hooks/update");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\ncase $1 in */a) echo 'closed for \\033[31mtoday' >&2; exit 1;; esac\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let both = [ready("a", "one", 1), ready("b", "two", 1)];
    let synced = stage.sync(&both);
    assert_eq!(changes(&synced), ["proposals/a: refused", "proposals/b: created"]);
    let Change::Refused(words) = &synced.branches[0].change else { panic!() };
    assert!(words.contains("closed for") && !words.contains('\u{1b}'), "{words}");
    assert_eq!(synced.branches[0].tip, None);
    fs::remove_file(hook).unwrap();
    assert_eq!(changes(&stage.sync(&both)), ["proposals/a: created", "proposals/b: kept"]);
}

#[test]
fn a_mirror_that_was_lost_and_a_rewritten_main_are_told_apart() {
    let stage = Stage::new();
    let set = [ready("a", "one", 1)];
    let synced = stage.sync(&set);
    fs::remove_dir_all(stage.root.path().join("state")).unwrap();
    assert_eq!(changes(&stage.sync(&set)), ["proposals/a: kept"]);
    let tree = stage.git(&["rev-parse", "main^{tree}"]);
    let other = stage.git(&["commit-tree", "-m", "Another beginning", &tree]);
    stage.git(&["update-ref", "refs/heads/main", &other]);
    let place = stage.place("state", "observer");
    let error = publish::sync(&place, &set, &BTreeSet::new(), &stage.declared, Some(synced.main)).unwrap_err();
    assert!(matches!(error, PublishError::Rewritten(_)), "{error:?}");
    fs::remove_dir_all(stage.proposed()).unwrap();
    let error = publish::sync(&place, &set, &BTreeSet::new(), &stage.declared, None).unwrap_err();
    assert_eq!(error.code(), "no-repository", "{error:?}");
}

#[test]
fn without_a_forge_a_person_gets_what_to_fetch() {
    let stage = Stage::new();
    let nine = many(1..=9, "llvm", 1);
    let synced = stage.sync(&nine);
    let text = publish::summary::request_pull(&synced, &nine, "ssh://git@forge.example/ops/proposed.git", "main");
    let tip = stage.tip(&class_branch("llvm"));
    for needed in
        ["9 runners, 9 items of drift", &tip, &class_branch("llvm"), "ssh://git@forge.example/ops/proposed.git"]
    {
        assert!(text.contains(needed), "{needed} is not in\n{text}");
    }
    // What it says works.
    let clone = stage.root.path().join("clone");
    git(stage.root.path(), &["clone", "--quiet", "proposed.git", "clone"]).unwrap();
    git(&clone, &["fetch", "--quiet", "origin", &class_branch("llvm")]).unwrap();
    assert_eq!(git(&clone, &["rev-parse", "FETCH_HEAD"]).unwrap(), tip);
}
