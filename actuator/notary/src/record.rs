//! What the notary remembers for ever: one line of canonical JSON for each thing that happened.

use countersign_manifests_schema::bundle::SignedText;
use countersign_manifests_schema::notary::{LedgerHead, Outcome};
use serde::{Deserialize, Serialize};

/// One line of `state_dir/memory.jsonl`. The format is the notary's own; a line that it does not know stops it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Unix seconds.
    pub at: i64,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Event {
    /// A lease was taken in.
    Lease {
        /// It.
        lease: SignedText,
        /// Who signed it.
        by: String,
    },
    /// A proposal was burned; a token may have been given out for it, and never will be again.
    Burned {
        /// sha256 of the proposal.
        proposal: String,
        /// The runner's name.
        runner: String,
        /// The runner's nonce.
        nonce: String,
        /// sha256 of the staged set.
        staged: String,
        /// sha256 of the lease's text.
        lease: String,
        /// Packages that go and that nothing replaces.
        removals: u32,
        /// The ledger's head.
        head: LedgerHead,
    },
    /// An application has ended.
    Ended {
        /// sha256 of the proposal.
        proposal: String,
        /// How.
        outcome: Outcome,
        /// The ledger's head.
        head: LedgerHead,
    },
    /// The breaker tripped.
    Tripped {
        /// Why.
        reason: String,
    },
    /// A person reset the breaker.
    Reset {
        /// The signed order.
        order: SignedText,
        /// Who signed it.
        by: String,
    },
    /// A halt was set.
    Halted {
        /// Why.
        reason: String,
        /// User id of who asked.
        uid: u32,
    },
    /// A person lifted the halt.
    Resumed {
        /// The signed order.
        order: SignedText,
        /// Who signed it.
        by: String,
    },
}
