//! Changing canonical: adopting drift, and vouching for commits.

use super::proposals::BUILDER;
use super::stage::Stage;
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::history::{Judgement, Rules, judge};
use countersign_shared::drift::adoption::{Adopted, adopted_in};
use countersign_shared::git::{CommitId, Mirror};
use std::fs;

const LONG_AWAY: &str = "2099-12-31";

impl Stage {
    fn canonical_file(&self, branch: &str, path: &str) -> String {
        self.git(&self.path("canonical.git"), &["show", &format!("{branch}:{path}")])
    }

    /// Whether canonical's history is people's, judged as observer and actuator do.
    fn judged_since(&self, anchor: &str, branch: &str) -> Judgement {
        let mirror = Mirror::open(&self.path("canonical.git")).unwrap();
        let list = format!("ada@example.org {}\nben@example.org {}\n", self.public("ada"), self.public("ben"));
        let pinned = AllowedSigners::parse(&list).unwrap();
        let id = |text: &str| CommitId::parse(text).unwrap();
        let now = jiff::Timestamp::now().as_second();
        let rules = Rules { anchor: id(anchor), pinned: &pinned, bots: &[], revoked: &[], now };
        judge(&mirror, id(&self.tip("canonical", branch)), &rules).unwrap()
    }

    /// The branch that the last adoption was pushed to.
    fn adoption(&self, said: &super::stage::Said) -> String {
        said.json()["pushed"].as_str().unwrap().strip_prefix("origin ").unwrap().to_owned()
    }
}

#[test]
fn an_adoption_changes_one_value_and_carries_what_the_guard_recomputes() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let anchor = stage.tip("canonical", "main");
    let said = stage.ask(&["adopt", &ids[0], "--reason", "tenant X has moved on", "--json"]).answer("yes\n").ended(0);
    // Shown before it was asked: the difference, and whom it concerns.
    for text in [
        "-llvm   = \"= 19.1.0-1.fc41\"   # tenant X",
        "+llvm   = \"= 20.1.0-1.fc41\"   # tenant X",
        "3 runner(s): runner-01, runner-02, runner-03",
        "pushed to origin adopt/runner-01-",
    ] {
        assert!(said.stderr.contains(text), "{text}: {}", said.stderr);
    }
    assert_eq!(stage.tip("canonical", "main"), anchor, "main is not touched");
    let branch = stage.adoption(&said);
    let text = stage.canonical_file(&branch, "manifests/builder.toml");
    assert_eq!(text, BUILDER.replace("= 19.1.0", "= 20.1.0").trim());
    let message = stage.git(&stage.path("canonical.git"), &["log", "-1", "--format=%B", &branch]);
    let item = Adopted {
        runner: "runner-01",
        code: "ahead",
        package: Some("llvm"),
        arch: Some("x86_64"),
        wanted: Some("= 19.1.0-1.fc41"),
        seen: &["20.1.0-1.fc41".to_owned()],
    };
    assert_eq!(adopted_in(&message, "runner-01"), [item.digest()]);
    assert!(message.contains("tenant X has moved on"));
    assert!(matches!(stage.judged_since(&anchor, &branch), Judgement::ByPeople { .. }));
    // A second time the branch is there already: it is not overwritten.
    stage.run(&["adopt", &ids[0], "--reason", "again", "--yes", "--json"]).stopped(1, "moved");
    // Nothing of the person's own clone has moved.
    assert_eq!(fs::read_to_string(stage.path("clones/canonical/manifests/builder.toml")).unwrap(), BUILDER);
}

#[test]
fn main_is_pushed_to_only_where_the_person_has_said_so() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    stage.configure("[adopt]\nto = \"main\"\n");
    let anchor = stage.tip("canonical", "main");
    let said = stage.ask(&["adopt", &ids[0], "--reason", "x", "--json"]).answer("yes\n").ended(0);
    assert!(said.stderr.contains("PUSHED TO origin main, THE MAIN BRANCH OF CANONICAL"), "{}", said.stderr);
    assert!(matches!(stage.judged_since(&anchor, "main"), Judgement::ByPeople { commits: 1, .. }));
    // By the new manifest there is no drift left to approve, nor to adopt.
    stage.run(&["approve", &ids[0], "--yes", "--json"]).stopped(20, "canonical-moved");
    stage.run(&["adopt", &ids[0], "--reason", "x", "--yes", "--json"]).stopped(20, "unjustified");
}

#[test]
fn a_waiver_is_written_with_owner_and_end() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    stage.configure("[adopt]\nto = \"main\"\n");
    let waive = ["adopt", &ids[0], "--waive", "--until", LONG_AWAY, "--reason", "until the rebuild", "--yes", "--json"];
    stage.run(&waive).ended(0);
    let text = stage.canonical_file("main", "waivers/adopted.toml");
    for line in [
        "runners = [\"runner-01\"]",
        "package = \"llvm.x86_64\"",
        "code = \"ahead\"",
        "owner = \"ada@example.org\"",
        "until = \"2099-12-31\"",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // What is waived is not touched by a transaction.
    stage.run(&["approve", &ids[0], "--yes", "--json"]).stopped(20, "unjustified");
    // Once is enough.
    stage.run(&waive).stopped(20, "unjustified");
}

#[test]
fn a_waiver_needs_an_end_that_is_still_to_come() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    for (until, status, code) in [("2020-01-01", 20, "not-adoptable"), ("tomorrow", 2, "invalid-file")] {
        let waive = ["adopt", &ids[0], "--waive", "--until", until, "--reason", "x", "--yes", "--json"];
        stage.run(&waive).stopped(status, code);
    }
    stage.run(&["adopt", &ids[0], "--waive", "--reason", "x", "--yes", "--json"]).stopped(2, "usage");
}

#[test]
fn what_would_not_help_or_not_lint_is_not_committed() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    stage.restart("canonical");
    stage.write("canonical", "manifests/other.toml", b"schema = \"countersign/manifest/1\"\n[packages]\nzsh = \"*\"\n");
    stage.commit("canonical", Some("ada"), "Add a manifest", "main");
    let before = stage.git(&stage.path("canonical.git"), &["for-each-ref"]);
    // A manifest that this runner does not have; one that is not there; a package that is not in the proposal.
    for (args, status, code) in [
        (["--into", "manifests/other.toml"], 20, "not-adoptable"),
        (["--into", "manifests/none.toml"], 2, "usage"),
        (["--only", "glibc"], 2, "usage"),
    ] {
        let all = [&["adopt", &ids[0], "--reason", "x", "--yes", "--json"][..], &args[..]].concat();
        stage.run(&all).stopped(status, code);
    }
    assert_eq!(stage.git(&stage.path("canonical.git"), &["for-each-ref"]), before);
}

#[test]
fn somebody_who_is_not_listed_adopts_nothing() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    stage.set("user.signingkey", stage.path("keys/stranger").to_str().unwrap());
    stage.run(&["adopt", &ids[0], "--reason", "x", "--yes", "--json"]).stopped(20, "not-human");
    let commit = stage.tip("canonical", "main");
    stage.run(&["endorse", &commit, "--yes", "--json"]).stopped(20, "not-human");
}

#[test]
fn vouching_makes_an_unsigned_commit_count() {
    let (stage, _) = Stage::ready(&[]);
    let anchor = stage.tip("canonical", "main");
    stage.restart("canonical");
    stage.write("canonical", "manifests/builder.toml", format!("{BUILDER}# \u{202e}J2\n").as_bytes());
    let unsigned = stage.commit("canonical", None, "Edit in a web page \u{1b}[31m", "main");
    assert!(matches!(stage.judged_since(&anchor, "main"), Judgement::Refused { .. }));

    stage.ask(&["endorse", &unsigned, "--json"]).answer("no\n").stopped(1, "declined");
    let said = stage.ask(&["endorse", &unsigned[..10], "--json"]).answer("yes\n").ended(0);
    assert!(said.stderr.contains("+# \\u{202e}J2") && said.stderr.contains("PUSHED TO origin main"), "{}", said.stderr);
    assert!(!said.stderr.contains('\u{1b}'));
    assert!(matches!(stage.judged_since(&anchor, "main"), Judgement::ByPeople { commits: 2, .. }));
    let dir = stage.path("canonical.git");
    assert_eq!(stage.git(&dir, &["rev-parse", "main^{tree}"]), stage.git(&dir, &["rev-parse", "main^^{tree}"]));

    for text in ["main", "HEAD", "-x", "abc", &"0".repeat(40)] {
        stage.run(&["endorse", "--yes", "--json", "--", text]).stopped(2, "usage");
    }
    let aside = stage.commit("canonical", None, "Aside", "aside");
    stage.git(&stage.path("clones/canonical"), &["fetch", "--quiet", "origin"]);
    stage.run(&["endorse", &aside, "--yes", "--json"]).stopped(20, "not-merged");
}
