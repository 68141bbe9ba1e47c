//! Proving who we are: one key, one try.
//!
//! A refusal is never answered with another attempt: sshd counts each, and since OpenSSH 9.8 shuts the door for the
//! whole address (`PerSourcePenalties`).

use std::path::Path;
use std::sync::Arc;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::ssh_key::{self, HashAlg, PrivateKey, PublicKey, Signature};
use russh::keys::{self, PrivateKeyWithHashAlg};
use russh::{SendError, Signer};

use super::RemoteText;
use super::error::{Phase, SshError};
use super::guard::{Guard, LastWords};
use super::identity::{Identity, IdentityError, Kind};

/// Logs in as `user`.
pub(super) async fn authenticate(
    handle: &mut Handle<Guard>,
    identity: &Identity,
    user: &str,
    last_words: &LastWords,
) -> Result<(), SshError> {
    let certificate = identity.certificate().map(|certificate| (**certificate).clone());
    let hash = identity.hash();
    let result = match (&identity.0, certificate) {
        (Kind::Key { key, .. }, None) => {
            let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
            handle.authenticate_publickey(user, key).await.map_err(|error| broken(&error.to_string()))
        }
        // Not `authenticate_openssh_cert`: for an RSA key it would sign with SHA-1.
        (Kind::Key { key, .. }, Some(certificate)) => handle
            .authenticate_certificate_with(user, certificate, hash, &mut LocalKey(key))
            .await
            .map_err(|error| broken(&error.to_string())),
        (Kind::Agent { socket, key, .. }, certificate) => {
            let mut signer = AgentKey { socket, key };
            match certificate {
                None => {
                    let key = (**key).clone();
                    handle.authenticate_publickey_with(user, key, hash, &mut signer).await
                }
                Some(certificate) => handle.authenticate_certificate_with(user, certificate, hash, &mut signer).await,
            }
            .map_err(|error| agent_failed(socket, error))
        }
    }?;
    match result {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { partial_success: true, .. } => {
            Err(SshError::AuthenticationPartial { user: user.to_owned() })
        }
        // What russh answers when the connection ended instead.
        AuthResult::Failure { remaining_methods, .. } if remaining_methods.is_empty() && handle.is_closed() => {
            Err(SshError::Closed { phase: Phase::Authenticate, said: last_words.get() })
        }
        AuthResult::Failure { .. } => {
            Err(SshError::AuthenticationRefused { user: user.to_owned(), key: identity.fingerprint() })
        }
    }
}

fn broken(detail: &str) -> SshError {
    SshError::Protocol { phase: Phase::Authenticate, detail: RemoteText::new(detail) }
}

/// Signs with a key in memory.
struct LocalKey<'a>(&'a PrivateKey);

/// Signs with a key that the agent holds, one connection to it per signature.
struct AgentKey<'a> {
    socket: &'a Path,
    key: &'a PublicKey,
}

#[derive(Debug, thiserror::Error)]
enum SigningError {
    #[error("the connection ended")]
    Send(#[from] SendError),
    #[error("the key cannot sign")]
    Key(#[from] ssh_key::Error),
    #[error("the agent cannot sign")]
    Agent(#[from] keys::Error),
}

impl Signer for LocalKey<'_> {
    type Error = SigningError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, SigningError> {
        let signature: Signature = match self.0.key_data() {
            KeypairData::Rsa(key) => (key, hash).try_sign(&to_sign),
            key => key.try_sign(&to_sign),
        }
        .map_err(ssh_key::Error::from)?;
        signature.encode_prefixed(&mut to_sign).map_err(ssh_key::Error::from)?;
        Ok(to_sign)
    }
}

impl Signer for AgentKey<'_> {
    type Error = SigningError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, SigningError> {
        let mut agent = AgentClient::connect_uds(self.socket).await?;
        // The agent knows the bare key, also where a certificate is shown to the server.
        let key = AgentIdentity::from(self.key.clone());
        Ok(agent.sign_request(&key, hash, to_sign).await?)
    }
}

fn agent_failed(socket: &Path, error: SigningError) -> SshError {
    let socket = socket.to_owned();
    match error {
        SigningError::Agent(keys::Error::AgentFailure) => {
            SshError::Identity(Arc::new(IdentityError::AgentRefused { socket }))
        }
        SigningError::Agent(source) => SshError::Identity(Arc::new(IdentityError::Agent { socket, source })),
        other => broken(&other.to_string()),
    }
}
