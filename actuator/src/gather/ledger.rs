//! What the ledger says: what was started, how it ended, what was used of the budgets.

use super::notary::chain;
use crate::breaker::{Count, Usage};
use crate::config::Config;
use crate::ledger::{self, read};
use countersign_manifests_schema::ledger::Event;
use countersign_manifests_schema::notary::Outcome;
use countersign_shared::signing_key::SigningKey;
use std::collections::BTreeMap;

/// What is recorded of one application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Number of the entry of its start.
    pub number: u64,
    /// `None` while it has not ended.
    pub end: Option<RecordedEnd>,
}

/// What is recorded of its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEnd {
    /// How.
    pub outcome: Outcome,
    /// sha256 of the entry.
    pub receipt: String,
    /// Why, for people.
    pub detail: Option<String>,
}

/// The whole ledger, in short.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// What was used of the budgets.
    pub usage: Usage,
    /// Applications that were begun, by the sha256 of their proposals. What was given up before it began is not there.
    pub started: BTreeMap<String, Recorded>,
}

/// Reads it, checking every entry; `Err` says why nothing is known. `now` is Unix seconds, and when the run began;
/// `reset` is when a person reset the breaker last.
pub(super) fn read(config: &Config, now: i64, reset: Option<i64>) -> Result<Past, String> {
    let key = SigningKey::load(&config.ledger.signing_key).map_err(|error| chain(&error))?;
    let mut count = Count::new(now, now);
    let mut started: BTreeMap<String, Recorded> = BTreeMap::new();
    read::scan(&config.state_dir.join(ledger::FILE), key.public(), &mut |entry, head, _| {
        count.take(entry);
        match &entry.event {
            Event::Started { proposal, .. } => {
                started.insert(proposal.clone(), Recorded { number: entry.number, end: None });
            }
            Event::Refused { proposal, .. } => {
                started.remove(proposal);
            }
            Event::Ended { proposal, outcome, detail, .. } => {
                if let Some(recorded) = started.get_mut(proposal) {
                    let (outcome, receipt, detail) = (*outcome, head.sha256.clone(), detail.clone());
                    recorded.end = Some(RecordedEnd { outcome, receipt, detail });
                }
            }
            Event::Halted { .. } | Event::Tripped { .. } | Event::Reset { .. } => {}
        }
    })
    .map_err(|error| chain(&error))?;
    if let Some(at) = reset {
        count.reset(at);
    }
    Ok(Past { usage: count.usage(), started })
}
