//! The command that a pull request and the summary print, run as it is by a person's shell.

use super::nights::Site;
use super::stage::{Stage, class_branch, git, hex, many};
use countersign_observer::config::ForgeKind;
use countersign_observer::publish::{self, Ready};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A person's clone, which signs with the person's own key.
fn person(stage: &Stage) -> PathBuf {
    let key = stage.undeclared_key("person");
    let clone = stage.root.path().join("clone");
    git(stage.root.path(), &["clone", "--quiet", "proposed.git", "clone"]).unwrap();
    let line = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let people = stage.root.path().join("people");
    std::fs::write(&people, format!("ada@example.org namespaces=\"git\" {line}")).unwrap();
    for (name, value) in [
        ("user.name", "Ada"),
        ("user.email", "ada@example.org"),
        ("gpg.format", "ssh"),
        ("user.signingKey", key.to_str().unwrap()),
        ("gpg.ssh.allowedSignersFile", people.to_str().unwrap()),
    ] {
        git(&clone, &["config", name, value]).unwrap();
    }
    clone
}

fn shell(at: &Path, script: &str) -> Output {
    Command::new("sh")
        .args(["-c", script])
        .current_dir(at)
        .env_clear()
        .envs([("PATH", std::env::var("PATH").unwrap_or_default()), ("LC_ALL", "C".to_owned())])
        .env("HOME", at)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap()
}

fn done(at: &Path, script: &str) {
    let output = shell(at, script);
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// What stands between the fences of a text.
fn fenced(text: &str) -> &str {
    text.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0
}

/// main is a merge of exactly these proposals, signed by the person, which names each of them once.
fn approved(stage: &Stage, clone: &Path, tip: &str, ready: &[Ready]) {
    assert_eq!(stage.git(&["rev-parse", "main^2"]), tip);
    git(clone, &["verify-commit", "main"]).unwrap();
    let message = stage.git(&["show", "--no-patch", "--format=%B", "main"]);
    let mut named: Vec<&str> = message.lines().filter(|line| line.starts_with("Countersign-")).collect();
    named.sort_unstable();
    let lines: Vec<String> =
        ready.iter().map(|r| format!("Countersign-Approves: {} sha256:{}", r.runner, r.id)).collect();
    assert_eq!(named, lines);
    let mut brought: Vec<String> =
        stage.git(&["diff", "--name-only", "main^1", "main"]).lines().map(str::to_owned).collect();
    brought.dedup_by_key(|path| path.rsplit_once('/').map(|(folder, _)| folder.to_owned()));
    let folders: Vec<String> = ready.iter().map(|r| format!("proposals/{}/{}/README.md", r.runner, r.id)).collect();
    assert_eq!(brought, folders);
}

#[tokio::test]
async fn the_command_in_a_pull_request_is_a_signed_merge_that_names_each_proposal() {
    let site = Site::new(ForgeKind::Forgejo).await;
    let nine = many(1..=9, "llvm", 1);
    site.night(&nine).await;
    let tip = site.stage.tip(&class_branch("llvm"));
    let body = site.forge.lock().pulls[&1].body.clone();
    let command = fenced(&body);
    assert!(command.contains(&tip) && !command.contains("proposals/@"), "a commit, and no branch:\n{command}");
    let clone = person(&site.stage);
    done(&clone, command);
    approved(&site.stage, &clone, &tip, &nine);
    // The next night: merged, so the branch goes and nothing is offered.
    site.night(&nine).await;
    assert_eq!(site.stage.branches(), Vec::<String>::new());
}

#[tokio::test]
async fn a_class_too_large_for_a_text_is_named_by_its_commit() {
    let site = Site::new(ForgeKind::Github).await;
    let mut all: Vec<Ready> = (1..=301).flat_map(|number| many(number..=number, "llvm", 1)).collect();
    all.sort_by(|a, b| a.runner.cmp(&b.runner));
    site.night(&all).await;
    let body = site.forge.lock().pulls[&1].body.clone();
    // GitHub's limit, in characters.
    assert!(body.len() < 65_536, "{}", body.len());
    assert!(!body.contains("Countersign-Approves: runner-"), "{body}");
    let clone = person(&site.stage);
    done(&clone, fenced(&body));
    approved(&site.stage, &clone, &site.stage.git(&["rev-parse", "main^2"]), &all);
}

#[tokio::test]
async fn as_many_as_are_written_out_fit_into_a_text() {
    let site = Site::new(ForgeKind::Github).await;
    let all: Vec<Ready> = (1..=300)
        .map(|number| {
            let runner = format!("{number:03}-{}", "r".repeat(59));
            Ready { id: hex(runner.as_bytes()), runner, ..many(1..=1, "llvm", 1).remove(0) }
        })
        .collect();
    site.night(&all).await;
    let body = site.forge.lock().pulls[&1].body.clone();
    assert!(body.len() < 65_536, "{}", body.len());
    assert_eq!(body.matches("Countersign-Approves: ").count(), 300);
}

#[test]
fn the_command_in_the_summary_does_the_same() {
    let stage = Stage::new();
    let nine = many(1..=9, "llvm", 1);
    let synced = stage.sync(&nine);
    let text = publish::summary::request_pull(&synced, &nine, "ssh://git@forge.example/ops/proposed.git", "main");
    let command = text.split_once("your own SSH key:\n\n").unwrap().1;
    let clone = person(&stage);
    done(&clone, command);
    approved(&stage, &clone, &stage.git(&["rev-parse", "main^2"]), &nine);
}

#[test]
fn a_main_of_an_odd_name_is_a_word_and_no_command() {
    let stage = Stage::new();
    let synced = stage.sync(&many(1..=1, "llvm", 1));
    let clone = person(&stage);
    for odd in ["a'$(touch${IFS}owned);b", "$(touch${IFS}owned)", "a;touch${IFS}owned;b", "`touch${IFS}owned`"] {
        let text = publish::summary::request_pull(&synced, &[], "/srv/proposed.git", odd);
        let command = text.split_once("your own SSH key:\n\n").unwrap().1;
        assert!(!shell(&clone, command).status.success());
        assert!(!clone.join("owned").exists(), "{command}");
    }
}
