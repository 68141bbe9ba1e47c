//! What follows from the records: which leases are in force, what is burned, whether the breaker is tripped. Pure.

use crate::clock::{moment, seconds};
use crate::record::{Event, Record};
use countersign_manifests_schema::bundle::SignedText;
use countersign_manifests_schema::lease::Lease;
use countersign_manifests_schema::notary::{LeaseState, LedgerHead, NotaryState, OrderState, Outcome};
use countersign_manifests_schema::policy::BreakerTable;
use countersign_shared::canonical_json::{self, CanonicalError};
use std::collections::BTreeMap;

/// Seconds after which a burned proposal without an outcome counts as failed. A token lasts ten minutes, and so does the
/// time to confirm; the rest is for dnf.
pub const OUTCOME_SECONDS: i64 = 60 * 60;
/// Seconds of the window of `transactions_per_day`.
pub const DAY: i64 = 24 * 60 * 60;

/// The whole memory.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    leases: Vec<Held>,
    burned: BTreeMap<String, Burn>,
    failures: Vec<String>,
    tripped: Option<String>,
    reset: Option<OrderState>,
    head: Option<LedgerHead>,
}

/// A lease, and what was drawn under it.
#[derive(Debug, Clone)]
pub struct Held {
    /// sha256 of its text.
    pub digest: String,
    /// What it says.
    pub lease: Lease,
    signed: SignedText,
    by: String,
    /// Unix seconds.
    issued: i64,
    expires: i64,
    /// Tokens drawn under it.
    pub drawn: u32,
}

#[derive(Debug, Clone)]
struct Burn {
    at: i64,
    outcome: Option<Outcome>,
    /// A person reset the breaker while the outcome was missing.
    written_off: bool,
}

/// Why a record does not follow from those before it.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// Not a record.
    #[error("it is not a record")]
    Unreadable(#[from] CanonicalError),
    /// The lease in it cannot be read.
    #[error("the lease in it cannot be read")]
    Lease(#[source] CanonicalError),
    /// The times of the lease in it cannot be read.
    #[error("the times of the lease in it cannot be read")]
    Times,
    /// The proposal was burned before.
    #[error("the proposal was burned before")]
    Twice,
    /// The proposal was never burned.
    #[error("the proposal was never burned")]
    NeverBurned,
}

impl Memory {
    /// Takes in one line of the journal.
    pub fn read(&mut self, line: &[u8]) -> Result<(), MemoryError> {
        let record: Record = canonical_json::from_bytes(line, line.len())?;
        self.apply(&record)
    }

    /// Takes in one record.
    pub fn apply(&mut self, record: &Record) -> Result<(), MemoryError> {
        match &record.event {
            Event::Lease { lease, by } => self.hold(lease, by)?,
            Event::Burned { proposal, lease, head, .. } => {
                if self.burned.contains_key(proposal) {
                    return Err(MemoryError::Twice);
                }
                let burn = Burn { at: record.at, outcome: None, written_off: false };
                self.burned.insert(proposal.clone(), burn);
                self.leases.iter_mut().filter(|held| held.digest == *lease).for_each(|held| held.drawn += 1);
                self.head = Some(head.clone());
            }
            Event::Ended { proposal, outcome, head } => {
                let burn = self.burned.get_mut(proposal).ok_or(MemoryError::NeverBurned)?;
                burn.outcome = Some(*outcome);
                if *outcome != Outcome::Applied {
                    self.failures.push(proposal.clone());
                }
                self.head = Some(head.clone());
            }
            Event::Tripped { reason } => self.tripped = Some(reason.clone()),
            Event::Reset { order, by } => {
                self.tripped = None;
                self.failures.clear();
                for burn in self.burned.values_mut() {
                    burn.written_off |= burn.is_missing(record.at);
                }
                self.reset = Some(OrderState { order: order.clone(), by: by.clone(), at: moment(record.at) });
            }
            Event::Halted { .. } | Event::Resumed { .. } => {}
        }
        Ok(())
    }

    fn hold(&mut self, signed: &SignedText, by: &str) -> Result<(), MemoryError> {
        let text = signed.text.as_bytes();
        let lease: Lease = canonical_json::from_bytes(text, text.len()).map_err(MemoryError::Lease)?;
        let times = seconds(&lease.issued).zip(seconds(&lease.expires));
        let (issued, expires) = times.ok_or(MemoryError::Times)?;
        let digest = canonical_json::sha256(text);
        self.leases.push(Held { digest, lease, signed: signed.clone(), by: by.to_owned(), issued, expires, drawn: 0 });
        Ok(())
    }

    /// Drops leases that are over; what was drawn under them stays burned.
    pub fn forget(&mut self, now: i64) {
        self.leases.retain(|held| now < held.expires);
    }

    /// The leases in force, in the order in which they were taken in.
    pub fn in_force(&self, now: i64) -> impl Iterator<Item = &Held> {
        // One from the future was given while the clock was wrong.
        self.leases.iter().filter(move |held| held.issued <= now && now < held.expires)
    }

    /// Whether a token was ever given out, or may have been.
    pub fn is_burned(&self, proposal: &str) -> bool {
        self.burned.contains_key(proposal)
    }

    /// How the application of a burned proposal ended; the outer `None` = never burned, the inner = nobody has said.
    pub fn outcome(&self, proposal: &str) -> Option<Option<Outcome>> {
        self.burned.get(proposal).map(|burn| burn.outcome)
    }

    /// Burned, no outcome, and nobody has written it off.
    pub fn under_way(&self) -> impl Iterator<Item = &String> {
        self.burned.iter().filter(|(_, burn)| burn.outcome.is_none() && !burn.written_off).map(|(id, _)| id)
    }

    /// Burned in the last 24 hours. One from the future counts.
    pub fn tokens_today(&self, now: i64) -> u32 {
        let today = self.burned.values().filter(|burn| burn.at > now - DAY).count();
        u32::try_from(today).unwrap_or(u32::MAX)
    }

    /// The last head of the ledger that was seen.
    pub fn head(&self) -> Option<&LedgerHead> {
        self.head.as_ref()
    }

    /// Why the breaker is tripped.
    pub fn tripped(&self) -> Option<&str> {
        self.tripped.as_deref()
    }

    /// Why the breaker must trip now and has not.
    pub fn must_trip(&self, rules: &BreakerTable, now: i64) -> Option<String> {
        if self.tripped.is_some() {
            return None;
        }
        let missing = self.burned.iter().filter(|(_, burn)| burn.is_missing(now)).map(|(id, _)| id);
        let failures: Vec<&String> = self.failures.iter().chain(missing).collect();
        if failures.len() < rules.failures.max(1) as usize {
            return None;
        }
        let last = failures.last().map(|id| short(id)).unwrap_or_default();
        let count = failures.len();
        Some(format!("{count} of the applications since the last reset failed or ended unheard of, at last {last}"))
    }

    /// Everything that may be told.
    pub fn state(&self, now: i64, halted: Option<String>) -> NotaryState {
        let leases = self.in_force(now).map(|held| LeaseState {
            lease: held.signed.clone(),
            by: held.by.clone(),
            drawn: held.drawn,
        });
        NotaryState {
            halted,
            tripped: self.tripped.clone(),
            leases: leases.collect(),
            burned: self.burned.keys().cloned().collect(),
            under_way: self.under_way().cloned().collect(),
            tokens_today: self.tokens_today(now),
            head: self.head.clone(),
            reset: self.reset.clone(),
        }
    }
}

impl Burn {
    fn is_missing(&self, now: i64) -> bool {
        self.outcome.is_none() && !self.written_off && now >= self.at.saturating_add(OUTCOME_SECONDS)
    }
}

/// For eyes only.
pub(crate) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
