//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use countersign_manifests_schema::SCHEMAS;
use std::path::PathBuf;

/// Reads a fleet of Fedora-family machines over SSH and says how it differs from the manifest in your git.
/// It cannot change a machine, and it cannot change the manifest.
#[derive(Debug, Parser)]
#[command(name = "countersign-observer", version, after_help = countersign_shared::exit::help_text())]
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
    /// Check canonical: all errors at once, each with its place
    Lint(Lint),
    /// Write the skeleton of a canonical repository from what you have
    Init(Init),
    /// Write a manifest that fits most of a group, with waivers for the rest
    ///
    /// Files for canonical go to DIR/canonical. DIR/message is the message for their commit: in it people adopt the drift of the newest report, one line per runner with a digest of all of it, and so the sequence guard finds nothing to say of it. Each waiver ends, and covers exactly what is there: what drifts further shows.
    Baseline(Baseline),
    /// Ask every runner what is installed, and remember it
    Observe,
    /// Compare the newest observations with canonical
    Diff(Show),
    /// Write the newest comparison as text, Markdown, JSON and HTML
    Report(Show),
    /// Make proposals that would remove the drift of the newest comparison; nothing is changed and nothing is sent
    ///
    /// Each runner's own dnf is asked, without rights, what it would take. The files go below state_dir, proposals/RUNNER/SHA256. A proposal that is still right, with at least a quarter of its life left, is kept byte for byte. One that the runner's warden has started is spent and is made anew; if it was not kept, the next one says so.
    ///
    /// A serious finding of the sequence guard (spec-follows-drift, burst, oscillation, spread, self-inflicted) blocks proposals on the runners that it names, or on all if it names none, and takes away those that were made. It stands, run after run, until the message of a later commit of canonical has the line `Countersign-Resets: CODE`; the next run then begins anew. self-inflicted is new drift that came during an application or within an hour after it, and not by somebody who had logged in, but for root and the actuator; when applications were is what the runner's warden shows. This blocks proposals only: the observer has no way to the actuator's breaker, and none to a person's signature.
    Propose(Propose),
    /// Offer the newest proposals to people: signed branches, and pull requests where there is a forge
    ///
    /// Branches proposals/RUNNER and proposals/@CLASS of the proposed repository are made, brought up to date and taken away; no other is ever written, and nothing is merged. Without a forge it prints what to fetch, and the command that approves it. It can be run again at any time.
    Publish,
    /// The main job: observe, diff, report, propose, publish
    Nightly(Show),
    /// Say what a branch of canonical would do to the fleet, by the stored observations
    Preview(Preview),
    /// Say which line wants a package, what is there, since when and by whom
    Why(Why),
    /// Print a lock file with the complete package set of a runner
    Lock(OneRunner),
    /// Print everything an administrator must do on a runner
    Enroll(Enroll),
    /// Print the JSON Schema of a format
    Schema(Schema),
}

/// Options of `lint`.
#[derive(Debug, Args)]
pub struct Lint {
    /// A checked-out canonical; without it the configured branch is fetched
    pub directory: Option<PathBuf>,
    /// Print the policy that is in force, every default included
    #[arg(long)]
    pub show_policy: bool,
}

/// Options of `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// Ansible inventory, INI or YAML
    #[arg(long, value_name = "INVENTORY")]
    pub from_ansible: PathBuf,
    /// File with the runners' host keys, as `ssh-keyscan` writes it and you have checked it
    #[arg(long, value_name = "FILE")]
    pub known_hosts: Option<PathBuf>,
    /// Directory to write to; must be empty or not there
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
}

/// Options of `baseline`.
#[derive(Debug, Args)]
pub struct Baseline {
    /// The group of runners
    #[arg(long)]
    pub group: String,
    /// Directory to write to; must be empty or not there
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
    /// How long the waivers last
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub waive_days: u16,
}

/// How much is shown.
#[derive(Debug, Args)]
pub struct Show {
    /// Show everything instead of the first screen
    #[arg(long)]
    pub all: bool,
}

/// Options of `propose`.
#[derive(Debug, Args)]
pub struct Propose {
    /// Only for this runner
    #[arg(long)]
    pub runner: Option<String>,
    /// Only for these packages, `NAME` or `NAME.ARCH`: a smaller proposal in the place of the whole one
    #[arg(long, value_name = "PACKAGE", num_args = 1.., requires = "runner")]
    pub only: Vec<String>,
    /// Keep no earlier proposal, though it still says the same: one that was permitted and never reached the runner is spent, and the runner does not know it
    #[arg(long, requires = "runner")]
    pub anew: bool,
}

/// Options of `preview`.
#[derive(Debug, Args)]
pub struct Preview {
    /// Branch, tag, full reference or full commit id of canonical
    #[arg(value_name = "REF")]
    pub reference: String,
    /// Show everything instead of the first screen
    #[arg(long)]
    pub all: bool,
}

/// Options of `why`.
#[derive(Debug, Args)]
pub struct Why {
    /// Package name, or `name.arch`
    pub package: String,
    /// Only this runner
    pub runner: Option<String>,
}

/// One runner.
#[derive(Debug, Args)]
pub struct OneRunner {
    /// Its name in fleet.toml
    pub runner: String,
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
}

/// Options of `schema`.
#[derive(Debug, Args)]
pub struct Schema {
    #[arg(help = schema_names())]
    pub name: Option<String>,
}

fn schema_names() -> String {
    let names: Vec<&str> = SCHEMAS.iter().map(|(name, _)| *name).collect();
    format!("One of {}; without it the names are listed", names.join(", "))
}
