//! Reads the ledger without writing it, one entry at a time: while the writer is at work, or where there is only the
//! public key.

use super::LedgerError;
use super::entry::check;
use countersign_manifests_schema::ledger::Entry;
use countersign_manifests_schema::notary::LedgerHead;
use countersign_shared::journal::{self, JournalError, Tail};
use ssh_key::public::KeyData;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    /// Its last entry; `None` where there is none.
    pub head: Option<LedgerHead>,
    /// Whether a line follows that is not complete: being written, or torn by a crash.
    pub unfinished: bool,
}

/// Checks every entry of the file in order, and hands it to `each`. A file that is not there has no entries.
pub fn scan(path: &Path, key: &KeyData, each: &mut dyn FnMut(&Entry, &LedgerHead, &[u8])) -> Result<Scan, LedgerError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Scan::default()),
        Err(source) => return Err(JournalError::File { path: path.to_owned(), source }.into()),
    };
    let mut head = None;
    let mut judge = |_: u64, line: &[u8]| {
        let (entry, next) = check(line, head.as_ref(), key)?;
        each(&entry, &next, line);
        head = Some(next);
        Ok(())
    };
    let read = journal::read(path, &file, &mut judge)?;
    Ok(Scan { head, unfinished: read.tail != Tail::None })
}
