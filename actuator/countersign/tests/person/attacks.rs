//! What others may try: the forge, a bot, a lying observer.

use super::proposals::change;
use super::stage::Stage;
use countersign_manifests_schema::proposal::By;
use countersign_manifests_schema::transaction::Action;
use countersign_shared::proposal::{Sealed, render};
use std::fs;

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
fn a_merge_that_adds_to_what_the_observer_made_gets_no_signature() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    stage.merge_in_a_web_page("runner-01");
    stage.write("proposed", &format!("proposals/runner-01/{}/more", ids[0]), b"x");
    let work = stage.path("work/proposed");
    stage.git(&work, &["add", "--all"]);
    stage.git(&work, &["commit", "--quiet", "--amend", "--no-gpg-sign", "--no-edit"]);
    stage.git(&work, &["push", "--quiet", "--force", "origin", "HEAD:refs/heads/main"]);
    stage.refused(&ids[0], "not-observer");
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
