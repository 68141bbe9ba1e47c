//! Who we are: one key file, or one key of an agent, with an optional certificate.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::ssh_key::public::KeyData;
use russh::keys::ssh_key::{Certificate, HashAlg, PrivateKey, PublicKey};

/// Largest key or certificate file that is read, in bytes.
const LARGEST_FILE: u64 = 64 * 1024;

/// The one identity that is shown to every server. Cheap to clone.
#[derive(Clone)]
pub struct Identity(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Key { key: Arc<PrivateKey>, certificate: Option<Arc<Certificate>> },
    Agent { socket: Arc<Path>, key: Arc<PublicKey>, certificate: Option<Arc<Certificate>> },
}

/// Why the identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others on this machine can read the private key.
    #[error("{} can be read by others (mode {mode:04o})", path.display())]
    Permissions {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Somebody else owns the private key, who could replace it.
    #[error("{} belongs to user id {owner}", path.display())]
    Owner {
        /// Which file.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
    },
    /// The private key needs a passphrase.
    #[error("{} is encrypted with a passphrase", path.display())]
    Encrypted {
        /// Which file.
        path: PathBuf,
    },
    /// Not a private key in OpenSSH's format.
    #[error("{} is no private key in OpenSSH's format", path.display())]
    NotAKey {
        /// Which file.
        path: PathBuf,
    },
    /// Not an OpenSSH certificate.
    #[error("{} is no OpenSSH user certificate", path.display())]
    NotACertificate {
        /// Which file.
        path: PathBuf,
    },
    /// The certificate is about another key.
    #[error("the certificate in {} is for another key", path.display())]
    OtherKey {
        /// Which file.
        path: PathBuf,
    },
    /// Messages are signed with key files only.
    #[error("a key in an agent signs no message")]
    NotAFile,
    /// The key's type makes no signatures over messages, or not with this library.
    #[error("the key cannot sign a message")]
    CannotSign,
    /// `SSH_AUTH_SOCK` is not set.
    #[error("no SSH agent: SSH_AUTH_SOCK is not set")]
    NoAgent,
    /// The agent does not answer as an agent should.
    #[error("the SSH agent at {} cannot be used", socket.display())]
    Agent {
        /// Its socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: russh::keys::Error,
    },
    /// The agent refused, or cannot sign with this key.
    #[error("the SSH agent at {} did not sign", socket.display())]
    AgentRefused {
        /// Its socket.
        socket: PathBuf,
    },
    /// The agent holds none of the declared keys.
    #[error("the SSH agent holds none of the {declared} declared keys")]
    AgentWithoutKey {
        /// How many keys would have done.
        declared: usize,
    },
}

impl IdentityError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check `key` and `certificate` in [ssh], and who may read them",
            Self::Permissions { .. } => "chmod 600 it",
            Self::Owner { .. } => "chown it to the user that runs this program",
            Self::NotAFile | Self::CannotSign => "ssh-keygen -t ed25519 makes a key that can",
            Self::Encrypted { .. } => "use agent = true in [ssh] with the key loaded into an SSH agent",
            Self::NotAKey { .. } => "ssh-keygen -t ed25519 makes one; ssh-keygen -p rewrites an old PEM file",
            Self::NotACertificate { .. } | Self::OtherKey { .. } => "ssh-keygen -s CA -I ID -n USER KEY.pub makes one",
            Self::NoAgent | Self::Agent { .. } | Self::AgentRefused { .. } => {
                "start ssh-agent and let this program see its SSH_AUTH_SOCK"
            }
            Self::AgentWithoutKey { .. } => "ssh-add the key whose public half is declared under [keys] in fleet.toml",
        }
    }
}

impl Identity {
    /// Reads a private key without passphrase, in OpenSSH's format, and its certificate if one is given.
    /// Refuses a key that others can read, as `ssh` does.
    pub fn from_files(key: &Path, certificate: Option<&Path>) -> Result<Self, IdentityError> {
        let key = Arc::new(read_private_key(key)?);
        let certificate = certificate.map(|path| read_certificate(path, key.public_key().key_data())).transpose()?;
        Ok(Self(Kind::Key { key, certificate }))
    }

    /// Takes the first of the `declared` keys that the agent at `socket` holds. One key only: a server counts every
    /// key that it refuses as a failed login.
    pub async fn from_agent(
        socket: &Path,
        declared: &[PublicKey],
        certificate: Option<&Path>,
    ) -> Result<Self, IdentityError> {
        let failed = |source| IdentityError::Agent { socket: socket.to_owned(), source };
        let mut agent = russh::keys::agent::client::AgentClient::connect_uds(socket).await.map_err(failed)?;
        let held = agent.request_identities().await.map_err(failed)?;
        let key = declared
            .iter()
            .find(|wanted| held.iter().any(|held| held.public_key().key_data() == wanted.key_data()))
            .ok_or(IdentityError::AgentWithoutKey { declared: declared.len() })?;
        let certificate = certificate.map(|path| read_certificate(path, key.key_data())).transpose()?;
        Ok(Self(Kind::Agent { socket: socket.into(), key: Arc::new(key.clone()), certificate }))
    }

    /// The agent's socket as the environment names it.
    pub fn agent_socket() -> Result<PathBuf, IdentityError> {
        std::env::var_os("SSH_AUTH_SOCK")
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
            .ok_or(IdentityError::NoAgent)
    }

    /// The public half, to compare with the keys that are declared for a role.
    pub fn public_key(&self) -> &PublicKey {
        match &self.0 {
            Kind::Key { key, .. } => key.public_key(),
            Kind::Agent { key, .. } => key,
        }
    }

    /// Signs a message as `ssh-keygen -Y sign -n NAMESPACE` does; answers with the armoured signature. Key files only.
    pub fn sign_message(&self, namespace: &str, message: &[u8]) -> Result<String, IdentityError> {
        let Kind::Key { key, .. } = &self.0 else {
            return Err(IdentityError::NotAFile);
        };
        let signature = key.sign(namespace, HashAlg::Sha512, message).map_err(|_| IdentityError::CannotSign)?;
        signature.to_pem(russh::keys::ssh_key::LineEnding::LF).map_err(|_| IdentityError::CannotSign)
    }

    /// The public half as `ssh-keygen -l` names it.
    pub fn fingerprint(&self) -> String {
        self.public_key().fingerprint(HashAlg::Sha256).to_string()
    }

    pub(super) fn certificate(&self) -> Option<&Arc<Certificate>> {
        match &self.0 {
            Kind::Key { certificate, .. } | Kind::Agent { certificate, .. } => certificate.as_ref(),
        }
    }

    /// RSA signs with SHA-512 (RFC 8332), never with SHA-1; other types have no choice.
    pub(super) fn hash(&self) -> Option<HashAlg> {
        self.public_key().algorithm().is_rsa().then_some(HashAlg::Sha512)
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Identity").field(&self.fingerprint()).finish()
    }
}

fn read_private_key(path: &Path) -> Result<PrivateKey, IdentityError> {
    let not_a_key = || IdentityError::NotAKey { path: path.to_owned() };
    let (text, metadata) = read_file(path)?;
    let mode = metadata.permissions().mode() & 0o7777;
    let (owner, me) = (metadata.uid(), rustix::process::geteuid().as_raw());
    // As ssh does, a group may read what root handed to it; unlike ssh, the world may not.
    let open_to_others = if owner == me { 0o077 } else { 0o007 };
    if mode & open_to_others != 0 {
        return Err(IdentityError::Permissions { path: path.to_owned(), mode });
    }
    if owner != me && owner != 0 {
        return Err(IdentityError::Owner { path: path.to_owned(), owner });
    }
    let key = PrivateKey::from_openssh(&text).map_err(|_| not_a_key())?;
    if key.is_encrypted() {
        return Err(IdentityError::Encrypted { path: path.to_owned() });
    }
    Ok(key)
}

fn read_certificate(path: &Path, key: &KeyData) -> Result<Arc<Certificate>, IdentityError> {
    let not_a_certificate = || IdentityError::NotACertificate { path: path.to_owned() };
    let (bytes, _) = read_file(path)?;
    let text = String::from_utf8(bytes).map_err(|_| not_a_certificate())?;
    let certificate = Certificate::from_openssh(&text).map_err(|_| not_a_certificate())?;
    if !certificate.cert_type().is_user() {
        return Err(not_a_certificate());
    }
    if certificate.public_key() != key {
        return Err(IdentityError::OtherKey { path: path.to_owned() });
    }
    Ok(Arc::new(certificate))
}

/// The bytes and the metadata come from one open file, so that both are about the same one.
fn read_file(path: &Path) -> Result<(Vec<u8>, std::fs::Metadata), IdentityError> {
    let read = || {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
            .open(path)?;
        let metadata = file.metadata()?;
        let mut bytes = Vec::new();
        file.take(LARGEST_FILE).read_to_end(&mut bytes)?;
        Ok((bytes, metadata))
    };
    read().map_err(|source| IdentityError::Read { path: path.to_owned(), source })
}
