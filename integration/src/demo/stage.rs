//! Where the story plays: the nine fake runners, their canonical, and the real observer beside them.

use super::OBSERVER;
use crate::embedded::acting::{Acting, Repositories, rules};
use crate::embedded::catalog::{FULL_SIZE, catalog};
use crate::embedded::git_daemon::GitDaemon;
use crate::embedded::incident::{Chapter, chapters};
use crate::embedded::server::{FakeFleet, FakeRunner, Served};
use crate::embedded::site::{Site, Tuning, actuator_key, observer_public_key};
use crate::embedded::warden::FakeWarden;
use anyhow::Context as _;
use countersign_manifests_schema::report::DriftReport;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Everything that runs while the story is told. It ends when this is dropped; the files stay.
pub(super) struct Stage {
    /// The nine runners and what was planted on them.
    pub(super) chapters: Vec<Chapter>,
    /// Files of the installation.
    pub(super) site: Site,
    /// The repository to which proposals are pushed.
    pub(super) proposed: PathBuf,
    /// Notary, actuator, and a person.
    pub(super) acting: Acting,
    wardens: Vec<(String, Arc<FakeWarden>)>,
    fleet: FakeFleet,
    _daemon: GitDaemon,
    // Last, so that it is there when the others end.
    _runtime: Runtime,
}

impl Stage {
    /// Starts the fleet in this process; its files go to `dir`, which must be empty or absent.
    pub(super) fn set(dir: &Path, now: i64) -> anyhow::Result<Self> {
        let empty = std::fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
        anyhow::ensure!(empty, "{} is not empty", dir.display());
        let chapters = chapters(now);
        let rules = rules()?;
        let runners = chapters.iter().map(|chapter| chapter.with_warden(&rules)).collect::<anyhow::Result<Vec<_>>>()?;
        let warden = |runner: &FakeRunner| Some((runner.name.clone(), Arc::clone(runner.warden.as_ref()?)));
        let wardens = runners.iter().filter_map(warden).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (fleet, daemon) = runtime.block_on(async {
            let fleet =
                FakeFleet::start_for(runners, observer_public_key(), Some(actuator_key().public_key().clone())).await?;
            anyhow::Ok((fleet, GitDaemon::start(dir).await?))
        })?;
        let tuning = Tuning::default();
        let url = daemon.url("canonical.git");
        let site = Site::write(dir, &url, &fleet.runners, &catalog(FULL_SIZE), &tuning, now)?;
        let proposed = site.add_proposed(now)?;
        let acting = Acting::start(
            &std::env::current_exe()?,
            &Repositories {
                canonical: &site.canonical,
                canonical_url: &url,
                commit: &site.commit,
                proposed: &proposed,
                proposed_url: &daemon.url("proposed.git"),
            },
        )?;
        acting.expect_fakes()?;
        Ok(Self { chapters, site, proposed, acting, wardens, fleet, _daemon: daemon, _runtime: runtime })
    }

    /// The warden of a runner, and where it is served.
    pub(super) fn runner(&self, name: &str) -> Option<(&FakeWarden, &Served)> {
        let warden = self.wardens.iter().find(|(runner, _)| runner == name)?;
        Some((&warden.1, self.fleet.runners.iter().find(|served| served.name == name)?))
    }

    /// Runs the observer with its text on our own terminal.
    pub(super) fn observe(&self, arguments: &[&str]) -> anyhow::Result<ExitStatus> {
        self.command(arguments)?.status().context("cannot start the observer")
    }

    /// Runs the observer for its JSON.
    pub(super) fn report(&self, arguments: &[&str]) -> anyhow::Result<DriftReport> {
        let mut command = self.command(arguments)?;
        let output = command.arg("--json").stderr(Stdio::inherit()).output().context("cannot start the observer")?;
        serde_json::from_slice(&output.stdout).context("the observer did not print a report")
    }

    /// Runs git for its text in the repository of proposals.
    pub(super) fn proposed(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new("git").current_dir(&self.proposed).args(arguments).output()?;
        anyhow::ensure!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        // What it warns of is in its report as well.
        command.env("RUST_LOG", "error");
        command.arg0(OBSERVER).arg("--config").arg(&self.site.config).args(arguments);
        Ok(command)
    }
}

/// In the build directory, so that nothing is left elsewhere and the report is there afterwards. What an earlier demo
/// left there goes.
pub(super) fn own_directory() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("the demo is not in a build directory")?;
    let dir = target.join("countersign-demo");
    if dir.exists() {
        std::fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    Ok(dir)
}
