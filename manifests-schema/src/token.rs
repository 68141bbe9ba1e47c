//! The notary's permission: one proposal, one runner, one staging, once. Canonical JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `schema` of [`Token`].
pub const TOKEN_SCHEMA: &str = "countersign/token/1";
/// Namespace of a token's signature.
pub const TOKEN_NAMESPACE: &str = "countersign-token";
/// Seconds that a token lasts.
pub const TOKEN_SECONDS: i64 = 10 * 60;

/// What the notary signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Always [`TOKEN_SCHEMA`].
    pub schema: String,
    /// sha256 of the proposal.
    pub proposal: String,
    /// The runner's name.
    pub runner: String,
    /// The nonce with which the runner answered to `stage`, 64 hex digits.
    pub nonce: String,
    /// sha256 of the staged set.
    pub staged: String,
    /// sha256 of the text of the lease.
    pub lease: String,
    /// RFC 3339 UTC seconds.
    pub issued: String,
    /// [`TOKEN_SECONDS`] after `issued`.
    pub expires: String,
}
