//! What was done, for ever: lines of JSON, each signed and naming the one before it by its digest.
//!
//! [`Ledger`] is the one writer. An entry is on the disk when [`Ledger::append`] returns, and a process that dies at any
//! moment loses and doubles none. What was changed later, [`read`] finds; what was cut off at the end, only a witness
//! knows: [`witness`] compares with the notary, the wardens and the mirror.

pub mod entry;
pub mod listing;
pub mod mirror;
pub mod read;
pub mod report;
pub mod witness;

use countersign_manifests_schema::ledger::{Entry, Event};
use countersign_manifests_schema::notary::LedgerHead;
use countersign_shared::journal::{Journal, JournalError, Watch};
use countersign_shared::signing_key::{SigningKey, SigningKeyError};
use entry::{EntryError, check, seal};
use std::path::Path;

/// Its name in `state_dir`.
pub const FILE: &str = "ledger.jsonl";

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read or written, or a line of it is bad.
    #[error("the ledger cannot be used")]
    Journal(#[from] JournalError),
    /// An entry cannot be made.
    #[error("the entry cannot be made")]
    Entry(#[from] EntryError),
    /// The key did not sign.
    #[error("the entry cannot be signed")]
    Key(#[from] SigningKeyError),
}

impl LedgerError {
    /// The first bad line, from 1, if it is one that is wrong.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Journal(
                JournalError::Line { line, .. }
                | JournalError::TooLong { line, .. }
                | JournalError::Damaged { line, .. },
            ) => Some(*line),
            _ => None,
        }
    }
}

/// The ledger, open for its one writer.
#[derive(Debug)]
pub struct Ledger {
    journal: Journal,
    key: SigningKey,
    head: Option<LedgerHead>,
}

impl Ledger {
    /// Opens `state_dir/ledger.jsonl`, or begins it. Every entry is checked, and goes to `each`; what a crash has left of
    /// a line that was never acknowledged is mended. Another writer is an error.
    pub fn open(
        path: &Path,
        key: SigningKey,
        watch: Watch,
        each: &mut dyn FnMut(&Entry, &LedgerHead),
    ) -> Result<Self, LedgerError> {
        let mut head = None;
        let mut judge = |_: u64, line: &[u8]| {
            let (entry, next) = check(line, head.as_ref(), key.public())?;
            each(&entry, &next);
            head = Some(next);
            Ok(())
        };
        let journal = Journal::open(path, watch, &mut judge)?;
        Ok(Self { journal, key, head })
    }

    /// Appends an entry, by the clock `at`, Unix seconds. It is on the disk when this returns.
    ///
    /// The notary takes only a head that is newer than the last one that it saw: whoever draws a token appends and asks
    /// under one lock.
    pub fn append(&mut self, at: i64, event: Event) -> Result<LedgerHead, LedgerError> {
        let line = seal(self.head.as_ref(), at, event, &self.key)?;
        self.journal.append(&line)?;
        let head = entry::head_of(&line, self.head.as_ref().map_or(1, |head| head.number + 1));
        self.head = Some(head.clone());
        Ok(head)
    }

    /// Its last entry; `None` before the first.
    pub fn head(&self) -> Option<&LedgerHead> {
        self.head.as_ref()
    }

    /// The key by which its entries are checked.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }
}
