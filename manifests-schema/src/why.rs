//! `countersign/why/1`: what `why PACKAGE [RUNNER]` prints with `--json`.

use crate::report::{DriftItem, Notice};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `schema` of [`WhyDocument`].
pub const WHY_SCHEMA: &str = "countersign/why/1";

/// Everything that is known of one package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhyDocument {
    /// Always [`WHY_SCHEMA`].
    pub schema: String,
    /// `name`, or `name.arch`.
    pub package: String,
    /// Commit id of canonical that was looked at.
    pub canonical_commit: String,
    /// The last run with a report; null before the first.
    pub run: Option<String>,
    /// Runners to which the package matters, sorted by name.
    pub runners: Vec<WhyRunner>,
}

/// One runner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhyRunner {
    /// Its name in `fleet.toml`.
    pub name: String,
    /// Rules for the package, those in force first.
    pub rules: Vec<WhyRule>,
    /// What `[unlisted]` says about an installed package that no rule names.
    pub unlisted: Option<String>,
    /// RFC 3339 UTC seconds of the stored observation.
    pub observed: Option<String>,
    /// Why the last run did not observe it.
    pub error: Option<Notice>,
    /// Installed instances, EVR-ascending.
    pub installed: Vec<WhyInstance>,
    /// Whether the last report judged it; otherwise nothing is known of its drift.
    pub judged: bool,
    /// Its drift in the last report.
    pub drift: Vec<DriftItem>,
    /// sha256 of the runner's proposal.
    pub proposal: Option<String>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyRule {
    /// `name` or `name.arch`.
    pub package: String,
    /// The rule as people write it.
    pub rule: String,
    /// Repositories it may come from; empty = any.
    pub from: Vec<String>,
    /// Why, in the words of who wrote it.
    pub reason: Option<String>,
    /// `file:line:column` in canonical.
    pub at: String,
    /// From the runner or its group down to the manifest.
    pub chain: Vec<String>,
    /// Whether it counts; otherwise another one stands over it.
    pub in_force: bool,
}

/// One installed instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyInstance {
    /// `name-[epoch:]version-release.arch`.
    pub nevra: String,
    /// dnf's reason: `user`, `group`, `dependency`, `weak-dependency`, `clean`, `external`, `unknown`.
    pub reason: String,
    /// The repository it came from; null when dnf does not know.
    pub from_repo: Option<String>,
    /// RFC 3339 UTC seconds of rpm's install time.
    pub installed: Option<String>,
}
