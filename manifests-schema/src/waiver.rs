//! `countersign/waiver/1`: `waivers/**.toml`, accepted drift.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `schema` of [`WaiverFile`].
pub const WAIVER_SCHEMA: &str = "countersign/waiver/1";

/// Accepted drift.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaiverFile {
    /// Always `countersign/waiver/1`.
    pub schema: String,
    /// The waivers.
    #[serde(default)]
    pub waive: Vec<WaiverTable>,
}

/// `[[waive]]`: at least one runner or group, and a package or a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaiverTable {
    /// Names of runners.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runners: Vec<String>,
    /// Names of groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// `name` for all architectures, or `name.arch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// A drift code; none = every code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Exactly what may be there, as reports show it: versions, repositories, modes or paths; for `repo-disabled` the
    /// repository that is not enabled. None = whatever is there. An empty list = only nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Vec<String>>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Last valid day, `2026-12-31`; it ends at 23:59:59 UTC.
    #[schemars(regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    pub until: String,
}
