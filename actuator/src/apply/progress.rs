//! What a person at a terminal sees while it runs. Nobody else sees anything: the answer says it all.

use countersign_shared::terminal::visible;
use std::io::{IsTerminal as _, Write as _};

/// Lines on stderr.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    shown: bool,
}

impl Progress {
    /// On a terminal, unless one document is all that is wanted.
    pub fn new(json: bool) -> Self {
        Self { shown: !json && std::io::stderr().is_terminal() }
    }

    /// What is done on a runner.
    pub(super) fn runner(&self, runner: &str, what: &str) {
        tracing::info!(runner, "{what}");
        self.note(&format!("{runner:<16} {what}"));
    }

    /// Anything else.
    pub(super) fn note(&self, what: &str) {
        if self.shown {
            // A terminal that went away is no reason to stop.
            let _ = writeln!(std::io::stderr().lock(), "{}", visible(what));
        }
    }
}
