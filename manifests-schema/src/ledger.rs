//! `countersign/ledger/1`: the lines of the ledger, and the receipts in them. Canonical JSON, one entry per line.

use crate::bundle::{Bundle, SignedText};
use crate::notary::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `schema` of [`Entry`].
pub const LEDGER_SCHEMA: &str = "countersign/ledger/1";
/// Namespace of the signatures over entries.
pub const LEDGER_NAMESPACE: &str = "countersign-ledger";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Always [`LEDGER_SCHEMA`].
    pub schema: String,
    /// From 1, without a gap.
    pub number: u64,
    /// sha256 of the line before, its newline included; 64 zeros in the first.
    pub previous: String,
    /// RFC 3339 UTC seconds.
    pub at: String,
    /// What happened.
    pub event: Event,
    /// The armoured SSHSIG over this entry with an empty `signature`, namespace [`LEDGER_NAMESPACE`].
    pub signature: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Event {
    /// An application begins: written before the token is drawn.
    Started {
        /// sha256 of the proposal.
        proposal: String,
        /// The runner's name.
        runner: String,
        /// Who approved it, as listed.
        approved_by: Vec<String>,
        /// What the runner will get, without its token.
        bundle: Bundle,
        /// sha256 of the package set before.
        before: String,
        /// sha256 of the staged set.
        staged: String,
        /// What was run to stage it.
        commands: Vec<CommandRecord>,
    },
    /// An application has ended.
    Ended {
        /// sha256 of the proposal.
        proposal: String,
        /// The runner's name.
        runner: String,
        /// How.
        outcome: Outcome,
        /// sha256 of the package set afterwards; null when nobody could look.
        after: Option<String>,
        /// What was run.
        commands: Vec<CommandRecord>,
        /// One sentence; null when there is nothing to say.
        detail: Option<String>,
    },
    /// No token was given for a start that is recorded: nothing was touched, and nothing is spent.
    Refused {
        /// sha256 of the proposal.
        proposal: String,
        /// The runner's name.
        runner: String,
        /// The notary's code.
        code: String,
        /// One sentence.
        detail: String,
    },
    /// A halt was set.
    Halted {
        /// Why.
        reason: String,
    },
    /// The breaker tripped.
    Tripped {
        /// Why.
        reason: String,
    },
    /// A person reset the breaker; the notary has obeyed.
    Reset {
        /// The signed [`crate::lease::Order`].
        order: SignedText,
        /// Who signed it, as the notary's approvers list them.
        by: String,
    },
}

/// One command that was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandRecord {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Exit status; null when a signal ended it.
    pub exit: Option<i32>,
    /// sha256 of what it wrote to stdout and stderr.
    pub output: String,
}
