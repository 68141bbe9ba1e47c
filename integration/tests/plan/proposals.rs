//! The incident from drift to proposals, by the observer's own commands on real runners; then carried out by hand, after
//! which nothing is left to report.

use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_integration::embedded::git_daemon::GitDaemon;
use countersign_integration::lab::{Base, Lab, LabConfig, Runner, turn};
use countersign_manifests_schema::transaction::Action;
use countersign_observer::cli::Progress;
use countersign_observer::config::Config;
use countersign_observer::flow::{self, Desk, Done, Selection};
use countersign_shared::exit::Outcome;
use countersign_shared::observation::{Observation, Tokens, set_digest};
use countersign_shared::proposal::{Sealed, class_digest, render};
use countersign_shared::terminal::{Palette, Screen};
use serde_json::Value;

use crate::place::{Key, run_script, wait};
use crate::stage::{for_dnf4, for_dnf5};

const SCREEN: Screen = Screen { width: 100, palette: Palette::Plain };

const BUILDER: &str = r#"schema = "countersign/manifest/1"
owner = "build-platform@example.org"
[packages]
llvm = { version = "= 19.1.0-1.fc41", reason = "tenant X links its passes against 19" }
clang-tools-extra = "*"
gcc-toolset-13 = "absent"
htop = "*"
strace = ">= 99"
[unlisted]
user-installed = "ignore"
"#;

/// An observer with its configuration, and canonical behind a git daemon.
struct House {
    home: tempfile::TempDir,
    key: Key,
    _daemon: GitDaemon,
}

fn git(directory: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .current_dir(directory)
        .args(["-c", "user.name=Mira", "-c", "user.email=mira@example.org", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

impl House {
    fn new(runners: &[&Runner]) -> Self {
        let key = Key::new();
        let home = tempfile::tempdir().unwrap();
        let work = home.path().join("work");
        std::fs::create_dir_all(work.join("manifests")).unwrap();
        let mut fleet = format!(
            "schema = \"countersign/fleet/1\"\n[keys]\nobserver_ssh = [\"{}\"]\n[groups.builders]\n\
             owner = \"build-platform@example.org\"\nmanifests = [\"builder\"]\n",
            key.public().trim()
        );
        for runner in runners {
            run_script(runner, &key.enrollment(runner).script());
            fleet += &format!(
                "[runners.{}]\naddress = \"{}\"\nport = {}\ngroups = [\"builders\"]\nhost_keys = [\"{}\"]\n",
                runner.name,
                runner.address,
                runner.port,
                runner.host_key_pub().unwrap().trim()
            );
        }
        std::fs::write(work.join("fleet.toml"), fleet).unwrap();
        std::fs::write(work.join("manifests/builder.toml"), BUILDER).unwrap();
        git(home.path(), &["init", "-q", "--bare", "-b", "main", "canonical.git"]);
        git(&work, &["init", "-q", "-b", "main"]);
        git(&work, &["add", "-A"]);
        git(&work, &["commit", "-q", "-m", "Describe the builders"]);
        git(&work, &["push", "-q", "../canonical.git", "HEAD:refs/heads/main"]);
        let daemon = wait(GitDaemon::start(home.path())).unwrap();
        std::fs::write(home.path().join("approvers"), "").unwrap();
        let config = format!(
            "state_dir = \"state\"\nreport_dir = \"report\"\n[canonical]\nurl = \"{}\"\nbranch = \"main\"\n\
             [ssh]\nkey = \"{}\"\n[trust]\napprovers = \"approvers\"\naccept = [\"canonical-unsigned\"]\n",
            daemon.url("canonical.git"),
            key.path().display()
        );
        std::fs::write(home.path().join("observer.toml"), config).unwrap();
        Self { home, key, _daemon: daemon }
    }

    fn desk(&self) -> Desk {
        Desk::open_to_write(Config::load(&self.home.path().join("observer.toml")).unwrap()).unwrap()
    }

    fn nightly(&self) -> Done {
        wait(flow::nightly(self.desk(), false, SCREEN, &Progress::new())).unwrap_or_else(|stop| panic!("{stop:?}"))
    }

    fn propose(&self, runner: Option<&str>, only: &[&str]) -> (Done, Value) {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        let done = wait(flow::propose(self.desk(), Selection { runner, only: &only, anew: false }, &Progress::new()));
        let done = done.unwrap_or_else(|stop| panic!("{stop:?}"));
        let json = serde_json::from_str(&done.json).unwrap();
        (done, json)
    }

    /// The stored report.
    fn report(&self) -> Value {
        let done = wait(flow::report(self.desk(), false, SCREEN)).unwrap_or_else(|stop| panic!("{stop:?}"));
        serde_json::from_str(&done.json).unwrap()
    }

    fn set_digest(&self, runner: &Runner) -> String {
        let record = self.key.observe(runner, &[], &Tokens::default()).unwrap();
        set_digest(&Observation::parse(&record, 0).unwrap().packages.seen().unwrap().list)
    }
}

fn plant(runner: &Runner) {
    let dnf = runner.dnf();
    runner
        .sh(&format!(
            "{dnf} -y install llvm-20.1.0 clang-tools-extra-20.1.0 gcc-toolset-13 >/dev/null && \
             {dnf} -y remove htop >/dev/null; {dnf} makecache >/dev/null 2>&1"
        ))
        .unwrap();
}

/// The proposals that a document names, by runner, with their directories.
fn read(json: &Value) -> Vec<(Sealed, PathBuf)> {
    let entries = json["proposals"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            let directory = PathBuf::from(entry["directory"].as_str().unwrap());
            let sealed = Sealed::parse(&std::fs::read(directory.join("proposal.json")).unwrap()).unwrap();
            assert_eq!(sealed.id(), entry["id"]);
            assert!(directory.ends_with(format!("{}/{}", sealed.proposal().runner, sealed.id())));
            assert_eq!(std::fs::read_to_string(directory.join("README.md")).unwrap(), render(&sealed));
            (sealed, directory)
        })
        .collect()
}

#[test]
fn the_incident_becomes_proposals_that_bring_the_runners_back() {
    let Some(_turn) = turn("the_incident_becomes_proposals_that_bring_the_runners_back") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five-a", Base::Dnf5), ("five-b", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let runners: Vec<&Runner> = lab.runners().iter().collect();
    for runner in &runners {
        plant(runner);
    }
    let house = House::new(&runners);
    assert_eq!(house.nightly().outcome, Outcome::Drift);
    let (done, json) = house.propose(None, &[]);
    eprintln!("{}", done.text);
    let proposals = read(&json);
    let names: Vec<&str> = proposals.iter().map(|(sealed, _)| sealed.proposal().runner.as_str()).collect();
    assert_eq!(names, ["five-a", "five-b", "four"], "{}", done.text);

    // The report has them, and what cannot be had.
    let report = house.report();
    for row in report["runners"].as_array().unwrap() {
        let own = proposals.iter().find(|(sealed, _)| sealed.proposal().runner == row["name"]).unwrap();
        assert_eq!(row["proposal"], own.0.id());
        let strace = row["drift"].as_array().unwrap().iter().find(|item| item["package"] == "strace").unwrap();
        assert_eq!(strace["blocked"]["code"], "unreachable-pin", "{strace}");
    }

    // Runners of one generation are one class; what llvm pulls along is shown and marked.
    let class = |at: usize| class_digest(Some("builders"), proposals[at].0.proposal());
    assert_eq!(class(0), class(1));
    assert_ne!(class(0), class(2));
    for (sealed, directory) in &proposals {
        let rpms = &sealed.proposal().transaction.rpms;
        let pulled = rpms.iter().find(|change| change.nevra == "clang-tools-extra-19.1.0-1.fc41.x86_64").unwrap();
        assert_eq!((pulled.action, pulled.asserted), (Action::Downgrade, true));
        assert!(rpms.iter().any(|change| change.nevra.starts_with("htop-") && !change.asserted));
        let readme = std::fs::read_to_string(directory.join("README.md")).unwrap();
        assert!(readme.contains("| `clang-tools-extra.x86_64` | downgrade | `20.1.0-1.fc41` | `19.1.0-1.fc41` |"));
    }

    // Nothing has moved: the same bytes.
    let (_, again) = house.propose(None, &[]);
    assert!(again["proposals"].as_array().unwrap().iter().all(|entry| entry["kept"] == true), "{again}");
    assert_eq!(read(&again), proposals);

    // Somebody wants a part of it: the smaller one takes the place of the whole one.
    let (_, part) = house.propose(Some("five-b"), &["htop"]);
    let part = read(&part);
    assert_eq!(part[0].0.proposal().drift.iter().map(|item| &*item.package).collect::<Vec<_>>(), ["htop"]);
    assert_eq!(part[0].0.proposal().transaction.rpms.len(), 1);
    assert!(!proposals[1].1.exists() && proposals[0].1.exists());
    let (_, whole) = house.propose(Some("five-b"), &[]);
    assert_eq!(read(&whole)[0].0.proposal().transaction, proposals[1].0.proposal().transaction);

    // Carried out by hand, each leads to the predicted set, and nothing but what cannot be had is left.
    for (runner, (sealed, _)) in runners.iter().zip(&proposals) {
        let proposal = sealed.proposal();
        assert_eq!(house.set_digest(runner), proposal.base.set_digest);
        let (text, replay) = if runner.dnf() == "dnf4" {
            (
                for_dnf4(&proposal.transaction),
                "dnf4 -y --setopt=install_weak_deps=False history replay /root/t/transaction.json 2>&1",
            )
        } else {
            (
                for_dnf5(&proposal.transaction),
                "dnf5 -y --setopt=install_weak_deps=False --setopt=plugins=0 replay /root/t 2>&1",
            )
        };
        runner.write("/root/t/transaction.json", text, 0o600).unwrap();
        runner.sh(replay).unwrap();
        assert_eq!(house.set_digest(runner), proposal.predicted.set_digest, "{}", runner.name);
    }
    house.nightly();
    let (done, json) = house.propose(None, &[]);
    assert_eq!(read(&json), []);
    for row in house.report()["runners"].as_array().unwrap() {
        let left: Vec<&Value> = row["drift"].as_array().unwrap().iter().map(|item| &item["package"]).collect();
        assert_eq!(left, ["strace"], "{}", done.text);
        assert_eq!(row["proposal"], Value::Null);
    }
    assert_eq!(std::fs::read_dir(house.home.path().join("state/proposals/five-a")).unwrap().count(), 0);
}
