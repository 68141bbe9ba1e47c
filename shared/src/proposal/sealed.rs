//! Canonical bytes and back. A [`Sealed`] proposal cannot be malformed: both ways into it check everything.

use super::judge;
use crate::canonical_json;
use countersign_manifests_schema::proposal::Proposal;

/// Larger files are refused unread.
pub const MAX_BYTES: usize = 4 << 20;

/// Why bytes are not a proposal.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// More than [`MAX_BYTES`].
    #[error("a proposal of {0} bytes; at most {MAX_BYTES} are read")]
    TooLong(usize),
    /// Not JSON, or not with exactly the fields of a proposal.
    #[error("it is not a proposal")]
    Json(#[source] serde_json::Error),
    /// The bytes are not those that the same content is written as.
    #[error("byte {0} is not what the same proposal is written as")]
    NotCanonical(usize),
    /// A field holds what it must not.
    #[error("{field}: {problem}")]
    Field {
        /// Its path.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// A proposal that is in order, with its bytes and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    proposal: Proposal,
    bytes: Vec<u8>,
    id: String,
}

impl Sealed {
    /// Writes a proposal as canonical JSON: sorted keys, no spaces, one newline at the end.
    pub fn new(proposal: Proposal) -> Result<Self, SealError> {
        judge::check(&proposal)?;
        let bytes = canonical_json::to_bytes(&proposal).map_err(SealError::Json)?;
        if bytes.len() > MAX_BYTES {
            return Err(SealError::TooLong(bytes.len()));
        }
        let id = canonical_json::sha256(&bytes);
        Ok(Self { proposal, bytes, id })
    }

    /// Reads exactly what [`Sealed::new`] writes: unknown, missing and repeated fields, other spellings of the same
    /// value and trailing bytes are errors.
    pub fn parse(bytes: &[u8]) -> Result<Self, SealError> {
        if bytes.len() > MAX_BYTES {
            return Err(SealError::TooLong(bytes.len()));
        }
        let proposal: Proposal = serde_json::from_slice(bytes).map_err(SealError::Json)?;
        let sealed = Self::new(proposal)?;
        if sealed.bytes != bytes {
            let differs = sealed.bytes.iter().zip(bytes).position(|(a, b)| a != b);
            return Err(SealError::NotCanonical(differs.unwrap_or(sealed.bytes.len().min(bytes.len()))));
        }
        Ok(sealed)
    }

    /// What it says.
    pub fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    /// The bytes of `proposal.json`.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// sha256 of the bytes, 64 hex digits: the name of its directory and the key everywhere.
    pub fn id(&self) -> &str {
        &self.id
    }
}
