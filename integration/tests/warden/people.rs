//! People, a notary, and what they sign: real keys, real `ssh-keygen -Y sign`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign_manifests_schema::bundle::{APPROVE_NAMESPACE, BUNDLE_SCHEMA, Bundle, SignedText, Statement};
use countersign_manifests_schema::lease::{LEASE_NAMESPACE, LEASE_SCHEMA, Lease};
use countersign_manifests_schema::token::{TOKEN_NAMESPACE, TOKEN_SCHEMA, Token};
use countersign_shared::canonical_json;
use countersign_shared::proposal::Sealed;
use jiff::{Timestamp, ToSpan as _};

/// A key pair in a file.
pub(crate) struct Key(PathBuf);

impl Key {
    pub(crate) fn new(dir: &Path, name: &str) -> Self {
        let path = dir.join(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(made.success());
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn public(&self) -> String {
        std::fs::read_to_string(self.0.with_extension("pub")).unwrap().trim().to_owned()
    }

    pub(crate) fn sign(&self, namespace: &str, message: &[u8]) -> String {
        use std::io::Write as _;
        let mut child = Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", namespace, "-f"])
            .arg(&self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(message).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Everybody who signs.
pub(crate) struct People {
    pub(crate) mira: Key,
    pub(crate) juno: Key,
    pub(crate) notary: Key,
    _dir: tempfile::TempDir,
}

/// What the runner answered to `stage`.
#[derive(Debug, Clone)]
pub(crate) struct Nonce {
    pub(crate) nonce: String,
    pub(crate) staged: String,
}

/// Now and so many minutes, RFC 3339 UTC seconds.
pub(crate) fn minutes(from_now: i64) -> String {
    let time = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    (time + from_now.minutes()).to_string()
}

impl People {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = |name: &str| Key::new(dir.path(), name);
        Self { mira: key("mira"), juno: key("juno"), notary: key("notary"), _dir: dir }
    }

    /// The runner's `approvers`.
    pub(crate) fn approvers(&self) -> String {
        format!("mira@example.org {}\njuno@example.org {}\n", self.mira.public(), self.juno.public())
    }

    /// An approved bundle, before there is a lease.
    pub(crate) fn approve(&self, sealed: &Sealed, by: &[&Key]) -> Bundle {
        let signature = |key: &&Key| Statement::Signature { signature: key.sign(APPROVE_NAMESPACE, sealed.bytes()) };
        let mut statements: Vec<Statement> = by.iter().map(signature).collect();
        statements.sort();
        Bundle {
            schema: BUNDLE_SCHEMA.to_owned(),
            proposal: String::from_utf8(sealed.bytes().to_vec()).unwrap(),
            statements,
            lease: None,
            token: None,
        }
    }

    /// A lease of Mira's for these proposals.
    pub(crate) fn lease(&self, proposals: &[&str]) -> SignedText {
        let mut proposals: Vec<String> = proposals.iter().map(|id| (*id).to_owned()).collect();
        proposals.sort();
        let lease = Lease {
            schema: LEASE_SCHEMA.to_owned(),
            nonce: "11".repeat(32),
            proposals,
            max: 5,
            reason: "llvm back to 19".to_owned(),
            issued: minutes(0),
            expires: minutes(20),
        };
        signed(&lease, &self.mira, LEASE_NAMESPACE)
    }

    /// A token as the notary gives it.
    pub(crate) fn token(&self, proposal: &str, runner: &str, nonce: &Nonce, lease: &SignedText) -> SignedText {
        signed(&self.token_text(proposal, runner, nonce, lease), &self.notary, TOKEN_NAMESPACE)
    }

    pub(crate) fn token_text(&self, proposal: &str, runner: &str, nonce: &Nonce, lease: &SignedText) -> Token {
        Token {
            schema: TOKEN_SCHEMA.to_owned(),
            proposal: proposal.to_owned(),
            runner: runner.to_owned(),
            nonce: nonce.nonce.clone(),
            staged: nonce.staged.clone(),
            lease: canonical_json::sha256(lease.text.as_bytes()),
            issued: minutes(0),
            expires: minutes(10),
        }
    }
}

/// Canonical JSON and the signature over it.
pub(crate) fn signed<T: serde::Serialize>(content: &T, key: &Key, namespace: &str) -> SignedText {
    let text = String::from_utf8(canonical_json::to_bytes(content).unwrap()).unwrap();
    SignedText { signature: key.sign(namespace, text.as_bytes()), text }
}

/// The text of a bundle.
pub(crate) fn text(bundle: &Bundle) -> String {
    String::from_utf8(canonical_json::to_bytes(bundle).unwrap()).unwrap()
}
