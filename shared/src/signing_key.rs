//! A program's own signing key: an ed25519 private key without passphrase in OpenSSH's format, that nobody else can read.

use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey};
use std::fmt;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Bytes of the largest key file that is read.
const LARGEST: u64 = 64 << 10;

/// Signs as `ssh-keygen -Y sign -n NAMESPACE` does.
pub struct SigningKey(PrivateKey);

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others on this machine can read or change it.
    #[error("{} can be read by others (mode {mode:04o})", path.display())]
    Permissions {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Somebody else owns it, who could replace it.
    #[error("{} belongs to user id {owner}", path.display())]
    Owner {
        /// Which file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Not an ed25519 key in OpenSSH's format without passphrase.
    #[error("{} is not an ed25519 private key without passphrase in OpenSSH's format", path.display())]
    NotAKey {
        /// Which file.
        path: PathBuf,
    },
    /// The key did not sign.
    #[error("the key did not sign")]
    Sign,
}

impl SigningKeyError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check the path, and who may read it",
            Self::Permissions { .. } => "chmod 600 it",
            Self::Owner { .. } => "chown it to the user that runs this program",
            Self::NotAKey { .. } | Self::Sign => "ssh-keygen -t ed25519 -N '' -f FILE makes one",
        }
    }
}

impl SigningKey {
    /// Reads the key. Root may hand it to a group; the world and other owners are refused.
    pub fn load(path: &Path) -> Result<Self, SigningKeyError> {
        let unreadable = |source| SigningKeyError::Read { path: path.to_owned(), source };
        // A named pipe must not make a daemon wait for ever.
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = std::fs::File::options().read(true).custom_flags(nonblocking).open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        let (owner, me) = (metadata.uid(), rustix::process::geteuid().as_raw());
        let mode = metadata.mode() & 0o7777;
        let others = if owner == me { 0o077 } else { 0o027 };
        if mode & others != 0 {
            return Err(SigningKeyError::Permissions { path: path.to_owned(), mode });
        }
        if owner != me && owner != 0 {
            return Err(SigningKeyError::Owner { path: path.to_owned(), owner });
        }
        let mut text = Vec::new();
        file.take(LARGEST).read_to_end(&mut text).map_err(unreadable)?;
        let key = PrivateKey::from_openssh(&text).ok().filter(|key| key.algorithm() == Algorithm::Ed25519);
        match key.filter(|key| !key.is_encrypted()) {
            Some(key) => Ok(Self(key)),
            None => Err(SigningKeyError::NotAKey { path: path.to_owned() }),
        }
    }

    /// The armoured signature over `message`.
    pub fn sign(&self, namespace: &str, message: &[u8]) -> Result<String, SigningKeyError> {
        let signature = self.0.sign(namespace, HashAlg::Sha512, message).map_err(|_| SigningKeyError::Sign)?;
        signature.to_pem(LineEnding::LF).map_err(|_| SigningKeyError::Sign)
    }

    /// The public half.
    pub fn public(&self) -> &KeyData {
        self.0.public_key().key_data()
    }

    /// The public half as `ssh-keygen -l` names it.
    pub fn fingerprint(&self) -> String {
        self.public().fingerprint(HashAlg::Sha256).to_string()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.fingerprint()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::sshsig::SshSignature;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    fn keygen(path: &Path, kind: &str, passphrase: &str) {
        let made = Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(path).status();
        assert!(made.unwrap().success());
    }

    #[test]
    fn a_key_of_ssh_keygen_signs_and_what_others_can_read_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        keygen(&path, "ed25519", "");
        let key = SigningKey::load(&path).unwrap();
        let signature = key.sign("countersign-test", b"text").unwrap();
        let signer = SshSignature::parse(&signature).unwrap().verify("countersign-test", b"text").unwrap();
        assert_eq!(signer.key, *key.public());
        assert!(!format!("{key:?}").contains("PRIVATE"));
        for mode in [0o640, 0o604, 0o620, 0o602] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(matches!(SigningKey::load(&path), Err(SigningKeyError::Permissions { .. })), "{mode:o}");
        }
    }

    #[test]
    fn other_kinds_of_keys_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        keygen(&at("locked"), "ed25519", "secret");
        keygen(&at("ecdsa"), "ecdsa", "");
        keygen(&at("good"), "ed25519", "");
        fs::write(at("garbage"), "key").unwrap();
        fs::set_permissions(at("garbage"), Permissions::from_mode(0o600)).unwrap();
        for name in ["locked", "ecdsa", "garbage"] {
            assert!(matches!(SigningKey::load(&at(name)), Err(SigningKeyError::NotAKey { .. })), "{name}");
        }
        assert!(matches!(SigningKey::load(&at("none")), Err(SigningKeyError::Read { .. })));
        SigningKey::load(&at("good")).unwrap();
    }
}
