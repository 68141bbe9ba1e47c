//! What is kept of one runner from one run to the next.

use super::rules::RuleChange;
use crate::assess::{Assessment, Key};
use countersign_shared::drift::Drift;
use countersign_shared::observation::{History, HistoryEntry, Observation};
use serde::{Deserialize, Serialize};

/// One observed runner in one run, small enough to keep for every run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Footprint {
    /// Unix seconds of the observation.
    pub at: i64,
    /// Its drift, without what is waived.
    pub items: Vec<Key>,
    /// Its waived drift.
    pub waived: Vec<Key>,
    /// Drift codes that were not judged.
    pub unjudged: Vec<String>,
    /// How its manifest has changed since the footprint before, oldest first.
    pub rules: Vec<RuleChange>,
    /// What dnf's history reached over; `None` when it was not read or is empty.
    pub history: Option<Mark>,
}

/// The ends of dnf's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The newest transaction.
    pub newest: Transaction,
    /// The oldest that was shown.
    pub oldest: Transaction,
}

/// One of dnf's transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// dnf's number.
    pub id: u64,
    /// Unix seconds of its start.
    pub begin: i64,
}

impl Footprint {
    /// What will be kept of a runner.
    pub fn new(observation: &Observation<'_>, drift: &Drift, assessment: &Assessment, rules: Vec<RuleChange>) -> Self {
        let unjudged = drift.unjudged.iter().flat_map(|unjudged| unjudged.codes);
        Self {
            at: observation.at,
            items: assessment.items.iter().filter(|item| item.waived.is_none()).map(Key::of).collect(),
            waived: assessment.items.iter().filter(|item| item.waived.is_some()).map(Key::of).collect(),
            unjudged: unjudged.map(|code| code.to_string()).collect(),
            rules,
            history: observation.history.seen().and_then(Mark::of),
        }
    }

    pub(super) fn judged(&self, code: &str) -> bool {
        !self.unjudged.iter().any(|unjudged| unjudged == code)
    }
}

impl Mark {
    /// `None` for an empty history.
    pub fn of(history: &History<'_>) -> Option<Self> {
        let key = |entry: &&HistoryEntry<'_>| (entry.begin, entry.id);
        let transaction = |entry: &HistoryEntry<'_>| Transaction { id: entry.id, begin: entry.begin };
        Some(Self {
            newest: transaction(history.entries.iter().max_by_key(key)?),
            oldest: transaction(history.entries.iter().min_by_key(key)?),
        })
    }
}
