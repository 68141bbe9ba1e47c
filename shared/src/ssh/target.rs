//! Whom to talk to.

use std::fmt;
use std::sync::Arc;

use super::host_keys::HostKeys;

/// A server and the account on it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name in fleet.toml, for whoever reports about it.
    pub name: String,
    /// Where it is, and who we want to be there.
    pub endpoint: Endpoint,
    /// The machine to go through, if it cannot be reached directly. Targets with the same bastion share a connection.
    pub bastion: Option<Arc<Bastion>>,
}

/// A machine that forwards connections to others.
#[derive(Debug, Clone)]
pub struct Bastion {
    /// Its name in fleet.toml.
    pub name: String,
    /// Where it is, and who we want to be there.
    pub endpoint: Endpoint,
}

/// An address, an account and the host keys that count there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Host name or IP address, as host keys and certificates name it.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// Account.
    pub user: String,
    /// What is known about its host keys.
    pub host_keys: Arc<HostKeys>,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.address.contains(':') {
            write!(f, "[{}]:{}", self.address, self.port)
        } else {
            write!(f, "{}:{}", self.address, self.port)
        }
    }
}
