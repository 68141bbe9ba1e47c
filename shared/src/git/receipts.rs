//! The one thing that the actuator writes to a remote: the copy of its ledger, on `main` of a repository of its own.
//!
//! Only the actuator is built with it (feature `receipts`). The branch is fixed, a tip that is not the expected one is
//! left alone, and the files are those below `entries/`. That the repository holds nothing else is for the caller to see
//! first.

use super::error::GitError;
use super::history::CommitId;
use super::mirror::{Mirror, classify};
use super::remote::Remote;
use super::transport::{self, Verb};
use git2::{FileMode, Signature, Time};
use std::collections::BTreeMap;

/// The branch, on every remote.
pub(super) const BRANCH: &str = "refs/heads/main";
/// The only directory.
pub const DIRECTORY: &str = "entries";
/// Who every commit is by.
const NAME: &str = "Countersign actuator";
/// An address that reaches nobody, RFC 2606.
const EMAIL: &str = "actuator@countersign.invalid";

impl Mirror {
    /// Makes the commit that sets files below [`DIRECTORY`], by name, on top of `parent`. At `at`, Unix seconds.
    pub fn write_receipts(
        &self,
        parent: Option<CommitId>,
        files: &BTreeMap<String, Vec<u8>>,
        at: i64,
    ) -> Result<CommitId, GitError> {
        let repository = self.repository();
        let failed = |error| self.failed(error);
        let parent = parent.map(|id| self.find_commit(id)).transpose()?;
        let base = match &parent {
            Some(parent) => parent.tree().map_err(failed)?,
            None => {
                let empty = repository.treebuilder(None).and_then(|tree| tree.write()).map_err(failed)?;
                repository.find_tree(empty).map_err(failed)?
            }
        };
        let mut update = git2::build::TreeUpdateBuilder::new();
        for (name, bytes) in files {
            let blob = repository.blob(bytes).map_err(failed)?;
            update.upsert(format!("{DIRECTORY}/{name}"), blob, FileMode::Blob);
        }
        let tree = update.create_updated(repository, &base).map_err(failed)?;
        let tree = repository.find_tree(tree).map_err(failed)?;
        let by = Signature::new(NAME, EMAIL, &Time::new(at, 0)).map_err(failed)?;
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        let commit = repository.commit(None, &by, &by, "Keep the ledger\n", &tree, &parents).map_err(failed)?;
        Ok(CommitId::new(commit))
    }

    /// Pushes `new` to `main`, if that is still at `expected`; `None` = there is no `main` yet.
    pub fn push_receipts(&self, remote: &Remote, new: CommitId, expected: Option<CommitId>) -> Result<(), GitError> {
        let ended = transport::run(self.path(), remote, Verb::PushReceipts { new, expected })?;
        if ended.success { Ok(()) } else { Err(classify(remote, None, &ended)) }
    }
}
