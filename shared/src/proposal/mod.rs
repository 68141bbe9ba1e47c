//! From drift to a closed transaction that a person can judge. Pure: nothing here asks a runner or a clock.
//!
//! | file | what |
//! |---|---|
//! | `remedy` | drift items become wanted actions on full NEVRAs, by what repositories offer |
//! | `predict` | the package set that a transaction leads to |
//! | `justify` | each change is traced; the transaction removes what it claims, and makes nothing worse |
//! | `build` | the proposal, bound by digest to manifest and machine |
//! | `sealed` | canonical bytes and back, strictly |
//! | `render` | the README, from the proposal and from nothing else |
//! | `class` | runners of one group with the same drift and the same transaction |

mod build;
mod class;
mod digest;
mod judge;
mod justify;
mod keep;
mod predict;
mod remedy;
mod render;
mod sealed;

#[cfg(test)]
mod tests;

pub use build::{Refusal, Situation, build};
pub use class::class_digest;
pub use digest::{base_digest, configuration_digest, named_digest, reason as installed_reason};
pub use justify::{Justified, justify};
pub use keep::is_worth_keeping;
pub use predict::{Inconsistent, Predicted};
pub use remedy::{Offer, Remedy, Standing, Want, Wish, wish};
pub use render::{RENDERER, RENDERERS, render};
pub use sealed::{MAX_BYTES, SealError, Sealed};

use std::fmt;

/// Why an item of drift is not proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Block {
    /// No repository offers a version that fits.
    UnreachablePin,
    /// The repositories' metadata is missing or too old, or does not say what it must.
    NoMetadata,
    /// The solver finds no way.
    Conflict,
    /// A protected package would go.
    Protected,
    /// The policy or a waiver is against it.
    Policy,
    /// Only a reboot is missing.
    Reboot,
    /// dnf is at work on the runner, or it did not answer.
    Busy,
    /// The transaction would make new drift.
    CreatesDrift,
    /// Not seen often enough yet.
    Settling,
    /// dnf does not know why packages are installed.
    ReasonsUnknown,
    /// There is no way back.
    Irreversible,
}

impl Block {
    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Block::UnreachablePin => "unreachable-pin",
            Block::NoMetadata => "no-metadata",
            Block::Conflict => "conflict",
            Block::Protected => "protected",
            Block::Policy => "policy",
            Block::Reboot => "reboot",
            Block::Busy => "busy",
            Block::CreatesDrift => "creates-drift",
            Block::Settling => "settling",
            Block::ReasonsUnknown => "reasons-unknown",
            Block::Irreversible => "irreversible",
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A reason not to propose, with a sentence for people. The sentence may hold text from the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// The stable code.
    pub code: Block,
    /// One sentence.
    pub message: String,
}

impl Blocked {
    /// A reason with its sentence.
    pub fn new(code: Block, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// 64 hex digits of a digest.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
