//! The automatic stop: what the ledger says was used of the budgets, and whether another transaction fits. Pure.
//!
//! The notary counts by itself, with the same numbers unless it was told others: another ledger does not dodge them.

use countersign_manifests_schema::ledger::{Entry, Event};
use countersign_manifests_schema::notary::Outcome;
use countersign_manifests_schema::policy::BreakerTable;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Seconds of the window of `transactions_per_day`.
const DAY: i64 = 24 * 60 * 60;
/// Seconds after which a start without an end counts as failed, as with the notary.
pub const OUTCOME_SECONDS: i64 = 60 * 60;

/// What the entries say, taken in one by one.
#[derive(Debug, Clone)]
pub struct Count {
    now: i64,
    run: i64,
    open: BTreeMap<String, i64>,
    starts: BTreeMap<String, i64>,
    failures: Vec<(i64, String)>,
    tripped: Option<(i64, String)>,
    /// Starts of earlier runs of which nothing can be found out.
    unheard: BTreeSet<String>,
    /// Starts that were missing when a person reset the breaker.
    written_off: BTreeSet<String>,
    /// When a person reset it last, Unix seconds.
    reset: i64,
}

/// What was used of the budgets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Transactions that this run started.
    pub run: u32,
    /// Transactions that were started in the last 24 hours.
    pub today: u32,
    /// Runners in work now.
    pub under_way: u32,
    /// Transactions since the last reset that failed, were undone, or never came to an end.
    pub failures: Vec<String>,
    /// Why the breaker tripped and was not reset.
    pub tripped: Option<String>,
}

/// What one more transaction would use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Packages that go and that nothing replaces.
    pub removals: u32,
    /// Changes beyond the drift itself.
    pub dependency_changes: u32,
}

/// Why the breaker is open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Open {
    /// It tripped.
    #[error("it has tripped: {0}")]
    Tripped(String),
    /// It must trip now.
    #[error("{0}")]
    Failures(String),
    /// A budget is used up.
    #[error("{used} of {limit} {budget} are used up")]
    UsedUp {
        /// Key in `[breaker]` of policy.toml.
        budget: &'static str,
        /// Used.
        used: u32,
        /// Allowed.
        limit: u32,
    },
    /// The transaction is too large.
    #[error("{wanted} {budget}, and policy.toml allows {limit}")]
    TooLarge {
        /// Key in `[breaker]` of policy.toml.
        budget: &'static str,
        /// Needed.
        wanted: u32,
        /// Allowed.
        limit: u32,
    },
}

impl Count {
    /// Begins to count, at `now`, for a run that began at `run`; Unix seconds.
    pub fn new(now: i64, run: i64) -> Self {
        let (open, starts) = (BTreeMap::new(), BTreeMap::new());
        let (unheard, written_off) = (BTreeSet::new(), BTreeSet::new());
        Self { now, run, open, starts, failures: Vec::new(), tripped: None, unheard, written_off, reset: i64::MIN }
    }

    /// Takes in the next entry of the ledger.
    pub fn take(&mut self, entry: &Entry) {
        // An entry without a time is refused by whoever reads the ledger; here it would count as of today.
        let at = entry.at.parse::<Timestamp>().map_or(self.now, Timestamp::as_second);
        match &entry.event {
            Event::Started { proposal, .. } => {
                self.starts.insert(proposal.clone(), at);
                self.open.insert(proposal.clone(), at);
            }
            Event::Refused { proposal, .. } => {
                self.starts.remove(proposal);
                self.open.remove(proposal);
            }
            Event::Ended { proposal, outcome, .. } => {
                self.open.remove(proposal);
                // One that was written off was counted when it went missing, and says nothing new.
                let known = is_unheard(&entry.event) && self.written_off.contains(proposal);
                if *outcome != Outcome::Applied && !known {
                    self.failures.push((at, proposal.clone()));
                }
            }
            Event::Tripped { reason } => self.tripped = Some((at, reason.clone())),
            Event::Reset { .. } => self.reset(at),
            Event::Halted { .. } => {}
        }
    }

    /// A person has reset the breaker at this time, Unix seconds, whether or not it is recorded yet. What came later
    /// stays.
    pub fn reset(&mut self, at: i64) {
        self.tripped.take_if(|(tripped, _)| *tripped <= at);
        self.failures.retain(|(failed, _)| *failed > at);
        // What had not ended by then was written off.
        let missing = self.open.extract_if(.., |_, started| is_missing(*started, at)).map(|(id, _)| id);
        self.written_off.extend(missing);
        self.reset = self.reset.max(at);
    }

    /// Nobody can find out what came of this start, and nobody is at it: it counts as failed, unless a person has reset
    /// the breaker since.
    pub fn unheard(&mut self, proposal: &str) {
        self.unheard.insert(proposal.to_owned());
    }

    /// What was used.
    pub fn usage(self) -> Usage {
        let since = |from: i64| {
            // One from the future, written while the clock was ahead, counts.
            let counted = self.starts.values().filter(|at| **at >= from).count();
            u32::try_from(counted).unwrap_or(u32::MAX)
        };
        let lost = |id: &String, at: i64| self.unheard.contains(id) && at > self.reset;
        let missing = self.open.iter().filter(|(id, at)| is_missing(**at, self.now) || lost(id, **at));
        let missing: Vec<String> = missing.map(|(id, _)| id.clone()).collect();
        Usage {
            run: since(self.run),
            today: since(self.now - DAY + 1),
            under_way: u32::try_from(self.open.len()).unwrap_or(u32::MAX),
            failures: self.failures.into_iter().map(|(_, id)| id).chain(missing).collect(),
            tripped: self.tripped.map(|(_, reason)| reason),
        }
    }
}

/// Whether this is the end of a start of which nobody heard again, as it is written down when a person has reset the
/// breaker.
pub fn is_unheard(event: &Event) -> bool {
    matches!(event, Event::Ended { outcome: Outcome::Failed, after: None, commands, .. } if commands.is_empty())
}

/// Whether a start without an end counts as failed; both in Unix seconds.
pub(crate) fn is_missing(started: i64, now: i64) -> bool {
    now >= started.saturating_add(OUTCOME_SECONDS)
}

impl Usage {
    /// Why the breaker must trip now: an entry `Tripped` with this belongs into the ledger.
    pub fn must_trip(&self, rules: &BreakerTable) -> Option<String> {
        let failures = self.failures.len();
        if self.tripped.is_some() || failures < rules.failures.max(1) as usize {
            return None;
        }
        let last = self.failures.last().map_or("", |id| id.get(..12).unwrap_or(id));
        Some(format!("{failures} of the applications since the last reset failed or ended unheard of, at last {last}"))
    }

    /// Whether one more transaction fits.
    pub fn allow(&self, rules: &BreakerTable, demand: Demand) -> Result<(), Open> {
        if let Some(reason) = &self.tripped {
            return Err(Open::Tripped(reason.clone()));
        }
        if let Some(reason) = self.must_trip(rules) {
            return Err(Open::Failures(reason));
        }
        for (budget, used, limit) in [
            ("transactions_per_run", self.run, rules.transactions_per_run),
            ("transactions_per_day", self.today, rules.transactions_per_day),
            ("runners_at_once", self.under_way, rules.runners_at_once),
        ] {
            if used >= limit {
                return Err(Open::UsedUp { budget, used, limit });
            }
        }
        for (budget, wanted, limit) in [
            ("removals_per_transaction", demand.removals, rules.removals_per_transaction),
            ("dependency_changes", demand.dependency_changes, rules.dependency_changes),
        ] {
            if wanted > limit {
                return Err(Open::TooLarge { budget, wanted, limit });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_manifests_schema::bundle::{Bundle, SignedText};

    const NOW: i64 = 1_795_212_000;

    fn at(seconds: i64, event: Event) -> Entry {
        Entry {
            schema: "countersign/ledger/1".to_owned(),
            number: 1,
            previous: String::new(),
            at: Timestamp::from_second(NOW + seconds).unwrap().to_string(),
            event,
            signature: String::new(),
        }
    }

    fn started(seconds: i64, proposal: &str) -> Entry {
        let (schema, text) = ("countersign/bundle/1".to_owned(), String::new());
        let bundle = Bundle { schema, proposal: text, statements: Vec::new(), lease: None, token: None };
        let event = Event::Started {
            proposal: proposal.to_owned(),
            runner: "runner-04".to_owned(),
            approved_by: Vec::new(),
            bundle,
            before: String::new(),
            staged: String::new(),
            commands: Vec::new(),
        };
        at(seconds, event)
    }

    fn ended(seconds: i64, proposal: &str, outcome: Outcome) -> Entry {
        let (proposal, runner) = (proposal.to_owned(), "runner-04".to_owned());
        at(seconds, Event::Ended { proposal, runner, outcome, after: None, commands: Vec::new(), detail: None })
    }

    fn refused(seconds: i64, proposal: &str) -> Entry {
        let (proposal, runner) = (proposal.to_owned(), "runner-04".to_owned());
        at(seconds, Event::Refused { proposal, runner, code: "no-lease".to_owned(), detail: String::new() })
    }

    fn reset(seconds: i64) -> Entry {
        let order = SignedText { text: String::new(), signature: String::new() };
        at(seconds, Event::Reset { order, by: "carol@example.org".to_owned() })
    }

    /// By a run that began a minute ago.
    fn usage(entries: &[Entry]) -> Usage {
        let mut count = Count::new(NOW, NOW - 60);
        entries.iter().for_each(|entry| count.take(entry));
        count.usage()
    }

    fn rules() -> BreakerTable {
        BreakerTable { transactions_per_run: 2, transactions_per_day: 3, ..BreakerTable::default() }
    }

    fn applied(seconds: i64, proposal: &str) -> [Entry; 2] {
        [started(seconds, proposal), ended(seconds + 1, proposal, Outcome::Applied)]
    }

    #[test]
    fn what_is_used_is_counted_by_run_by_day_and_by_what_is_open() {
        let entries = [
            &applied(-86_400, "yesterday")[..],
            &applied(-86_399, "today")[..],
            &applied(-61, "the run before")[..],
            &applied(-60, "this run")[..],
            &[started(-50, "open"), started(-40, "no token"), refused(-39, "no token")],
            &applied(100, "from the future")[..],
        ];
        let found = usage(&entries.concat());
        let expected = Usage { run: 3, today: 5, under_way: 1, failures: Vec::new(), tripped: None };
        assert_eq!(found, expected);
    }

    #[test]
    fn each_budget_refuses_at_its_limit_and_not_before() {
        let allow = |entries: &[Entry], demand| usage(entries).allow(&rules(), demand);
        let none = Demand::default();
        let budget = |result: Result<(), Open>| match result {
            Ok(()) => "none",
            Err(Open::UsedUp { budget, .. } | Open::TooLarge { budget, .. }) => budget,
            Err(other) => panic!("{other}"),
        };
        let run = [applied(-50, "a"), applied(-40, "b")].concat();
        assert_eq!(budget(allow(&run[..2], none)), "none");
        assert_eq!(budget(allow(&run, none)), "transactions_per_run");
        let day = [applied(-5000, "a"), applied(-4000, "b"), applied(-3000, "c")].concat();
        assert_eq!(budget(allow(&day[..4], none)), "none");
        assert_eq!(budget(allow(&day, none)), "transactions_per_day");
        let open = [started(-300, "a"), started(-200, "b")];
        assert_eq!(budget(allow(&open[..1], none)), "none");
        assert_eq!(budget(allow(&open, none)), "runners_at_once");
        assert_eq!(budget(allow(&[], Demand { removals: 5, dependency_changes: 20 })), "none");
        assert_eq!(budget(allow(&[], Demand { removals: 6, dependency_changes: 0 })), "removals_per_transaction");
        assert_eq!(budget(allow(&[], Demand { removals: 0, dependency_changes: 21 })), "dependency_changes");
    }

    #[test]
    fn failures_trip_it_and_a_person_resets_it() {
        let rules = BreakerTable { failures: 2, ..BreakerTable::default() };
        let demand = Demand::default();
        let mut entries = vec![started(-9000, "a"), ended(-8000, "a", Outcome::Undone)];
        assert_eq!(usage(&entries).allow(&rules, demand), Ok(()));
        // Never heard of again, by the second.
        entries.push(started(-3599, "b"));
        assert_eq!(usage(&entries).must_trip(&rules), None);
        entries.pop();
        entries.push(started(-3600, "b"));
        assert!(usage(&entries).must_trip(&rules).is_some());
        entries.pop();
        entries.push(started(-3700, "b"));
        let reason = usage(&entries).must_trip(&rules).unwrap();
        assert!(reason.starts_with("2 of the applications") && reason.ends_with('b'), "{reason}");
        assert_eq!(usage(&entries).allow(&rules, demand), Err(Open::Failures(reason.clone())));
        entries.push(at(-10, Event::Tripped { reason: reason.clone() }));
        assert_eq!(usage(&entries).must_trip(&rules), None, "once");
        assert_eq!(usage(&entries).allow(&rules, demand), Err(Open::Tripped(reason)));
        // A later success does not reset it.
        entries.extend(applied(-9, "c"));
        assert!(matches!(usage(&entries).allow(&rules, demand), Err(Open::Tripped(_))));
        entries.push(reset(-5));
        let after = usage(&entries);
        assert_eq!((after.allow(&rules, demand), after.under_way), (Ok(()), 0), "what was missing is written off");
        // Written down as what it was counted for already.
        let closed = [&entries[..], &[ended(-4, "b", Outcome::Failed)]].concat();
        assert_eq!(usage(&closed).failures, Vec::<String>::new());
        // It is heard of after all, and it is bad; one more, and it trips again.
        entries.push(ended(-4, "b", Outcome::Undone));
        assert_eq!(usage(&entries).failures, ["b"]);
        entries.extend([started(-3, "d"), ended(-2, "d", Outcome::Failed)]);
        assert!(matches!(usage(&entries).allow(&rules, demand), Err(Open::Failures(_))));
    }

    #[test]
    fn a_start_that_nobody_can_ask_about_counts_at_once_until_a_person_has_reset_the_breaker() {
        let rules = BreakerTable { failures: 1, ..BreakerTable::default() };
        let trips = |entries: &[Entry], unheard: &str| {
            let mut count = Count::new(NOW, NOW - 60);
            entries.iter().for_each(|entry| count.take(entry));
            count.unheard(unheard);
            count.usage().must_trip(&rules).is_some()
        };
        assert!(trips(&[started(-100, "gone")], "gone"));
        assert!(!trips(&[started(-100, "gone")], "another"));
        assert!(!trips(&[started(-100, "gone"), ended(-90, "gone", Outcome::Applied)], "gone"), "it has an end");
        assert!(!trips(&[started(-100, "gone"), reset(-50)], "gone"), "a person knows");
        assert!(trips(&[reset(-150), started(-100, "gone")], "gone"), "that was about others");
    }

    #[test]
    fn a_reset_that_is_not_recorded_yet_lifts_what_came_before_it() {
        let trip = |seconds| at(seconds, Event::Tripped { reason: "why".to_owned() });
        let entries = [started(-300, "a"), ended(-200, "a", Outcome::Failed), trip(-199)];
        let tripped = |reset: i64| {
            let mut count = Count::new(NOW, NOW);
            entries.iter().for_each(|entry| count.take(entry));
            count.reset(NOW + reset);
            count.usage().allow(&BreakerTable::default(), Demand::default())
        };
        assert_eq!(tripped(-100), Ok(()));
        assert_eq!(tripped(-200), Err(Open::Tripped("why".to_owned())), "it tripped later");
        assert!(matches!(tripped(-250), Err(Open::Tripped(_))), "before all of it");
    }

    #[test]
    fn a_reset_writes_off_what_is_missing_and_not_what_is_at_work() {
        let open = [started(-7000, "missing"), started(-100, "at work"), reset(-50)];
        assert_eq!(usage(&open).under_way, 1);
        let none = BreakerTable { failures: 0, ..BreakerTable::default() };
        assert_eq!(usage(&[]).allow(&none, Demand::default()), Ok(()), "no failure is never one too many");
    }
}
