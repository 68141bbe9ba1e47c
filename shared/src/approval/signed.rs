//! Texts that are signed for the notary, and by it: canonical JSON and a detached signature, read back strictly.

use super::people::{Approver, NotAPerson, People};
use super::sshsig::{SignatureError, SshSignature};
use super::statement::is_digest;
use crate::canonical_json::{self, CanonicalError};
use crate::manifest::fleet::is_runner_name;
use countersign_manifests_schema::bundle::SignedText;
use countersign_manifests_schema::lease::{
    LEASE_NAMESPACE, LEASE_SCHEMA, LEASE_SECONDS, Lease, ORDER_SCHEMA, Order, OrderKind, RESET_NAMESPACE,
    RESUME_NAMESPACE,
};
use countersign_manifests_schema::token::{TOKEN_NAMESPACE, TOKEN_SCHEMA, TOKEN_SECONDS, Token};
use ssh_key::public::KeyData;

/// Seconds by which the clock of another machine may be ahead of ours.
pub const CLOCK_SKEW: i64 = 60;
/// Bytes of a signed text that are read at most: a lease for 10,000 proposals.
const TEXT_MAX: usize = 1 << 20;
/// Bytes of a reason at most.
const REASON_MAX: usize = 1000;

/// Why a signed text is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SignedRefusal {
    /// Not canonical JSON of its kind.
    #[error("it cannot be read")]
    Text(#[from] CanonicalError),
    /// A field holds what it must not.
    #[error("{field}: {problem}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nobody who counts signed it.
    #[error("it is not by a person who counts")]
    Person(#[from] NotAPerson),
    /// The notary did not sign it.
    #[error("its signature does not hold")]
    Signature(#[from] SignatureError),
    /// Signed by something else than the notary's key.
    #[error("it is not signed by the notary's key")]
    NotNotary,
    /// From the future.
    #[error("it was issued after now, by our clock")]
    Early,
    /// Not in force any more.
    #[error("its time is over")]
    Late,
}

/// Opens a lease that is in force now.
pub fn open_lease(signed: &SignedText, people: &People<'_>) -> Result<(Lease, Approver), SignedRefusal> {
    open_lease_at(signed, people, people.now)
}

/// Opens a lease that was in force at `moment`, Unix seconds; who may sign is judged now.
pub(super) fn open_lease_at(
    signed: &SignedText,
    people: &People<'_>,
    moment: i64,
) -> Result<(Lease, Approver), SignedRefusal> {
    let lease: Lease = canonical_json::from_bytes(signed.text.as_bytes(), TEXT_MAX)?;
    schema(&lease.schema, LEASE_SCHEMA)?;
    digest("nonce", &lease.nonce)?;
    lease.proposals.iter().try_for_each(|id| digest("proposals", id))?;
    if lease.proposals.is_empty() || !lease.proposals.is_sorted_by(|a, b| a < b) {
        return Err(field("proposals", "empty, not sorted, or one twice"));
    }
    if lease.max == 0 {
        return Err(field("max", "permits nothing"));
    }
    reason(&lease.reason)?;
    in_force(&lease.issued, &lease.expires, LEASE_SECONDS, moment)?;
    let approver = people.who(&signed.signature, LEASE_NAMESPACE, signed.text.as_bytes())?;
    Ok((lease, approver))
}

/// Opens an order, signed in the namespace of its kind and issued within [`LEASE_SECONDS`].
pub fn open_order(signed: &SignedText, people: &People<'_>) -> Result<(Order, Approver), SignedRefusal> {
    let order: Order = canonical_json::from_bytes(signed.text.as_bytes(), TEXT_MAX)?;
    schema(&order.schema, ORDER_SCHEMA)?;
    digest("nonce", &order.nonce)?;
    reason(&order.reason)?;
    let issued = seconds("issued", &order.issued)?;
    covers(issued, issued.saturating_add(LEASE_SECONDS), people.now)?;
    let namespace = match order.kind {
        OrderKind::ResetBreaker => RESET_NAMESPACE,
        OrderKind::Resume => RESUME_NAMESPACE,
    };
    let approver = people.who(&signed.signature, namespace, signed.text.as_bytes())?;
    Ok((order, approver))
}

/// Opens a token that is in force at `now`, Unix seconds.
pub fn open_token(signed: &SignedText, notary: &KeyData, now: i64) -> Result<Token, SignedRefusal> {
    let token: Token = canonical_json::from_bytes(signed.text.as_bytes(), TEXT_MAX)?;
    schema(&token.schema, TOKEN_SCHEMA)?;
    for (name, text) in
        [("proposal", &token.proposal), ("nonce", &token.nonce), ("staged", &token.staged), ("lease", &token.lease)]
    {
        digest(name, text)?;
    }
    if !is_runner_name(&token.runner) {
        return Err(field("runner", "not the name of a runner"));
    }
    in_force(&token.issued, &token.expires, TOKEN_SECONDS, now)?;
    let signer = SshSignature::parse(&signed.signature)?.verify(TOKEN_NAMESPACE, signed.text.as_bytes())?;
    if signer.certificate.is_some() || signer.key != *notary {
        return Err(SignedRefusal::NotNotary);
    }
    Ok(token)
}

/// Unix seconds of a time in the one spelling that is written, RFC 3339 UTC seconds.
pub(super) fn seconds(name: &'static str, text: &str) -> Result<i64, SignedRefusal> {
    match text.parse::<jiff::Timestamp>() {
        Ok(time) if text.len() == 20 && time.to_string() == text => Ok(time.as_second()),
        _ => Err(field(name, "not a time such as 2026-11-20T03:30:00Z")),
    }
}

fn in_force(issued: &str, expires: &str, longest: i64, now: i64) -> Result<(), SignedRefusal> {
    let (issued, expires) = (seconds("issued", issued)?, seconds("expires", expires)?);
    if expires <= issued || expires - issued > longest {
        return Err(field("expires", "not after `issued`, or too long after it"));
    }
    covers(issued, expires, now)
}

fn covers(issued: i64, expires: i64, now: i64) -> Result<(), SignedRefusal> {
    match now {
        now if now >= expires => Err(SignedRefusal::Late),
        now if now.saturating_add(CLOCK_SKEW) < issued => Err(SignedRefusal::Early),
        _ => Ok(()),
    }
}

fn schema(found: &str, wanted: &'static str) -> Result<(), SignedRefusal> {
    if found == wanted { Ok(()) } else { Err(field("schema", "not of this kind, or of another version")) }
}

fn digest(name: &'static str, text: &str) -> Result<(), SignedRefusal> {
    if is_digest(text) { Ok(()) } else { Err(field(name, "not 64 lower-case hex digits")) }
}

fn reason(text: &str) -> Result<(), SignedRefusal> {
    match text.trim().is_empty() {
        true => Err(field("reason", "empty")),
        false if text.len() > REASON_MAX => Err(field("reason", "more than 1000 bytes")),
        false => Ok(()),
    }
}

fn field(field: &'static str, problem: &'static str) -> SignedRefusal {
    SignedRefusal::Field { field, problem }
}
