//! What the notary knows: halts, leases, budgets, what was burned. What it cannot be asked is not known, and what is not
//! known lets nothing pass.

use super::people::Lists;
use crate::facts::Duty;
use countersign_manifests_schema::lease::{LEASE_SECONDS, Order, OrderKind, RESET_NAMESPACE};
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest, NotaryState, OrderState};
use countersign_shared::approval::signed::{SignedRefusal, open_lease};
use countersign_shared::canonical_json;
use countersign_shared::notary;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

/// For one answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What it said.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) halted: Result<Option<String>, String>,
    pub(super) leases: Result<Vec<Duty>, String>,
    /// Why leases that it holds do not count here.
    pub(super) void: Vec<String>,
    /// Why its breaker tripped, and tokens in 24 hours.
    pub(super) budget: Result<(Option<String>, u32), String>,
    /// Proposals that were ever burned.
    pub(super) started: Result<BTreeSet<String>, String>,
    /// The last reset of its breaker that a person has signed.
    pub(super) reset: Option<Reset>,
}

/// A person has reset the breaker.
#[derive(Debug, Clone)]
pub struct Reset {
    /// What the notary holds of it.
    pub order: OrderState,
    /// Unix seconds.
    pub at: i64,
}

/// Asks it.
pub(super) fn ask(socket: &Path, lists: &Lists) -> Asked {
    match state(socket) {
        Ok(state) => heard(&state, lists),
        Err(why) => Asked {
            halted: Err(why.clone()),
            leases: Err(why.clone()),
            void: Vec::new(),
            budget: Err(why.clone()),
            started: Err(why),
            reset: None,
        },
    }
}

/// Its state, or one sentence.
pub(crate) fn state(socket: &Path) -> Result<NotaryState, String> {
    match notary::ask(socket, &NotaryRequest::State {}, TIMEOUT) {
        Ok(NotaryAnswer::State(state)) => Ok(state),
        Ok(NotaryAnswer::Refused { code, message }) => Err(format!("{message} ({code})")),
        Ok(_) => Err("it answered something else".to_owned()),
        Err(error) => Err(chain(&error)),
    }
}

/// An error and its causes in one sentence.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn heard(state: &NotaryState, lists: &Lists) -> Asked {
    let (mut leases, mut void) = (Vec::new(), Vec::new());
    for held in &state.leases {
        // The notary has judged it by its own list; we judge it by ours.
        let opened = lists.both(|people| Ok::<_, Judged>(open_lease(&held.lease, people)?.1));
        let lease = serde_json::from_str::<countersign_manifests_schema::lease::Lease>(&held.lease.text);
        match (opened, lease) {
            (Ok(approver), Ok(lease)) => leases.push(Duty {
                by: approver.person.principal,
                proposals: lease.proposals.into_iter().collect(),
                expires: lease.expires.parse::<Timestamp>().map_or(0, Timestamp::as_second),
                left: lease.max.saturating_sub(held.drawn),
            }),
            (Err(Judged(why)), _) => void.push(why),
            (_, Err(error)) => void.push(error.to_string()),
        }
    }
    Asked {
        halted: Ok(state.halted.clone()),
        leases: Ok(leases),
        void,
        budget: Ok((state.tripped.clone(), state.tokens_today)),
        started: Ok(state.burned.iter().chain(&state.under_way).cloned().collect()),
        reset: state.reset.as_ref().and_then(|held| reset(held, lists)),
    }
}

/// What the notary obeyed counts here if a person signed it by our lists too; within the time that an order is good for.
fn reset(held: &OrderState, lists: &Lists) -> Option<Reset> {
    let text = held.order.text.as_bytes();
    let order: Order = canonical_json::from_bytes(text, text.len()).ok()?;
    let issued = order.issued.parse::<Timestamp>().ok()?.as_second();
    let obeyed = held.at.parse::<Timestamp>().ok()?.as_second();
    lists.both(|people| people.who(&held.order.signature, RESET_NAMESPACE, text)).ok()?;
    let at = obeyed.clamp(issued, issued + LEASE_SECONDS);
    (order.kind == OrderKind::ResetBreaker).then(|| Reset { order: held.clone(), at })
}

/// Why a lease does not count.
struct Judged(String);

impl From<SignedRefusal> for Judged {
    fn from(error: SignedRefusal) -> Self {
        Self(chain(&error))
    }
}

impl From<countersign_shared::approval::people::NotAPerson> for Judged {
    fn from(error: countersign_shared::approval::people::NotAPerson) -> Self {
        Self(chain(&error))
    }
}
