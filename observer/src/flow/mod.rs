//! The commands, step by step: observation, drift, report, proposals. Each works alone on the stored state of the one before.

mod compare;
mod first_day;
mod identity;
mod inspect;
mod nightly;
mod onboard;
mod past;
mod prepare;
mod propose;
mod publish;
mod risks;
mod stop;
mod tell;

pub use first_day::{baseline, init, lock};
pub use inspect::{lint, lint_directory, preview, schema, why};
pub use nightly::{diff, nightly, observe, report};
pub use onboard::enroll;
pub use prepare::Desk;
pub use propose::{Selection, propose};
pub use publish::{Offer, offer, publish};
pub use stop::Stop;

use countersign_shared::exit::Outcome;

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

impl Done {
    /// A text that is also the one string of a small document.
    fn text(outcome: Outcome, text: String) -> Self {
        let document = serde_json::json!({ "schema": "countersign/output/1", "output": text });
        Self { outcome, json: format!("{document}\n"), text }
    }
}
