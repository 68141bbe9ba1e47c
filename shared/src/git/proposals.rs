//! Branches of proposals: their names, and where they are. Reading only; who pushes them has more.

use super::error::GitError;
use super::history::CommitId;
use super::mirror::{Mirror, classify};
use super::remote::Remote;
use super::transport::{self, Verb};
use std::collections::BTreeMap;
use std::fmt;

/// Where proposals are, on every remote.
pub(super) const PREFIX: &str = "refs/heads/proposals/";
/// Where they are in the mirror.
pub(super) const LOCAL: &str = "refs/countersign/heads/proposals/";
/// A branch that the observer may write: `refs/heads/proposals/<runner>` or `refs/heads/proposals/@<class>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProposalRef(String);

impl ProposalRef {
    /// The branch of one runner.
    pub fn runner(name: &str) -> Result<Self, GitError> {
        Self::named("", name)
    }

    /// The branch of a class of runners.
    pub fn class(name: &str) -> Result<Self, GitError> {
        Self::named("@", name)
    }

    /// A full reference name.
    pub fn parse(full: &str) -> Result<Self, GitError> {
        let refuse = || GitError::Reference { name: full.to_owned(), problem: "it is not below refs/heads/proposals/" };
        let name = full.strip_prefix(PREFIX).ok_or_else(refuse)?;
        match name.strip_prefix('@') {
            Some(class) => Self::class(class),
            None => Self::runner(name),
        }
    }

    fn named(sigil: &str, name: &str) -> Result<Self, GitError> {
        let refuse = |problem| Err(GitError::Reference { name: name.to_owned(), problem });
        // As the names of runners in fleet.toml, which are those of classes too.
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !name.starts_with(plain) || name.len() > 120 || !name.chars().all(|c| plain(c) || matches!(c, '.' | '-')) {
            return refuse("only a-z, 0-9, dots and dashes can be in the name of a proposal's branch");
        }
        let full = format!("{PREFIX}{sigil}{name}");
        // `..`, a dot at the end and `.lock` are names of runners but not of branches.
        if !git2::Reference::is_valid_name(&full) {
            return refuse("git does not allow a branch of that name");
        }
        Ok(Self(full))
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without `refs/heads/`, as forges and people write it.
    pub fn short(&self) -> &str {
        self.0.trim_start_matches("refs/heads/")
    }

    /// Where it is kept in the mirror.
    #[cfg(feature = "push")]
    pub(super) fn local(&self) -> String {
        self.0.replacen("refs/", "refs/countersign/", 1)
    }
}

impl fmt::Display for ProposalRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

impl Mirror {
    /// Fetches all branches of proposals, and forgets those that are gone.
    pub fn fetch_proposals(&self, remote: &Remote) -> Result<BTreeMap<ProposalRef, CommitId>, GitError> {
        let ended = transport::run(self.path(), remote, Verb::FetchProposals)?;
        if !ended.success {
            return Err(classify(remote, None, &ended));
        }
        self.fetched_proposals()
    }

    /// Branches of proposals as they were fetched last.
    pub fn fetched_proposals(&self) -> Result<BTreeMap<ProposalRef, CommitId>, GitError> {
        let mut tips = BTreeMap::new();
        let references = self.repository().references_glob(&format!("{LOCAL}*")).map_err(|error| self.failed(error))?;
        for reference in references {
            let reference = reference.map_err(|error| self.failed(error))?;
            // A name that we would not write is not ours to look at.
            let Some(branch) = reference
                .name()
                .ok()
                .and_then(|name| name.strip_prefix(LOCAL))
                .and_then(|name| ProposalRef::parse(&format!("{PREFIX}{name}")).ok())
            else {
                continue;
            };
            if let Some(tip) = reference.target() {
                tips.insert(branch, CommitId::new(tip));
            }
        }
        Ok(tips)
    }
}
