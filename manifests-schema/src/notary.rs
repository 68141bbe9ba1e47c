//! What is said on the notary's socket: one line of JSON each way, then the connection ends.

use crate::bundle::SignedText;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum NotaryRequest {
    /// A fresh nonce, for a lease or an order.
    Nonce {},
    /// Takes a signed [`crate::lease::Lease`].
    Lease {
        /// It.
        lease: SignedText,
    },
    /// Takes a signed [`crate::lease::Order`].
    Order {
        /// It.
        order: SignedText,
    },
    /// Stops every new token.
    Halt {
        /// Why.
        reason: String,
    },
    /// What the notary knows.
    State {},
    /// Draws a token. Burns the proposal before the answer leaves. Its head must be newer than the last one seen: append
    /// and ask under one lock.
    Token {
        /// sha256 of the proposal.
        proposal: String,
        /// The runner's name.
        runner: String,
        /// The runner's nonce.
        nonce: String,
        /// sha256 of the staged set.
        staged: String,
        /// Packages that go and that nothing replaces.
        removals: u32,
        /// The ledger's head, in which this start is recorded.
        head: LedgerHead,
    },
    /// How the application of a burned proposal ended. May be said again, when the answer was lost.
    Outcome {
        /// sha256 of the proposal.
        proposal: String,
        /// How.
        outcome: Outcome,
        /// The ledger's head, in which this end is recorded.
        head: LedgerHead,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case", deny_unknown_fields)]
pub enum NotaryAnswer {
    /// A nonce.
    Nonce {
        /// 64 hex digits.
        nonce: String,
        /// RFC 3339 UTC seconds.
        issued: String,
        /// When it is no longer taken.
        expires: String,
    },
    /// Done.
    Done {},
    /// What the notary knows.
    State(NotaryState),
    /// A signed [`crate::token::Token`].
    Token {
        /// It.
        token: SignedText,
    },
    /// Nothing was done.
    Refused {
        /// A gate's code (`halted`, `no-lease`, `not-human`, `expired`, `spent`, `breaker`), or what stands in the way
        /// of asking: `request`, `peer`, `busy`, `nonce`, `clock`, `ledger` (another ledger than the one last seen),
        /// `storage`.
        code: String,
        /// One sentence.
        message: String,
    },
}

/// What the notary knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotaryState {
    /// Why it is halted; null when it is not.
    pub halted: Option<String>,
    /// Why the breaker is tripped; null when it is not.
    pub tripped: Option<String>,
    /// Leases in force.
    pub leases: Vec<LeaseState>,
    /// sha256 of the proposals that were ever burned, sorted.
    pub burned: Vec<String>,
    /// Burned, and no outcome reported.
    pub under_way: Vec<String>,
    /// Tokens in the last 24 hours.
    pub tokens_today: u32,
    /// The last head that it saw; null before the first.
    pub head: Option<LedgerHead>,
    /// The last reset of the breaker; null before the first.
    pub reset: Option<OrderState>,
}

/// An order that was obeyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderState {
    /// The order, with its signature.
    pub order: SignedText,
    /// Who signed it, as the notary's approvers list them.
    pub by: String,
    /// When it was obeyed, RFC 3339 UTC seconds.
    pub at: String,
}

/// A lease in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseState {
    /// The lease, with its signature.
    pub lease: SignedText,
    /// Who signed it, as the notary's approvers list them.
    pub by: String,
    /// Tokens drawn under it.
    pub drawn: u32,
}

/// The end of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerHead {
    /// Number of its last entry, from 1.
    pub number: u64,
    /// sha256 of that entry's line, its newline included.
    pub sha256: String,
}

/// How an application ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As predicted, and confirmed.
    Applied,
    /// The former state is back.
    Undone,
    /// Neither.
    Failed,
}
