//! Our own bounds: what our credentials could do, and who could change what we go by.

use super::servers::{READ_ONLY, Sshd, daemon};
use super::stage::Stage;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn stopped(stage: &Stage, code: &str) -> String {
    let (status, document) = stage.json(&["plan"]);
    assert_eq!((status, document["code"].as_str()), (20, Some(code)), "{document}");
    document["message"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_accepted_without_an_effect_is_said() {
    let stage = Stage::new();
    let accept = "\"canonical-writable\", \"proposed-writable\", \"software-keys\"";
    let said = || stage.json(&["plan"]).1["trust"].to_string();
    assert!(!said().contains("account-privileged"));
    stage.configure_accepting(&format!("{accept}, \"account-privileged\""), "", "");
    assert!(said().contains("account-privileged"), "{}", said());
}

#[test]
fn credentials_that_could_push_stop_the_run_unless_that_is_accepted_and_then_shouts() {
    let stage = Stage::new();
    let sealed = stage.merged();
    // Repositories of our own on this file system: nothing protects them from us.
    stage.configure_accepting("\"proposed-writable\", \"software-keys\"", "", "");
    stopped(&stage, "canonical-writable");
    stage.configure_accepting("\"canonical-writable\", \"software-keys\"", "", "");
    stopped(&stage, "proposed-writable");
    stage.configure("", "");
    stage.ready(&sealed);
    let (_, document) = stage.json(&["plan"]);
    let trust = document["trust"].to_string();
    assert!(trust.contains("canonical-writable") && trust.contains("proposed-writable"), "{trust}");
}

#[test]
fn our_key_is_declared_for_our_role() {
    let stage = Stage::new();
    stage.merged();
    let fleet = stage.at("canonical/fleet.toml");
    let text = fs::read_to_string(&fleet).unwrap();
    fs::write(&fleet, text.replace(&stage.public("actuator"), &stage.public("eve"))).unwrap();
    let commit = stage.commit_as("canonical", Some("ada"), "Change keys");
    stage.commit_as("canonical", Some("bob"), &format!("Yes\n\nCountersign-Endorses: {commit}"));
    stage.push("canonical");
    stopped(&stage, "key-not-declared");
}

#[test]
fn a_key_that_others_can_read_is_not_ours() {
    let stage = Stage::new();
    stage.merged();
    for key in ["actuator", "ledger"] {
        mode(&stage.key(key), 0o640);
        assert!(stopped(&stage, "key-exposed").contains(key));
        mode(&stage.key(key), 0o600);
    }
    assert_eq!(stage.json(&["plan"]).0, 0);
}

#[test]
fn a_configuration_that_others_can_write_is_not_ours() {
    let stage = Stage::new();
    stage.merged();
    for path in [stage.config(), stage.at("approvers")] {
        mode(&path, 0o666);
        stopped(&stage, "config-writable");
        mode(&path, 0o644);
    }
    // Nor one in a directory in which others can put another file in its place.
    mode(stage.root.path(), 0o777);
    stopped(&stage, "config-writable");
    // Where only the owner may take a file away, they cannot.
    mode(stage.root.path(), 0o1777);
    assert_eq!(stage.json(&["plan"]).0, 0);
}

#[test]
fn over_a_connection_the_server_itself_must_refuse_the_push() {
    let stage = Stage::new();
    stage.merged();
    let sshd = Sshd::start(&stage.at("sshd"));
    let read = sshd.script("read", READ_ONLY);
    let reader = sshd.key("reader", &format!("restrict,command=\"{}\"", read.display()));
    let writer = sshd.key("writer", "");
    // One repository by a deploy key, the other by a daemon, each in both ways.
    let configure = |key: &std::path::Path, receive: bool| {
        stage.configure_accepting("\"software-keys\"", "", "");
        let text = fs::read_to_string(stage.config()).unwrap();
        let known_hosts = sshd.directory.join("known_hosts");
        let canonical = format!(
            "url = \"{}\"\nssh_key = \"{}\"\nknown_hosts = \"{}\"",
            sshd.url(&stage.at("canonical.git")),
            key.display(),
            known_hosts.display()
        );
        let proposed = format!("url = \"git://127.0.0.1:{}/proposed.git\"", daemon(stage.root.path(), receive));
        let text = text.replace("url = \"canonical.git\"", &canonical).replace("url = \"proposed.git\"", &proposed);
        stage.write("actuator.toml", &text);
    };
    configure(&reader, false);
    let (status, document) = stage.json(&["plan"]);
    assert_eq!(status, 0, "{document}");
    let trust = document["trust"].to_string();
    assert!(trust.contains("software-keys") && !trust.contains("writable"), "{trust}");
    configure(&writer, false);
    stopped(&stage, "canonical-writable");
    configure(&reader, true);
    stopped(&stage, "proposed-writable");
}
