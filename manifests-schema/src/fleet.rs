//! `countersign/fleet/1`: `fleet.toml` and `fleet.d/*.toml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The `schema` of [`FleetFile`].
pub const FLEET_SCHEMA: &str = "countersign/fleet/1";

/// One file of the fleet; all of them together are the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetFile {
    /// Always `countersign/fleet/1`.
    pub schema: String,
    /// Public keys per role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeysTable>,
    /// What runners have unless they say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<DefaultsTable>,
    /// Runners that are kept alike, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, GroupTable>,
    /// Hosts through which runners are reached, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bastions: BTreeMap<String, BastionTable>,
    /// Machines that are kept in line, by name: `[a-z0-9][a-z0-9.-]{0,62}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runners: BTreeMap<String, RunnerTable>,
}

/// `[keys]`: OpenSSH public keys, `type base64 comment`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysTable {
    /// SSH keys with which the observer reaches runners.
    #[serde(default)]
    pub observer_ssh: Vec<String>,
    /// Keys with which the observer signs its commits.
    #[serde(default)]
    pub observer_sign: Vec<String>,
    /// SSH keys with which the actuator reaches runners.
    #[serde(default)]
    pub actuator_ssh: Vec<String>,
}

/// `[defaults]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultsTable {
    /// Login name of the observer; `countersign-observer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Login name of the actuator; `countersign-actuator`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actuator_user: Option<String>,
    /// TCP port; 22.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
}

/// `[groups.NAME]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupTable {
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Names of manifests: `builder` is `manifests/builder.toml`.
    #[serde(default)]
    pub manifests: Vec<String>,
}

/// `[bastions.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BastionTable {
    /// Host name or IP address.
    pub address: String,
    /// Login name.
    pub user: String,
    /// TCP port; 22.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// OpenSSH public keys of the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_keys: Vec<String>,
}

/// `[runners.NAME]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunnerTable {
    /// Host name or IP address.
    pub address: String,
    /// TCP port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// Login name of the observer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Login name of the actuator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actuator_user: Option<String>,
    /// Names of groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Names of the runner's own manifests, which win over those of its groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<String>,
    /// OpenSSH public keys of the host; none = those of known_hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_keys: Vec<String>,
    /// Name of the bastion in front of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bastion: Option<String>,
    /// When its turn comes; 0 = canary.
    #[serde(default)]
    #[schemars(range(max = 10_000))]
    pub wave: u32,
}
