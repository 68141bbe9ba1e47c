//! What people sign for the notary: leases, and orders that lift a stop. Canonical JSON, each over a nonce of the notary.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `schema` of [`Lease`].
pub const LEASE_SCHEMA: &str = "countersign/lease/1";
/// The `schema` of [`Order`].
pub const ORDER_SCHEMA: &str = "countersign/order/1";
/// Namespace of a lease's signature.
pub const LEASE_NAMESPACE: &str = "countersign-lease";
/// Namespace of the signature that resets the breaker.
pub const RESET_NAMESPACE: &str = "countersign-reset";
/// Namespace of the signature that lifts a halt.
pub const RESUME_NAMESPACE: &str = "countersign-resume";
/// Seconds that a lease lasts at most.
pub const LEASE_SECONDS: i64 = 30 * 60;

/// A person is on duty for these proposals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// Always [`LEASE_SCHEMA`].
    pub schema: String,
    /// The notary's, 64 hex digits; used once.
    pub nonce: String,
    /// sha256 of each proposal that it covers; sorted, not empty.
    pub proposals: Vec<String>,
    /// Tokens that may be drawn under it.
    pub max: u32,
    /// Why, in the person's words; not empty.
    pub reason: String,
    /// When the notary gave the nonce, RFC 3339 UTC seconds.
    pub issued: String,
    /// When it ends: [`LEASE_SECONDS`] after `issued` at the latest.
    pub expires: String,
}

/// A person lifts a stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Always [`ORDER_SCHEMA`].
    pub schema: String,
    /// What is lifted; each has its own namespace.
    pub kind: OrderKind,
    /// The notary's, 64 hex digits; used once.
    pub nonce: String,
    /// Why, in the person's words; not empty.
    pub reason: String,
    /// When the notary gave the nonce, RFC 3339 UTC seconds.
    pub issued: String,
}

/// What an order lifts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OrderKind {
    /// The breaker.
    ResetBreaker,
    /// The notary's halt.
    Resume,
}
