//! How a command ends.

use countersign_shared::canonical_json::CanonicalError;
use countersign_shared::diagnostic::Diagnostic;
use countersign_shared::exit::Outcome;
use countersign_shared::git::GitError;
use countersign_shared::terminal::Failure;
use std::error::Error;

/// A command that came to its end.
#[derive(Debug)]
pub(crate) struct Done {
    /// For people.
    pub(crate) text: String,
    /// For programs, one line.
    pub(crate) json: String,
    /// The exit status.
    pub(crate) outcome: Outcome,
}

/// A command that stopped before; at least one failure, the most important first.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) outcome: Outcome,
    pub(crate) failures: Vec<Failure>,
}

pub(crate) type Result<T> = std::result::Result<T, Stop>;

impl Stop {
    pub(crate) fn new(outcome: Outcome, code: &str, message: impl Into<String>) -> Self {
        Self { outcome, failures: vec![Failure::new(code, message)] }
    }

    /// Wrong usage or a file that cannot be accepted.
    pub(crate) fn invalid(code: &str, message: impl Into<String>) -> Self {
        Self::new(Outcome::Invalid, code, message)
    }

    /// Something refuses.
    pub(crate) fn refused(code: &str, message: impl Into<String>) -> Self {
        Self::new(Outcome::Refused, code, message)
    }

    pub(crate) fn failed(code: &str, message: impl Into<String>) -> Self {
        Self::new(Outcome::Failed, code, message)
    }

    /// An error with its causes.
    pub(crate) fn of(outcome: Outcome, code: &str, error: &(dyn Error + 'static)) -> Self {
        Self { outcome, failures: vec![Failure::of(code, error)] }
    }

    /// Problems in files of canonical.
    pub(crate) fn lint(diagnostics: &[Diagnostic]) -> Self {
        Self { outcome: Outcome::Invalid, failures: diagnostics.iter().map(Failure::from).collect() }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(first) = self.failures.first_mut() {
            *first = first.clone().hint(hint);
        }
        self
    }

    /// The most important failure in one sentence.
    pub(crate) fn summary(&self) -> String {
        self.failures.first().map_or_else(String::new, |failure| failure.document().message)
    }

    /// Adds a cause.
    #[must_use]
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        if let Some(first) = self.failures.first_mut() {
            *first = first.clone().because(cause);
        }
        self
    }
}

impl From<GitError> for Stop {
    fn from(error: GitError) -> Self {
        let outcome = if error.code() == "usage" { Outcome::Invalid } else { Outcome::Failed };
        let stop = Stop::of(outcome, error.code(), &error);
        match error.hint() {
            Some(hint) => stop.hint(hint),
            None => stop,
        }
    }
}

impl From<git2::Error> for Stop {
    fn from(error: git2::Error) -> Self {
        Stop::of(Outcome::Failed, "git", &error)
    }
}

impl From<CanonicalError> for Stop {
    fn from(error: CanonicalError) -> Self {
        Stop::of(Outcome::Failed, "document", &error)
    }
}

impl From<serde_json::Error> for Stop {
    fn from(error: serde_json::Error) -> Self {
        Stop::of(Outcome::Failed, "document", &error)
    }
}
