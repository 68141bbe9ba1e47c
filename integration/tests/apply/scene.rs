//! Embedded runners with drift, proposals that a person has approved, and the person on duty.

use countersign_integration::embedded::acting::{Acting, Repositories, rules};
use countersign_integration::embedded::catalog::{FULL_SIZE, catalog};
use countersign_integration::embedded::git_daemon::GitDaemon;
use countersign_integration::embedded::incident::chapters;
use countersign_integration::embedded::server::FakeFleet;
use countersign_integration::embedded::site::{Site, Tuning, actuator_key, observer_public_key};
use countersign_integration::embedded::warden::FakeWarden;
use countersign_manifests_schema::ledger::{Entry, Event};
use countersign_manifests_schema::notary::Outcome;
use countersign_manifests_schema::plan::PlanDocument;
use countersign_manifests_schema::report::DriftReport;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

pub(crate) const DEMO: &str = env!("CARGO_BIN_EXE_demo");

pub(crate) struct Scene {
    pub(crate) acting: Acting,
    pub(crate) wardens: Vec<Arc<FakeWarden>>,
    pub(crate) proposals: Vec<(String, String)>,
    pub(crate) site: Site,
    pub(crate) proposed: PathBuf,
    /// dnf's digest of the set on each runner, before anything.
    pub(crate) before: Vec<String>,
    _fleet: FakeFleet,
    _daemon: GitDaemon,
    _dir: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

/// What a run said.
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) said: Option<PlanDocument>,
    pub(crate) text: String,
}

impl Scene {
    /// These runners of the story; all of their proposals are approved, and a person is on duty for them.
    pub(crate) fn new(names: &[&str]) -> Self {
        let scene = Self::unapproved(names);
        let ids: Vec<&str> = scene.proposals.iter().map(|(_, id)| id.as_str()).collect();
        scene.acting.approve(&ids).unwrap();
        scene
    }

    pub(crate) fn unapproved(names: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = jiff::Timestamp::now().as_second();
        let rules = rules().unwrap();
        let story = chapters(now);
        let runners: Vec<_> = story
            .iter()
            .filter(|chapter| names.contains(&chapter.runner))
            .map(|chapter| chapter.with_warden(&rules).unwrap())
            .collect();
        let wardens: Vec<_> = runners.iter().map(|runner| Arc::clone(runner.warden.as_ref().unwrap())).collect();
        let before = wardens.iter().map(|warden| warden.machine().rpmdb_digest()).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let key = Some(actuator_key().public_key().clone());
        let (fleet, daemon) = runtime.block_on(async {
            let fleet = FakeFleet::start_for(runners, observer_public_key(), key).await.unwrap();
            (fleet, GitDaemon::start(dir.path()).await.unwrap())
        });
        let url = daemon.url("canonical.git");
        let site = Site::write(dir.path(), &url, &fleet.runners, &catalog(FULL_SIZE), &Tuning::default(), now).unwrap();
        let proposed = site.add_proposed(now).unwrap();
        let repositories = Repositories {
            canonical: &site.canonical,
            canonical_url: &url,
            commit: &site.commit,
            proposed: &proposed,
            proposed_url: &daemon.url("proposed.git"),
        };
        let acting = Acting::start(Path::new(DEMO), &repositories).unwrap();
        acting.expect_fakes().unwrap();
        let mut scene = Self {
            acting,
            wardens,
            proposals: Vec::new(),
            site,
            proposed,
            before,
            _fleet: fleet,
            _daemon: daemon,
            _dir: dir,
            _runtime: runtime,
        };
        let report = scene.nightly();
        scene.proposals =
            report.runners.iter().filter_map(|runner| Some((runner.name.clone(), runner.proposal.clone()?))).collect();
        assert_eq!(scene.proposals.len(), names.len(), "{report:?}");
        scene
    }

    pub(crate) fn nightly(&self) -> DriftReport {
        let mut observer = Command::new(DEMO);
        observer.arg0("countersign-observer").arg("--config").arg(&self.site.config).args(["nightly", "--json"]);
        let output = observer.output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// Runs `apply --all --json`.
    pub(crate) fn apply(&self) -> Ran {
        self.run(&["apply", "--all", "--json"], &[])
    }

    pub(crate) fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let output = self.acting.actuator(arguments).envs(environment.iter().copied()).output().unwrap();
        let Output { status, stdout, stderr } = output;
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        Ran { status: status.code(), signal: status.signal(), said: serde_json::from_slice(&stdout).ok(), text }
    }

    /// Every entry of the ledger; the program has verified them.
    pub(crate) fn ledger(&self) -> Vec<Entry> {
        let verified = self.run(&["ledger", "verify", "--json"], &[]);
        assert_eq!(verified.status, Some(0), "{}", verified.text);
        let text = std::fs::read_to_string(self.acting.dir.path().join("state/ledger.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How each start of a proposal ended, by the ledger: `None` = not at all, `Some(None)` = it was given up unspent.
    pub(crate) fn ends(&self, proposal: &str) -> Vec<Option<Option<Outcome>>> {
        let mut ends = Vec::new();
        for entry in self.ledger() {
            match &entry.event {
                Event::Started { proposal: id, .. } if id == proposal => ends.push(None),
                Event::Refused { proposal: id, .. } if id == proposal => *ends.last_mut().unwrap() = Some(None),
                Event::Ended { proposal: id, outcome, .. } if id == proposal => {
                    assert_eq!(ends.last().unwrap(), &None, "one end for one start");
                    *ends.last_mut().unwrap() = Some(Some(*outcome));
                }
                _ => {}
            }
        }
        ends
    }
}
