//! Our judgement of host keys against OpenSSH's own: `ssh-keygen -F` for which lines are about a host, `ssh` itself
//! for the verdict.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use countersign_shared::ssh::host_keys::{Accepted, HostKeyError, HostKeys, KnownHosts, Offered};
use countersign_shared::ssh::ssh_key::PublicKey;
use countersign_shared::ssh::ssh_key::public::{Ed25519PublicKey, KeyData};
use countersign_shared::ssh::{SshError, Target};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::sshd::{Settings, Sshd, Workshop, direct, public, text};

/// Line numbers that `ssh-keygen -F` finds for a name, each with the marker that it prints.
fn found_by_ssh_keygen(file: &Path, name: &str) -> Vec<(usize, String)> {
    let output = Command::new("ssh-keygen")
        .args(["-F", name, "-f", text(file)])
        .stdin(Stdio::null())
        .output()
        .expect("these tests need OpenSSH: `apt-get install openssh-client`, or `cargo verify`");
    // It exits 1 if there is nothing.
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.strip_prefix("# Host ")?.split_once(" found: line "))
        .map(|(_, rest)| {
            let (number, marker) = rest.split_once(' ').unwrap_or((rest, ""));
            (number.parse().unwrap(), marker.trim().to_owned())
        })
        .collect()
}

fn read(file: &[u8]) -> HostKeys {
    HostKeys::new([], Some(Arc::new(KnownHosts::parse(file)))).unwrap()
}

fn judge(keys: &HostKeys, name: &str, port: u16, key: &KeyData) -> Result<Accepted, HostKeyError> {
    keys.judge(name, port, Offered::Key(key), 0)
}

/// A key of its own for every line, so that an accepted key tells which line was found.
fn key_number(number: usize) -> PublicKey {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    PublicKey::from(KeyData::Ed25519(Ed25519PublicKey(bytes)))
}

#[test]
fn the_lines_about_a_host_are_those_that_ssh_keygen_finds() {
    let pattern =
        "(!?(\\*|\\?|a|b|A|aa|a\\.b|\\*\\.b|a\\*|\\[a\\]:22|\\[\\*\\]:2222|\\[a\\.b\\]:2\\?22|::1|1\\.\\*|)(,|)){1,4}";
    let mut runner = TestRunner::deterministic();
    let strategy = proptest::string::string_regex(pattern).unwrap();
    let workshop = Workshop::new();
    let mut lines = Vec::new();
    while lines.len() < 400 {
        let hosts = strategy.new_tree(&mut runner).unwrap().current();
        // A field that is empty or a comment makes another line of it.
        if !hosts.is_empty() && !hosts.starts_with('#') {
            let blank = if lines.len() % 3 == 0 { '\t' } else { ' ' };
            lines.push(format!("{hosts}{blank}{}", key_number(lines.len()).to_openssh().unwrap().trim()));
        }
    }
    let plain = workshop.write("plain", &(lines.join("\n") + "\n"));
    let known = read(&std::fs::read(&plain).unwrap());
    let mut cases = 0;
    let mut matches = 0;
    for name in ["a", "b", "aa", "ab", "a.b", "b.b", "x.b", "c", "::1", "1.2.3.4", "[a.b]:2222", "[c]:2222", "[a]:22"] {
        let found: BTreeSet<usize> = found_by_ssh_keygen(&plain, name).into_iter().map(|(line, _)| line).collect();
        for (number, line) in lines.iter().enumerate() {
            let key = key_number(number);
            let ours = judge(&known, name, 22, key.key_data()).is_ok();
            let theirs = found.contains(&(number + 1));
            assert_eq!(ours, theirs, "{line:?} against {name}");
            cases += 1;
            matches += usize::from(theirs);
        }
    }
    assert!(matches > 100 && matches < cases - 100, "the table has become one-sided: {matches} of {cases}");
}

#[test]
fn hashed_names_are_found_as_ssh_keygen_finds_them() {
    let workshop = Workshop::new();
    let names = ["host.example", "10.0.0.1", "2001:db8::1", "[host.example]:2222"];
    let lines: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(number, name)| format!("{name} {}", key_number(number).to_openssh().unwrap().trim()))
        .collect();
    let file = workshop.write("hashed", &(lines.join("\n") + "\n"));
    crate::sshd::ssh_keygen(&["-q", "-H", "-f", text(&file)]);
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"|1|"));
    let known = read(&bytes);
    for (number, _) in names.iter().enumerate() {
        for (host, port, found) in
            [("host.example", 22, 0), ("10.0.0.1", 22, 1), ("2001:db8::1", 22, 2), ("host.example", 2222, 3)]
        {
            let accepted = judge(&known, host, port, key_number(number).key_data()).is_ok();
            assert_eq!(accepted, number == found, "key {number} at {host}:{port}");
        }
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "how many cases ran, or that none did, must be seen")]
fn the_sample_files_of_openssh_are_read_as_ssh_keygen_reads_them() {
    let Some(data) = std::env::var_os("COUNTERSIGN_DATA").map(PathBuf::from) else {
        eprintln!("SKIPPED: COUNTERSIGN_DATA is not set, so OpenSSH's known_hosts samples were not compared");
        return;
    };
    let folder = data.join("openssh/hostkeys");
    let file = folder.join("known_hosts");
    let bytes = std::fs::read(&file).unwrap();
    let lines: Vec<String> = bytes.split(|b| *b == b'\n').map(|l| String::from_utf8_lossy(l).into_owned()).collect();
    let known = read(&bytes);
    let mut keys = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        // SSH-1 keys have another form; neither side can offer them.
        let key = std::fs::read_to_string(&path).ok().and_then(|text| PublicKey::from_openssh(&text).ok());
        if let Some(key) = key.filter(|_| path.extension().is_some_and(|e| e == "pub")) {
            keys.push(key);
        }
    }
    let names = ["sisyphus.example.com", "prometheus.example.com", "actaeon.example.org", "any.example.com"]
        .into_iter()
        .chain(["192.0.2.1", "192.0.2.99", "2001:db8::1", "example.com", "elsewhere.example.org"]);
    let mut cases = 0;
    for name in names {
        let found = found_by_ssh_keygen(&file, name);
        for key in &keys {
            let has_key = |line: usize| {
                let blob = key.to_openssh().unwrap();
                lines[line - 1].contains(blob.split_whitespace().nth(1).unwrap())
            };
            let with = |marker: &str| found.iter().any(|(line, seen)| seen == marker && has_key(*line));
            let expected = if with("REVOKED") {
                "revoked"
            } else if with("") {
                "accepted"
            } else {
                "refused"
            };
            let ours = match judge(&known, name, 22, key.key_data()) {
                Ok(_) => "accepted",
                Err(HostKeyError::Revoked { .. }) => "revoked",
                Err(_) => "refused",
            };
            assert_eq!(ours, expected, "{name} with {}", key.to_openssh().unwrap());
            cases += 1;
        }
    }
    eprintln!("{cases} cases of OpenSSH's known_hosts samples compared with ssh-keygen -F");
    assert!(cases >= 100);
}

/// To leave when the host key is wrong, dozens of times from one address, is what these tests do.
fn patient() -> Sshd {
    Sshd::with(&Settings { penalties: false, ..Settings::default() })
}

/// What the real client makes of a known_hosts file: whether it went on to the authentication.
fn accepted_by_ssh(sshd: &Sshd, known_hosts: &Path) -> bool {
    let output = Command::new("ssh")
        .args(["-F", "none", "-p", &sshd.port.to_string(), "-i", text(&sshd.user_key)])
        .args(["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"])
        .args(["-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=none", "-o", "UpdateHostKeys=no"])
        .args(["-o", &format!("UserKnownHostsFile={}", text(known_hosts))])
        .args(["127.0.0.1", "true"])
        .stdin(Stdio::null())
        .output()
        .expect("these tests need OpenSSH: `apt-get install openssh-client`, or `cargo verify`");
    let said = String::from_utf8_lossy(&output.stderr);
    let accepted = output.status.success();
    assert!(accepted || said.contains("Host key verification failed"), "{said}");
    accepted
}

async fn accepted_by_us(sshd: &Sshd, known_hosts: &Path) -> bool {
    let known = KnownHosts::parse(&std::fs::read(known_hosts).unwrap());
    let mut endpoint = sshd.endpoint();
    endpoint.host_keys = Arc::new(HostKeys::new([], Some(Arc::new(known))).unwrap());
    let target: Target = direct(endpoint);
    match sshd.connector().connect(&target).await {
        Ok(_) => true,
        Err(SshError::HostKey(_)) => false,
        Err(other) => panic!("{other}"),
    }
}

/// Compares both over every file; `accepted` is how many of them must be.
async fn compare(sshd: &Sshd, files: &[String], accepted: usize) {
    let mut seen = 0;
    for file in files {
        let path = sshd.workshop.write("known_hosts", file);
        let theirs = accepted_by_ssh(sshd, &path);
        assert_eq!(accepted_by_us(sshd, &path).await, theirs, "ssh says {theirs} to:\n{file}");
        seen += usize::from(theirs);
    }
    assert_eq!(seen, accepted, "of {} files", files.len());
}

#[tokio::test]
async fn plain_keys_are_judged_as_ssh_judges_them() {
    let sshd = patient();
    let key = public(&sshd.host_key);
    let other = public(&sshd.workshop.key("other", "ed25519"));
    let other_type = public(&sshd.workshop.key("other_type", "ecdsa"));
    let here = format!("[127.0.0.1]:{}", sshd.port);
    let accepted = [
        format!("{here} {key}"),
        format!("{here}\t{key}"),
        format!("  {here}   {key} a comment # with more"),
        format!("{here} {key}\r"),
        format!("127.0.0.1 {key}"),
        format!("x,{here},y {key}"),
        format!("* {key}"),
        format!("[127.0.0.?]:* {key}"),
        format!("127.* {key}"),
        format!("{here} {other}\n{here} {key}"),
        format!("{here} {other_type}\n{here} {key}"),
        format!("{here} {key}\n{here} ssh-ed25519 broken"),
        format!("@revoked {here} {other}\n{here} {key}"),
        format!("@revoked elsewhere {key}\n{here} {key}"),
        format!("@what {here} {key}\n{here} {key}"),
        format!("@revoked @cert-authority {here} {key}\n{here} {key}"),
        format!("{here} {key} \u{e9}\u{202e}"),
        // Not as intended by whoever wrote it: the name without its port still matches `*`.
        format!("*,!{here} {key}"),
    ];
    let refused = [
        String::new(),
        format!("# {here} {key}"),
        format!("elsewhere {key}"),
        format!("{here} {other}"),
        format!("{here} {other_type}"),
        format!("{here} {other}\n127.0.0.1 {key}"),
        format!("[127.0.0.1]:*,!{here} {key}"),
        format!("!127.0.0.1,!{here},* {key}"),
        format!("{here} {key}\n@revoked {here} {key}"),
        format!("@revoked {here} {key}\n{here} {key}"),
        format!("{here} {key}\n@revoked * {key}"),
        format!("@cert-authority {here} {key}"),
        format!("@cert-authority\t{here} {key}"),
        format!("@what {here} {key}"),
        format!("[127.0.0.1]:1 {key}"),
        here.clone(),
        format!("{here} {}", key.replace("ssh-ed25519", "ssh-rsa")),
    ];
    let files: Vec<String> = accepted.iter().chain(&refused).cloned().collect();
    compare(&sshd, &files, accepted.len()).await;
}

#[tokio::test]
async fn hashed_lines_are_judged_as_ssh_judges_them() {
    let sshd = patient();
    let key = public(&sshd.host_key);
    let other = public(&sshd.workshop.key("other", "ed25519"));
    let hashed = |name: &str, key: &str| {
        let file = sshd.workshop.write("to_hash", &format!("{name} {key}\n"));
        crate::sshd::ssh_keygen(&["-q", "-H", "-f", text(&file)]);
        std::fs::read_to_string(file).unwrap()
    };
    let here = format!("[127.0.0.1]:{}", sshd.port);
    let files = [
        hashed(&here, &key),
        hashed("127.0.0.1", &key),
        hashed("127.0.0.2", &key),
        hashed(&here, &other),
        format!("{}@revoked {}", hashed(&here, &key), hashed(&here, &key)),
    ];
    compare(&sshd, &files, 2).await;
}

/// An sshd whose host key has a certificate.
fn certified(authority_kind: &str, how: &[&str]) -> (Sshd, String) {
    let workshop = Workshop::new();
    let authority = workshop.key("authority", authority_kind);
    let key = workshop.key("certified", "ed25519");
    let mut options = vec!["-h", "-I", "id"];
    options.extend_from_slice(how);
    let certificate = workshop.certificate(&authority, &key, &options);
    let config = format!("HostKey {}\nHostCertificate {}", text(&key), text(&certificate));
    let sshd = Sshd::in_workshop(
        workshop,
        &Settings { host_key: "ecdsa", config: &config, penalties: false, ..Settings::default() },
    );
    (sshd, public(&authority))
}

#[tokio::test]
async fn certificates_are_judged_as_ssh_judges_them() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let (sshd, authority) = certified(kind, &["-n", "127.0.0.1"]);
        let key = public(&sshd.workshop.path("certified"));
        let plain = public(&sshd.host_key);
        let other = public(&sshd.workshop.key("other", "ed25519"));
        let files = [
            format!("@cert-authority * {authority}"),
            format!("@cert-authority [127.0.0.1]:{} {authority}", sshd.port),
            format!("@cert-authority 127.0.0.1 {authority}"),
            format!("@cert-authority * {authority}\n* {other}"),
            format!("@cert-authority * {other}\n@cert-authority * {authority}"),
            // The key inside the certificate is known.
            format!("@cert-authority * {other}\n* {key}"),
            // From here on: refused. The server's other key would do, but the certificate comes first.
            format!("@cert-authority * {other}\n* {plain}"),
            format!("@cert-authority * {other}"),
            format!("@cert-authority elsewhere {authority}"),
            format!("@cert-authority * {authority}\n@revoked * {authority}"),
            format!("@cert-authority * {authority}\n@revoked * {key}"),
            format!("* {authority}"),
        ];
        compare(&sshd, &files, 6).await;
    }
}

#[tokio::test]
async fn certificates_that_do_not_hold_are_refused_as_ssh_refuses_them() {
    for (how, holds) in [
        (&["-n", "127.0.0.1"][..], true),
        (&["-n", "elsewhere,127.0.0.1"], true),
        (&["-n", "127.0.0.1", "-V", "-1d:+1d"], true),
        (&["-n", "elsewhere"], false),
        (&["-n", "127.0.0.1", "-V", "-2d:-1d"], false),
        (&["-n", "127.0.0.1", "-V", "+1d:+2d"], false),
        (&["-n", "127.0.0.1", "-O", "critical:something=1"], false),
        (&["-n", "127.0.0.1", "-O", "extension:something=1"], true),
    ] {
        let (sshd, authority) = certified("ed25519", how);
        compare(&sshd, &[format!("@cert-authority * {authority}")], usize::from(holds)).await;
    }
    let (sshd, authority) = certified("rsa", &["-n", "127.0.0.1", "-t", "ssh-rsa"]);
    compare(&sshd, &[format!("@cert-authority * {authority}")], 0).await;
}

#[tokio::test]
async fn a_certificate_that_names_nobody_is_refused_as_by_openssh_10() {
    // Older clients take it for one that names everybody, so there is nothing to compare with here.
    let (sshd, authority) = certified("ed25519", &[]);
    let path = sshd.workshop.write("known_hosts", &format!("@cert-authority * {authority}"));
    assert!(!accepted_by_us(&sshd, &path).await);
}
