//! The incident's first version, tried again, and what somebody can do who has the actuator's host. Nothing moves.

use crate::forge;
use crate::yard::{Yard, installed};
use countersign_integration::embedded::acting::notary_key;
use countersign_integration::embedded::acting::{done, git};
use countersign_integration::embedded::site::{actuator_key, bare, person_key, signing_key};
use countersign_integration::lab::{Lab, Runner, plant};
use countersign_manifests_schema::bundle::{APPROVE_NAMESPACE, BUNDLE_SCHEMA, Bundle, SignedText, Statement};
use countersign_manifests_schema::lease::{LEASE_NAMESPACE, LEASE_SCHEMA, Lease};
use countersign_manifests_schema::ledger::{Entry, Event};
use countersign_manifests_schema::plan::ApplyResult;
use countersign_manifests_schema::token::{TOKEN_NAMESPACE, TOKEN_SCHEMA, Token};
use countersign_manifests_schema::warden::{WardenAnswer, WardenRequest};
use countersign_shared::canonical_json;
use countersign_shared::warden::{open_answer, request};
use jiff::{Timestamp, ToSpan as _};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::{HashAlg, LineEnding};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// An automation with the observer's credentials, and a shell on the runners as the observer's account.
pub(crate) fn incident(yard: &Yard, lab: &Lab) {
    let runner = lab.runner("runner-04");
    let mut log = Vec::new();
    let mut stopped = |attempt: &str, by: String| {
        eprintln!("{attempt}: stopped by {by}");
        log.push((attempt.to_owned(), by));
    };
    // It downgrades directly, with its key...
    for command in ["dnf5 -y downgrade llvm", "sudo -n dnf5 -y downgrade llvm", ""] {
        let key = yard.dir.path().join("runners_observe");
        let output = ssh(yard, runner, &key, "countersign-observer", command, b"dnf5 -y downgrade llvm\n");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.starts_with("countersign-probe/1 error "), "{command:?}: {said}");
        stopped(&format!("ssh {command:?}"), said.trim_end().to_owned());
    }
    // ...and from the account's own shell, where nothing is in dnf's way but that it is not root.
    for (command, expected) in [
        ("dnf5 -y downgrade llvm", "superuser privileges"),
        ("sudo -n dnf5 -y downgrade llvm", "password is required"),
        ("rpm -e --nodeps llvm", "ermission denied"),
    ] {
        let own = format!("export HOME=/tmp XDG_STATE_HOME=/tmp XDG_CACHE_HOME=/tmp XDG_DATA_HOME=/tmp; {command}");
        let output = runner.try_sh_as("countersign-observer", &own).unwrap();
        assert!(!output.status.success(), "{command}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let line = said.lines().find(|line| line.contains(expected));
        stopped(command, line.unwrap_or_else(|| panic!("{command}: {said}")).to_owned());
    }
    // It rewrites a manifest and pushes it with the key by which the observer reads canonical.
    let host = lab.runner("runner-05");
    let read = yard.dir.path().join("canonical_read");
    std::fs::write(&read, signing_key().to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
    std::fs::set_permissions(&read, std::fs::Permissions::from_mode(0o600)).unwrap();
    forge::make(host);
    let served = forge::repository(host);
    git(&yard.canonical, &["push", "--quiet", served.to_str().unwrap(), "main"]).unwrap();
    forge::allow(host, &bare(signing_key().public_key()).unwrap(), forge::Rights::Read);
    let tip = || git(&served, &["-c", "safe.directory=*", "rev-parse", "main"]).unwrap();
    let before = tip();
    let over_ssh = format!(
        "ssh -F none -i {} -o IdentitiesOnly=yes -o UserKnownHostsFile={}",
        read.display(),
        known_hosts(yard, host).display()
    );
    let agent = |directory: &Path, arguments: &[&str]| {
        let set = format!("core.sshCommand={over_ssh}");
        Command::new("git").current_dir(directory).args(["-c", &set]).args(arguments).output().unwrap()
    };
    let clone = yard.dir.path().join("agent");
    let cloned = agent(yard.dir.path(), &["clone", "--quiet", &forge::url(host), "agent"]);
    assert!(cloned.status.success(), "the key reads: {cloned:?}");
    let manifest = clone.join("manifests/builder.toml");
    std::fs::write(&manifest, std::fs::read_to_string(&manifest).unwrap().replace("= 19.1.0-1.fc41", "*")).unwrap();
    git(&clone, &["commit", "--quiet", "--all", "-m", "Align manifests with reality"]).unwrap();
    let pushed = agent(&clone, &["push", "--quiet", "origin", "HEAD:main"]);
    let said = String::from_utf8_lossy(&pushed.stderr).into_owned();
    assert!(!pushed.status.success() && said.contains("this deploy key is read-only"), "{said}");
    assert_eq!(tip(), before, "canonical is as it was");
    stopped("push a rewritten manifest", said.lines().next().unwrap_or_default().to_owned());

    // It finds drift again, proposes, and merges its own pull request.
    plant::person_upgrades_llvm(runner).unwrap();
    let report = yard.nightly();
    let row = report.runners.iter().find(|row| row.name == runner.name).unwrap();
    let id = row.proposal.clone().unwrap();
    let (tip, _) = yard.branches().into_iter().find(|(_, brought)| brought.iter().any(|(_, own)| *own == id)).unwrap();
    let work = yard.dir.path().join("agent-proposed");
    git(yard.dir.path(), &["clone", "--quiet", yard.proposed.to_str().unwrap(), "agent-proposed"]).unwrap();
    let message = format!("Merge\n\nCountersign-Approves: {} sha256:{id}\n", runner.name);
    git(&work, &["merge", "--quiet", "--no-ff", "-m", &message, &tip]).unwrap();
    git(&work, &["push", "--quiet", "origin", "HEAD:main"]).unwrap();
    let refusal = |attempt: &str| {
        let (status, document) = yard.actuator(&["apply", &id]);
        let row = &document.proposals[0];
        assert_eq!((status, row.result), (Some(20), Some(ApplyResult::Refused)), "{attempt}");
        let refusing: Vec<_> = row
            .gates
            .iter()
            .filter(|gate| gate.verdict == countersign_manifests_schema::plan::GateVerdict::Refuse)
            .collect();
        assert!(refusing.iter().any(|gate| gate.gate == "not-human"), "{refusing:?}");
        format!("gates {:?}", refusing.iter().map(|gate| gate.gate.as_str()).collect::<Vec<_>>())
    };
    stopped("merge its own pull request", refusal("merge"));
    // It approves itself.
    let bytes = git(&work, &["show", &format!("HEAD:proposals/{}/{id}/proposal.json", runner.name)]).unwrap() + "\n";
    std::fs::create_dir_all(work.join(format!("approvals/{id}"))).unwrap();
    std::fs::write(
        work.join(format!("approvals/{id}/agent.sig")),
        sign(&signing_key(), APPROVE_NAMESPACE, bytes.as_bytes()),
    )
    .unwrap();
    git(&work, &["add", "--all"]).unwrap();
    git(&work, &["commit", "--quiet", "-m", "Approve"]).unwrap();
    git(&work, &["push", "--quiet", "origin", "HEAD:main"]).unwrap();
    stopped("approve itself", refusal("approve"));
    assert_eq!(log.len(), 9);
    let restored = "dnf5 -y downgrade llvm-19.1.0 >/dev/null";
    runner.sh(restored).unwrap();
}

/// Somebody has the actuator's host, all of its keys, and the notary's, and speaks with the wardens directly.
pub(crate) fn compromised(yard: &Yard, lab: &Lab) {
    let path = yard.acting.dir.path().join("state/ledger.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let bundles: Vec<(String, Bundle)> = text
        .lines()
        .filter_map(|line| match serde_json::from_str::<Entry>(line).unwrap().event {
            Event::Started { runner, bundle, .. } => Some((runner, bundle)),
            _ => None,
        })
        .collect();
    let (name, bundle) = &bundles[0];
    let other = bundles.iter().find(|(runner, _)| runner != name).unwrap();
    let stage = |bundle: &Bundle| WardenRequest::Stage { bundle: canonical(bundle) };
    let forged = |mut bundle: Bundle, statements: Vec<Statement>| {
        bundle.statements = statements;
        bundle
    };
    let own = |namespace: &str, bytes: &str| sign(&actuator_key(), namespace, bytes.as_bytes());
    let self_approved =
        forged(bundle.clone(), vec![Statement::Signature { signature: own(APPROVE_NAMESPACE, &bundle.proposal) }]);
    let fresh = bundle.proposal.replace("\"created\":\"20", "\"created\":\"30");
    let edited = Bundle { proposal: fresh, ..bundle.clone() };
    let lease_text = lease_for(&canonical_json::sha256(bundle.proposal.as_bytes()));
    let forged_lease = SignedText { signature: own(LEASE_NAMESPACE, &lease_text), text: lease_text };
    let attempts = [
        ("replays what was applied", stage(bundle), &["spent"][..]),
        ("sends what another runner got", stage(&other.1), &["request"]),
        ("approves with the actuator's own key", stage(&self_approved), &["not-human"]),
        ("approves with nobody", stage(&forged(bundle.clone(), Vec::new())), &["not-human"]),
        ("edits what was approved", stage(&edited), &["edited", "not-human", "expired"]),
        ("signs lease and token itself", with_token(name, bundle, forged_lease), &["no-lease", "not-human"]),
        ("sends an empty bundle", WardenRequest::Stage { bundle: String::new() }, &["request"]),
    ];
    let runner = lab.runner(name);
    for (what, asked, codes) in attempts {
        let before = installed(runner);
        match ask(yard, runner, &request(&asked)) {
            WardenAnswer::Refused { code, message } => {
                eprintln!("a compromised actuator {what}: {code}: {message}");
                assert!(codes.contains(&code.as_str()), "{what}: {code}: {message}");
            }
            answer => panic!("{what}: {answer:?}"),
        }
        assert_eq!(installed(runner), before, "{what}");
    }
    // Its key gets nothing else either.
    let answer = ask(yard, runner, b"dnf5 -y remove htop\n");
    assert!(matches!(answer, WardenAnswer::Refused { code, .. } if code == "request"));
    assert_eq!(bare(actuator_key().public_key()).unwrap().split(' ').count(), 2);
    assert!(!yard.rules().notary.is_empty());
}

/// People have approved, and then taken it back: by a rejection, and by a revert. Whoever has the actuator's host still has
/// what they signed, and a lease of today, which is for something else.
pub(crate) fn taken_back(yard: &Yard, lab: &Lab) {
    // Where llvm has not come back before: that would be an oscillation, for which nothing is proposed.
    let names = ["runner-05", "runner-08"];
    for name in names {
        plant::person_upgrades_llvm(lab.runner(name)).unwrap();
    }
    let report = yard.nightly();
    let ids = names.map(|name| report.runners.iter().find(|row| row.name == name).unwrap().proposal.clone().unwrap());
    for id in &ids {
        done(yard.acting.person(&["approve", "--yes", id])).unwrap();
    }
    let clone = yard.dir.path().join("clone");
    let person = |arguments: &[&str]| {
        let output = yard.person(&clone, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    done(yard.acting.person(&["reject", "--yes", "--reason", "not tonight", &ids[0]])).unwrap();
    person(&["fetch", "--quiet", "origin"]);
    person(&["checkout", "--quiet", "-B", "main", "origin/main"]);
    let brought = format!("proposals/{}/{}", names[1], ids[1]);
    person(&["rm", "--quiet", "-r", &brought]);
    person(&["commit", "--quiet", "-S", "-m", "Take it back"]);
    person(&["push", "--quiet", "origin", "main"]);
    let unrelated = lease_for(&"ab".repeat(32));
    let lease = SignedText { signature: sign(&person_key(), LEASE_NAMESPACE, unrelated.as_bytes()), text: unrelated };
    for (name, id) in names.into_iter().zip(&ids) {
        let (status, document) = yard.actuator(&["plan", id]);
        assert_eq!(status, Some(20), "{document:?}");
        let file = format!("proposals/{name}/{id}/proposal.json");
        let commit =
            git(&yard.proposed, &["log", "--all", "--format=%H", "--diff-filter=A", "-1", "--", &file]).unwrap();
        let proposal = git(&yard.proposed, &["show", &format!("{commit}:{file}")]).unwrap() + "\n";
        let signature = sign(&person_key(), APPROVE_NAMESPACE, proposal.as_bytes());
        let statements = vec![Statement::Signature { signature }];
        let bundle = Bundle { schema: BUNDLE_SCHEMA.to_owned(), proposal, statements, lease: None, token: None };
        let runner = lab.runner(name);
        let before = installed(runner);
        match ask(yard, runner, &request(&with_token(name, &bundle, lease.clone()))) {
            WardenAnswer::Refused { code, message } => {
                eprintln!("what was taken back for {name}: {code}: {message}");
                assert_eq!(code, "no-lease", "{message}");
            }
            answer => panic!("{name}: {answer:?}"),
        }
        assert_eq!(installed(runner), before, "{name}");
        runner.sh(&format!("{} -y downgrade llvm-19.1.0 >/dev/null", runner.dnf())).unwrap();
    }
}

/// A lease for one proposal, as the person's tool writes it.
fn lease_for(proposal: &str) -> String {
    canonical(&Lease {
        schema: LEASE_SCHEMA.to_owned(),
        nonce: "33".repeat(32),
        proposals: vec![proposal.to_owned()],
        max: 1,
        reason: "none".to_owned(),
        issued: minutes(0),
        expires: minutes(20),
    })
}

/// The order to apply, with a token that the notary's own key has signed.
fn with_token(runner: &str, bundle: &Bundle, lease: SignedText) -> WardenRequest {
    let text = canonical(&Token {
        schema: TOKEN_SCHEMA.to_owned(),
        proposal: canonical_json::sha256(bundle.proposal.as_bytes()),
        runner: runner.to_owned(),
        nonce: "11".repeat(32),
        staged: "22".repeat(32),
        lease: canonical_json::sha256(lease.text.as_bytes()),
        issued: minutes(0),
        expires: minutes(10),
    });
    let token = SignedText { signature: sign(&notary_key(), TOKEN_NAMESPACE, text.as_bytes()), text };
    WardenRequest::Apply { bundle: canonical(&Bundle { lease: Some(lease), token: Some(token), ..bundle.clone() }) }
}

/// What the warden answers to OpenSSH's own client with the actuator's key.
fn ask(yard: &Yard, runner: &Runner, bytes: &[u8]) -> WardenAnswer {
    let key = yard.acting.dir.path().join("runners_apply");
    let output = ssh(yard, runner, &key, "countersign-actuator", "dnf5 -y remove htop", bytes);
    open_answer(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// OpenSSH's own client: a command, or a shell where it is empty.
fn ssh(yard: &Yard, runner: &Runner, key: &Path, account: &str, command: &str, input: &[u8]) -> Output {
    let mut child = Command::new("ssh")
        .args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o"])
        .arg(format!("UserKnownHostsFile={}", known_hosts(yard, runner).display()))
        .arg("-i")
        .arg(key)
        .args(["-l", account, &runner.address.to_string()])
        .args(Some(command).filter(|command| !command.is_empty()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn known_hosts(yard: &Yard, runner: &Runner) -> PathBuf {
    let path = yard.dir.path().join(format!("known_hosts.{}", runner.name));
    std::fs::write(&path, format!("{} {}\n", runner.address, runner.host_key_pub().unwrap())).unwrap();
    path
}

fn canonical<T: serde::Serialize>(content: &T) -> String {
    String::from_utf8(canonical_json::to_bytes(content).unwrap()).unwrap()
}

fn sign(key: &PrivateKey, namespace: &str, bytes: &[u8]) -> String {
    let signature = key.sign(namespace, HashAlg::Sha512, bytes).unwrap().to_pem(LineEnding::LF).unwrap();
    if signature.ends_with('\n') { signature } else { signature + "\n" }
}

/// Now and so many minutes, RFC 3339 UTC seconds.
fn minutes(from_now: i64) -> String {
    let time = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    (time + from_now.minutes()).to_string()
}
