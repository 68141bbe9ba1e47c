//! Whatever is asked in whatever order: nothing is burned twice, no limit is passed, and the records alone give the same
//! memory again.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use countersign_manifests_schema::bundle::SignedText;
use countersign_manifests_schema::lease::{LEASE_SCHEMA, Lease};
use countersign_manifests_schema::notary::{LedgerHead, Outcome};
use countersign_manifests_schema::policy::BreakerTable;
use countersign_notary::judge::{Draw, burn, end};
use countersign_notary::memory::{DAY, Memory};
use countersign_notary::record::{Event, Record};
use countersign_shared::canonical_json;
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

const START: i64 = 1_800_000_000;

#[derive(Debug, Clone)]
enum Step {
    Wait(i64),
    Lease { proposals: Vec<u8>, max: u32, seconds: i64 },
    Draw { proposal: u8, removals: u32, number: u64 },
    End { proposal: u8, outcome: Outcome, number: u64 },
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![3 => Just(Outcome::Applied), 1 => Just(Outcome::Undone), 1 => Just(Outcome::Failed)];
    prop_oneof![
        2 => prop_oneof![0..120_i64, 0..4000_i64, Just(DAY)].prop_map(Step::Wait),
        2 => (prop::collection::btree_set(0..12_u8, 1..6), 1..4_u32, 60..1801_i64)
            .prop_map(|(proposals, max, seconds)| Step::Lease { proposals: proposals.into_iter().collect(), max, seconds }),
        6 => (0..12_u8, 0..4_u32, 0..40_u64).prop_map(|(proposal, removals, number)| Step::Draw { proposal, removals, number }),
        4 => (0..12_u8, outcome, 0..40_u64).prop_map(|(proposal, outcome, number)| Step::End { proposal, outcome, number }),
        1 => Just(Step::Reset),
    ]
}

fn id(number: u8) -> String {
    format!("{number:064x}")
}

/// A head that is not far from the last one, and mostly after it.
fn head(last: u64, number: u64) -> LedgerHead {
    let number = (last + number).saturating_sub(5).max(1);
    LedgerHead { number, sha256: format!("{number:064x}") }
}

fn lease(now: i64, proposals: &[u8], max: u32, seconds: i64) -> SignedText {
    let moment = |seconds| Timestamp::from_second(seconds).unwrap().to_string();
    let lease = Lease {
        schema: LEASE_SCHEMA.to_owned(),
        nonce: format!("{now:064x}"),
        proposals: proposals.iter().copied().map(id).collect(),
        max,
        reason: "on duty".to_owned(),
        issued: moment(now),
        expires: moment(now + seconds),
    };
    SignedText { text: String::from_utf8(canonical_json::to_bytes(&lease).unwrap()).unwrap(), signature: String::new() }
}

proptest! {
    #[test]
    fn no_limit_is_passed_and_the_records_are_the_memory(steps in prop::collection::vec(step(), 1..80)) {
        let rules = BreakerTable {
            transactions_per_run: 2,
            transactions_per_day: 4,
            removals_per_transaction: 2,
            runners_at_once: 2,
            failures: 2,
            ..BreakerTable::default()
        };
        let (mut memory, mut now, mut lines) = (Memory::default(), START, Vec::new());
        let mut burned: BTreeMap<String, (i64, String)> = BTreeMap::new();
        let mut last = 0;
        for step in steps {
            let event = match step {
                Step::Wait(seconds) => {
                    now += seconds;
                    memory.forget(now);
                    None
                }
                Step::Lease { proposals, max, seconds } => {
                    Some(Event::Lease { lease: lease(now, &proposals, max, seconds), by: "alice".to_owned() })
                }
                Step::Draw { proposal, removals, number } => {
                    if let Some(reason) = memory.must_trip(&rules, now) {
                        let record = Record { at: now, event: Event::Tripped { reason } };
                        memory.apply(&record).unwrap();
                        lines.push(canonical_json::to_bytes(&record).unwrap());
                    }
                    let draw = Draw {
                        proposal: id(proposal),
                        runner: "runner-04".to_owned(),
                        nonce: id(1),
                        staged: id(2),
                        removals,
                        head: head(last, number),
                    };
                    burn(&memory, &rules, now, draw).ok()
                }
                Step::End { proposal, outcome, number } => {
                    end(&memory, id(proposal), outcome, head(last, number)).ok().flatten()
                }
                Step::Reset => {
                    let order = SignedText { text: String::new(), signature: String::new() };
                    Some(Event::Reset { order, by: "bob".to_owned() })
                }
            };
            if let Some(Event::Burned { proposal, lease, head, removals, .. }) = &event {
                let held = memory.in_force(now).find(|held| held.digest == *lease).unwrap();
                prop_assert!(held.lease.proposals.contains(proposal), "the lease lists it");
                prop_assert!(held.drawn < held.lease.max.min(rules.transactions_per_run));
                prop_assert!(head.number > last && *removals <= rules.removals_per_transaction);
                prop_assert!(memory.tripped().is_none() && memory.under_way().count() < 2);
                prop_assert!(burned.values().filter(|(at, _)| *at > now - DAY).count() < 4);
                prop_assert!(burned.insert(proposal.clone(), (now, lease.clone())).is_none(), "never twice");
            }
            if let Some(Event::Burned { head, .. } | Event::Ended { head, .. }) = &event {
                prop_assert!(head.number >= last, "the ledger goes on");
                last = head.number;
            }
            if let Some(event) = event {
                let record = Record { at: now, event };
                memory.apply(&record).unwrap();
                lines.push(canonical_json::to_bytes(&record).unwrap());
            }
            let mut again = Memory::default();
            for line in &lines {
                again.read(line).unwrap();
            }
            prop_assert_eq!(again.state(now, None), memory.state(now, None));
        }
        let known: Vec<String> = burned.into_keys().collect();
        prop_assert_eq!(memory.state(now, None).burned, known);
    }
}
