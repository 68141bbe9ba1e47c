//! What is said to a runner's warden: one framed request on stdin, one framed answer on stdout.

use crate::ledger::CommandRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a `confirm` is refused whose proposal was never started, and can no longer be without being staged again.
pub const NEVER_STARTED: &str = "never-started";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verb", rename_all = "lowercase", deny_unknown_fields)]
pub enum WardenRequest {
    /// What the runner is, and by what the warden judges.
    Inspect {
        /// Names of the packages that the manifest lists; the observation says what they need.
        #[serde(default)]
        listed: Vec<String>,
    },
    /// Resolves, fetches and checks; changes nothing but the warden's own staging directory.
    Stage {
        /// The text of a [`crate::bundle::Bundle`] without a token.
        bundle: String,
    },
    /// Applies what was staged.
    Apply {
        /// The text of the same bundle, with lease and token.
        bundle: String,
    },
    /// Keeps what was applied, or has it undone. Only while it is unconfirmed. What was never started is not started later
    /// when it is not to be kept: its staging ends.
    Confirm {
        /// sha256 of the proposal.
        proposal: String,
        /// Keep it, or undo it.
        keep: bool,
    },
    /// What was started, and what is under way.
    Status {},
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "lowercase", deny_unknown_fields)]
pub enum WardenAnswer {
    /// To `inspect`.
    Inspection(Box<Inspection>),
    /// To `stage`.
    Staged {
        /// 64 hex digits; for one `apply`.
        nonce: String,
        /// sha256 of the staged set.
        staged: String,
        /// Seconds on CLOCK_BOOTTIME for which the nonce is taken.
        lasts: u64,
        /// What was run.
        commands: Vec<CommandRecord>,
    },
    /// To `apply` and `confirm`.
    Outcome(Application),
    /// To `status`.
    Status {
        /// Everything that was ever started, oldest first.
        started: Vec<Application>,
    },
    /// Nothing was changed.
    Refused {
        /// A gate's code, `never-started`, or `request`.
        code: String,
        /// One sentence.
        message: String,
    },
}

/// What the runner is, and by what the warden judges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inspection {
    /// Its name in warden.toml.
    pub runner: String,
    /// Version of the warden.
    pub version: String,
    /// sha256 of the warden's binary.
    pub binary: String,
    /// sha256 of its approvers.
    pub approvers: String,
    /// sha256 of the rules in warden.toml, without the runner's name.
    pub policy: String,
    /// sha256 of the notary's public key file.
    pub notary_key: String,
    /// Seconds since its creation for which it takes a proposal.
    pub max_age: u64,
    /// Seconds within which an application is confirmed or undone.
    pub confirm_within: u64,
    /// What the probe says as root, framed as for the observer.
    pub observation: String,
    /// Why it is halted; null when it is not.
    pub halted: Option<String>,
    /// Why its `busy` program says that it is in use; null when it does not.
    pub busy: Option<String>,
    /// The newest application; null before the first.
    pub last: Option<Application>,
}

/// Where an application stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Spent; dnf may have begun.
    Started,
    /// dnf is done, and the result is as predicted. Undone by itself unless it is confirmed in time.
    Unconfirmed,
    /// Kept.
    Confirmed,
    /// The former state is back.
    Undone,
    /// Neither the approved nor the former state could be reached.
    Failed,
}

/// One application, as the warden remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// sha256 of the proposal.
    pub proposal: String,
    /// When that proposal was created.
    pub created: String,
    /// Where it stands.
    pub stage: Stage,
    /// sha256 of the package set before.
    pub before: String,
    /// sha256 of the package set now, or at the end; null while nobody has looked.
    pub after: Option<String>,
    /// What is wrong, or what was seen; null when there is nothing to say.
    pub detail: Option<String>,
    /// What was run.
    pub commands: Vec<CommandRecord>,
    /// When it was started, RFC 3339 UTC seconds.
    pub started: String,
    /// When it reached its stage.
    pub at: String,
}
