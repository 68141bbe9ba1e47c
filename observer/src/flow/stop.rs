//! Why a command stopped before it had anything else to say.

use crate::canonical::CanonicalError;
use crate::history::{HistoryError, LockError};
use crate::privilege::{Settled, Violation};
use countersign_manifests_schema::report::Notice;
use countersign_shared::diagnostic::Diagnostic;
use countersign_shared::exit::Outcome;
use countersign_shared::observation;
use countersign_shared::terminal::{Failure, Place};
use std::error::Error;

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

    /// Wrong usage or an input file that cannot be accepted.
    pub fn invalid(code: &str, message: impl Into<String>) -> Self {
        Self::new(Outcome::Invalid, Failure::new(code, message))
    }

    /// Problems in files of canonical.
    pub fn lint(diagnostics: &[Diagnostic]) -> Self {
        Self { outcome: Outcome::Invalid, failures: diagnostics.iter().map(Failure::from).collect() }
    }

    /// The most important failure, as a step of a report has it.
    pub fn notice(&self) -> Notice {
        let document = self.failures.first().map(Failure::document);
        document.map_or_else(
            || Notice { code: "bug".to_owned(), message: "it stopped without saying why".to_owned() },
            |document| Notice { code: document.code, message: document.message },
        )
    }

    /// Adds what to do about it to the first failure.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(first) = self.failures.first_mut() {
            *first = first.clone().hint(hint);
        }
        self
    }

    /// Proofs over the whole run that do not hold.
    pub fn refused(settled: &Settled) -> Option<Self> {
        let say = |violation: &Violation| {
            Failure::new(violation.code.as_str(), violation.message.clone()).hint(violation.code.hint())
        };
        let failures: Vec<_> = settled.refused.iter().map(say).collect();
        (!failures.is_empty()).then_some(Self { outcome: Outcome::Refused, failures })
    }

    /// A runner that cannot be used.
    pub fn runner(name: &str, failure: &observation::Failure) -> Self {
        let failure = Failure::new(failure.code.clone(), failure.message.clone()).at(Place::Runner(name.to_owned()));
        Self::new(Outcome::Failed, failure)
    }
}

impl From<HistoryError> for Stop {
    fn from(error: HistoryError) -> Self {
        Stop::of(Outcome::Failed, "history", &error)
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

impl From<CanonicalError> for Stop {
    fn from(error: CanonicalError) -> Self {
        if let CanonicalError::Lint { diagnostics, .. } = &error {
            return Stop::lint(diagnostics);
        }
        let stop = Stop::of(error.outcome(), error.code(), &error);
        match error.hint() {
            Some(hint) => stop.hint(hint),
            None => stop,
        }
    }
}
