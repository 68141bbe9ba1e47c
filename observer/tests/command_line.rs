//! What the program says where it cannot even begin: its words, its one document and its exit status.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::disallowed_types, reason = "a test starts the program; the observer itself starts nothing")]

use serde_json::Value;
use std::process::{Command, Output};

const CONFIG: &str = "[canonical]\nurl = \"canonical.git\"\n[ssh]\nkey = \"key\"\n[trust]\napprovers = \"approvers\"\n";

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign-observer")).args(args).env("NO_COLOR", "1").output().unwrap()
}

/// Exit status and the one document of a command that stopped.
fn stopped(args: &[&str]) -> (i32, Value) {
    let output = run(args);
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_wrong_configuration_is_shown_with_its_place_and_a_caret() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("observer.toml");
    let path = file.to_str().unwrap();
    for (from, to, place, word) in [
        ("[trust]", "certificat = \"c\"\n[trust]", ":5:1", "unknown field `certificat`"),
        ("[trust]", "parallel = 0\n[trust]", ":5:12", "from 1 to 4096"),
        ("[trust]", "run_timeout = \"0s\"\n[trust]", ":5:15", "at least 1s"),
        ("key = \"key\"\n", "", ":3:1", "either"),
        ("key = \"key\"", "key = \"key", ":4:", "invalid"),
        ("[ssh]\nkey = \"key\"\n", "", "", "missing field `ssh`"),
    ] {
        std::fs::write(&file, CONFIG.replace(from, to)).unwrap();
        let (status, document) = stopped(&["--config", path, "observe", "--json"]);
        assert_eq!((status, document["code"].as_str()), (2, Some("config")), "{document}");
        let at = document["at"].as_str().unwrap_or_else(|| panic!("no place: {document}"));
        assert!(at.starts_with(&format!("{path}{place}")), "{to}: {at}");
        let message = document["message"].as_str().unwrap();
        assert!(message.contains(word) && !message.contains('\n'), "{message}");
        assert!(document["hint"].as_str().unwrap().contains("man countersign-observer"), "{document}");
    }
    std::fs::write(&file, CONFIG.replace("[trust]", "certificat = \"c\"\n[trust]")).unwrap();
    let shown = String::from_utf8(run(&["--config", path, "observe"]).stderr).unwrap();
    assert!(shown.contains("\n 5 | certificat = \"c\"\n   | ^^^^^^^^^^\n"), "{shown}");

    let nowhere = dir.path().join("no.toml");
    let (status, document) = stopped(&["--config", nowhere.to_str().unwrap(), "observe", "--json"]);
    assert_eq!((status, document["at"].as_str()), (2, nowhere.to_str()), "{document}");
}

#[test]
fn wrong_usage_says_what_is_missing_in_its_document_too() {
    for (args, message) in [
        (
            &["init", "--json"][..],
            "the following required arguments were not provided: --from-ansible <INVENTORY>, --into <DIR>",
        ),
        (&["--json", "--log-format", "x", "observe"], "invalid value 'x' for '--log-format <LOG_FORMAT>' [possible"),
        (&["--json", "nothing"], "unrecognized subcommand 'nothing'"),
    ] {
        let (status, document) = stopped(args);
        assert_eq!((status, document["code"].as_str()), (2, Some("usage")), "{document}");
        assert!(document["message"].as_str().unwrap().starts_with(message), "{document}");
    }
}

#[test]
fn each_schema_that_can_be_printed_is_named_where_help_is_asked() {
    let help = String::from_utf8(run(&["schema", "--help"]).stdout).unwrap();
    let listed = String::from_utf8(run(&["schema"]).stdout).unwrap();
    assert!(listed.lines().count() > 10, "{listed}");
    for name in listed.lines() {
        assert!(help.split([' ', ',', ';', '\n']).any(|word| word == name), "{name}: {help}");
    }
}
