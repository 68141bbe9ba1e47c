//! `countersign/proposal/1`: drift and the closed transaction that removes it, for one runner, bound by digest to
//! manifest and machine state.
//!
//! Its bytes are canonical JSON (sorted keys, no spaces, one newline at the end), and the sha256 of them is its id.
//! `created` and `expires` are its only clock besides the times at which things were seen: two equal situations give
//! equal bytes.

use crate::transaction::Transaction;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `schema` of [`Proposal`].
pub const PROPOSAL_SCHEMA: &str = "countersign/proposal/1";

/// One proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Always [`PROPOSAL_SCHEMA`].
    pub schema: String,
    /// The runner's name in `fleet.toml`.
    pub runner: String,
    /// RFC 3339 UTC seconds.
    pub created: String,
    /// RFC 3339 UTC seconds; nothing is applied from then on.
    pub expires: String,
    /// Which rendering the README beside it has.
    pub renderer: u32,
    /// Who made it.
    pub observer: Observer,
    /// What it follows.
    pub canonical: CanonicalState,
    /// What it starts from.
    pub base: Base,
    /// What it removes, sorted by package, arch, code.
    pub drift: Vec<ClaimedItem>,
    /// Everything that dnf will do.
    pub transaction: Transaction,
    /// What the runner has afterwards.
    pub predicted: Predicted,
    /// How it can be undone.
    pub way_back: WayBack,
    /// What to look at twice.
    pub risk: Risk,
    /// Earlier applications against this drift that were not kept, as the runner says, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
}

/// An application that was not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tried {
    /// sha256 of the proposal that was applied.
    pub proposal: String,
    /// How it ended.
    pub end: TriedEnd,
    /// When it ended, by the runner's clock, RFC 3339 UTC seconds.
    pub at: String,
}

/// How an application ended that was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TriedEnd {
    /// The former state came back.
    Undone,
    /// Neither the approved nor the former state could be reached.
    Failed,
}

/// The program that made a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observer {
    /// Its version.
    pub version: String,
}

/// What people want.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CanonicalState {
    /// Commit id of canonical.
    pub commit: String,
    /// sha256 of the runner's effective manifest as canonical JSON.
    pub manifest_digest: String,
}

/// What the runner was seen to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// sha256 over packages with their headers and reasons, arch, and the configuration of repositories and dnf.
    pub digest: String,
    /// sha256 of the package set.
    pub set_digest: String,
    /// RFC 3339 UTC seconds.
    pub observed_at: String,
    /// sha256 of the configuration of repositories and dnf and of the version locks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
    /// sha256 over the packages that the drift or the transaction names, with their headers and reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
}

/// One item of drift that the transaction removes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimedItem {
    /// As in the report.
    pub code: String,
    /// Package name.
    pub package: String,
    /// Architecture; null for `missing` of a plain name.
    pub arch: Option<String>,
    /// The rule, as written.
    pub wanted: Option<String>,
    /// What is there, EVR-ascending, epoch 0 left out.
    pub seen: Vec<String>,
    /// RFC 3339 UTC seconds.
    pub since: Option<String>,
    /// Who, as dnf's history says.
    pub by: Option<By>,
    /// Commit of canonical that made it drift, if that is later than what happened on the runner.
    pub spec_changed: Option<String>,
    /// The file of canonical that has the rule; null when it is in a lock, or in no file.
    pub file: Option<String>,
    /// Why the rule is there, in the words of the person who wrote it.
    pub reason: Option<String>,
}

/// Who changed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct By {
    /// Login name; null when the login uid was not set.
    pub user: Option<String>,
    /// Command line as dnf recorded it.
    pub command: String,
}

/// What the runner has afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Predicted {
    /// sha256 of the package set.
    pub set_digest: String,
}

/// How a transaction can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WayBack {
    /// By what.
    pub kind: WayBackKind,
    /// Outgoing packages that no repository offers any more, sorted NEVRAs.
    pub missing: Vec<String>,
}

/// By what a transaction can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WayBackKind {
    /// By the inverse transaction: every outgoing package can still be had.
    Packages,
    /// By a snapshot of the file system.
    Snapshot,
    /// Not at all.
    None,
}

/// What to look at twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// Packages that go and that nothing replaces.
    pub removals: u32,
    /// Packages that go back to an older version.
    pub downgrades: u32,
    /// Names of protected packages that are touched, sorted.
    pub protected: Vec<String>,
}
