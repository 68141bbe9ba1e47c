//! Commits and the way along first parents.

use super::error::GitError;
use super::mirror::Mirror;
use std::fmt;

/// A full SHA-1 commit id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(git2::Oid);

impl CommitId {
    /// 40 lower-case hex digits; an abbreviation is an error.
    pub fn parse(text: &str) -> Result<Self, GitError> {
        let full = text.len() == 40 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        git2::Oid::from_str(text)
            .ok()
            .filter(|_| full)
            .map(Self)
            .ok_or_else(|| GitError::CommitId(text.chars().take(80).collect()))
    }

    pub(super) fn new(oid: git2::Oid) -> Self {
        Self(oid)
    }

    pub(super) fn oid(self) -> git2::Oid {
        self.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What is needed of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: CommitId,
    /// Its parents, first parent first.
    pub parents: Vec<CommitId>,
    /// Committer time, Unix seconds; a claim of whoever made the commit.
    pub committed_at: i64,
}

impl Mirror {
    /// One commit.
    pub fn commit(&self, id: CommitId) -> Result<Commit, GitError> {
        let commit = self.find_commit(id)?;
        Ok(Commit {
            id,
            parents: commit.parent_ids().map(CommitId::new).collect(),
            committed_at: commit.time().seconds(),
        })
    }

    /// The bytes of a commit object, as they were hashed.
    pub fn raw_commit(&self, id: CommitId) -> Result<Vec<u8>, GitError> {
        self.find_commit(id)?;
        let odb = self.repository().odb().map_err(|e| self.failed(e))?;
        let object = odb.read(id.oid()).map_err(|e| self.failed(e))?;
        Ok(object.data().to_vec())
    }

    /// The bytes of an object, if it is there, is of this kind, and has at most `most` bytes.
    pub fn raw_object(&self, id: &str, kind: git2::ObjectType, most: usize) -> Result<Option<Vec<u8>>, GitError> {
        let id = CommitId::parse(id)?.oid();
        let odb = self.repository().odb().map_err(|e| self.failed(e))?;
        match odb.read_header(id) {
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(error)),
            Ok((size, found)) if found != kind || size > most => return Ok(None),
            Ok(_) => {}
        }
        let object = odb.read(id).map_err(|e| self.failed(e))?;
        Ok(Some(object.data().to_vec()))
    }

    /// The message of a commit, with what is not UTF-8 replaced.
    pub fn message(&self, id: CommitId) -> Result<String, GitError> {
        let commit = self.find_commit(id)?;
        Ok(String::from_utf8_lossy(commit.message_bytes()).into_owned())
    }

    /// Paths below `directory` that a commit changed against its first parent; all of them for a root commit.
    pub fn changed_files(&self, id: CommitId, directory: &str) -> Result<Vec<String>, GitError> {
        let failed = |e| self.failed(e);
        let commit = self.find_commit(id)?;
        let after = commit.tree().map_err(failed)?;
        let before = commit.parents().next().map(|parent| parent.tree()).transpose().map_err(failed)?;
        let mut options = git2::DiffOptions::new();
        options.pathspec(directory).disable_pathspec_match(true);
        let diff =
            self.repository().diff_tree_to_tree(before.as_ref(), Some(&after), Some(&mut options)).map_err(failed)?;
        let path = |delta: git2::DiffDelta<'_>| {
            let file = delta.new_file().path().or_else(|| delta.old_file().path())?;
            Some(file.to_string_lossy().into_owned())
        };
        Ok(diff.deltas().filter_map(path).collect())
    }

    /// Commits from `from` back along first parents, `from` first.
    pub fn first_parents(&self, from: CommitId) -> FirstParents<'_> {
        FirstParents { mirror: self, next: Some(from) }
    }

    /// Whether `new` is `old` or descends from it. An `old` that was never fetched is no ancestor.
    pub fn is_descendant(&self, new: CommitId, old: CommitId) -> Result<bool, GitError> {
        self.find_commit(new)?;
        if new == old {
            return Ok(true);
        }
        match self.find_commit(old) {
            Err(GitError::NoCommit(_)) => return Ok(false),
            other => other?,
        };
        self.repository().graph_descendant_of(new.oid(), old.oid()).map_err(|e| self.failed(e))
    }

    /// The tip must descend from the anchor and from the tip that was seen last. A person accepts a rewritten history
    /// by moving `anchor` to a commit of it.
    pub fn refuse_rewritten_since(
        &self,
        tip: CommitId,
        anchor: Option<CommitId>,
        seen: Option<CommitId>,
    ) -> Result<(), GitError> {
        if let Some(anchor) = anchor {
            self.refuse_rewritten(tip, anchor)?;
        }
        let Some(seen) = seen else {
            return Ok(());
        };
        let refused = self.refuse_rewritten(tip, seen);
        match (&refused, anchor) {
            // An anchor that the old history did not have was put there by a person after the rewrite.
            (Err(GitError::HistoryRewritten { .. }), Some(anchor)) if !self.had(seen, anchor)? => Ok(()),
            _ => refused,
        }
    }

    /// Whether the old history is known to hold the anchor, or is not known at all.
    fn had(&self, seen: CommitId, anchor: CommitId) -> Result<bool, GitError> {
        match self.is_descendant(seen, anchor) {
            Err(GitError::NoCommit(_)) => Ok(true),
            other => other,
        }
    }

    /// Refuses a tip that does not descend from the last one seen.
    pub fn refuse_rewritten(&self, now: CommitId, seen: CommitId) -> Result<(), GitError> {
        if self.is_descendant(now, seen)? {
            Ok(())
        } else {
            Err(GitError::HistoryRewritten { seen: seen.to_string(), now: now.to_string() })
        }
    }
}

/// See [`Mirror::first_parents`]. Ends after the root commit or the first error.
pub struct FirstParents<'m> {
    mirror: &'m Mirror,
    next: Option<CommitId>,
}

impl Iterator for FirstParents<'_> {
    type Item = Result<Commit, GitError>;

    fn next(&mut self) -> Option<Self::Item> {
        let commit = self.mirror.commit(self.next.take()?);
        if let Ok(commit) = &commit {
            self.next = commit.parents.first().copied();
        }
        Some(commit)
    }
}
