//! `cargo demo`: the main job on nine fake runners, told for somebody who has never seen it.
//!
//! The observer that runs is the real one, with its own command line, in a process of its own: this program again,
//! under the observer's name. Only the runners are fakes.

mod stage;
mod story;
pub mod verdict;

use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Under this name, this program is the observer.
const OBSERVER: &str = "countersign-observer";

/// Plants the drift of a real incident on nine fake build runners and lets the observer find it. Needs git; no root, no
/// network.
#[derive(Debug, Parser)]
#[command(name = "cargo demo")]
struct Arguments {
    /// Where the files go, the report among them; empty or absent [default: countersign-demo in the build directory]
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Runs the demo, or the observer in it.
pub fn main() -> ExitCode {
    let name = std::env::args_os().next();
    if name.as_deref().is_some_and(|name| Path::new(name).ends_with(OBSERVER)) {
        return countersign_observer::cli::main();
    }
    match story::tell(Arguments::parse().dir) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => story::give_up(&error),
    }
}
