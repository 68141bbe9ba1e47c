//! `breaker`: a budget is used up, or the breaker has tripped and was not reset. What the notary counts and what the
//! ledger says must both allow it, so that another ledger does not dodge them.

use super::Verdict;
use crate::breaker::Demand;
use crate::facts::Facts;
use countersign_manifests_schema::transaction::Action;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let tally = match &facts.world.tally {
        Ok(tally) => tally,
        Err(why) => return Verdict::refuse(format!("what was used of the budgets is not known: {why}")),
    };
    if let Some(why) = &tally.tripped {
        return Verdict::refuse(format!("it has tripped: {why}; `countersign reset-breaker` after a look"));
    }
    let rules = &facts.world.policy.breaker;
    let most = rules.transactions_per_day;
    if tally.tokens_today >= most {
        let tokens = tally.tokens_today;
        return Verdict::refuse(format!("the notary gave {tokens} tokens in 24 hours, and policy.toml allows {most}"));
    }
    match tally.usage.allow(rules, demand(facts)) {
        Err(open) => Verdict::refuse(open.to_string()),
        Ok(()) => {
            Verdict::pass(format!("{} of {most} transactions in 24 hours", tally.usage.today.max(tally.tokens_today)))
        }
    }
}

fn demand(facts: &Facts<'_>) -> Demand {
    facts.sealed().map_or_else(Demand::default, |sealed| {
        let rpms = &sealed.proposal().transaction.rpms;
        let pulled = rpms.iter().filter(|change| change.asserted && change.action != Action::Replaced).count();
        Demand {
            removals: sealed.proposal().risk.removals,
            dependency_changes: u32::try_from(pulled).unwrap_or(u32::MAX),
        }
    })
}
