//! `cargo lab`: the lab by hand.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use super::state::default_dir;
use super::{Lab, LabConfig};

/// Real runners on this machine: real rpm, dnf5 or dnf4, and sshd. Needs root.
#[derive(Debug, Parser)]
#[command(
    name = "lab",
    after_help = "State and caches are under COUNTERSIGN_LAB_DIR (default /var/tmp/countersign-lab)."
)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make nine runners and start them: 01 to 05 dnf5, 06 dnf5 with 1,846 packages, 07 to 09 dnf4
    Up {
        /// Only these
        runners: Vec<String>,
    },
    /// A root shell in a runner, or one command
    Shell {
        /// Which
        runner: String,
        /// Shell text to run instead
        #[arg(last = true)]
        command: Vec<String>,
        /// As this account, with its login uid
        #[arg(long, requires = "command")]
        user: Option<String>,
    },
    /// Cut a runner's power
    Stop {
        /// Which
        runner: String,
    },
    /// Boot a runner that was stopped
    Start {
        /// Which
        runner: String,
    },
    /// What is up, with addresses and host keys
    Status,
    /// Copy what runners start from to another directory, so that two labs can be up at once
    Copy {
        /// A COUNTERSIGN_LAB_DIR
        to: PathBuf,
    },
    /// Take everything down that is, or was, up; the caches stay
    Down,
}

/// Runs one verb.
///
/// # Errors
/// As the verb says.
#[expect(clippy::print_stdout, reason = "the lab by hand talks on the terminal")]
pub fn main(arguments: Arguments) -> Result<()> {
    let dir = default_dir();
    match arguments.verb {
        Verb::Up { runners } => {
            let mut config = LabConfig::nine();
            if !runners.is_empty() {
                for name in &runners {
                    config
                        .runners
                        .iter()
                        .find(|runner| &runner.name == name)
                        .with_context(|| format!("no runner is called {name}"))?;
                }
                config.runners.retain(|runner| runners.contains(&runner.name));
            }
            let lab = Lab::up(&config)?;
            status(&lab)?;
            lab.detach()
        }
        Verb::Shell { runner, command, user } => {
            // The lock is not kept for the length of a shell.
            let lab = Lab::attach(&dir)?;
            let runner = find(&lab, &runner)?;
            if command.is_empty() {
                return Err(runner.shell()?.exec().into());
            }
            let text = command.join(" ");
            let output = match user {
                Some(user) => runner.try_sh_as(&user, &text)?,
                None => runner.try_sh(&text)?,
            };
            use std::io::Write as _;
            std::io::stdout().write_all(&output.stdout)?;
            std::io::stderr().write_all(&output.stderr)?;
            std::process::exit(output.status.code().unwrap_or(1))
        }
        Verb::Stop { runner } => {
            let mut lab = Lab::attach(&dir)?;
            find(&lab, &runner)?;
            lab.runner_mut(&runner).stop()
        }
        Verb::Start { runner } => {
            let mut lab = Lab::attach(&dir)?;
            find(&lab, &runner)?;
            lab.runner_mut(&runner).start()
        }
        Verb::Status => status(&Lab::attach(&dir)?),
        Verb::Copy { to } => Lab::copy(&dir, &std::path::absolute(to)?),
        Verb::Down => {
            Lab::down(&dir)?;
            println!("down: {}", dir.display());
            Ok(())
        }
    }
}

fn find<'a>(lab: &'a Lab, name: &str) -> Result<&'a super::Runner> {
    lab.find(name).with_context(|| {
        let names: Vec<&str> = lab.runners().iter().map(|runner| runner.name.as_str()).collect();
        format!("no runner is called {name}; there are {}", names.join(", "))
    })
}

#[expect(clippy::print_stdout, reason = "the lab by hand talks on the terminal")]
fn status(lab: &Lab) -> Result<()> {
    for runner in lab.runners() {
        let state = if runner.is_up() { "up" } else { "down" };
        println!("{}  {:<5} {}  {}  {}", runner.name, state, runner.address, runner.dnf(), runner.host_key_pub()?);
    }
    Ok(())
}
