//! On a real runner whose sshd gives our key more than the warden, nothing is even staged.

use crate::yard::Yard;
use countersign_actuator::enroll::FORCED_COMMAND;
use countersign_integration::embedded::acting::done;
use countersign_integration::embedded::site::{actuator_key, bare};
use countersign_integration::lab::{Base, Lab, LabConfig, plant, turn};
use countersign_manifests_schema::plan::ApplyResult;

const KEYS: &str = "/etc/ssh/countersign-actuator.keys";
const SSHD: &str = "/etc/ssh/sshd_config.d/61-countersign-actuator.conf";
const STATE: &str = "/var/lib/countersign-warden";

#[test]
fn a_key_that_gets_more_than_the_warden_stages_nothing_until_it_is_bound_again() {
    let Some(_turn) = turn("a_key_that_gets_more_than_the_warden_stages_nothing_until_it_is_bound_again") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("runner-01", Base::Dnf5)])).unwrap();
    let yard = Yard::new(&lab);
    let runner = lab.runner("runner-01");
    plant::person_upgrades_llvm(runner).unwrap();
    runner.sh("dnf5 makecache >/dev/null 2>&1").unwrap();
    let report = yard.nightly();
    let id = report.runners[0].proposal.clone().unwrap();
    done(yard.acting.person(&["approve", "--yes", &id])).unwrap();
    done(yard.acting.person(&["lease", "--yes", "--reason", "the llvm incident"])).unwrap();

    let key = bare(actuator_key().public_key()).unwrap();
    let (bound, rules) = (runner.sh(&format!("cat {KEYS}")).unwrap(), runner.sh(&format!("cat {SSHD}")).unwrap());
    assert_eq!(bound.trim(), format!("restrict,command=\"{FORCED_COMMAND}\" {key}"));
    let forced = |script: &str| format!("restrict,command=\"{}\" {key}\n", script.replace('"', "\\\""));
    let shell = forced(&format!("[ -n \"$SSH_ORIGINAL_COMMAND\" ] && exec {FORCED_COMMAND}; exec /bin/sh"));
    let command = forced(&format!(
        "[ -n \"$SSH_ORIGINAL_COMMAND\" ] && exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"; exec {FORCED_COMMAND}"
    ));
    let forwarding = format!("command=\"{FORCED_COMMAND}\" {key}\n");
    let open = rules.replace("DisableForwarding yes", "DisableForwarding no");
    let neither = format!("restrict {key}\n");
    for (line, rules, code, ways) in [
        (&shell, &rules, "plain-exec", &["a shell"][..]),
        (&command, &rules, "plain-exec", &["another command"]),
        (&neither, &rules, "plain-exec", &["a shell", "another command"]),
        (&forwarding, &open, "forwarding-open", &["TCP forwarding"]),
    ] {
        sshd(runner, line, rules);
        let (status, document) = yard.actuator(&["apply", "--all"]);
        let row = &document.proposals[0];
        let said = &row.gates.iter().find(|gate| gate.gate == "unreachable").unwrap().detail;
        eprintln!("{said}");
        assert_eq!((status, row.result), (Some(20), Some(ApplyResult::Refused)), "{line}: {row:?}");
        assert_eq!(row.refusal.as_deref(), Some("unreachable"), "{line}: {said}");
        assert!(said.contains(&format!("({code})")), "{line}: {said}");
        for way in ways {
            assert!(said.contains(way), "{line}: {said}");
        }
        runner.sh(&format!("test ! -e {STATE}/staged && test ! -e {STATE}/current")).unwrap();
        let ledger = std::fs::read_to_string(yard.acting.dir.path().join("state/ledger.jsonl")).unwrap_or_default();
        assert_eq!(ledger, "", "nothing was begun");
    }
    sshd(runner, &bound, &rules);
    let (status, document) = yard.actuator(&["apply", "--all"]);
    assert_eq!((status, document.proposals[0].result), (Some(0), Some(ApplyResult::Applied)), "{document:?}");
}

fn sshd(runner: &countersign_integration::lab::Runner, line: &str, rules: &str) {
    runner.write(KEYS, format!("{}\n", line.trim()), 0o644).unwrap();
    runner.write(SSHD, format!("{}\n", rules.trim()), 0o600).unwrap();
    // It writes its number anew once it listens again.
    let again = "/usr/sbin/sshd -t && pid=$(cat /run/sshd.pid) && rm /run/sshd.pid && kill -HUP $pid && \
                 until test -s /run/sshd.pid; do :; done";
    runner.sh(again).unwrap();
}
