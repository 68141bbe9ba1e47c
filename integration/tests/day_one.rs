//! Day one on a fleet that has drifted: an inventory, four commands, and a report without a difference that is not
//! waived. Then new drift, which shows.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use countersign_integration::embedded::answer::FakeAnswers;
use countersign_integration::embedded::catalog::USER;
use countersign_integration::embedded::git_daemon::GitDaemon;
use countersign_integration::embedded::incident::{Chapter, chapters};
use countersign_integration::embedded::machine::Change;
use countersign_integration::embedded::server::{FakeFleet, FakeRunner, Served};
use countersign_integration::embedded::site::{observer_key, observer_public_key};
use countersign_observer::cli::Progress;
use countersign_observer::config::Config;
use countersign_observer::flow::{self, Desk, Done};
use countersign_shared::exit::Outcome;
use countersign_shared::terminal::{Palette, Screen};
use russh::keys::ssh_key::LineEnding;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const SCREEN: Screen = Screen { width: 100, palette: Palette::Plain };

/// The runners of the story that can be observed.
fn drifted(now: i64) -> Vec<Chapter> {
    chapters(now).into_iter().filter(|chapter| chapter.failure.is_none()).collect()
}

/// What an administrator has on day one.
fn inventory(runners: &[Served]) -> (String, String) {
    let mut hosts = String::from("[builders]\n");
    let mut known_hosts = String::new();
    for runner in runners {
        let (ip, port) = (runner.address.ip(), runner.address.port());
        writeln!(hosts, "{} ansible_host={ip} ansible_port={port}", runner.name).unwrap();
        writeln!(known_hosts, "[{ip}]:{port} {}", runner.host_key.to_openssh().unwrap()).unwrap();
    }
    (hosts, known_hosts)
}

fn git(directory: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .current_dir(directory)
        .args(["-c", "user.name=Mira", "-c", "user.email=mira@example.org", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(status.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&status.stderr));
}

fn copy_over(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_over(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

struct Day {
    home: tempfile::TempDir,
}

impl Day {
    fn config(&self) -> Config {
        Config::load(&self.home.path().join("observer.toml")).unwrap()
    }

    /// A person's act: what is in the work tree becomes canonical.
    fn publish(&self, message: &str) {
        let work = self.home.path().join("work");
        git(&work, &["add", "-A"]);
        git(&work, &["commit", "-q", "-m", message]);
        git(&work, &["push", "-q", "../canonical.git", "HEAD:refs/heads/main"]);
    }

    async fn nightly(&self) -> Done {
        let desk = Desk::open_to_write(self.config()).unwrap();
        flow::nightly(desk, false, SCREEN, &Progress::new()).await.unwrap_or_else(|stop| panic!("{stop:?}"))
    }
}

/// Items of a report as `runner package code`, without those that are waived.
fn unwaived(done: &Done) -> Vec<String> {
    let report: Value = serde_json::from_str(&done.json).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut items = Vec::new();
    for runner in report["runners"].as_array().unwrap() {
        assert_eq!(runner["status"], "observed", "{runner}");
        for item in runner["drift"].as_array().unwrap().iter().filter(|item| item["waived"].is_null()) {
            items.push(format!("{} {} {}", text(&runner["name"]), text(&item["package"]), text(&item["code"])));
        }
    }
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn four_commands_lead_from_an_inventory_to_an_empty_report() {
    let now = jiff::Timestamp::now().as_second();
    let story = drifted(now - 3600);
    let runners = story.iter().map(Chapter::runner).collect();
    let fleet = FakeFleet::start(runners, observer_public_key()).await.unwrap();
    let day = Day { home: tempfile::tempdir().unwrap() };
    let home = day.home.path();

    let (hosts, known_hosts) = inventory(&fleet.runners);
    fs::write(home.join("hosts"), hosts).unwrap();
    fs::write(home.join("known_hosts"), known_hosts).unwrap();
    fs::write(home.join("key"), observer_key().to_openssh(LineEnding::LF).unwrap()).unwrap();
    fs::set_permissions(home.join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(home.join("approvers"), "").unwrap();

    // 1. init
    let done = flow::init(&home.join("hosts"), Some(&home.join("known_hosts")), &home.join("work")).unwrap();
    assert!(!done.text.contains("No host key"), "{}", done.text);
    // A person declares the observer's key, and makes it a repository.
    let path = home.join("work/fleet.toml");
    let key = observer_public_key().to_openssh().unwrap();
    let text = fs::read_to_string(&path).unwrap().replace("observer_ssh = []", &format!("observer_ssh = [\"{key}\"]"));
    fs::write(&path, text).unwrap();
    git(home, &["init", "-q", "--bare", "-b", "main", "canonical.git"]);
    git(&home.join("work"), &["init", "-q", "-b", "main"]);
    day.publish("Describe the fleet");
    let daemon = GitDaemon::start(home).await.unwrap();
    let config = format!(
        "state_dir = \"state\"\nreport_dir = \"report\"\n[canonical]\nurl = \"{}\"\nbranch = \"main\"\n\
         [ssh]\nkey = \"key\"\n[trust]\napprovers = \"approvers\"\naccept = [\"canonical-unsigned\"]\n",
        daemon.url("canonical.git")
    );
    fs::write(home.join("observer.toml"), config).unwrap();

    // 2. observe
    let desk = Desk::open_to_write(day.config()).unwrap();
    let done = flow::observe(desk, &Progress::new()).await.unwrap_or_else(|stop| panic!("{stop:?}"));
    assert_eq!(done.outcome, Outcome::Clean, "{}", done.text);

    // 3. baseline
    let desk = Desk::open(day.config()).unwrap();
    let done =
        flow::baseline(desk, "builders", &home.join("baseline"), 30).await.unwrap_or_else(|stop| panic!("{stop:?}"));
    assert!(done.text.contains("packages are wanted"), "{}", done.text);
    copy_over(&home.join("baseline"), &home.join("work"));
    day.publish("Take what is there as the beginning");

    // 4. nightly
    let done = day.nightly().await;
    assert_eq!(unwaived(&done), [""; 0]);
    assert_eq!(done.outcome, Outcome::Clean, "{}", done.text);
    drop(fleet);

    // On day two somebody installs something and removes something on one runner, and only that shows.
    let mut runners: Vec<FakeRunner> = story.iter().map(Chapter::runner).collect();
    let mut machine = story[0].machine().clone();
    let nmap = machine.packages.iter().find(|package| package.name == "htop").unwrap().clone();
    let nmap =
        countersign_integration::embedded::catalog::FakePackage { name: "nmap".to_owned(), ..nmap }.because(USER);
    machine.dnf(
        now - 60,
        (1000, "mira"),
        "dnf5 swap htop nmap",
        vec![Change::Install(nmap), Change::Remove("htop".into())],
    );
    runners[0].answers = FakeAnswers::of(&machine);
    let fleet = FakeFleet::start(runners, observer_public_key()).await.unwrap();
    let (hosts, _) = inventory(&fleet.runners);
    let path = home.join("work/fleet.toml");
    let mut text = fs::read_to_string(&path).unwrap();
    if !hosts.lines().skip(1).all(|line| text.contains(line.rsplit('=').next().unwrap())) {
        // The servers came up on other ports.
        let mut document: toml_edit::DocumentMut = text.parse().unwrap();
        for runner in &fleet.runners {
            document["runners"][&runner.name]["port"] = toml_edit::value(i64::from(runner.address.port()));
            document["runners"][&runner.name]["address"] = toml_edit::value(runner.address.ip().to_string());
        }
        text = document.to_string();
    }
    fs::write(&path, text + "# day two\n").unwrap();
    day.publish("Go on");
    let done = day.nightly().await;
    assert_eq!(unwaived(&done), ["runner-01 htop missing", "runner-01 nmap unlisted"]);
    assert_eq!(done.outcome, Outcome::Drift);
    drop(fleet);

    // The lock of a runner is complete.
    let done =
        flow::lock(Desk::open(day.config()).unwrap(), "runner-01").await.unwrap_or_else(|stop| panic!("{stop:?}"));
    assert_eq!(done.text.matches("\n    \"").count(), machine.packages.len());
}
