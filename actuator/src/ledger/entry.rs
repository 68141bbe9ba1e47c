//! One line of the ledger: how it is made, and when it is in order. Pure.

use super::LedgerError;
use countersign_manifests_schema::ledger::{Entry, Event, LEDGER_NAMESPACE, LEDGER_SCHEMA};
use countersign_manifests_schema::notary::LedgerHead;
use countersign_shared::approval::sshsig::{SignatureError, SshSignature};
use countersign_shared::canonical_json::{self, CanonicalError};
use countersign_shared::signing_key::SigningKey;
use jiff::Timestamp;
use ssh_key::public::KeyData;

/// What the first entry names as the one before it.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Why a line is not the entry that belongs there.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Not canonical JSON with exactly the fields of an entry.
    #[error("it is not an entry")]
    Unreadable(#[from] CanonicalError),
    /// Another format.
    #[error("its format is {0:?}")]
    Schema(String),
    /// Out of order.
    #[error("it is numbered {found} and not {wanted}")]
    Number {
        /// What it says.
        found: u64,
        /// What belongs there.
        wanted: u64,
    },
    /// It follows something else.
    #[error("it does not name the line before it: that was changed, or this belongs elsewhere")]
    Chain,
    /// Not a time.
    #[error("its time is not one")]
    Time,
    /// The signature does not hold.
    #[error("its signature does not hold")]
    Signature(#[from] SignatureError),
    /// Another key signed it.
    #[error("it is not signed by the ledger's key")]
    Key,
}

/// The line after `last`, with its newline.
pub(super) fn seal(last: Option<&LedgerHead>, at: i64, event: Event, key: &SigningKey) -> Result<Vec<u8>, LedgerError> {
    let at = Timestamp::from_second(at).map_err(|_| EntryError::Time)?.to_string();
    let (number, previous) = after(last);
    let schema = LEDGER_SCHEMA.to_owned();
    let mut entry = Entry { schema, number, previous, at, event, signature: String::new() };
    entry.signature = key.sign(LEDGER_NAMESPACE, &bytes(&entry)?)?;
    Ok(bytes(&entry)?)
}

/// Reads the line after `last`; answers with the entry and its head.
pub fn check(line: &[u8], last: Option<&LedgerHead>, key: &KeyData) -> Result<(Entry, LedgerHead), EntryError> {
    let entry: Entry = canonical_json::from_bytes(line, line.len())?;
    if entry.schema != LEDGER_SCHEMA {
        return Err(EntryError::Schema(entry.schema));
    }
    let (number, previous) = after(last);
    if entry.number != number {
        return Err(EntryError::Number { found: entry.number, wanted: number });
    }
    if entry.previous != previous {
        return Err(EntryError::Chain);
    }
    entry.at.parse::<Timestamp>().map_err(|_| EntryError::Time)?;
    let unsigned = Entry { signature: String::new(), ..entry.clone() };
    let signer = SshSignature::parse(&entry.signature)?.verify(LEDGER_NAMESPACE, &bytes(&unsigned)?)?;
    if signer.certificate.is_some() || signer.key != *key {
        return Err(EntryError::Key);
    }
    Ok((entry, head_of(line, number)))
}

pub(super) fn head_of(line: &[u8], number: u64) -> LedgerHead {
    LedgerHead { number, sha256: canonical_json::sha256(line) }
}

fn after(last: Option<&LedgerHead>) -> (u64, String) {
    last.map_or((1, NOTHING.to_owned()), |last| (last.number + 1, last.sha256.clone()))
}

fn bytes(entry: &Entry) -> Result<Vec<u8>, EntryError> {
    canonical_json::to_bytes(entry).map_err(|error| EntryError::Unreadable(CanonicalError::Json(error)))
}
