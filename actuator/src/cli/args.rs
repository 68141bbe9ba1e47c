//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Applies to a fleet of Fedora-family machines exactly what people have countersigned, and nothing else.
#[derive(Debug, Parser)]
#[command(name = "countersign-actuator", version, after_help = countersign_shared::exit::help_text())]
#[command(max_term_width = 100, disable_help_subcommand = true, arg_required_else_help = true)]
pub struct Cli {
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
    /// Print exactly one JSON document on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Log more to stderr; twice for all of it (RUST_LOG wins)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Format of the log
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say where things stand by what was fetched last: halts, duty, budgets, what was started and how it ended
    Status,
    /// Ask every gate about every merged proposal; nothing is changed
    Plan(Plan),
    /// Apply what every gate lets pass, and undo what does not come out as foretold
    ///
    /// In waves by `wave` in fleet.toml, canaries first, at most `runners_at_once` of policy.toml at once. A runner that
    /// refuses costs its own row. The first application that fails or is undone stops the run: nothing further is
    /// started, and what is in hand is finished or undone. So does an interrupt (Ctrl-C, SIGTERM); a second one does not
    /// wait for a runner that is silent, which undoes by itself what nobody confirms. What a run left behind that was
    /// killed is asked for first by the next one, finished or undone, and never started again.
    Apply(Apply),
    /// Stop every new mutation, here and at the notary; never an undo
    Halt(Halt),
    /// List what was applied, by whom it was approved, and how it ended
    Review(Review),
    /// Show the record of what was done, or verify that it is whole
    #[command(subcommand)]
    Ledger(Ledger),
    /// Print everything an administrator must do on a runner before anything can be applied there
    Enroll(Enroll),
}

/// Options of `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// Only these proposals, merged or not: the sha256 or the beginning of it
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
}

/// Options of `apply`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["ids", "all"]))]
pub struct Apply {
    /// These proposals: the sha256 or the beginning of it
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// All that are merged and ready
    #[arg(long)]
    pub all: bool,
}

/// Options of `halt`.
#[derive(Debug, Args)]
pub struct Halt {
    /// Why, for whoever finds it
    pub reason: String,
}

/// Options of `review`.
#[derive(Debug, Args)]
pub struct Review {
    /// How far back: a length such as 7d, or a time such as 2026-11-20 or 2026-11-20T03:30:00Z
    #[arg(long, value_name = "D")]
    pub since: String,
}

/// What is done with the ledger.
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Show its entries: what was started, on whose word, with which commands, and how it ended
    Show(LedgerShow),
    /// Recompute the chain and its signatures, and compare with the notary, the mirror and the wardens
    ///
    /// The first bad line is named. An end that was cut off leaves no trace in the ledger itself: where no witness can be
    /// asked, it says that its tail is not provable. A witness that disagrees makes it exit with 20.
    Verify,
}

/// Options of `ledger show`.
#[derive(Debug, Args)]
pub struct LedgerShow {
    /// Only of this proposal: the sha256 or the beginning of it
    #[arg(value_name = "ID")]
    pub proposal: Option<String>,
    /// Only from then on, as in `review`
    #[arg(long, value_name = "D")]
    pub since: Option<String>,
}

/// Options of `enroll`.
#[derive(Debug, Args)]
pub struct Enroll {
    /// Its name in fleet.toml
    pub runner: String,
    /// Print Ansible tasks instead of a shell script
    #[arg(long, conflicts_with = "remove")]
    pub ansible: bool,
    /// Print how to take it all back
    #[arg(long)]
    pub remove: bool,
    /// The program countersign-warden, as it goes to the runner
    #[arg(long, value_name = "FILE", default_value = "/usr/libexec/countersign/warden")]
    pub warden: PathBuf,
    /// The notary's public key
    #[arg(long, value_name = "FILE", default_value = "/etc/countersign/notary.pub")]
    pub notary_key: PathBuf,
}
