//! `breaker`: a budget is used up, or the breaker has tripped and was not reset.

use super::Verdict;
use crate::facts::Facts;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let tally = match &facts.world.tally {
        Ok(tally) => tally,
        Err(why) => return Verdict::refuse(format!("what was used of the budgets is not known: {why}")),
    };
    if let Some(why) = tally.tripped.first() {
        return Verdict::refuse(format!("it has tripped: {why}; `countersign reset-breaker` after a look"));
    }
    let budget = &facts.world.policy.breaker;
    for (used, most, what) in [
        (tally.run, budget.transactions_per_run, "in this run"),
        (tally.today, budget.transactions_per_day, "in 24 hours"),
    ] {
        if used >= most {
            return Verdict::refuse(format!("{used} of {most} transactions {what} are used up"));
        }
    }
    let removals = facts.sealed().map_or(0, |sealed| sealed.proposal().risk.removals);
    if removals > budget.removals_per_transaction {
        let most = budget.removals_per_transaction;
        return Verdict::refuse(format!("{removals} packages would go, and policy.toml allows {most}"));
    }
    Verdict::pass(format!("{} of {} transactions in 24 hours", tally.today, budget.transactions_per_day))
}
