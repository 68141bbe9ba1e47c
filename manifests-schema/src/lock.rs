//! `countersign/lock/1`: `locks/**.toml`, complete package sets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `schema` of [`LockFile`].
pub const LOCK_SCHEMA: &str = "countersign/lock/1";

/// Every package of a runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockFile {
    /// Always `countersign/lock/1`.
    pub schema: String,
    /// Native architecture.
    pub arch: String,
    /// dnf's releasever.
    pub releasever: String,
    /// Sorted `name-[epoch:]version-release.arch`; the epoch is written unless it is 0. Without `gpg-pubkey`.
    pub packages: Vec<String>,
}
