//! The printed script does what it says, once; and the actuator's key gets nothing but the warden.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use countersign_actuator::enroll::{Enrollment, Rules};
use countersign_integration::lab::{Base, Lab, LabConfig, Runner, turn};
use countersign_manifests_schema::warden::{Stage, WardenAnswer, WardenRequest};
use countersign_shared::manifest::fleet::RoleKeys;
use countersign_shared::manifest::policy::Policy;
use countersign_shared::manifest::ssh_key::PublicKey;
use countersign_shared::proposal::Sealed;
use countersign_shared::{canonical_json, warden};

use crate::house::{House, PROGRAM, STATE, State, program};
use crate::people::{Key, People, minutes, text};

const ACCOUNT: &str = "countersign-actuator";

fn enrollment(runner: &Runner, people: &People, key: &Key) -> Enrollment {
    let sum = canonical_json::sha256(&std::fs::read(program()).unwrap());
    let (approvers, notary, public) = (people.approvers(), people.notary.public(), key.public());
    let mut policy = Policy { protected: ["glibc".to_owned()].into(), ..Policy::default() };
    policy.approval.require_touch = false;
    let machines = RoleKeys { actuator_ssh: vec![PublicKey::parse(&public).unwrap()], ..RoleKeys::default() };
    let rules = Rules { approvers: &approvers, notary: &notary, policy: &policy, machines: &machines };
    Enrollment::new(&runner.name, ACCOUNT, [public.as_str()], &sum, &rules).unwrap()
}

fn run(runner: &Runner, script: &str) -> Output {
    runner.write("/root/script", script, 0o700).unwrap();
    let done = runner.try_sh("cd /root && sh /root/script /root/countersign-warden 2>&1").unwrap();
    runner.sh("rm /root/script").unwrap();
    done
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// OpenSSH's own client with this key.
fn ssh(runner: &Runner, key: &Key, dir: &Path, arguments: &[&str], stdin: &[u8]) -> Output {
    let known_hosts = dir.join("known_hosts");
    std::fs::write(&known_hosts, format!("{} {}\n", runner.address, runner.host_key_pub().unwrap())).unwrap();
    let mut child = Command::new("ssh")
        .args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "SendEnv=*", "-o"])
        .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
        .arg("-i")
        .arg(key.path())
        .args(["-l", ACCOUNT, &runner.address.to_string()])
        .args(arguments)
        .env("LC_EVIL", "x")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), stdin);
    child.wait_with_output().unwrap()
}

/// Files that enrolling twice must leave alone, and removing must bring back.
fn changed(before: &State, after: &State) -> Vec<PathBuf> {
    let accounts = ["passwd", "shadow", "group", "gshadow", "subuid", "subgid"];
    let own = |path: &PathBuf| {
        accounts
            .iter()
            .any(|file| *path == Path::new(&format!("etc/{file}")) || *path == Path::new(&format!("etc/{file}-")))
    };
    before.differences(after).into_iter().filter(|path| !own(path)).collect()
}

#[test]
fn enrolling_twice_is_once_and_the_key_gets_the_warden_alone() {
    let Some(_turn) = turn("enrolling_twice_is_once_and_the_key_gets_the_warden_alone") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    let dir = tempfile::tempdir().unwrap();
    let key = Key::new(dir.path(), "actuator");
    for runner in lab.runners() {
        let untouched = State::of(runner);
        let script = enrollment(runner, &people, &key).script();
        // Another program than the one that the script is for is not installed.
        runner.write("/root/countersign-warden", "#!/bin/sh\n", 0o755).unwrap();
        let refused = run(runner, &script);
        assert!(!refused.status.success() && said(&refused).contains("not the program"), "{}", said(&refused));
        assert!(!runner.root.join(&PROGRAM[1..]).exists());
        runner.write("/root/countersign-warden", std::fs::read(program()).unwrap(), 0o755).unwrap();
        let first = run(runner, &script);
        assert!(first.status.success(), "{}", said(&first));
        assert!(said(&first).contains("wrote /usr/libexec/countersign/warden"), "{}", said(&first));
        let enrolled = State::of(runner);
        let second = run(runner, &script);
        assert!(!said(&second).contains("wrote") && !said(&second).contains("made"), "{}", said(&second));
        assert_eq!(changed(&enrolled, &State::of(runner)), Vec::<PathBuf>::new());
        // What somebody changed is put right, and only that.
        runner
            .sh(&format!(
                "chmod 777 {PROGRAM}; usermod -aG games -p '!' {ACCOUNT}; echo x >>/etc/countersign/approvers"
            ))
            .unwrap();
        let third = said(&run(runner, &script));
        assert_eq!(third.matches("wrote").count(), 2, "{third}");
        assert!(third.contains("other groups") && third.contains("password"), "{third}");

        // The way of the actuator, over OpenSSH and sudo.
        let house = House::again(&lab, runner, &people);
        let inspect = warden::request(&WardenRequest::Inspect { listed: Vec::new() });
        let answer = ssh(runner, &key, dir.path(), &[], &inspect);
        let WardenAnswer::Inspection(inspection) = warden::open_answer(&answer.stdout).unwrap() else { panic!() };
        for digest in [&inspection.binary, &inspection.policy, &inspection.approvers, &inspection.notary_key] {
            assert!(said(&first).contains(digest.as_str()), "{digest} is not printed");
        }
        // Whatever is asked for, the warden is what runs; it takes a request and nothing else.
        let before = house.state();
        for words in [
            &["id"][..],
            &["sh", "-c", "touch /tmp/owned"],
            &["sudo", "-n", "dnf", "-y", "remove", "htop"],
            &[PROGRAM, "break-glass", "--for", "1h", "--reason", "x"],
            &["-s", "sftp"],
        ] {
            let output = ssh(runner, &key, dir.path(), words, b"id\n");
            let WardenAnswer::Refused { code, .. } = warden::open_answer(&output.stdout).unwrap() else {
                panic!("{words:?}")
            };
            assert_eq!(code, "request", "{words:?}");
        }
        for words in [
            &["-W", "127.0.0.1:22"][..],
            &["-N", "-o", "ExitOnForwardFailure=yes", "-R", "7777:127.0.0.1:22"],
            &["-tt"],
        ] {
            let mut all = words.to_vec();
            all.insert(0, "-v");
            let output = Command::new("timeout")
                .arg("20")
                .arg("ssh")
                .args(["-F", "none", "-o", "BatchMode=yes", "-o"])
                .arg(format!("UserKnownHostsFile={}", dir.path().join("known_hosts").display()))
                .arg("-i")
                .arg(key.path())
                .args(&all)
                .args(["-l", ACCOUNT, &runner.address.to_string()])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            let forbidden =
                ["administratively prohibited", "remote port forwarding failed", "PTY allocation request failed"];
            assert!(forbidden.iter().any(|word| text.contains(word)), "{words:?}: {text}");
        }
        // Nor does the account's sudo give more than that.
        for command in
            ["/usr/bin/id", &format!("{PROGRAM} check"), &format!("{PROGRAM} break-glass --for 1h --reason x")]
        {
            let output = runner.try_sh_as(ACCOUNT, &format!("sudo -n {command}")).unwrap();
            assert!(!output.status.success(), "{command}");
        }
        before.assert_same(&house.state(), "attempts with the actuator's key");
        assert!(!runner.root.join("tmp/owned").exists());

        // What the policy lets live for seven days is taken for seven days; this one is in its last hours.
        house.plant_llvm();
        let aged = |hours: i64| {
            let mut proposal = house.proposal(house.llvm_back());
            (proposal.created, proposal.expires) = (minutes(-hours * 60), minutes(60));
            people.approve(&Sealed::new(proposal).unwrap(), &[&people.mira])
        };
        house.stage(&aged(7 * 24 - 2)).unwrap();
        assert_eq!(house.stage(&aged(7 * 24 + 1)).unwrap_err().0, "expired");

        // The whole way over SSH.
        let sealed = house.propose(house.llvm_back());
        let ask = |request: &WardenRequest| {
            let output = ssh(runner, &key, dir.path(), &[], &warden::request(request));
            warden::open_answer(&output.stdout)
                .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
        };
        let approved = people.approve(&sealed, &[&people.mira]);
        let WardenAnswer::Staged { nonce, staged, .. } = ask(&WardenRequest::Stage { bundle: text(&approved) }) else {
            panic!()
        };
        let bundle = house.with_token(approved, &sealed, &crate::people::Nonce { nonce, staged });
        let WardenAnswer::Outcome(applied) = ask(&WardenRequest::Apply { bundle: text(&bundle) }) else { panic!() };
        assert_eq!(applied.stage, Stage::Unconfirmed, "{applied:?}");
        let removal = enrollment(runner, &people, &key).removal();
        let refused = run(runner, &removal);
        assert!(!refused.status.success(), "not while something waits for its confirmation");
        assert!(said(&refused).contains("have it undone first: an application waits "), "{}", said(&refused));
        let keep = WardenRequest::Confirm { proposal: sealed.id().to_owned(), keep: true };
        let WardenAnswer::Outcome(kept) = ask(&keep) else { panic!() };
        assert_eq!(kept.stage, Stage::Confirmed);

        // Taken back, but for the memory; a runner that is enrolled again still knows what it did.
        house.plant_llvm();
        // What a warden leaves that was killed before it spent anything.
        runner.sh(&format!("mkdir -m 700 {STATE}/current && echo x >{STATE}/current/journal.json")).unwrap();
        for _ in 0..2 {
            let removed = run(runner, &removal);
            assert!(removed.status.success(), "{}", said(&removed));
        }
        let left: Vec<PathBuf> = changed(&untouched, &State::of(runner))
            .into_iter()
            .filter(|path| !path.starts_with("usr/lib/sysimage"))
            .collect();
        assert_eq!(left, Vec::<PathBuf>::new());
        assert!(runner.root.join(&STATE[1..]).join("memory.json").exists());
        assert!(run(runner, &script).status.success());
        assert_eq!(house.stage(&people.approve(&sealed, &[&people.mira])).unwrap_err().0, "spent");
    }
}
