//! `countersign/policy/1`: `policy.toml`. Every key has a safe default.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The `schema` of [`PolicyFile`].
pub const POLICY_SCHEMA: &str = "countersign/policy/1";

/// What the programs may do by themselves, and what they need people for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// Always `countersign/policy/1`.
    pub schema: String,
    /// The autonomy ladder.
    #[serde(default)]
    pub observer: ObserverTable,
    /// How many people, and how.
    #[serde(default)]
    pub approval: ApprovalTable,
    /// What wants more people.
    #[serde(default)]
    pub protected: ProtectedTable,
    /// Budgets.
    #[serde(default)]
    pub breaker: BreakerTable,
    /// Maintenance windows by group, `Mon-Fri 22:00-05:00 Europe/Amsterdam`; none = always.
    #[serde(default)]
    pub windows: BTreeMap<String, Vec<String>>,
    /// Rehearsals.
    #[serde(default)]
    pub drill: DrillTable,
}

/// `[observer]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ObserverTable {
    /// Consecutive observations after which an unlisted package is proposed for removal.
    #[schemars(range(min = 1, max = 1000))]
    pub settle: u32,
    /// Pull requests open at once.
    #[schemars(range(max = 1000))]
    pub max_open: u32,
    /// Whether pull requests are opened, and as what.
    pub pull_request: PullRequest,
    /// Whether the observer comments on pull requests; has no effect yet.
    pub comment: bool,
    /// Whether pull requests of gone drift are closed.
    pub close_resolved: bool,
    /// Older repository metadata is not planned with; a duration.
    pub metadata_max_age: String,
}

impl Default for ObserverTable {
    fn default() -> Self {
        Self {
            settle: 2,
            max_open: 20,
            pull_request: PullRequest::Draft,
            comment: false,
            close_resolved: true,
            metadata_max_age: "48h".to_owned(),
        }
    }
}

/// Whether pull requests are opened, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PullRequest {
    /// As drafts.
    Draft,
    /// Ready for review.
    Ready,
    /// Not at all: branches only.
    No,
}

/// `[approval]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApprovalTable {
    /// Distinct people for an ordinary proposal.
    #[schemars(range(min = 1, max = 100))]
    pub required: u32,
    /// Distinct people when a protected package is touched.
    #[schemars(range(min = 1, max = 100))]
    pub protected_required: u32,
    /// Distinct people for a change of approvers, policy or fleet.
    #[schemars(range(min = 1, max = 100))]
    pub root_required: u32,
    /// Whether a security key must have been touched.
    pub require_touch: bool,
    /// What counts as an approval.
    pub evidence: Evidence,
    /// Public keys that never count as a person.
    pub bots: Vec<String>,
    /// How long a proposal may be applied; a duration.
    pub proposal_ttl: String,
}

impl Default for ApprovalTable {
    fn default() -> Self {
        Self {
            required: 1,
            protected_required: 2,
            root_required: 2,
            require_touch: true,
            evidence: Evidence::Either,
            bots: Vec::new(),
            proposal_ttl: "7d".to_owned(),
        }
    }
}

/// What counts as an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// A signed merge or a detached signature.
    Either,
    /// A signed merge.
    Merge,
    /// A detached signature.
    Signature,
}

/// `[protected]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProtectedTable {
    /// Names of packages whose change wants more people.
    pub packages: Vec<String>,
}

impl Default for ProtectedTable {
    fn default() -> Self {
        let names = [
            "NetworkManager",
            "bash",
            "coreutils",
            "dnf",
            "dnf5",
            "dracut",
            "glibc",
            "grub2-efi-x64",
            "grub2-pc",
            "kernel",
            "kernel-core",
            "libdnf5",
            "openssh-server",
            "openssl-libs",
            "pam",
            "policycoreutils",
            "rpm",
            "rpm-libs",
            "selinux-policy",
            "selinux-policy-targeted",
            "setup",
            "shadow-utils",
            "shim-x64",
            "sudo",
            "systemd",
            "util-linux",
        ];
        Self { packages: names.map(str::to_owned).to_vec() }
    }
}

/// `[breaker]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerTable {
    /// Transactions in one run.
    pub transactions_per_run: u32,
    /// Transactions in 24 hours.
    pub transactions_per_day: u32,
    /// Removed packages in one transaction.
    pub removals_per_transaction: u32,
    /// Changes beyond the drift itself in one transaction.
    pub dependency_changes: u32,
    /// Runners in work at once.
    #[schemars(range(min = 1))]
    pub runners_at_once: u32,
    /// Percentage of the fleet above which one drift is a spread.
    #[schemars(range(min = 1, max = 100))]
    pub spread_percent: u32,
    /// Changed manifests in 24 hours above which it is a burst.
    #[schemars(range(min = 1))]
    pub burst_manifests: u32,
    /// Failed applications after which nothing more is started.
    #[schemars(range(min = 1))]
    pub failures: u32,
}

impl Default for BreakerTable {
    fn default() -> Self {
        Self {
            transactions_per_run: 10,
            transactions_per_day: 30,
            removals_per_transaction: 5,
            dependency_changes: 20,
            runners_at_once: 2,
            spread_percent: 25,
            burst_manifests: 5,
            failures: 1,
        }
    }
}

/// `[drill]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DrillTable {
    /// How often the way back is rehearsed; a duration; has no effect yet.
    pub every: String,
}

impl Default for DrillTable {
    fn default() -> Self {
        Self { every: "30d".to_owned() }
    }
}
