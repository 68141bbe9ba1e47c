//! `countersign/drift-report/1`: what `diff`, `report`, `nightly` and `preview` print with `--json`, and what is stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `schema` of [`DriftReport`].
pub const DRIFT_REPORT_SCHEMA: &str = "countersign/drift-report/1";

/// One run over the fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftReport {
    /// Always [`DRIFT_REPORT_SCHEMA`].
    pub schema: String,
    /// The run's id: its start in UTC, `20261120T033000Z`, with `-2`, `-3` ... when two start in one second.
    pub run: String,
    /// Commit id of canonical that the run was judged by.
    pub canonical_commit: String,
    /// Sorted by name.
    pub runners: Vec<RunnerReport>,
    /// Findings over the sequence of runs.
    pub guards: Vec<Guard>,
    /// Violated proofs that `[trust] accept` lets pass, and what is not covered.
    pub trust: Vec<Notice>,
    /// Pins that no repository offers any more, and the like.
    pub risks: Vec<Notice>,
    /// What the run did, in order.
    pub steps: Vec<Step>,
}

/// One runner in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunnerReport {
    /// Its name in `fleet.toml`.
    pub name: String,
    /// Its groups, sorted.
    pub groups: Vec<String>,
    /// Whether it was observed.
    pub status: Status,
    /// Why not.
    pub error: Option<Notice>,
    /// Installed package instances without `gpg-pubkey`; 0 when it was not observed.
    pub packages: u64,
    /// Whether the package list was taken from the last observation because dnf's digest had not moved.
    pub warm: bool,
    /// Sorted by package, arch, code.
    pub drift: Vec<DriftItem>,
    /// Parts of the judgement that did not take place because a section of the observation failed: neither drift nor
    /// clean.
    #[serde(default)]
    pub unjudged: Vec<Notice>,
    /// sha256 of the runner's proposal.
    pub proposal: Option<String>,
}

/// Whether a runner was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Its package set was read.
    Observed,
    /// It was not; nothing is known about its drift.
    Failed,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriftItem {
    /// What kind of difference it is: `missing`, `unwanted`, `unlisted`, `ahead`, `behind`, `duplicate`, `wrong-arch`,
    /// `not-in-lock`, `wrong-origin`, `kernel-mismatch`, `out-of-band`, `interrupted`, `repo-enabled`, `repo-disabled`,
    /// `selinux` or `stuck-lock`.
    pub code: String,
    /// Package name; null for host items.
    pub package: Option<String>,
    /// Architecture; null for host items and for `missing` of a plain name.
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
    /// The waiver that covers it.
    pub waived: Option<Waived>,
    /// Not in the last run that observed this runner.
    pub new: bool,
    /// Whether a transaction could remove it.
    pub remediable: bool,
    /// Why it is not proposed.
    pub blocked: Option<Notice>,
}

/// Who changed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct By {
    /// Login name; null when the login uid was not set.
    pub user: Option<String>,
    /// Command line as dnf recorded it.
    pub command: String,
}

/// The waiver that covers an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waived {
    /// Last valid day, `2026-12-31`.
    pub until: String,
    /// Who answers for it.
    pub owner: String,
}

/// A code with a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// Stable, lower-case with dashes.
    pub code: String,
    /// For people.
    pub message: String,
}

/// A finding of the sequence guard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Guard {
    /// Stable, lower-case with dashes.
    pub code: String,
    /// For people.
    pub message: String,
    /// Runners concerned, sorted; none = the whole fleet.
    pub runners: Vec<String>,
    /// The run that found it, when it stands from there; absent for what this run found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_run: Option<String>,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// `observe`, `diff`, `report`, `propose`, `publish`, `notify`.
    pub step: String,
    /// How it went.
    pub status: StepStatus,
    /// Why it failed.
    pub error: Option<Notice>,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// Done.
    Ok,
    /// Tried and failed.
    Failed,
    /// Not tried.
    Skipped,
}
