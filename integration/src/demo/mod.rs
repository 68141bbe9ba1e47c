//! `cargo demo`: the main job on nine fake runners, told for somebody who has never seen it.
//!
//! The programs that run are the real ones, each with its own command line, in a process of its own: this program again,
//! under their names. Only the runners are fakes.

mod acts;
mod cheats;
mod stage;
mod story;
pub mod verdict;

use crate::embedded::acting::{ACTUATOR, NOTARY, PERSONS_TOOL};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Under this name, this program is the observer.
const OBSERVER: &str = "countersign-observer";

/// Plants the drift of a real incident on nine fake build runners, lets the observer find it and the actuator remove what
/// a person has countersigned. Needs git and ssh-keygen; no root, no network.
#[derive(Debug, Parser)]
#[command(name = "cargo demo")]
struct Arguments {
    /// Where the files go, the report among them; empty or absent [default: countersign-demo in the build directory]
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// What `main` of a program does.
type Program = fn() -> ExitCode;

/// Runs the demo, or one of the programs in it.
pub fn main() -> ExitCode {
    let name = std::env::args_os().next();
    let is = |program: &str| name.as_deref().is_some_and(|name| Path::new(name).ends_with(program));
    let programs: [(&str, Program); 4] = [
        (OBSERVER, countersign_observer::cli::main),
        (ACTUATOR, countersign_actuator::cli::main),
        (NOTARY, countersign_notary::cli::main),
        (PERSONS_TOOL, countersign::cli::main),
    ];
    if let Some((_, program)) = programs.into_iter().find(|(program, _)| is(program)) {
        return program();
    }
    match story::tell(Arguments::parse().dir) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => story::give_up(&error),
    }
}
