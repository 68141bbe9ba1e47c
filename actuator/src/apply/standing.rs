//! What the ledger says of every proposal that was ever started.

use super::step::is_given_up;
use crate::breaker::{Count, Usage};
use crate::gather::{Past, Recorded, RecordedEnd};
use countersign_manifests_schema::bundle::{Bundle, SignedText};
use countersign_manifests_schema::lease::Order;
use countersign_manifests_schema::ledger::{Entry, Event, LEDGER_SCHEMA};
use countersign_manifests_schema::notary::{LedgerHead, Outcome};
use countersign_shared::canonical_json;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// All of them, and what was used of the budgets.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    starts: BTreeMap<String, Start>,
    count: Count,
    /// The text of the last order that reset the breaker.
    reset: Option<String>,
}

/// One start.
#[derive(Debug, Clone)]
pub(super) struct Start {
    /// sha256 of the proposal.
    pub(super) proposal: String,
    /// The runner's name.
    pub(super) runner: String,
    /// When, RFC 3339.
    pub(super) at: String,
    /// Number of the entry.
    pub(super) number: u64,
    /// sha256 of the package set before.
    pub(super) before: String,
    /// A person has reset the breaker when nothing had been heard of it for so long that it counted as failed.
    pub(super) written_off: bool,
    /// What became of it.
    pub(super) end: End,
}

/// What became of a start.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// Nothing is recorded: it is under way, or whoever did it died. What the runner got, without its token.
    Open(Box<Bundle>),
    /// No token was given, and nothing was touched.
    NotPermitted,
    /// It has ended.
    Ended {
        /// How.
        outcome: Outcome,
        /// The entry that says so.
        head: LedgerHead,
        /// Why, for people.
        detail: Option<String>,
    },
}

impl Standing {
    /// Before the first entry; `now` and the begin of this run, Unix seconds.
    pub(super) fn new(now: i64, run: i64) -> Self {
        Self { starts: BTreeMap::new(), count: Count::new(now, run), reset: None }
    }

    /// As the gates are told of it.
    pub(crate) fn past(&self) -> Past {
        let recorded = |start: &Start| {
            let end = match &start.end {
                End::Ended { outcome, head, detail } => {
                    let (outcome, receipt, detail) = (*outcome, head.sha256.clone(), detail.clone());
                    Some(RecordedEnd { outcome, receipt, detail })
                }
                End::Open(_) | End::NotPermitted => None,
            };
            (start.proposal.clone(), Recorded { number: start.number, end })
        };
        Past { usage: self.usage(), started: self.all().map(recorded).collect() }
    }

    /// Takes in the next entry.
    pub(super) fn take(&mut self, entry: &Entry, head: &LedgerHead) {
        self.count.take(entry);
        match &entry.event {
            Event::Started { proposal, runner, bundle, before, .. } => {
                let start = Start {
                    proposal: proposal.clone(),
                    runner: runner.clone(),
                    at: entry.at.clone(),
                    number: entry.number,
                    before: before.clone(),
                    written_off: false,
                    end: End::Open(Box::new(bundle.clone())),
                };
                self.starts.insert(proposal.clone(), start);
            }
            Event::Refused { proposal, .. } => self.end(proposal, End::NotPermitted),
            Event::Ended { proposal, outcome, detail, .. } => {
                self.end(proposal, End::Ended { outcome: *outcome, head: head.clone(), detail: detail.clone() });
            }
            Event::Reset { order, .. } => {
                self.reset = Some(order.text.clone());
                self.write_off(order);
            }
            Event::Halted { .. } | Event::Tripped { .. } => {}
        }
    }

    /// Takes in what was just appended at `at`, Unix seconds.
    pub(super) fn happened(&mut self, at: i64, event: Event, head: &LedgerHead) {
        let at = Timestamp::from_second(at).map(|at| at.to_string()).unwrap_or_default();
        let (schema, number) = (LEDGER_SCHEMA.to_owned(), head.number);
        // Whoever counts looks at the time and the event alone.
        self.take(&Entry { schema, number, previous: String::new(), at, event, signature: String::new() }, head);
    }

    /// Whether this order, by its text, is the last reset that is recorded.
    pub(super) fn knows_reset(&self, text: &str) -> bool {
        self.reset.as_deref() == Some(text)
    }

    /// By when the person signed it: the notary, which counts for itself, has obeyed it later.
    fn write_off(&mut self, order: &SignedText) {
        let issued = canonical_json::from_bytes::<Order>(order.text.as_bytes(), order.text.len());
        let Some(issued) = issued.ok().and_then(|order| seconds(&order.issued)) else { return };
        for start in self.starts.values_mut().filter(|start| matches!(start.end, End::Open(_))) {
            start.written_off |= seconds(&start.at).is_some_and(|at| is_given_up(at, issued));
        }
    }

    /// Nobody can find out what came of it.
    pub(super) fn unheard(&mut self, proposal: &str) {
        self.count.unheard(proposal);
    }

    fn end(&mut self, proposal: &str, end: End) {
        if let Some(start) = self.starts.get_mut(proposal) {
            start.end = end;
        }
    }

    /// The start of a proposal that counts: a start that was never permitted is none.
    pub(super) fn started(&self, proposal: &str) -> Option<&Start> {
        self.starts.get(proposal).filter(|start| !matches!(start.end, End::NotPermitted))
    }

    /// All starts that count, by proposal.
    pub(super) fn all(&self) -> impl Iterator<Item = &Start> {
        self.starts.values().filter(|start| !matches!(start.end, End::NotPermitted))
    }

    /// Those without an end, the oldest first.
    pub(super) fn under_way(&self) -> Vec<&Start> {
        let mut open: Vec<&Start> = self.all().filter(|start| matches!(start.end, End::Open(_))).collect();
        open.sort_by(|a, b| (&a.at, &a.proposal).cmp(&(&b.at, &b.proposal)));
        open
    }

    /// What was used of the budgets.
    pub(super) fn usage(&self) -> Usage {
        self.count.clone().usage()
    }
}

fn seconds(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

/// As people read it.
pub(super) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "applied",
        Outcome::Undone => "undone",
        Outcome::Failed => "failed",
    }
}
