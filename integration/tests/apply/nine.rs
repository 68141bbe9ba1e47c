//! The whole way on nine real runners, and then the incident's first version: what the agent did, tried again.

use crate::yard::{Yard, installed};
use countersign_integration::embedded::acting::notary_key;
use countersign_integration::embedded::acting::{done, git};
use countersign_integration::embedded::site::{actuator_key, bare, signing_key};
use countersign_integration::lab::{Lab, LabConfig, Runner, plant, turn};
use countersign_manifests_schema::bundle::{APPROVE_NAMESPACE, Bundle, SignedText, Statement};
use countersign_manifests_schema::lease::{LEASE_NAMESPACE, LEASE_SCHEMA, Lease};
use countersign_manifests_schema::ledger::{Entry, Event};
use countersign_manifests_schema::plan::{ApplyResult, PlanDocument};
use countersign_manifests_schema::report::DriftReport;
use countersign_manifests_schema::token::{TOKEN_NAMESPACE, TOKEN_SCHEMA, Token};
use countersign_manifests_schema::warden::{WardenAnswer, WardenRequest};
use countersign_shared::canonical_json;
use countersign_shared::warden::{open_answer, request};
use jiff::{Timestamp, ToSpan as _};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::{HashAlg, LineEnding};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Unwanted drift of every runner that a package change removes.
fn remediable(report: &DriftReport) -> usize {
    report.runners.iter().flat_map(|runner| &runner.drift).filter(|item| item.remediable).count()
}

fn plant(lab: &Lab) {
    for name in ["runner-01", "runner-02", "runner-03", "runner-06", "runner-07"] {
        plant::person_upgrades_llvm(lab.runner(name)).unwrap();
    }
    for name in ["runner-04", "runner-08"] {
        plant::person_leaves_gcc_toolset(lab.runner(name)).unwrap();
    }
    plant::rpm_erases_behind_dnf(lab.runner("runner-05")).unwrap();
    lab.runner("runner-09").sh("dnf4 -y remove htop >/dev/null").unwrap();
    for name in ["runner-01", "runner-02", "runner-06"] {
        lab.runner(name).sh("snapper --no-dbus create-config /").unwrap();
    }
    for runner in lab.runners() {
        runner.sh(&format!("{} makecache >/dev/null 2>&1", runner.dnf())).unwrap();
    }
}

/// Half of the branches with the person's tool, half with plain git, as the README of a proposal prints it.
fn approve(yard: &Yard) {
    let clone = yard.dir.path().join("clone");
    let made =
        yard.person(yard.dir.path(), &["clone", "--quiet", yard.proposed.to_str().unwrap(), clone.to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");
    for (index, (tip, brought)) in yard.branches().into_iter().enumerate() {
        if index % 2 == 0 {
            let ids: Vec<&str> = brought.iter().map(|(_, id)| id.as_str()).collect();
            done(yard.acting.person(&[&["approve", "--yes"], &ids[..]].concat())).unwrap();
            continue;
        }
        let lines: Vec<String> =
            brought.iter().map(|(runner, id)| format!("Countersign-Approves: {runner} sha256:{id}")).collect();
        let message = format!("Approve\n\n{}\n", lines.join("\n"));
        for arguments in [
            &["fetch", "--quiet", "origin"][..],
            &["checkout", "--quiet", "-B", "main", "origin/main"],
            &["merge", "--quiet", "--no-ff", "-S", "-m", &message, &tip],
            &["push", "--quiet", "origin", "main"],
        ] {
            let output = yard.person(&clone, arguments);
            assert!(output.status.success(), "{arguments:?}: {output:?}");
        }
    }
}

#[test]
fn nine_real_runners_come_back_in_line_and_the_incident_does_not_happen_again() {
    let Some(_turn) = turn("nine_real_runners_come_back_in_line_and_the_incident_does_not_happen_again") else {
        return;
    };
    let lab = Lab::up(&LabConfig::nine()).unwrap();
    let yard = Yard::new(&lab);
    let before: Vec<String> = lab.runners().iter().map(installed).collect();
    plant(&lab);

    let report = yard.nightly();
    let proposed = report.runners.iter().filter(|runner| runner.proposal.is_some()).count();
    assert_eq!(proposed, 9, "{report:#?}");
    eprintln!("{} branches for nine proposals, {} items", yard.branches().len(), remediable(&report));
    approve(&yard);
    done(yard.acting.person(&["lease", "--yes", "--reason", "the llvm incident"])).unwrap();

    figures(&yard, &report, lab.runner("runner-03"));
    let start = Instant::now();
    let (status, document) = yard.actuator(&["apply", "--all"]);
    eprintln!("apply --all of eight runners: {} ms", start.elapsed().as_millis());
    for row in &document.proposals {
        let why: Vec<_> = row.gates.iter().filter(|gate| Some(&gate.gate) == row.refusal.as_ref()).collect();
        assert_eq!(row.result, Some(ApplyResult::Applied), "{}: {why:?} {:?}", row.runner, row.detail);
    }
    assert_eq!((status, document.proposals.len()), (Some(0), 8));
    // Any htop will do for the manifest, and the newest is what dnf takes.
    let pinned = |set: &str| set.lines().filter(|line| !line.starts_with("htop-")).collect::<Vec<_>>().join("\n");
    let after: Vec<String> = lab.runners().iter().map(installed).collect();
    for ((runner, before), after) in lab.runners().iter().zip(&before).zip(&after) {
        assert_eq!(pinned(after), pinned(before), "{}", runner.name);
        assert!(after.contains("htop-3.3.0-"), "{}", runner.name);
    }
    let verified = yard.acting.actuator(&["ledger", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
    let (status, again) = yard.actuator(&["apply", "--all"]);
    assert_eq!((status, again.proposals.len()), (Some(0), 0), "{again:?}");
    let report = yard.nightly();
    assert_eq!(remediable(&report), 0, "{report:#?}");
    assert!(report.runners.iter().all(|runner| runner.proposal.is_none()), "{report:#?}");

    incident(&yard, &lab);
    compromised(&yard, &lab);
    for (runner, after) in lab.runners().iter().zip(&after) {
        assert_eq!(&installed(runner), after, "{}", runner.name);
    }
}

/// `apply` of one runner beside dnf alone with the same transaction.
fn figures(yard: &Yard, report: &DriftReport, runner: &Runner) {
    let row = report.runners.iter().find(|row| row.name == runner.name).unwrap();
    let id = row.proposal.as_deref().unwrap();
    let start = Instant::now();
    let output = yard.acting.actuator(&["apply", id, "--json"]).env("RUST_LOG", "info").output().unwrap();
    let applied = start.elapsed();
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    let (status, document) = (output.status.code(), serde_json::from_slice::<PlanDocument>(&output.stdout).unwrap());
    let row = &document.proposals[0];
    let why: Vec<_> = row.gates.iter().filter(|gate| Some(&gate.gate) == row.refusal.as_ref()).collect();
    assert_eq!((status, row.result), (Some(0), Some(ApplyResult::Applied)), "{why:?} {:?}", row.detail);
    // The same, there and back, with dnf alone.
    plant::person_upgrades_llvm(runner).unwrap();
    runner.sh("rm -rf /root/t && dnf5 -y do --action=downgrade llvm-19.1.0 --store=/root/t >/dev/null").unwrap();
    let start = Instant::now();
    runner.sh("dnf5 -y --setopt=localpkg_gpgcheck=1 replay /root/t >/dev/null 2>&1").unwrap();
    eprintln!(
        "{}: apply {} ms, dnf5 replay alone {} ms",
        runner.name,
        applied.as_millis(),
        start.elapsed().as_millis()
    );
}

/// An automation with the observer's credentials, and a shell on the runners as the observer's account.
fn incident(yard: &Yard, lab: &Lab) {
    let runner = lab.runner("runner-04");
    let mut log = Vec::new();
    let mut stopped = |attempt: &str, by: String| {
        eprintln!("{attempt}: stopped by {by}");
        log.push((attempt.to_owned(), by));
    };
    // It downgrades directly.
    for command in ["dnf5 -y downgrade llvm", "sudo -n dnf5 -y downgrade llvm", "rpm -e --nodeps llvm"] {
        let output = runner.try_sh_as("countersign-observer", command).unwrap();
        assert!(!output.status.success(), "{command}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        stopped(command, said.lines().next().unwrap_or_default().to_owned());
    }
    // It rewrites a manifest and pushes it.
    let clone = yard.dir.path().join("agent");
    git(yard.dir.path(), &["clone", "--quiet", &yard.canonical_url, "agent"]).unwrap();
    let manifest = clone.join("manifests/builder.toml");
    std::fs::write(&manifest, std::fs::read_to_string(&manifest).unwrap().replace("= 19.1.0-1.fc41", "*")).unwrap();
    let key = yard.acting.dir.path().join("agent_key");
    std::fs::write(&key, signing_key().to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
    git(&clone, &["commit", "--quiet", "--all", "-m", "Align manifests with reality"]).unwrap();
    let push = git(&clone, &["push", "--quiet", "origin", "HEAD:main"]).unwrap_err();
    stopped("push a rewritten manifest", push.to_string().lines().last().unwrap_or_default().to_owned());

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
    assert_eq!(log.len(), 6);
    let restored = "dnf5 -y downgrade llvm-19.1.0 >/dev/null";
    runner.sh(restored).unwrap();
}

/// Somebody has the actuator's host, all of its keys, and the notary's, and speaks with the wardens directly.
fn compromised(yard: &Yard, lab: &Lab) {
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
    let with_token = |bundle: &Bundle, lease: SignedText| {
        let proposal = canonical_json::sha256(bundle.proposal.as_bytes());
        let token = Token {
            schema: TOKEN_SCHEMA.to_owned(),
            proposal,
            runner: name.clone(),
            nonce: "11".repeat(32),
            staged: "22".repeat(32),
            lease: canonical_json::sha256(lease.text.as_bytes()),
            issued: minutes(0),
            expires: minutes(10),
        };
        let text = canonical(&token);
        let token = SignedText { signature: sign(&notary_key(), TOKEN_NAMESPACE, text.as_bytes()), text };
        WardenRequest::Apply { bundle: canonical(&Bundle { lease: Some(lease), token: Some(token), ..bundle.clone() }) }
    };
    let lease_text = canonical(&Lease {
        schema: LEASE_SCHEMA.to_owned(),
        nonce: "33".repeat(32),
        proposals: vec![canonical_json::sha256(bundle.proposal.as_bytes())],
        max: 1,
        reason: "none".to_owned(),
        issued: minutes(0),
        expires: minutes(20),
    });
    let forged_lease = SignedText { signature: own(LEASE_NAMESPACE, &lease_text), text: lease_text };
    let attempts = [
        ("replays what was applied", stage(bundle), &["spent"][..]),
        ("sends what another runner got", stage(&other.1), &["request"]),
        ("approves with the actuator's own key", stage(&self_approved), &["not-human"]),
        ("approves with nobody", stage(&forged(bundle.clone(), Vec::new())), &["not-human"]),
        ("edits what was approved", stage(&edited), &["edited", "not-human", "expired"]),
        ("signs lease and token itself", with_token(bundle, forged_lease), &["no-lease", "not-human"]),
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

/// OpenSSH's own client with the actuator's key.
fn ask(yard: &Yard, runner: &Runner, bytes: &[u8]) -> WardenAnswer {
    let known_hosts = yard.dir.path().join("known_hosts");
    std::fs::write(&known_hosts, format!("{} {}\n", runner.address, runner.host_key_pub().unwrap())).unwrap();
    let mut child = Command::new("ssh")
        .args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o"])
        .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
        .arg("-i")
        .arg(yard.acting.dir.path().join("runners_apply"))
        .args(["-l", "countersign-actuator", &runner.address.to_string(), "dnf5 -y remove htop"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(bytes);
    let output = child.wait_with_output().unwrap();
    open_answer(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
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
