//! How a command ends: with something to say, or with why it stopped before.

use countersign_shared::diagnostic::Diagnostic;
use countersign_shared::exit::Outcome;
use countersign_shared::git::GitError;
use countersign_shared::state_lock::LockError;
use countersign_shared::terminal::Failure;
use std::error::Error;

/// What a command has to say at its end.
#[derive(Debug)]
pub struct Done {
    /// The exit status.
    pub outcome: Outcome,
    /// For people.
    pub text: String,
    /// For programs: exactly one document.
    pub json: String,
}

/// A command that stopped: how it ends, and what is said; at least one failure.
#[derive(Debug)]
pub struct Stop {
    /// The exit status.
    pub outcome: Outcome,
    /// What is said, the most important first. With `--json` the first is the document.
    pub failures: Vec<Failure>,
}

impl Stop {
    /// One failure.
    pub fn new(outcome: Outcome, failure: Failure) -> Self {
        Self { outcome, failures: vec![failure] }
    }

    /// An error with its chain of causes.
    pub fn of(outcome: Outcome, code: &str, error: &(dyn Error + 'static)) -> Self {
        Self::new(outcome, Failure::of(code, error))
    }

    /// Wrong usage or an input that cannot be accepted.
    pub fn invalid(code: &str, message: impl Into<String>) -> Self {
        Self::new(Outcome::Invalid, Failure::new(code, message))
    }

    /// Problems in files of canonical.
    pub fn lint(diagnostics: &[Diagnostic]) -> Self {
        Self { outcome: Outcome::Invalid, failures: diagnostics.iter().map(Failure::from).collect() }
    }

    /// Adds what to do about it to the first failure.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(first) = self.failures.first_mut() {
            *first = first.clone().hint(hint);
        }
        self
    }
}

impl Stop {
    /// The most important failure in one sentence.
    pub fn words(&self) -> String {
        self.failures.first().map_or_else(String::new, |failure| failure.document().message)
    }
}

impl From<GitError> for Stop {
    fn from(error: GitError) -> Self {
        let outcome = match error.code() {
            "usage" | "not-a-regular-file" | "too-large" => Outcome::Invalid,
            _ => Outcome::Failed,
        };
        let stop = Stop::of(outcome, error.code(), &error);
        match error.hint() {
            Some(hint) => stop.hint(hint),
            None => stop,
        }
    }
}

impl From<LockError> for Stop {
    fn from(error: LockError) -> Self {
        match &error {
            LockError::Held { .. } => {
                Stop::of(Outcome::Failed, "running", &error).hint("wait for it to end; the lock goes with its process")
            }
            LockError::File { .. } => Stop::of(Outcome::Failed, "lock", &error),
        }
    }
}
