//! `fleet.toml` and `fleet.d/*.toml`: runners, groups, bastions, public keys per role.

mod draft;
mod references;

pub(super) use draft::read;
pub(super) use references::check_references;

use super::effective::Place;
use super::ssh_key::{HostKey, PublicKey};
use std::collections::BTreeMap;

/// The fleet, all files together, defaults applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fleet {
    /// Public keys per role.
    pub keys: RoleKeys,
    /// Groups by name.
    pub groups: BTreeMap<String, Group>,
    /// Bastions by name.
    pub bastions: BTreeMap<String, Bastion>,
    /// Runners, sorted by name.
    pub runners: Vec<Runner>,
}

/// Public keys per role; each program checks that its own are declared for its role and for no other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleKeys {
    /// SSH keys with which the observer reaches runners.
    pub observer_ssh: Vec<PublicKey>,
    /// Keys with which the observer signs its commits.
    pub observer_sign: Vec<PublicKey>,
    /// SSH keys with which the actuator reaches runners.
    pub actuator_ssh: Vec<PublicKey>,
}

/// Runners that are kept alike.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Who answers for it.
    pub owner: Option<String>,
    /// Names of its manifests, sorted.
    pub manifests: Vec<String>,
    /// Where it is defined.
    pub place: Place,
}

/// A host through which runners are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bastion {
    /// Host name or IP address.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// Login name.
    pub user: String,
    /// Its host keys; empty = those of known_hosts.
    pub host_keys: Vec<HostKey>,
    /// Where it is defined.
    pub place: Place,
}

/// A machine that is kept in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// Its name.
    pub name: String,
    /// Host name or IP address.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// Login name of the observer.
    pub user: String,
    /// Login name of the actuator.
    pub actuator_user: String,
    /// Names of its groups, sorted.
    pub groups: Vec<String>,
    /// Names of its own manifests, which win over those of its groups, sorted.
    pub manifests: Vec<String>,
    /// Its host keys; empty = those of known_hosts.
    pub host_keys: Vec<HostKey>,
    /// Name of the bastion in front of it.
    pub bastion: Option<String>,
    /// When its turn comes; 0 = canary.
    pub wave: u32,
    /// Where it is defined.
    pub place: Place,
}

impl Fleet {
    /// A runner by name.
    pub fn runner(&self, name: &str) -> Option<&Runner> {
        let index = self.runners.binary_search_by(|r| r.name.as_str().cmp(name));
        Some(&self.runners[index.ok()?])
    }
}

/// `[a-z0-9][a-z0-9.-]{0,62}`
pub fn is_runner_name(name: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut bytes = name.bytes();
    name.len() <= 63 && bytes.next().is_some_and(allowed) && bytes.all(|c| allowed(c) || c == b'.' || c == b'-')
}

/// `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`, for groups and bastions.
pub fn is_label(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 63
        && bytes.next().is_some_and(|c| c.is_ascii_alphanumeric())
        && bytes.all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
}

/// A host name or an IP address without brackets; never an option.
pub fn is_address(text: &str) -> bool {
    let is_name = !text.is_empty()
        && text.len() <= 253
        && !text.starts_with(['-', '.'])
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c));
    is_name || text.parse::<std::net::IpAddr>().is_ok()
}

/// A login name as `useradd` takes it, capitals and dots included; never an option.
pub fn is_login(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 32
        && bytes.next().is_some_and(|c| c.is_ascii_alphanumeric() || c == b'_')
        && bytes.all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
}
