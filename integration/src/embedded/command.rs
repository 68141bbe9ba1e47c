//! `embedded-fleet`: fake runners in a process of their own, with everything an observer needs beside them.

use super::catalog::{FULL_SIZE, catalog};
use super::git_daemon::GitDaemon;
use super::incident;
use super::server::{FakeFleet, FakeRunner};
use super::site::{Site, Tuning, observer_public_key};
use anyhow::Context as _;
use clap::Parser;
use std::io::Write as _;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Serves fake runners over real SSH on loopback addresses, and writes keys, a canonical repository and
/// observer.toml for them. Prints one line `ready CONFIG` and ends at the end of its input, or at SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "embedded-fleet")]
struct Arguments {
    /// Where to write canonical.git, keys and observer.toml; made if it is not there.
    #[arg(long)]
    dir: PathBuf,
    /// How many runners. Nine are those of the incident, faults included; any other number has its drift on three
    /// runners of ten, and no faults.
    #[arg(long, default_value_t = 9)]
    runners: usize,
    /// How many packages each of them has.
    #[arg(long, default_value_t = FULL_SIZE)]
    packages: usize,
    /// `[ssh] parallel` in observer.toml.
    #[arg(long, default_value_t = Tuning::default().parallel)]
    parallel: u32,
}

/// Runs the command.
pub fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let now = jiff::Timestamp::now().as_second();
    let packages = catalog(arguments.packages);
    let runners = if arguments.runners == 9 {
        incident_runners(now)
    } else {
        incident::at_scale(arguments.runners, packages.clone(), now)
    };
    let mut fleet = FakeFleet::start(runners, observer_public_key()).await?;
    let tuning = Tuning { parallel: arguments.parallel, ..Tuning::default() };
    let daemon = GitDaemon::start(&arguments.dir).await?;
    let site = Site::write(&arguments.dir, &daemon.url("canonical.git"), &fleet.runners, &packages, &tuning, now)?;
    announce(&site).context("nobody listens on standard output")?;
    let mut term = signal(SignalKind::terminate())?;
    let (closed, input) = tokio::sync::oneshot::channel::<()>();
    // A thread of its own: a read of standard input cannot be given up.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(closed);
    });
    tokio::select! {
        _ = input => Ok(()),
        _ = term.recv() => Ok(()),
        () = fleet.ended() => anyhow::bail!("a server ended by itself"),
    }
}

/// The nine of the incident.
pub fn incident_runners(now: i64) -> Vec<FakeRunner> {
    let chapters = incident::chapters(now);
    chapters.iter().map(incident::Chapter::runner).collect()
}

fn announce(site: &Site) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "ready {}", site.config.display())?;
    out.flush()
}
