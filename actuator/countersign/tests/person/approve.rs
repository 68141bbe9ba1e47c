//! Saying yes and no, and what the others then see.

use super::proposals::{change, time};
use super::stage::Stage;
use countersign_manifests_schema::bundle::Statement;
use countersign_manifests_schema::transaction::Action;
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::commit::RawCommit;
use countersign_shared::approval::merge::{self, Objects};
use countersign_shared::approval::people::People;
use countersign_shared::approval::statement::{approves, rejects};
use countersign_shared::approval::tree::Kind;
use countersign_shared::proposal::Sealed;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The remote of proposals, as another program reads it.
pub(crate) struct Remote(pub(crate) PathBuf);

impl Objects for Remote {
    fn read(&self, kind: Kind, id: &str) -> Option<Vec<u8>> {
        let output = Command::new("git").arg("-C").arg(&self.0).args(["cat-file", kind.as_str(), id]).output().unwrap();
        output.status.success().then_some(output.stdout)
    }
}

impl Stage {
    /// Merges a branch without a signature, as a forge does.
    pub(crate) fn merge_in_a_web_page(&self, branch: &str) {
        self.restart("proposed");
        let work = self.path("work/proposed");
        let args = ["-c", "user.name=forge", "-c", "user.email=noreply@forge.example", "merge", "--quiet", "--no-ff"];
        let what = format!("origin/proposals/{branch}");
        self.git(&work, &[&args[..], &["--no-gpg-sign", "-m", "Merge pull request 7", &what]].concat());
        self.git(&work, &["push", "--quiet", "origin", "HEAD:refs/heads/main"]);
    }

    fn judged<T>(&self, judge: impl FnOnce(&People<'_>) -> T) -> T {
        let list = format!("ada@example.org {}\nben@example.org {}\n", self.public("ada"), self.public("ben"));
        let listed = AllowedSigners::parse(&list).unwrap();
        let now = jiff::Timestamp::now().as_second();
        judge(&People { listed: &listed, bots: &[], revoked: &[], require_touch: false, now })
    }

    /// Who approves a proposal by the commit at the tip of proposed's main, judged as the runner does.
    pub(crate) fn approver_by_merge(&self, runner: &str, id: &str) -> String {
        let remote = Remote(self.path("proposed.git"));
        let tip = self.tip("proposed", "main");
        let merge = merge::judge(&remote, &tip).unwrap();
        let added = merge.added.iter().find(|added| added.named.proposal == id).unwrap();
        assert_eq!(added.named.runner, runner);
        let sealed = Sealed::parse(&added.proposal).unwrap();
        let signed = RawCommit::parse(&remote.read(Kind::Commit, &tip).unwrap()).unwrap().signed.unwrap();
        let payload = String::from_utf8(signed.payload).unwrap();
        let statement = Statement::Merge { payload, signature: signed.signature };
        self.judged(|people| approves(&statement, &sealed, people).unwrap().person.principal)
    }

    /// Files of proposed's main below a directory.
    pub(crate) fn listed(&self, directory: &str) -> Vec<String> {
        let text = self.git(&self.path("proposed.git"), &["ls-tree", "-r", "--name-only", "main", directory]);
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn content(&self, path: &str) -> Vec<u8> {
        let dir = self.path("proposed.git");
        Command::new("git")
            .arg("-C")
            .arg(dir)
            .args(["cat-file", "blob", &format!("main:{path}")])
            .output()
            .unwrap()
            .stdout
    }
}

#[test]
fn one_signed_merge_approves_and_everybody_else_agrees() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let before = stage.tip("proposed", "main");
    let waiting = stage.ask(&["approve", &ids[0], "--json"]);
    let said = waiting.answer("yes\n").ended(0);
    assert_eq!(stage.approver_by_merge("runner-01", &ids[0]), "ada@example.org");
    let json = said.json();
    assert_eq!(json["commits"][0], stage.tip("proposed", "main"));
    assert_eq!(json["proposals"][0], *ids[0]);
    // git itself agrees, and the first parent is the old main.
    let list = stage.path("allowed");
    fs::write(&list, format!("ada@example.org {}\n", stage.public("ada"))).unwrap();
    let allowed = format!("gpg.ssh.allowedSignersFile={}", list.display());
    stage.git(&stage.path("proposed.git"), &["-c", &allowed, "verify-commit", "main"]);
    assert_eq!(stage.git(&stage.path("proposed.git"), &["rev-parse", "main^1"]), before);
    assert_eq!(
        stage.git(&stage.path("proposed.git"), &["rev-parse", "main^2"]),
        stage.tip("proposed", "proposals/runner-01")
    );
    // What was run is in the document, and each of it was said before.
    let commands = json["commands"].as_array().unwrap();
    assert!(commands.iter().any(|c| c.as_array().unwrap().iter().any(|word| word == "commit-tree")));
    assert_eq!(said.stderr.lines().filter(|line| line.starts_with("$ ")).count(), commands.len());
}

#[test]
fn anything_but_yes_signs_nothing() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let before = stage.tip("proposed", "main");
    for answer in ["", "\n", "y\n", "YES\n", "yes please\n", "no\n"] {
        stage.ask(&["approve", &ids[0], "--json"]).answer(answer).stopped(1, "declined");
    }
    assert_eq!(stage.tip("proposed", "main"), before);
}

#[test]
fn a_class_is_approved_with_one_merge_that_names_each_of_it() {
    let stage = Stage::new();
    stage.found();
    let all = ["runner-01", "runner-02", "runner-03"];
    let ids = stage.publish("@builders-0a1b2c3d4e5f", &all.map(|runner| stage.proposal(runner)));
    stage.settle("");
    // A part of it cannot be merged alone.
    let said = stage.run(&["approve", &ids[0], "--yes", "--json"]).stopped(20, "not-all");
    assert!(said.stdout.contains("approve @builders-0a1b2c3d4e5f"), "{}", said.stdout);
    stage.run(&["approve", "@builders-0a1b2c3d4e5f", "--yes"]).ended(0);
    for (runner, id) in all.iter().zip(&ids) {
        assert_eq!(stage.approver_by_merge(runner, id), "ada@example.org");
    }
}

#[test]
fn several_branches_are_several_merges_and_one_push() {
    let (stage, ids) = Stage::ready(&["runner-01", "runner-02"]);
    let json = stage.run(&["approve", &ids[0], &ids[1], "--yes", "--json"]).ended(0).json();
    assert_eq!(json["commits"].as_array().unwrap().len(), 2);
    let pushes = json["commands"].as_array().unwrap().iter().filter(|c| c.to_string().contains("\"push\""));
    assert_eq!(pushes.count(), 1);
    assert_eq!(stage.listed("proposals").len(), 4);
    let shown = stage.run(&["show", &ids[0], "--json"]).ended(0).json();
    assert_eq!(shown["proposals"][0]["approved_by"][0], "ada@example.org");
}

#[test]
fn what_is_merged_already_gets_a_detached_signature() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    stage.merge_in_a_web_page("runner-01");
    stage.run(&["approve", &ids[0], "--yes"]).ended(0);
    let files = stage.listed("approvals");
    assert_eq!(files.len(), 1);
    let sealed = Sealed::parse(&stage.content(&format!("proposals/runner-01/{}/proposal.json", ids[0]))).unwrap();
    let signature = String::from_utf8(stage.content(&files[0])).unwrap();
    let who =
        |statement: &Statement| stage.judged(|people| approves(statement, &sealed, people).unwrap().person.principal);
    assert_eq!(who(&Statement::Signature { signature }), "ada@example.org");
    stage.run(&["approve", &ids[0], "--yes", "--json"]).stopped(1, "done-already");
}

#[test]
fn a_protected_package_wants_a_second_person() {
    let stage = Stage::new();
    stage.found();
    let mut proposal = stage.proposal("runner-01");
    proposal.transaction.rpms.insert(0, change("glibc-2.40-1.fc41.x86_64", Action::Upgrade, true));
    proposal.transaction.rpms.insert(0, change("glibc-2.39-1.fc41.x86_64", Action::Replaced, true));
    proposal.risk.protected = vec!["glibc".to_owned()];
    let id = stage.publish("runner-01", &[proposal]).remove(0);
    stage.settle("");
    let said = stage.run(&["approve", &id, "--yes"]).ended(0);
    assert!(said.stdout.contains("approved by ada@example.org; the policy wants 2"), "{}", said.stdout);
    assert!(stage.run(&["review"]).ended(0).stdout.contains("merged, not by enough"));
    stage.set("user.signingkey", stage.path("keys/ben").to_str().unwrap());
    let said = stage.run(&["approve", &id, "--yes"]).ended(0);
    assert!(said.stdout.contains("approved by ada@example.org, ben@example.org; that is enough"), "{}", said.stdout);
}

#[test]
fn a_rejection_is_signed_and_withdraws() {
    let (stage, ids) = Stage::ready(&["runner-01", "runner-02"]);
    stage.run(&["approve", &ids[1], "--yes"]).ended(0);
    for (runner, id) in ["runner-01", "runner-02"].iter().zip(&ids) {
        stage.run(&["reject", id, "--reason", "not now", "--yes"]).ended(0);
        let files = stage.listed(&format!("rejections/{id}"));
        let dir = stage.path("proposed.git");
        let blob = format!("proposals/{runner}:proposals/{runner}/{id}/proposal.json");
        let bytes = Command::new("git").arg("-C").arg(dir).args(["cat-file", "blob", &blob]).output().unwrap().stdout;
        let sealed = Sealed::parse(&bytes).unwrap();
        let signature = String::from_utf8(stage.content(&files[0])).unwrap();
        let who = stage.judged(|people| rejects(&signature, &sealed, people).unwrap().person.principal);
        assert_eq!(who, "ada@example.org");
        stage.run(&["approve", id, "--yes", "--json"]).stopped(20, "withdrawn");
    }
}

#[test]
fn the_key_may_be_in_an_agent_alone() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let socket = stage.path("agent");
    let agent = Agent::start(&socket);
    let add = Command::new("ssh-add").arg("-q").arg(stage.path("keys/ada")).env("SSH_AUTH_SOCK", &socket).output();
    assert!(add.unwrap().status.success());
    fs::remove_file(stage.path("keys/ada")).unwrap();
    let public = stage.path("keys/ada.pub");
    for key in [public.to_str().unwrap().to_owned(), format!("key::{}", stage.public("ada"))] {
        stage.set("user.signingkey", &key);
        let mut command = stage.command(&["approve", &ids[0], "--yes"]);
        let output = command.env("SSH_AUTH_SOCK", &socket).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(stage.approver_by_merge("runner-01", &ids[0]), "ada@example.org");
        // Once more, with a detached signature.
        let mut command = stage.command(&["reject", &ids[0], "--reason", "once more", "--yes"]);
        let output = command.env("SSH_AUTH_SOCK", &socket).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let dir = stage.path("proposed.git");
        stage.git(&dir, &["update-ref", "refs/heads/main", "main~2"]);
        stage.git(&stage.path("clones/proposed"), &["update-ref", "-d", "refs/countersign/seen/main"]);
    }
    drop(agent);
}

/// An agent that ends with the test.
struct Agent(std::process::Child);

impl Agent {
    fn start(socket: &std::path::Path) -> Self {
        use std::io::{BufRead as _, BufReader};
        let mut child = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(socket)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // It says where it listens once it does.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self(child)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn other_peoples_pushes_in_between_cost_a_round_and_nothing_else() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let waiting = stage.ask(&["approve", &ids[0]]);
    stage.restart("proposed");
    stage.write("proposed", "HALT", b"not this night\n");
    stage.commit("proposed", Some("ben"), "Halt", "main");
    waiting.answer("yes\n").ended(0);
    assert_eq!(stage.approver_by_merge("runner-01", &ids[0]), "ada@example.org");
    assert_eq!(stage.content("HALT"), b"not this night\n");
    let review = stage.run(&["review", "--json"]).ended(0).json();
    assert_eq!(review["halted"], "not this night");
}

#[test]
fn what_has_ended_or_was_overtaken_is_not_approved() {
    let stage = Stage::new();
    stage.found();
    let mut old = stage.proposal("runner-01");
    (old.created, old.expires) = (time(-90_000), time(-10));
    let mut first = stage.proposal("runner-02");
    first.created = time(-7_200);
    let ids = [
        stage.publish("runner-01", &[old]).remove(0),
        stage.publish("runner-02", &[first]).remove(0),
        stage.publish("@builders-0a1b2c3d4e5f", &[stage.proposal("runner-02")]).remove(0),
    ];
    stage.settle("");
    stage.run(&["approve", &ids[0], "--yes", "--json"]).stopped(20, "expired");
    stage.run(&["approve", &ids[1], "--yes", "--json"]).stopped(20, "superseded");
    stage.run(&["approve", &ids[2], "--yes"]).ended(0);
}

/// Puts a line, or more, into the policy in the place of the last one.
fn policy(stage: &Stage, line: &str) {
    stage.restart("canonical");
    let text = fs::read_to_string(stage.path("work/canonical/policy.toml")).unwrap();
    let other =
        |line: &&str| !["evidence", "[breaker]", "dependency_changes", "removals"].iter().any(|w| line.starts_with(w));
    let lines: Vec<&str> = text.lines().filter(other).collect();
    let text = lines.join("\n").replace("require_touch = false\n", &format!("require_touch = false\n{line}\n"));
    let text = if line.starts_with('[') { format!("{}\n{line}\n", lines.join("\n")) } else { text };
    stage.write("canonical", "policy.toml", text.as_bytes());
    stage.commit("canonical", Some("ada"), "Change the policy", "main");
}

#[test]
fn the_policy_may_want_signatures_or_merges_alone() {
    let (stage, ids) = Stage::ready(&["runner-01", "runner-02"]);
    policy(&stage, "evidence = \"signature\"");
    let said = stage.run(&["approve", &ids[0], "--yes"]).ended(0);
    assert!(said.stdout.contains("approved by ada@example.org; that is enough"), "{}", said.stdout);
    assert_eq!(stage.listed("approvals").len(), 1);

    policy(&stage, "evidence = \"merge\"");
    stage.merge_in_a_web_page("runner-02");
    stage.run(&["approve", &ids[1], "--yes", "--json"]).stopped(20, "not-human");
    stage.run(&["approve", &ids[0], "--yes", "--json"]).stopped(20, "not-human");
}

#[test]
fn more_than_the_policy_allows_in_one_transaction_is_not_approved() {
    let stage = Stage::new();
    stage.found();
    let mut removes = stage.proposal("runner-02");
    removes.transaction.rpms.insert(0, change("clang-20.1.0-1.fc41.x86_64", Action::Remove, true));
    removes.risk.removals = 1;
    let pulls = stage.publish("runner-01", &[stage.proposal("runner-01")]).remove(0);
    let removes = stage.publish("runner-02", &[removes]).remove(0);
    stage.settle("");
    for (line, pulled, removed) in [
        ("[breaker]\ndependency_changes = 2\nremovals_per_transaction = 1", 0, 0),
        ("[breaker]\ndependency_changes = 0\nremovals_per_transaction = 1", 20, 20),
        ("[breaker]\ndependency_changes = 2\nremovals_per_transaction = 0", 0, 20),
    ] {
        policy(&stage, line);
        assert_eq!(stage.run(&["show", &pulls]).status, pulled, "{line}");
        assert_eq!(stage.run(&["show", &removes]).status, removed, "{line}");
    }
}

#[test]
fn a_signature_can_come_before_the_merge() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    stage.run(&["approve", &ids[0], "--signature", "--yes"]).ended(0);
    assert!(stage.listed("proposals").is_empty());
    stage.merge_in_a_web_page("runner-01");
    let shown = stage.run(&["show", &ids[0], "--json"]).ended(0).json();
    assert_eq!(shown["proposals"][0]["approved_by"][0], "ada@example.org");
}
