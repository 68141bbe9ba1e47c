//! `countersign/bundle/1`: everything that a runner needs to judge one application, in one file. Verifies with nothing but
//! the public keys of the approvers and of the notary.
//!
//! Canonical JSON, as proposals are: the same content has one spelling.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `schema` of [`Bundle`].
pub const BUNDLE_SCHEMA: &str = "countersign/bundle/1";
/// Namespace of detached approvals over the bytes of `proposal.json`, ssh-keygen(1) `-n`.
pub const APPROVE_NAMESPACE: &str = "countersign";
/// Namespace of detached rejections over the bytes of `proposal.json`.
pub const REJECT_NAMESPACE: &str = "countersign-reject";
/// Namespace of signed commits, git-config(1) `gpg.format = ssh`.
pub const COMMIT_NAMESPACE: &str = "git";
/// The key of the line of a signed merge that approves: `Countersign-Approves: RUNNER sha256:HEX`.
pub const APPROVES: &str = "Countersign-Approves";

/// What the runner gets, and what the receipt keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Always [`BUNDLE_SCHEMA`].
    pub schema: String,
    /// The bytes of `proposal.json`.
    pub proposal: String,
    /// Who approved it; sorted, each once.
    pub statements: Vec<Statement>,
    /// The lease under which the token was drawn; null before there is one.
    pub lease: Option<SignedText>,
    /// The notary's permission; null until the runner has staged.
    pub token: Option<SignedText>,
}

/// A person's signature that names one proposal's full digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Statement {
    /// A signed merge commit of proposed.
    Merge {
        /// The commit object without its signature's header.
        payload: String,
        /// The armoured SSHSIG over `payload`, namespace [`COMMIT_NAMESPACE`].
        signature: String,
    },
    /// A detached signature over the proposal's bytes.
    Signature {
        /// The armoured SSHSIG, namespace [`APPROVE_NAMESPACE`].
        signature: String,
    },
}

/// A text and the signature over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedText {
    /// Canonical JSON.
    pub text: String,
    /// The armoured SSHSIG over its bytes.
    pub signature: String,
}
