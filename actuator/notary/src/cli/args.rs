//! The command line.

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Keeps what was burned, takes people's leases, and signs single-use permissions under them. It reaches nothing: others
/// ask it over a unix socket.
#[derive(Debug, Parser)]
#[command(name = "countersign-notary", version, after_help = countersign_shared::exit::help_text())]
#[command(max_term_width = 100, disable_help_subcommand = true, arg_required_else_help = true)]
pub struct Cli {
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
    /// Print exactly one JSON document on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Listen on the socket and answer, until stopped; every kill is survived
    Serve,
    /// Ask the running notary what it knows: halt, breaker, leases, and what is burned
    List,
}
