//! Whether a proposal may be burned, and whether an outcome is one. Pure: memory, rules, time and the request give a
//! record to write, or a refusal.

use crate::memory::{Memory, short};
use crate::record::Event;
use countersign_manifests_schema::notary::{LedgerHead, Outcome};
use countersign_manifests_schema::policy::BreakerTable;
use countersign_shared::approval::statement::is_digest;
use countersign_shared::manifest::fleet::is_runner_name;

/// Nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Of `countersign_manifests_schema::notary::NotaryAnswer::Refused`.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// What is asked with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// sha256 of the proposal.
    pub proposal: String,
    /// The runner's name.
    pub runner: String,
    /// The runner's nonce.
    pub nonce: String,
    /// sha256 of the staged set.
    pub staged: String,
    /// Packages that go and that nothing replaces.
    pub removals: u32,
    /// The ledger's head.
    pub head: LedgerHead,
}

/// What to write before the token is signed.
pub fn burn(memory: &Memory, rules: &BreakerTable, now: i64, draw: Draw) -> Result<Event, Refusal> {
    for (name, text) in [
        ("proposal", &draw.proposal),
        ("nonce", &draw.nonce),
        ("staged", &draw.staged),
        ("head.sha256", &draw.head.sha256),
    ] {
        digest(name, text)?;
    }
    if !is_runner_name(&draw.runner) {
        return Err(Refusal::new("request", "`runner` is not the name of a runner"));
    }
    if memory.is_burned(&draw.proposal) {
        let message = format!("a token for proposal {} was drawn before", short(&draw.proposal));
        return Err(Refusal::new("spent", message));
    }
    if let Some(reason) = memory.tripped() {
        return Err(Refusal::new("breaker", reason));
    }
    let lease = lease(memory, rules, now, &draw.proposal)?;
    match memory.head() {
        Some(last) if draw.head.number <= last.number => return Err(other_ledger(&draw.head, last)),
        _ if draw.head.number == 0 => return Err(Refusal::new("request", "entries of the ledger are counted from 1")),
        _ => {}
    }
    budgets(memory, rules, now, &draw)?;
    let Draw { proposal, runner, nonce, staged, removals, head } = draw;
    Ok(Event::Burned { proposal, runner, nonce, staged, lease, removals, head })
}

/// The digest of the lease under which the proposal may be burned.
fn lease(memory: &Memory, rules: &BreakerTable, now: i64, proposal: &String) -> Result<String, Refusal> {
    let mut covering = memory.in_force(now).filter(|held| held.lease.proposals.contains(proposal)).peekable();
    if covering.peek().is_none() {
        let message = format!("no lease in force lists proposal {}", short(proposal));
        return Err(Refusal::new("no-lease", message));
    }
    let mut open = covering.filter(|held| held.drawn < held.lease.max).peekable();
    if open.peek().is_none() {
        return Err(Refusal::new("no-lease", "every lease that lists the proposal is used up"));
    }
    match open.find(|held| held.drawn < rules.transactions_per_run) {
        Some(held) => Ok(held.digest.clone()),
        None => Err(used_up("transactions_per_run", rules.transactions_per_run)),
    }
}

fn budgets(memory: &Memory, rules: &BreakerTable, now: i64, draw: &Draw) -> Result<(), Refusal> {
    if memory.tokens_today(now) >= rules.transactions_per_day {
        return Err(used_up("transactions_per_day", rules.transactions_per_day));
    }
    if memory.under_way().count() >= rules.runners_at_once as usize {
        return Err(used_up("runners_at_once", rules.runners_at_once));
    }
    if draw.removals > rules.removals_per_transaction {
        return Err(used_up("removals_per_transaction", rules.removals_per_transaction));
    }
    Ok(())
}

fn used_up(budget: &str, limit: u32) -> Refusal {
    Refusal::new("breaker", format!("the notary's budget {budget} = {limit} does not allow it"))
}

/// What to write for an outcome; `None` when the same was said before.
pub fn end(memory: &Memory, proposal: String, outcome: Outcome, head: LedgerHead) -> Result<Option<Event>, Refusal> {
    digest("proposal", &proposal)?;
    digest("head.sha256", &head.sha256)?;
    match memory.outcome(&proposal) {
        None => {
            let message = format!("no token was ever drawn for proposal {}", short(&proposal));
            return Err(Refusal::new("request", message));
        }
        // The answer was lost.
        Some(Some(before)) if before == outcome => return Ok(None),
        Some(Some(_)) => return Err(Refusal::new("request", "another outcome was reported before")),
        Some(None) => {}
    }
    match memory.head() {
        Some(last) if head.number < last.number || (head.number == last.number && head.sha256 != last.sha256) => {
            Err(other_ledger(&head, last))
        }
        _ => Ok(Some(Event::Ended { proposal, outcome, head })),
    }
}

/// The notary has no entries to compare; that the number does not grow is what it can see.
fn other_ledger(given: &LedgerHead, last: &LedgerHead) -> Refusal {
    let message = match given.number == last.number && given.sha256 == last.sha256 {
        true => format!("entry {} of the ledger was seen before: this start is not recorded", given.number),
        false => format!(
            "another ledger: entry {} ({}) does not continue entry {} ({}), the last one seen",
            given.number,
            short(&given.sha256),
            last.number,
            short(&last.sha256)
        ),
    };
    Refusal::new("ledger", message)
}

fn digest(name: &str, text: &str) -> Result<(), Refusal> {
    if is_digest(text) {
        return Ok(());
    }
    Err(Refusal::new("request", format!("`{name}` is not 64 lower-case hex digits")))
}
