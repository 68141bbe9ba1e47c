//! Nine runners with real drift and four that are broken, by forced command and by plain exec, cold and warm.

use std::collections::BTreeMap;

use countersign_integration::lab::{Base, Lab, LabConfig, Runner, WORKSTATION_PACKAGES, plant, turn};
use countersign_manifests_schema::report::{DriftReport, Notice, RunnerReport, Status, StepStatus};
use countersign_observer::probe::PROBE_PATH;
use jiff::Timestamp;

use crate::expected::{self, Expected};
use crate::observer::Observer;
use crate::site::{ACCOUNT, Settings, Site, runners};

/// Runner and the code of its failure.
const BROKEN: [(&str, &str); 4] =
    [("runner-10", "unreachable"), ("runner-11", "timeout"), ("runner-12", "host-key"), ("runner-13", "garbage")];

/// The runner with a full-size package set.
const FULL_SIZE: &str = "runner-06";

/// Bytes of a sha256.
const DIGEST: u64 = 32;

/// A lab, what was planted in it, and when it was first looked at.
struct Story {
    lab: Lab,
    site: Site,
    planted: BTreeMap<String, Vec<Expected>>,
}

fn story() -> Story {
    let mut config = LabConfig::nine();
    config.runners.extend(LabConfig::new(BROKEN.map(|(name, _)| (name, Base::Dnf5))).runners);
    config.runners.extend(LabConfig::new([("forge", Base::Dnf5)]).runners);
    let mut lab = Lab::up(&config).unwrap();
    let site = Site::new(lab.runner("forge"), runners(&lab));
    site.enroll(runners(&lab));
    let planted = runners(&lab).map(|runner| (runner.name.clone(), expected::plant(runner))).collect();
    lab.runner_mut("runner-10").stop().unwrap();
    // Connections are still taken, by the kernel; nobody answers them.
    lab.runner("runner-11").sh("kill -STOP $(cat /run/sshd.pid)").unwrap();
    plant::other_host_keys(lab.runner_mut("runner-12")).unwrap();
    plant::garbage_program(lab.runner("runner-13"), PROBE_PATH).unwrap();
    Story { lab, site, planted }
}

impl Story {
    fn healthy(&self) -> impl Iterator<Item = &Runner> {
        runners(&self.lab).filter(|runner| is_healthy(&runner.name))
    }

    /// Every row is as planted, and the run ended as it must.
    fn check(&self, report: &DriftReport, first_seen: (Timestamp, Timestamp)) {
        let names: Vec<&str> = report.runners.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, self.planted.keys().collect::<Vec<_>>());
        for row in &report.runners {
            match BROKEN.iter().find(|(name, _)| *name == row.name) {
                Some((_, code)) => broken(row, code),
                None => {
                    assert_eq!((row.status, &row.error), (Status::Observed, &None), "{}", row.name);
                    assert_eq!(expected::found(&row.drift, first_seen), self.planted[&row.name], "{}", row.name);
                }
            }
        }
        let full_size = report.runners.iter().find(|row| row.name == FULL_SIZE).unwrap();
        assert_eq!(full_size.packages, WORKSTATION_PACKAGES as u64);
        assert_eq!(report.guards, []);
        assert!(report.steps.iter().all(|step| step.status != StepStatus::Failed), "{:?}", report.steps);
    }

    /// Bytes that each healthy runner has sent.
    fn sent(&self) -> BTreeMap<&str, u64> {
        self.healthy().map(|runner| (runner.name.as_str(), runner.bytes_sent().unwrap())).collect()
    }

    /// A run; its report, when it began and ended, and how many bytes each healthy runner sent for it.
    fn nightly(&self, observer: &Observer) -> (DriftReport, (Timestamp, Timestamp), BTreeMap<&str, u64>) {
        let before = self.sent();
        let began = Timestamp::now();
        let report = observer.run(&["nightly", "--json"]).report(11);
        let ended = Timestamp::now();
        let sent = self.sent().into_iter().map(|(name, sent)| (name, sent - before[name])).collect();
        (report, (began, ended), sent)
    }

    /// The key reaches a shell, as people have it who never heard of forced commands.
    fn take_forced_commands_away(&self) {
        let reached = runners(&self.lab).filter(|runner| is_healthy(&runner.name) || runner.name == "runner-13");
        for runner in reached {
            runner.sh("sed -i 's/command=\"[^\"]*\" //; s/^restrict,//' /etc/ssh/countersign-observer.keys").unwrap();
            assert!(runner.sh("cat /etc/ssh/countersign-observer.keys").unwrap().starts_with("ssh-ed25519 "));
        }
        let garbage = self.lab.runner("runner-13");
        garbage.sh(&format!("usermod --shell {PROBE_PATH} {ACCOUNT}")).unwrap();
    }
}

fn is_healthy(name: &str) -> bool {
    BROKEN.iter().all(|(broken, _)| *broken != name)
}

fn broken(row: &RunnerReport, code: &str) {
    assert_eq!((row.status, row.packages, row.warm), (Status::Failed, 0, false), "{}", row.name);
    assert!(row.drift.is_empty(), "{}", row.name);
    let error = row.error.as_ref().unwrap();
    assert_eq!(error.code, code, "{}: {}", row.name, error.message);
    assert!(!error.message.contains(|c: char| c.is_control()), "{:?}", error.message);
}

/// What a report says when plain exec is accepted. The account may listen on a socket and forward by any command that it
/// runs, so whether sshd forwards for it was not tried to the end.
fn accepted() -> Vec<Notice> {
    let notice = |code: &str, message: &str| Notice {
        code: code.to_owned(),
        message: format!("{message} (runner-01, runner-02, runner-03 and 6 more)"),
    };
    vec![
        notice(
            "key-unproven",
            "whether the key gets unix socket forwarding, remote unix socket forwarding was not found out",
        ),
        notice("plain-exec", "the key gets a shell, another command, sftp"),
        notice("plain-exec", "the probe was run by plain exec, not as a forced command from a root-owned file"),
    ]
}

fn all_new(report: &DriftReport, new: bool) {
    for item in report.runners.iter().flat_map(|row| &row.drift) {
        assert_eq!(item.new, new, "{item:?}");
    }
}

#[test]
fn nine_runners_report_what_was_planted_and_four_say_why_they_cannot() {
    let Some(_turn) = turn("nine_runners_report_what_was_planted_and_four_say_why_they_cannot") else {
        return;
    };
    let story = story();

    // Behind the forced command, nothing accepted.
    let forced = story.site.observer(&Settings::of("forced"));
    let (cold, first, cold_bytes) = story.nightly(&forced);
    story.check(&cold, first);
    all_new(&cold, true);
    assert_eq!(cold.trust, []);
    assert!(cold.runners.iter().all(|row| !row.warm));

    // Nothing has moved: the same drift, not new, and no package list travels. The digests of the headers alone, of
    // which no byte can be spared, are more than all that the full-size runner sends.
    let (warm, _, warm_bytes) = story.nightly(&forced);
    story.check(&warm, first);
    all_new(&warm, false);
    assert!(warm.runners.iter().all(|row| row.warm == is_healthy(&row.name)));
    let digests = WORKSTATION_PACKAGES as u64 * DIGEST;
    assert!(cold_bytes[FULL_SIZE] > digests, "{cold_bytes:?}");
    assert!(warm_bytes[FULL_SIZE] < digests, "{warm_bytes:?}");
    for (name, cold) in &cold_bytes {
        assert!(warm_bytes[name] < *cold, "{name}: {warm_bytes:?} after {cold_bytes:?}");
    }

    // Something moves on one: it alone is read in full, and what is new is only that.
    plant::person_leaves_gcc_toolset(story.lab.runner("runner-09")).unwrap();
    let (moved, _, _) = story.nightly(&forced);
    for row in moved.runners.iter().filter(|row| is_healthy(&row.name)) {
        let new: Vec<_> = row.drift.iter().filter(|item| item.new).map(|item| item.package.as_deref()).collect();
        if row.name == "runner-09" {
            assert_eq!((row.warm, new), (false, vec![Some("gcc-toolset-13")]));
        } else {
            assert_eq!((row.warm, new), (true, vec![]), "{}", row.name);
        }
    }
    story.lab.runner("runner-09").sh("dnf4 -y history undo last").unwrap();

    // Without the forced command no row is believed ...
    story.take_forced_commands_away();
    let (refused, ..) = story.nightly(&story.site.observer(&Settings::of("refused")));
    for row in refused.runners.iter().filter(|row| is_healthy(&row.name)) {
        broken(row, "plain-exec");
    }
    assert_eq!(refused.trust, []);

    // ... unless a person accepts that; then every report says so.
    let plain = story.site.observer(&Settings { accept: &["plain-exec"], ..Settings::of("plain") });
    let (cold, first, _) = story.nightly(&plain);
    story.check(&cold, first);
    all_new(&cold, true);
    assert_eq!(cold.trust, accepted());
    let (warm, _, warm_bytes) = story.nightly(&plain);
    story.check(&warm, first);
    all_new(&warm, false);
    assert!(warm.runners.iter().all(|row| row.warm == is_healthy(&row.name)));
    assert!(warm_bytes[FULL_SIZE] < digests, "{warm_bytes:?}");
    assert_eq!(warm.trust, accepted());
}
