//! Day one on a fleet that has drifted: an inventory, four commands, and a report without a difference that is not
//! waived. Then new drift, which shows.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use countersign_integration::embedded::answer::FakeAnswers;
use countersign_integration::embedded::catalog::USER;
use countersign_integration::embedded::git_daemon::GitDaemon;
use countersign_integration::embedded::incident::{Chapter, chapters};
use countersign_integration::embedded::machine::Change;
use countersign_integration::embedded::server::{FakeFleet, FakeRunner, Served};
use countersign_integration::embedded::site::{PERSON, approvers, observer_key, observer_public_key, person_key};
use countersign_observer::cli::Progress;
use countersign_observer::config::Config;
use countersign_observer::flow::{self, Desk, Done, Stop};
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

/// What the README tells those to write who have no security key, or are alone.
const ALONE: &str = "[approval]\nrequire_touch = false\nroot_required = 1\n";

fn git(directory: &Path, arguments: &[&str]) -> String {
    git_at(directory, None, arguments)
}

/// With a committer date of one's own.
fn git_at(directory: &Path, date: Option<&str>, arguments: &[&str]) -> String {
    let done = Command::new("git")
        .current_dir(directory)
        .args(["-c", "user.name=Mira", "-c", &format!("user.email={PERSON}"), "-c", "commit.gpgsign=false"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .envs(date.map(|date| ("GIT_COMMITTER_DATE", date)))
        .output()
        .unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn write_private(path: &Path, key: &russh::keys::PrivateKey) {
    fs::write(path, key.to_openssh(LineEnding::LF).unwrap()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
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

/// An administrator's machine: `work` is the clone of canonical.
struct Day {
    home: tempfile::TempDir,
    _daemon: GitDaemon,
}

impl Day {
    /// Steps 1 and 2 of the README: a skeleton, keys, the first commit, `observer.toml`. A person has an ordinary key.
    async fn begin(runners: &[Served], policy: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path();
        let (hosts, known_hosts) = inventory(runners);
        fs::write(home.join("hosts"), hosts).unwrap();
        fs::write(home.join("known_hosts"), known_hosts).unwrap();
        write_private(&home.join("key"), &observer_key());
        write_private(&home.join("person"), &person_key());
        fs::write(home.join("approvers"), approvers().unwrap()).unwrap();

        let done = flow::init(&home.join("hosts"), Some(&home.join("known_hosts")), &home.join("work")).unwrap();
        assert!(!done.text.contains("No host key"), "{}", done.text);
        let work = home.join("work");
        let edit = |name: &str, with: &dyn Fn(String) -> String| {
            let text = fs::read_to_string(work.join(name)).unwrap();
            fs::write(work.join(name), with(text)).unwrap();
        };
        let key = observer_public_key().to_openssh().unwrap();
        edit("fleet.toml", &|text| text.replace("observer_ssh = []", &format!("observer_ssh = [\"{key}\"]")));
        edit("approvers", &|text| text + &approvers().unwrap());
        edit("policy.toml", &|text| text + policy);
        git(home, &["init", "-q", "--bare", "-b", "main", "canonical.git"]);
        git(&work, &["init", "-q", "-b", "main"]);
        git(&work, &["config", "gpg.format", "ssh"]);
        git(&work, &["config", "user.signingkey", home.join("person").to_str().unwrap()]);
        let daemon = GitDaemon::start(home).await.unwrap();
        let url = daemon.url("canonical.git");
        let day = Self { home: directory, _daemon: daemon };
        day.publish("Describe the fleet");
        let anchor = git(&work, &["rev-parse", "HEAD"]);
        let config = format!(
            "state_dir = \"state\"\nreport_dir = \"report\"\n[canonical]\nurl = \"{url}\"\nbranch = \"main\"\n\
             anchor = \"{anchor}\"\n[ssh]\nkey = \"key\"\n[trust]\napprovers = \"approvers\"\n"
        );
        fs::write(day.home.path().join("observer.toml"), config).unwrap();
        day
    }

    fn config(&self) -> Config {
        Config::load(&self.home.path().join("observer.toml")).unwrap()
    }

    /// A person's act: what is in the work tree becomes canonical.
    fn publish(&self, message: &str) {
        self.publish_with(&["-m", message]);
    }

    fn publish_with(&self, message: &[&str]) {
        let work = self.home.path().join("work");
        git(&work, &["add", "-A"]);
        git(&work, &[&["commit", "-S", "-q"], message].concat());
        git(&work, &["push", "-q", "../canonical.git", "HEAD:refs/heads/main"]);
    }

    async fn observe(&self) {
        let desk = Desk::open_to_write(self.config()).unwrap();
        let done = flow::observe(desk, &Progress::new()).await.unwrap_or_else(|stop| panic!("{stop:?}"));
        assert_eq!(done.outcome, Outcome::Clean, "{}", done.text);
    }

    /// Step 3 of the README: the files are made, and copied into the clone.
    async fn baseline(&self, into: &str) -> Done {
        let (desk, into) = (Desk::open(self.config()).unwrap(), self.home.path().join(into));
        let done = flow::baseline(desk, "builders", &into, 30).await.unwrap_or_else(|stop| panic!("{stop:?}"));
        copy_over(&into.join("canonical"), &self.home.path().join("work"));
        done
    }

    async fn try_nightly(&self) -> Result<Done, Stop> {
        let desk = Desk::open_to_write(self.config()).unwrap();
        flow::nightly(desk, false, SCREEN, &Progress::new()).await
    }

    async fn propose(&self) -> String {
        let desk = Desk::open_to_write(self.config()).unwrap();
        let done = flow::propose(desk, flow::Selection::default(), &Progress::new()).await;
        done.unwrap_or_else(|stop| panic!("{stop:?}")).text
    }

    async fn nightly(&self) -> Done {
        self.try_nightly().await.unwrap_or_else(|stop| panic!("{stop:?}"))
    }
}

/// What the sequence guard found, as `code: message`.
fn guards(done: &Done) -> Vec<String> {
    let report: Value = serde_json::from_str(&done.json).unwrap();
    report["guards"]
        .as_array()
        .unwrap()
        .iter()
        .map(|guard| format!("{}: {}", guard["code"], guard["message"]))
        .collect()
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
    let day = Day::begin(&fleet.runners, ALONE).await;
    let home = day.home.path();
    day.observe().await;
    let done = day.baseline("baseline").await;
    assert!(done.text.contains("packages are wanted"), "{}", done.text);
    assert!(!done.text.contains("The fleet is changed"), "{}", done.text);
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

#[tokio::test(flavor = "multi_thread")]
async fn what_a_baseline_adopts_knowingly_is_no_finding_and_what_is_committed_without_its_message_is() {
    let now = jiff::Timestamp::now().as_second();
    let story = drifted(now - 3600);
    for knowingly in [true, false] {
        let runners = story.iter().map(Chapter::runner).collect();
        let fleet = FakeFleet::start(runners, observer_public_key()).await.unwrap();
        let day = Day::begin(&fleet.runners, ALONE).await;
        assert!(unwaived(&day.nightly().await).len() > 100, "a report is stored before, and nothing is wanted yet");
        day.baseline("baseline").await;
        if knowingly {
            day.publish_with(&["-F", "../baseline/message"]);
        } else {
            day.publish("Take what is there as the beginning");
        }
        let done = day.nightly().await;
        assert_eq!(unwaived(&done), [""; 0]);
        let guards = guards(&done);
        assert_eq!(guards.is_empty(), knowingly, "{guards:?}");
        assert!(guards.iter().all(|guard| guard.contains("spec-follows-drift")), "{guards:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serious_finding_blocks_proposals_every_night_until_a_commit_of_canonical_resets_it() {
    let now = jiff::Timestamp::now().as_second();
    let story = drifted(now - 3600);
    let fleet = FakeFleet::start(vec![story[0].runner()], observer_public_key()).await.unwrap();
    let day = Day::begin(&fleet.runners, ALONE).await;
    day.nightly().await;
    day.baseline("baseline").await;
    day.publish("Take what is there, and say nothing of it");
    assert!(guards(&day.nightly().await).len() > 1, "one for each thing that was adopted");

    // Somebody wants something to go, and nothing is proposed: neither on this night nor on the next.
    let manifest = day.home.path().join("work/manifests/builders.toml");
    let text = fs::read_to_string(&manifest).unwrap().replace("\nhtop = \"*\"", "\nhtop = \"absent\"");
    fs::write(&manifest, &text).unwrap();
    day.publish("Want no htop");
    let mut since = Vec::new();
    for _ in 0..2 {
        let done = day.nightly().await;
        assert_eq!(unwaived(&done), ["runner-01 htop unwanted"]);
        let [guard] = &guards(&done)[..] else { panic!("{:?}", guards(&done)) };
        assert!(guard.contains("`Countersign-Resets: spec-follows-drift`"), "{guard}");
        since.push(guard.clone());
        let told = day.propose().await;
        assert!(told.contains("0 new proposals, 0 kept, 1 items blocked"), "{told}");
        assert!(told.contains("the sequence guard found spec-follows-drift"), "{told}");
    }
    assert_eq!(since[0], since[1], "it stands since the run that found it");

    day.publish_with(&["--allow-empty", "-m", "We looked at it", "-m", "Countersign-Resets: spread"]);
    assert_eq!(guards(&day.nightly().await).len(), 1, "that was another one");
    day.publish_with(&["--allow-empty", "-m", "We looked at it", "-m", "Countersign-Resets: spec-follows-drift"]);
    assert_eq!(guards(&day.nightly().await), [""; 0]);
    let told = day.propose().await;
    assert!(told.contains("1 new proposals, 0 kept, 0 items blocked"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_seen_whatever_dates_its_commits_have() {
    let now = jiff::Timestamp::now().as_second();
    let fleet = FakeFleet::start(vec![drifted(now - 3600)[0].runner()], observer_public_key()).await.unwrap();
    let day = Day::begin(&fleet.runners, &format!("{ALONE}[breaker]\nburst_manifests = 2\n")).await;
    day.nightly().await;
    let work = day.home.path().join("work");
    for name in ["one", "two", "three"] {
        let text = "schema = \"countersign/manifest/1\"\nowner = \"a@example.org\"\n";
        fs::write(work.join(format!("manifests/{name}.toml")), text).unwrap();
        git(&work, &["add", "-A"]);
        git_at(&work, Some("@1600000000 +0000"), &["commit", "-S", "-q", "-m", "Align manifests with reality"]);
    }
    git(&work, &["push", "-q", "../canonical.git", "HEAD:refs/heads/main"]);
    let guards = guards(&day.nightly().await);
    assert!(guards.iter().any(|guard| guard.starts_with("\"burst\": \"3 manifests changed")), "{guards:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_that_no_repository_offers_any_more_is_a_risk_of_its_group_once() {
    let now = jiff::Timestamp::now().as_second();
    let story = drifted(now - 3600);
    let has_it = |chapter: &&Chapter| {
        chapter.machine().packages.iter().any(|package| package.name == "llvm" && package.version == "19.1.0")
    };
    let runners: Vec<FakeRunner> = story.iter().filter(has_it).map(Chapter::runner).collect();
    assert!(runners.len() > 1);
    let fleet = FakeFleet::start(runners, observer_public_key()).await.unwrap();
    let day = Day::begin(&fleet.runners, ALONE).await;
    day.nightly().await;
    day.baseline("baseline").await;
    let bash = story[0].machine().packages.iter().find(|package| package.name == "bash").unwrap();
    let pin = format!("{}-{}", bash.version, bash.release);
    let manifest = day.home.path().join("work/manifests/builders.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let text = text.lines().filter(|line| !line.starts_with("bash ") && !line.starts_with("llvm ")).collect::<Vec<_>>();
    let pins = format!("[packages]\nbash = \"= {pin}\"\nllvm = \"= 19.1.0-1.fc41\"");
    fs::write(&manifest, text.join("\n").replacen("[packages]", &pins, 1) + "\n").unwrap();
    day.publish_with(&["-F", "../baseline/message"]);
    assert_eq!(unwaived(&day.nightly().await), [""; 0]);
    day.propose().await;
    let desk = Desk::open(day.config()).unwrap();
    let done = flow::report(desk, false, SCREEN).await.unwrap_or_else(|stop| panic!("{stop:?}"));
    let report: Value = serde_json::from_str(&done.json).unwrap();
    let risks: Vec<&str> =
        report["risks"].as_array().unwrap().iter().map(|risk| risk["message"].as_str().unwrap()).collect();
    let expected =
        format!("builders: no enabled repository of runner-01 offers bash = {pin} any more; it is installed");
    assert_eq!(risks, [expected]);
}

#[test]
fn the_readme_says_what_an_ordinary_key_and_a_person_alone_need() {
    let readme = include_str!("../../README.md");
    let unindented: String = readme.lines().map(|line| line.trim_start().to_owned() + "\n").collect();
    assert!(unindented.contains(ALONE), "the README does not have what this test goes by:\n{ALONE}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_key_and_one_person_for_the_fleet_stop_the_run_unless_the_first_policy_allows_them() {
    let now = jiff::Timestamp::now().as_second();
    let story = drifted(now - 3600);
    for (policy, code, why) in [
        ("", "software-keys", "requires touched security keys"),
        ("[approval]\nrequire_touch = false\n", "canonical-unsigned", "1 of 2 people stand behind it"),
        (ALONE, "", ""),
    ] {
        let runners = story.iter().take(2).map(Chapter::runner).collect();
        let fleet = FakeFleet::start(runners, observer_public_key()).await.unwrap();
        let day = Day::begin(&fleet.runners, policy).await;
        day.observe().await;
        if code == "software-keys" {
            day.baseline("baseline").await;
        } else {
            // The group's manifest says something already, so the baseline becomes another one.
            let manifest = day.home.path().join("work/manifests/builders.toml");
            let text = fs::read_to_string(&manifest).unwrap() + "[packages]\nbash = \"*\"\n";
            fs::write(manifest, text).unwrap();
            day.publish("Want one thing");
            let done = day.baseline("baseline").await;
            let people = if policy == ALONE { 1 } else { 2 };
            assert!(done.text.contains(&format!("by policy.toml {people} people must stand")), "{}", done.text);
        }
        day.publish("Take what is there as the beginning");
        let told = day.try_nightly().await;
        match told {
            Ok(done) => assert_eq!((done.outcome, policy), (Outcome::Clean, ALONE), "{}", done.text),
            Err(stop) => {
                let told = format!("{stop:?}");
                assert_eq!(stop.outcome, Outcome::Refused, "{told}");
                assert!(!code.is_empty() && told.contains(code) && told.contains(why), "{told}");
            }
        }
    }
}
