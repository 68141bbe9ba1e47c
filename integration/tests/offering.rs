//! What stands between the observer's own configuration and a push: whatever it says, nothing is offered by the wrong
//! key, to the wrong repository or to a branch of people.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use countersign_integration::embedded::catalog::{FULL_SIZE, catalog};
use countersign_integration::embedded::git_daemon::GitDaemon;
use countersign_integration::embedded::incident::{Chapter, chapters};
use countersign_integration::embedded::server::FakeFleet;
use countersign_integration::embedded::site::{Site, Tuning, observer_public_key};
use serde_json::Value;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const DEMO: &str = env!("CARGO_BIN_EXE_demo");

struct House {
    home: tempfile::TempDir,
    site: Site,
    proposed: PathBuf,
    _fleet: FakeFleet,
    _daemon: GitDaemon,
}

impl House {
    async fn new() -> Self {
        let now = jiff::Timestamp::now().as_second();
        let home = tempfile::tempdir().unwrap();
        let runners = chapters(now).iter().map(Chapter::runner).collect();
        let fleet = FakeFleet::start(runners, observer_public_key()).await.unwrap();
        let daemon = GitDaemon::start(home.path()).await.unwrap();
        let tuning = Tuning::default();
        let url = daemon.url("canonical.git");
        let site = Site::write(home.path(), &url, &fleet.runners, &catalog(FULL_SIZE), &tuning, now).unwrap();
        let proposed = site.add_proposed(now).unwrap();
        Self { home, site, proposed, _fleet: fleet, _daemon: daemon }
    }

    async fn run(&self, arguments: &[&str]) -> (i32, Value) {
        let mut observer = Command::new(DEMO);
        observer.arg0("countersign-observer").arg("--config").arg(&self.site.config).args(arguments).arg("--json");
        let output = tokio::task::spawn_blocking(move || observer.output().unwrap()).await.unwrap();
        let document = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("no document: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap(), document)
    }

    fn change(&self, from: &str, to: &str) -> String {
        let before = fs::read_to_string(&self.site.config).unwrap();
        assert!(before.contains(from), "{before}");
        fs::write(&self.site.config, before.replace(from, to)).unwrap();
        before
    }

    fn refs(&self) -> String {
        references(&self.proposed)
    }
}

fn references(repository: &Path) -> String {
    let output = Command::new("git").current_dir(repository).arg("for-each-ref").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_offered_by_the_wrong_key_to_the_wrong_place_or_to_a_branch_of_people() {
    let house = House::new().await;
    assert_eq!(house.run(&["observe"]).await.0, 11);
    assert_eq!(house.run(&["diff"]).await.0, 11);
    assert_eq!(house.run(&["propose"]).await.0, 11);
    let (canonical, before) = (references(&house.site.canonical), house.refs());
    let key = |name: &str| house.home.path().join("keys").join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(key("undeclared"))
        .status()
        .unwrap();
    assert!(made.success());
    let url = format!("url         = \"{}\"", house.proposed.display());
    for (from, to, status, code) in [
        ("keys/observer_sign", "keys/undeclared", 20, "key-not-declared"),
        ("keys/observer_sign", "keys/runners_observe", 20, "key-not-declared"),
        ("keys/observer_sign", "keys/none", 1, "signing-key"),
        (&url, &format!("{url}\nbranch = \"proposals/runner-03\""), 2, "own-branch"),
    ] {
        let good = house.change(from, to);
        let (exit, document) = house.run(&["publish"]).await;
        assert_eq!((exit, document["code"].as_str()), (status, Some(code)), "{to}: {document}");
        assert_eq!((references(&house.site.canonical), house.refs()), (canonical.clone(), before.clone()), "{to}");
        fs::write(&house.site.config, good).unwrap();
    }
    // The main job ends as its step does, and its report says why.
    for (to, status, code) in [("keys/undeclared", 20, "key-not-declared"), ("keys/none", 1, "signing-key")] {
        let good = house.change("keys/observer_sign", to);
        let (exit, document) = house.run(&["nightly"]).await;
        let step = document["steps"].as_array().unwrap().iter().find(|step| step["step"] == "publish").unwrap();
        assert_eq!((step["status"].as_str(), step["error"]["code"].as_str()), (Some("failed"), Some(code)), "{step}");
        assert_eq!(exit, status, "{to}");
        assert_eq!(house.refs(), before, "{to}");
        fs::write(&house.site.config, good).unwrap();
    }
    // The same repository under both names, however it is written.
    let daemon = fs::read_to_string(&house.site.config).unwrap();
    let (_, rest) = daemon.split_once("url    = \"").unwrap();
    let (canonical_url, _) = rest.split_once('"').unwrap();
    let path = house.site.canonical.display().to_string();
    for same in [canonical_url.to_owned(), format!("{}/", canonical_url.trim_end_matches(".git")), path] {
        let good = house.change(&url, &format!("url         = \"{same}\""));
        let (exit, document) = house.run(&["publish"]).await;
        assert_eq!((exit, document["code"].as_str()), (2, Some("same-repository")), "{document}");
        assert_eq!(references(&house.site.canonical), canonical, "{same}");
        fs::write(&house.site.config, good).unwrap();
    }
    // As it should be, it works.
    let (exit, document) = house.run(&["publish"]).await;
    assert_eq!((exit, document["branches"].as_array().unwrap().len()), (0, 5), "{document}");
}
