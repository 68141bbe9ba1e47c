//! Signed commits without a checked-out tree, and pushes that name what they expect to find.

use super::Repository;
use crate::shell::Shell;
use crate::stop::{Result, Stop};
use countersign_shared::git::CommitId;
use countersign_shared::terminal::visible;
use std::collections::BTreeMap;

/// Files to add to a tree, or to change in it, by path.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What the remote did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It has the commit.
    Done,
    /// Somebody else was faster.
    Moved,
}

impl Repository {
    /// The tree of `base` with these files in it.
    pub(crate) fn with_files(&self, base: CommitId, files: &Files) -> Result<String> {
        let mut update = git2::build::TreeUpdateBuilder::new();
        for (path, bytes) in files {
            update.upsert(path.as_str(), self.store.blob(bytes)?, git2::FileMode::Blob);
        }
        Ok(update.create_updated(&self.store, &self.tree(base)?)?.to_string())
    }

    /// The tree of `base` with whole directories of `from` in it, and nothing else of it.
    pub(crate) fn with_directories(&self, base: CommitId, from: CommitId, paths: &[String]) -> Result<String> {
        let source = self.tree(from)?;
        let mut update = git2::build::TreeUpdateBuilder::new();
        for path in paths {
            update.upsert(path.as_str(), source.get_path(path.as_ref())?.id(), git2::FileMode::Tree);
        }
        Ok(update.create_updated(&self.store, &self.tree(base)?)?.to_string())
    }

    /// Makes a commit that the person signs. `commit-tree` runs no hook, changes nothing in the message, and knows no
    /// configuration of merges.
    pub(crate) fn signed_commit(
        &self,
        shell: &Shell,
        parents: &[CommitId],
        tree: &str,
        message: &str,
    ) -> Result<CommitId> {
        let parents: Vec<String> = parents.iter().map(ToString::to_string).collect();
        let mut arguments = vec!["-c", "i18n.commitEncoding=UTF-8", "commit-tree", "-S"];
        for parent in &parents {
            arguments.extend(["-p", parent]);
        }
        arguments.extend(["-m", message, tree]);
        let ended = self.git(shell, &arguments)?;
        if !ended.success {
            return Err(Stop::failed("not-signed", "git did not make a signed commit")
                .because(ended.words())
                .hint("try `git commit-tree -S` by hand: key, agent and security key must answer there"));
        }
        Ok(CommitId::parse(&ended.text())?)
    }

    /// Pushes one commit to one branch, which must be where `expected` says; `None`: must not be there.
    pub(crate) fn push(
        &self,
        shell: &Shell,
        branch: &str,
        commit: CommitId,
        expected: Option<CommitId>,
    ) -> Result<Pushed> {
        let expected = expected.map(|id| id.to_string()).unwrap_or_default();
        // Only says what must be there: what is pushed descends from it.
        let lease = format!("--force-with-lease=refs/heads/{branch}:{expected}");
        let update = format!("{commit}:refs/heads/{branch}");
        let ended = self.git(
            shell,
            &[
                "push",
                "--porcelain",
                "--no-verify",
                "--no-signed",
                "--no-follow-tags",
                "--recurse-submodules=no",
                &lease,
                "--",
                &self.remote,
                &update,
            ],
        )?;
        if ended.success {
            return Ok(Pushed::Done);
        }
        let stdout = String::from_utf8_lossy(&ended.stdout).into_owned();
        let moved = ["(stale info)", "(fetch first)", "(non-fast-forward)", "cannot lock ref", "incorrect old value"];
        if stdout.lines().any(|line| line.starts_with('!') && moved.iter().any(|word| line.contains(word))) {
            return Ok(Pushed::Moved);
        }
        let refused = stdout.lines().any(|line| line.starts_with('!'));
        let said = stdout.lines().filter(|line| line.starts_with('!')).map(|line| visible(line).into_owned());
        Err(Stop::failed("push", format!("{} took no push to {branch}", self.remote))
            .because(said.chain([ended.words()]).collect::<Vec<_>>().join("; "))
            .hint(match refused {
                true => format!("nothing was changed there; the commit {commit} is in your clone of {}", self.role),
                false => format!("whether {commit} is there is not known: look before you try again"),
            }))
    }
}
