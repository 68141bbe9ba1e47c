//! The key with which runners are reached.

use super::stop::Stop;
use crate::config::Ssh;
use countersign_shared::exit::Outcome;
use countersign_shared::ssh::{Identity, IdentityError, ssh_key};

/// Reads the key file, or picks the agent's key among those that are declared for the observer.
pub(super) async fn load(ssh: &Ssh, declared: &[String]) -> Result<Identity, Stop> {
    let identity = match &ssh.key {
        Some(key) => Identity::from_files(key, ssh.certificate.as_deref()),
        None => from_agent(ssh, declared).await,
    };
    identity.map_err(|error| Stop::of(Outcome::Failed, "auth", &error).hint(error.hint()))
}

async fn from_agent(ssh: &Ssh, declared: &[String]) -> Result<Identity, IdentityError> {
    let socket = Identity::agent_socket()?;
    let declared: Vec<_> = declared.iter().filter_map(|text| ssh_key::PublicKey::from_openssh(text).ok()).collect();
    Identity::from_agent(&socket, &declared, ssh.certificate.as_deref()).await
}
