//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Shows what an observer proposes, and says yes or no with your own signature.
///
/// Runs as you, with git and ssh-keygen as you have set them up (`gpg.format ssh`, `user.signingkey`, agents, security
/// keys). Says which commands it runs. Never touches your checked-out files, and runs no hook.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, after_help = countersign_shared::exit::help_text())]
#[command(max_term_width = 100, disable_help_subcommand = true, arg_required_else_help = true)]
pub struct Cli {
    /// Configuration file [default: ~/.config/countersign/countersign.toml, else the clone you are in]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print exactly one JSON document on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what waits for a signature, by class, with risk and age
    Review,
    /// Show one proposal: what will happen, recomputed from its bytes and from canonical
    Show(Show),
    /// Approve with one signed merge, or with detached signatures where it is merged already
    Approve(Approve),
    /// Reject with a signed statement; also withdraws what was approved
    Reject(Reject),
    /// Change canonical so that the drift of a proposal is wanted, or waived
    Adopt(Adopt),
    /// Vouch for an unsigned commit of canonical
    Endorse(Endorse),
    /// Go on duty: let the actuator start proposals for at most 30 minutes
    Lease(Lease),
    /// Lift the notary's halt
    Resume(Order),
    /// Reset the breaker
    ResetBreaker(Order),
}

/// Options of `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The id of a proposal or its beginning, or a branch such as `@builders-0a1b2c3d4e5f`
    pub id: String,
}

/// Options of `approve`.
#[derive(Debug, Args)]
pub struct Approve {
    /// Ids of proposals or their beginnings, or branches such as `@builders-0a1b2c3d4e5f` for a whole class
    #[arg(required = true)]
    pub ids: Vec<String>,
    /// Everything that the branches of these proposals bring
    #[arg(long)]
    pub class: bool,
    /// Detached signatures instead of a merge; they count once the proposal is merged
    #[arg(long)]
    pub signature: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// Options of `reject`.
#[derive(Debug, Args)]
pub struct Reject {
    /// The id of a proposal or its beginning, or a branch for a whole class
    pub id: String,
    /// Why, for those who read the history
    #[arg(long)]
    pub reason: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// Options of `adopt`.
#[derive(Debug, Args)]
pub struct Adopt {
    /// The id of a proposal or its beginning
    pub id: String,
    /// Only these packages of it
    #[arg(long, value_name = "PACKAGE", num_args = 1..)]
    pub only: Vec<String>,
    /// The manifest to change, such as `manifests/builder.toml` [default: the file that has the rule]
    #[arg(long, value_name = "PATH", conflicts_with = "waive")]
    pub into: Option<String>,
    /// Write waivers instead of changing a manifest
    #[arg(long, requires = "until")]
    pub waive: bool,
    /// Last day of the waivers
    #[arg(long, value_name = "YYYY-MM-DD", requires = "waive")]
    pub until: Option<String>,
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// Options of `endorse`.
#[derive(Debug, Args)]
pub struct Endorse {
    /// A commit of canonical's main branch
    pub commit: String,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// Options of `lease`.
#[derive(Debug, Args)]
pub struct Lease {
    /// Proposals to be covered [default: all that are approved and have not ended]
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub proposals: Vec<String>,
    /// How many may be started at most [default: all of them]
    #[arg(long)]
    pub max: Option<u32>,
    /// How long
    #[arg(long, default_value_t = 30)]
    pub minutes: u8,
    /// Why; asked for without it
    #[arg(long)]
    pub reason: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// Options of the orders that lift a stop.
#[derive(Debug, Args)]
pub struct Order {
    /// Why; asked for without it
    #[arg(long)]
    pub reason: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}
