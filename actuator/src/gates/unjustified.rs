//! `unjustified`: a fresh full observation plus this transaction does not remove the claimed drift, or makes new drift,
//! or carries more changes than policy allows. Recomputed here, with nothing of the observer's but its transaction.

use super::Verdict;
use crate::facts::{Facts, Wanted};
use countersign_manifests_schema::proposal::{ClaimedItem, Proposal};
use countersign_shared::drift::{self, Item};
use countersign_shared::observation::Observation;
use countersign_shared::proposal::justify;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let Some(sealed) = facts.sealed() else {
        return Verdict::Skipped("there is no proposal to judge".to_owned());
    };
    let Some(wanted) = &facts.wanted else {
        return Verdict::refuse("the runner is no longer in fleet.toml");
    };
    let observation = match facts.answered().map(|answered| &answered.observation) {
        Err(why) => return Verdict::Skipped(why),
        Ok(Err(failure)) => return Verdict::refuse(format!("the runner was not observed: {}", failure.message)),
        Ok(Ok(observation)) => observation,
    };
    match recompute(facts, wanted, observation, sealed.proposal()) {
        Ok(()) => Verdict::pass("it removes what it claims, and makes no new drift"),
        Err(why) => Verdict::refuse(why),
    }
}

fn recompute(
    facts: &Facts<'_>,
    wanted: &Wanted<'_>,
    observation: &Observation<'_>,
    proposal: &Proposal,
) -> Result<(), String> {
    let now = drift::drift(wanted.compiled, observation).map_err(|failure| failure.message)?;
    if let Some(gap) = now.unjudged.first() {
        return Err(format!("{} was not read: {}", gap.section, gap.why.message));
    }
    let mut claimed = Vec::new();
    for item in &proposal.drift {
        let same = |found: &&Item| is_same(item, found);
        claimed
            .push(now.items.iter().find(same).ok_or_else(|| format!("{} is no longer {}", item.package, item.code))?);
    }
    let is_waived = |item: &&Item| {
        let covers = |waiver: &&&countersign_shared::manifest::waiver::Waiver| {
            waiver.is_valid_at(facts.world.now) && waiver.covers(&item.difference())
        };
        wanted.waivers.iter().any(|waiver| covers(&waiver))
    };
    let waived: Vec<&Item> = now.items.iter().filter(is_waived).collect();
    let policy = &facts.world.policy;
    let justified = justify(wanted.compiled, observation, &claimed, &waived, policy, &proposal.transaction)
        .map_err(|blocked| blocked.message)?;
    if justified.transaction != proposal.transaction {
        return Err("which changes the drift asks for is not as the proposal says".to_owned());
    }
    Ok(())
}

fn is_same(claimed: &ClaimedItem, found: &Item) -> bool {
    found.code.as_str() == claimed.code
        && found.package.as_deref() == Some(claimed.package.as_str())
        && found.arch == claimed.arch
        && found.wanted == claimed.wanted
}
