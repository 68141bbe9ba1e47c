//! `countersign/plan/1`: what each gate says of each merged proposal, and what became of it.

use crate::report::Notice;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `schema` of [`PlanDocument`].
pub const PLAN_SCHEMA: &str = "countersign/plan/1";

/// The answer of `plan`, `status` and `apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanDocument {
    /// Always [`PLAN_SCHEMA`].
    pub schema: String,
    /// Sorted by runner, then id.
    pub proposals: Vec<PlannedProposal>,
    /// Halts that are set, or of which nobody knows whether they are; empty when there is none.
    #[serde(default)]
    pub halted: Vec<HaltedAt>,
    /// What is accepted although it should not be; shouted in every answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<Notice>,
    /// Older proposals that can no longer be applied and are not listed; name them to see them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A halt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HaltedAt {
    /// The place where it is set.
    #[serde(rename = "where")]
    pub place: String,
    /// Why, or why that is not known.
    pub reason: String,
}

/// One proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedProposal {
    /// sha256 of its bytes, 64 hex digits.
    pub id: String,
    /// The runner's name.
    pub runner: String,
    /// Distinct people, as listed, sorted.
    pub approved_by: Vec<String>,
    /// Every gate, in the order in which they decide.
    pub gates: Vec<GateRow>,
    /// Whether it may be applied now.
    pub verdict: PlanVerdict,
    /// The first gate that refuses.
    pub refusal: Option<String>,
    /// What became of it; only from `apply` and `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ApplyResult>,
    /// sha256 of the ledger's entry of its end; only from `apply` and `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// What is to be said of the result; only from `apply` and `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What one gate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateRow {
    /// Its code.
    pub gate: String,
    /// What it says.
    pub verdict: GateVerdict,
    /// One sentence.
    pub detail: String,
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GateVerdict {
    /// Nothing against it.
    Pass,
    /// Not now.
    Refuse,
    /// What it judges by is not known here.
    Skipped,
}

/// Whether a proposal may be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PlanVerdict {
    /// No gate refuses.
    Ready,
    /// A gate refuses.
    Refused,
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApplyResult {
    /// As predicted, and confirmed.
    Applied,
    /// Never started.
    Refused,
    /// The former state is back.
    Undone,
    /// Neither.
    Failed,
}
