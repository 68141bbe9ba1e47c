//! What is known of an application while it is under way, beside the staging that it is of.

use crate::refused::Refused;
use crate::scope::Scope;
use crate::staged::{CURRENT, Contents, Staged};
use crate::store::Store;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

const FILE: &str = "journal.json";

/// The notes of one application.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Journal {
    /// The boot in which it was started.
    pub(crate) boot: String,
    /// Seconds since that boot at which it is undone, once it waits for its confirmation.
    pub(crate) deadline: Option<u64>,
    /// Whether dnf was about to be told to begin. Until then there is nothing to take back.
    pub(crate) begun: bool,
    /// Why it is being undone; once that is begun it is gone through with.
    pub(crate) undo: Option<String>,
    /// What came along that the transaction was not about; `None` until somebody looked after dnf had ended.
    pub(crate) beyond: Option<Scope>,
    /// snapper's number of the snapshot from before.
    pub(crate) snapshot: Option<u64>,
    /// What `dnf check` had to say before.
    pub(crate) problems: BTreeSet<String>,
    /// The audit log before: inode and length.
    pub(crate) audit: Option<(u64, u64)>,
    /// What the warden judges by and where it remembers: a snapshot takes none of it back.
    pub(crate) kept: Vec<PathBuf>,
    /// What puts the runner back into use.
    pub(crate) undrain: Option<PathBuf>,
}

impl Journal {
    /// Writes it durably.
    pub(crate) fn save(&self, store: &Store) -> std::io::Result<()> {
        store.write(&format!("{CURRENT}/{FILE}"), self)
    }

    /// The notes and the staging of what is under way.
    pub(crate) fn load(store: &Store) -> Result<(Journal, Contents), Refused> {
        let unread = |what: String| Refused::new("warden", format!("what is under way cannot be read: {what}"));
        let journal = store.read(&format!("{CURRENT}/{FILE}")).map_err(|error| unread(error.to_string()))?;
        let staged = Staged::load(store, CURRENT).map_err(|error| unread(error.to_string()))?;
        match (journal, staged) {
            (Some(journal), Some(staged)) => Ok((journal, staged.contents)),
            _ => Err(unread("it is gone".to_owned())),
        }
    }
}
