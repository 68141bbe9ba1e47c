//! `countersign/manifest/1`: `manifests/**.toml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The `schema` of [`ManifestFile`].
pub const MANIFEST_SCHEMA: &str = "countersign/manifest/1";

/// The desired package state of a kind of runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Always `countersign/manifest/1`.
    pub schema: String,
    /// Names of manifests that this one builds on and wins over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Path of a lock, `locks/x.toml`: the manifest is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// Rules by `name` or `name.arch`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<String, PackageRule>,
    /// What is done about packages that no rule names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted: Option<UnlistedTable>,
    /// The host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostTable>,
}

/// A rule: `"*"`, `">= 2.40, < 2.41"`, `"absent"`, `"absent < 2"`, `"allowed"`, or a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PackageRule {
    /// A version spec or a state.
    Short(String),
    /// With a reason or an origin.
    Table(PackageTable),
}

/// Exactly one of `version`, `state` and `same-as`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PackageTable {
    /// A version spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `absent`, `absent <spec>` or `allowed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `running-kernel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<SameAs>,
    /// Ids of the repositories that it may come from; none = any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a package follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SameAs {
    /// Version and release of the running kernel.
    RunningKernel,
}

/// `[unlisted]`, by dnf's reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UnlistedTable {
    /// `User`; `report`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_installed: Option<Disposal>,
    /// `Group`; `ignore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Disposal>,
    /// `External User`, `None` and unknown; `ignore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<Disposal>,
    /// `Dependency`, `Weak Dependency`, `Clean`; `ignore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Disposal>,
    /// Globs over package names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<Vec<String>>,
}

/// What is done about a class of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Disposal {
    /// Reported, and proposed for removal.
    Remove,
    /// Reported only.
    Report,
    /// Not looked at.
    Ignore,
}

/// `[host]`; what is empty or absent is not judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostTable {
    /// Wanted mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selinux: Option<Selinux>,
    /// Ids of the repositories that are enabled, and no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repositories: Option<Vec<String>>,
    /// Allowed vendors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendors: Option<Vec<String>>,
    /// Allowed signing keys, hex ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
    /// Wanted module streams, `name:stream`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modules: Option<Vec<String>>,
}

/// A mode of SELinux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Selinux {
    /// Policy is enforced.
    Enforcing,
    /// Violations are logged only.
    Permissive,
    /// Off.
    Disabled,
}
