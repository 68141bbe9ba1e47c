//! What the program says when it cannot start, and what `list` says when it has.

use crate::stage::{Stage, USUAL, code, id, token};
use countersign_manifests_schema::notary::NotaryRequest;
use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

/// Breaks one thing.
type Spoil = fn(&Stage);

fn run(stage: &Stage, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-notary"));
    command.arg("--config").arg(stage.path("notary.toml")).args(arguments).env_remove("RUST_LOG").output().unwrap()
}

/// A daemon that must not start; one that does is ended, so that the test ends too.
fn serve(stage: &Stage, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-notary"));
    command.arg("--config").arg(stage.path("notary.toml")).args(arguments).env_remove("RUST_LOG");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while reader.read_line(&mut said).unwrap() > 0 {
        if said.contains("listening") {
            child.kill().unwrap();
        }
    }
    let mut output = child.wait_with_output().unwrap();
    output.stderr = said.into_bytes();
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn it_does_not_start_on_what_others_could_change_or_read() {
    let cases: [(&str, Spoil, &str, i32); 8] = [
        ("key", |s| set_mode(s, "notary", 0o644), "chmod 600 it", 1),
        ("no key", |s| fs::remove_file(s.path("notary")).unwrap(), "who may read it", 1),
        ("socket's directory", |s| set_mode(s, "", 0o777), "writable by nobody else", 1),
        (
            "state_dir",
            |s| {
                fs::create_dir(s.path("state")).unwrap();
                set_mode(s, "state", 0o770);
            },
            "writable by nobody else",
            1,
        ),
        ("a file for a socket", |s| fs::write(s.path("notary.sock"), "").unwrap(), "is no socket", 1),
        ("approvers", |s| fs::write(s.path("approvers"), "x\n").unwrap(), "allowed_signers", 1),
        ("configuration", |s| fs::write(s.path("notary.toml"), "socket = 1\n").unwrap(), "notary.toml:1:10", 2),
        (
            "clock",
            |s| {
                fs::create_dir(s.path("state")).unwrap();
                set_mode(s, "state", 0o700);
                fs::write(s.path("state/clock.json"), "{}").unwrap();
            },
            "remove it and start again",
            1,
        ),
    ];
    for (what, spoil, expected, status) in cases {
        let stage = Stage::new();
        spoil(&stage);
        let output = serve(&stage, &["serve"]);
        let said = text(&output.stderr);
        assert!(said.contains("Error:") && said.contains(expected), "{what}: {said}");
        assert_eq!(output.status.code(), Some(status), "{what}: {said}");
        // As a program is told.
        let output = serve(&stage, &["--json", "serve"]);
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["schema"], "countersign/error/1", "{what}");
        assert_eq!(output.status.code(), Some(status), "{what}");
    }
}

fn set_mode(stage: &Stage, name: &str, mode: u32) {
    fs::set_permissions(stage.path(name), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn there_is_one_notary_and_a_dead_one_leaves_no_trace() {
    let stage = Stage::new();
    let first = stage.start();
    let second = stage.start();
    assert!(second.said.contains("another notary is running"), "{}", second.said);
    assert_eq!(second.ended().code(), Some(1));
    stage.state();
    first.kill();
    assert!(stage.socket().exists(), "a killed process leaves its socket");
    let _third = stage.start();
    stage.state();
    let mode = |name| fs::metadata(stage.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("state"), mode("state/memory.jsonl")), (0o700, 0o600));
}

#[test]
fn people_and_programs_see_what_the_notary_knows() {
    let stage = Stage::new();
    let output = run(&stage, &["list"]);
    assert_eq!(output.status.code(), Some(1), "nobody listens");
    assert!(text(&output.stderr).contains("cannot connect"), "{}", text(&output.stderr));
    let _notary = stage.start();
    stage.lease(&[id(1), id(2)], &USUAL);
    assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done");
    let output = run(&stage, &["list"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for word in ["none", "closed", "alice@example.org", "1 of 10 drawn: on duty", &id(1), "1 under way"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let output = run(&stage, &["--json", "list"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "countersign/notary-state/1");
    assert_eq!(document["burned"], serde_json::json!([id(1)]));
    assert_eq!(code(&stage.ask(&NotaryRequest::Halt { reason: "stop".to_owned() })), "done");
    assert_eq!(run(&stage, &["list"]).status.code(), Some(21), "halted");
}

#[test]
fn wrong_usage_is_said_so() {
    let stage = Stage::new();
    assert_eq!(run(&stage, &["sing"]).status.code(), Some(2));
    let output = run(&stage, &["--json", "sing"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((document["code"].as_str(), output.status.code()), (Some("usage"), Some(2)));
    let help = run(&stage, &["--help"]);
    assert!(text(&help.stdout).contains("Exit status") && help.status.success());
}
