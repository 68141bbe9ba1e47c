//! The real program, built for release.

use super::measure::{Cost, cost_of};
use anyhow::Context as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `countersign-observer`.
#[derive(Debug)]
pub(super) struct Observer {
    program: PathBuf,
}

impl Observer {
    /// Builds it alone: together with other crates it would be built with their features too.
    pub(super) fn build() -> anyhow::Result<Self> {
        let bench = std::env::current_exe()?;
        let release = bench.ancestors().nth(2).context("the bench is not in a target directory")?;
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--package", "countersign-observer"])
            .args(["--bin", "countersign-observer", "--target-dir"])
            .arg(release.parent().context("the bench is not in a target directory")?)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .status()
            .context("cannot start cargo")?;
        anyhow::ensure!(status.success(), "countersign-observer cannot be built");
        Ok(Self { program: release.join("countersign-observer") })
    }

    /// `nightly`, which ends with 10: the fleet has drift.
    pub(super) fn nightly(&self, config: &Path) -> anyhow::Result<Cost> {
        self.run(config, "nightly")
    }

    /// One command; drift is no failure here.
    pub(super) fn run(&self, config: &Path, command: &str) -> anyhow::Result<Cost> {
        let program = self.program.to_str().context("a path that is not UTF-8")?;
        let arguments: [OsString; 3] = ["--config".into(), config.into(), command.into()];
        let cost = cost_of(program, &arguments)?;
        anyhow::ensure!(
            matches!(cost.status, Some(0 | 10)),
            "countersign-observer {command} ended with {:?}",
            cost.status
        );
        Ok(cost)
    }
}
