//! What a program costs: processor time and memory as the kernel counts them for a process that has ended.

use anyhow::Context as _;
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::Instant;

/// First argument of this program when it is to measure another one.
pub(super) const MEASURE: &str = "measure";

/// What one program cost, its children included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds of processor time, user and system.
    pub cpu: f64,
    /// Seconds from start to end.
    pub wall: f64,
    /// Largest resident set of any one of its processes, bytes.
    pub peak: u64,
    /// Exit status; `None` when a signal ended it.
    pub status: Option<i32>,
}

/// Runs a program to its end, with its output thrown away, and says what it cost.
///
/// In a process between: the kernel keeps one account for all children of a process.
pub fn cost_of(program: &str, arguments: &[OsString]) -> anyhow::Result<Cost> {
    let output = Command::new(std::env::current_exe()?)
        .arg(MEASURE)
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start the measuring process")?;
    serde_json::from_slice(&output.stdout).with_context(|| format!("cannot measure {program}"))
}

/// The process between: `program arguments...`.
pub(super) fn main(command: &[OsString]) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("nothing to measure")?;
    let start = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let wall = start.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| {
        #[expect(clippy::cast_precision_loss, reason = "seconds of processor time are small numbers")]
        let seconds = time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        seconds
    };
    let cost = Cost {
        cpu: seconds(usage.user_time()) + seconds(usage.system_time()),
        wall,
        peak: u64::try_from(usage.max_rss()).unwrap_or(0) * 1024,
        status: status.code(),
    };
    serde_json::to_writer(std::io::stdout(), &cost)?;
    Ok(())
}
