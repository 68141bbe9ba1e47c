//! What the person's tool says with `--json`: `countersign/review/1` from `review` and `show`, `countersign/act/1` from
//! whatever signs.

use crate::plan::GateRow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `schema` of [`ReviewDocument`].
pub const REVIEW_SCHEMA: &str = "countersign/review/1";
/// The `schema` of [`ActDocument`].
pub const ACT_SCHEMA: &str = "countersign/act/1";

/// What waits for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewDocument {
    /// Always [`REVIEW_SCHEMA`].
    pub schema: String,
    /// The first line of `HALT` in proposed's main branch; null when there is none. Only from `review`.
    pub halted: Option<String>,
    /// Sorted by class, then runner.
    pub proposals: Vec<ReviewedProposal>,
    /// What is on branches of proposals and cannot be read as one.
    pub unreadable: Vec<Unreadable>,
}

/// One proposal, as it was recomputed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewedProposal {
    /// sha256 of its bytes, 64 hex digits.
    pub id: String,
    /// The runner's name.
    pub runner: String,
    /// What runners share that have the same drift and the same transaction, 64 hex digits.
    pub class: String,
    /// Whether it waits on a branch or is in the main branch.
    pub place: ProposalPlace,
    /// The branch that brings it; null when it is merged.
    pub branch: Option<String>,
    /// The commit that brings it; null when it is merged.
    pub commit: Option<String>,
    /// RFC 3339 UTC seconds.
    pub created: String,
    /// RFC 3339 UTC seconds.
    pub expires: String,
    /// The oldest drift of it, RFC 3339 UTC seconds.
    pub since: Option<String>,
    /// Who made the drift, as dnf's history says; sorted.
    pub by: Vec<String>,
    /// Changes of packages.
    pub changes: u32,
    /// Changes that no drift asks for, recomputed.
    pub pulled: u32,
    /// Packages that go and that nothing replaces.
    pub removals: u32,
    /// Packages that go back to an older version.
    pub downgrades: u32,
    /// Protected packages that change, recomputed.
    pub protected: Vec<String>,
    /// Distinct people, as listed, sorted.
    pub approved_by: Vec<String>,
    /// People that the policy wants.
    pub required: u32,
    /// What could be recomputed here; all that the gates ask of the runner is left to them.
    pub checks: Vec<GateRow>,
    /// What the README says, rendered here from the proposal; only from `show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readme: Option<String>,
}

/// Where a proposal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProposalPlace {
    /// On a branch.
    Open,
    /// In the main branch.
    Merged,
}

/// Something on a branch of proposals that is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unreadable {
    /// The branch.
    pub branch: String,
    /// Path inside the repository, if it is about one.
    pub path: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// What a person did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActDocument {
    /// Always [`ACT_SCHEMA`].
    pub schema: String,
    /// The command: `approve`, `reject`, `adopt`, `endorse`, `lease`, `resume` or `reset-breaker`.
    pub act: String,
    /// sha256 of each proposal that it is about, sorted.
    pub proposals: Vec<String>,
    /// Commits that were made, oldest first.
    pub commits: Vec<String>,
    /// Where they were pushed: `REMOTE BRANCH`.
    pub pushed: Option<String>,
    /// When it ends, RFC 3339 UTC seconds.
    pub until: Option<String>,
    /// What was run, one list of arguments for each command, in order.
    pub commands: Vec<Vec<String>>,
}
