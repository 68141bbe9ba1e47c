//! From the fleet as people wrote it to servers that can be connected to.

use super::host_keys::{HostKeys, KnownHosts};
use super::target::{Bastion, Endpoint, Target};
use crate::manifest::fleet::{Fleet, Runner};
use crate::observation::Failure;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All bastions, made once so that their connections are shared, and what is known about host keys.
#[derive(Debug)]
pub struct Targets {
    known_hosts: Option<Arc<KnownHosts>>,
    bastions: BTreeMap<String, Arc<Bastion>>,
}

impl Targets {
    /// `known_hosts` is the content of the configured file.
    pub fn new(fleet: &Fleet, known_hosts: Option<&[u8]>) -> Result<Self, Failure> {
        let known_hosts = known_hosts.map(|file| Arc::new(KnownHosts::parse(file)));
        let mut bastions = BTreeMap::new();
        for (name, bastion) in &fleet.bastions {
            let host_keys = host_keys(&bastion.host_keys, &known_hosts)?;
            let endpoint = Endpoint {
                address: bastion.address.clone(),
                port: bastion.port,
                user: bastion.user.clone(),
                host_keys,
            };
            bastions.insert(name.clone(), Arc::new(Bastion { name: name.clone(), endpoint }));
        }
        Ok(Self { known_hosts, bastions })
    }

    /// The server behind a runner, and the account `user` on it.
    pub fn target(&self, runner: &Runner, user: &str) -> Result<Target, Failure> {
        let endpoint = Endpoint {
            address: runner.address.clone(),
            port: runner.port,
            user: user.to_owned(),
            host_keys: host_keys(&runner.host_keys, &self.known_hosts)?,
        };
        let bastion = runner.bastion.as_ref().and_then(|name| self.bastions.get(name)).cloned();
        Ok(Target { name: runner.name.clone(), endpoint, bastion })
    }
}

fn host_keys<K: std::fmt::Display>(
    pinned: &[K],
    known_hosts: &Option<Arc<KnownHosts>>,
) -> Result<Arc<HostKeys>, Failure> {
    let texts: Vec<String> = pinned.iter().map(ToString::to_string).collect();
    HostKeys::new(texts.iter().map(String::as_str), known_hosts.clone())
        .map(Arc::new)
        .map_err(|error| Failure::new("host-key", format!("{error}: {}", error.reason)))
}
