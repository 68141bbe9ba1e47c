//! Where the story plays: the nine fake runners, their canonical, and the real observer beside them.

use super::OBSERVER;
use crate::embedded::catalog::{FULL_SIZE, catalog};
use crate::embedded::git_daemon::GitDaemon;
use crate::embedded::incident::{Chapter, chapters};
use crate::embedded::server::FakeFleet;
use crate::embedded::site::{Site, Tuning, observer_public_key};
use anyhow::Context as _;
use countersign_manifests_schema::report::DriftReport;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use tokio::runtime::Runtime;

/// Everything that runs while the story is told. It ends when this is dropped; the files stay.
pub(super) struct Stage {
    /// The nine runners and what was planted on them.
    pub(super) chapters: Vec<Chapter>,
    /// Files of the installation.
    pub(super) site: Site,
    /// The repository to which proposals are pushed.
    pub(super) proposed: PathBuf,
    _fleet: FakeFleet,
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
        let runners = chapters.iter().map(Chapter::runner).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (fleet, daemon) = runtime.block_on(async {
            let fleet = FakeFleet::start(runners, observer_public_key()).await?;
            anyhow::Ok((fleet, GitDaemon::start(dir).await?))
        })?;
        let tuning = Tuning { connect_timeout: 5, run_timeout: 10, ..Tuning::default() };
        let url = daemon.url("canonical.git");
        let site = Site::write(dir, &url, &fleet.runners, &catalog(FULL_SIZE), &tuning, now)?;
        let proposed = site.add_proposed(now)?;
        Ok(Self { chapters, site, proposed, _fleet: fleet, _daemon: daemon, _runtime: runtime })
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
