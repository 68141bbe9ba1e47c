//! Why canonical could not be used.

use countersign_shared::diagnostic::Diagnostic;
use countersign_shared::exit::Outcome;
use countersign_shared::git::{CommitId, GitError};

/// Why canonical could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// It could not be fetched or read.
    #[error("cannot read canonical")]
    Git(#[from] GitError),
    /// A name that somebody typed stands for nothing there.
    #[error("canonical has no branch, tag or commit {name:?}")]
    NoSuchName {
        /// As it was typed.
        name: String,
        /// What git said.
        source: GitError,
    },
    /// People wrote something into it that cannot be used.
    #[error("canonical at {commit} has {} errors", diagnostics.iter().filter(|d| is_error(d)).count())]
    Lint {
        /// The commit that was read.
        commit: CommitId,
        /// Every problem of every file, warnings included.
        diagnostics: Vec<Diagnostic>,
    },
}

fn is_error(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == countersign_shared::diagnostic::Severity::Error
}

impl CanonicalError {
    /// Stable, lower-case with dashes.
    pub fn code(&self) -> &'static str {
        match self {
            CanonicalError::Git(error) | CanonicalError::NoSuchName { source: error, .. } => error.code(),
            CanonicalError::Lint { .. } => "lint",
        }
    }

    /// How a command ends on it.
    pub fn outcome(&self) -> Outcome {
        match self {
            CanonicalError::Git(GitError::HistoryRewritten { .. }) => Outcome::Refused,
            // Files that people wrote, and names that they typed.
            CanonicalError::Git(error) if matches!(error.code(), "usage" | "not-a-regular-file" | "too-large") => {
                Outcome::Invalid
            }
            CanonicalError::Git(_) => Outcome::Failed,
            CanonicalError::NoSuchName { .. } | CanonicalError::Lint { .. } => Outcome::Invalid,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            CanonicalError::Git(error) => error.hint(),
            CanonicalError::NoSuchName { .. } => Some(
                "write a branch, a tag, a reference such as refs/pull/7/head, or the full id of a commit that one of them reaches",
            ),
            CanonicalError::Lint { .. } => Some("run `countersign-observer lint DIRECTORY` before pushing"),
        }
    }

    /// `file:line:column` of the first error.
    pub fn at(&self) -> Option<String> {
        match self {
            CanonicalError::Git(_) | CanonicalError::NoSuchName { .. } => None,
            CanonicalError::Lint { diagnostics, .. } => {
                diagnostics.iter().find(|d| is_error(d)).or(diagnostics.first()).map(Diagnostic::at)
            }
        }
    }
}
