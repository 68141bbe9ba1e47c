//! `status`: where things stand, by what was fetched last. No remote is asked.

use super::{plan, show};
use crate::apply::result_of;
use crate::config::Config;
use crate::gather::{self, From, Gathered};
use crate::stop::{Done, Stop};
use countersign_manifests_schema::plan::{PLAN_SCHEMA, PlanDocument, PlannedProposal};
use countersign_shared::terminal::{Screen, visible};
use jiff::Timestamp;

/// Says where things stand.
pub fn status(config: &Config, screen: Screen) -> Result<Done, Stop> {
    let now = Timestamp::now().as_second();
    let gathered = gather::gather(config, From::Mirrors, &[], now)
        .map_err(|stop| stop.hint("`plan` fetches both repositories; `status` shows what it fetched last"))?;
    let judged = plan::judge_all(&gathered)?;
    let world = &gathered.world;
    let mut head = String::new();
    let mut line = |text: String| {
        head.push_str(&visible(&text));
        head.push('\n');
    };
    match &world.leases {
        Ok(duties) if duties.is_empty() => line("nobody is on duty".to_owned()),
        Ok(duties) => duties.iter().for_each(|duty| {
            let left = (duty.expires - now).max(0);
            line(format!(
                "on duty  {}: {} proposals, {} tokens left, {left} s",
                duty.by,
                duty.proposals.len(),
                duty.left
            ));
        }),
        Err(_) => {}
    }
    if let Ok(tally) = &world.tally {
        if let Some(why) = tally.tripped.as_ref().or(tally.usage.tripped.as_ref()) {
            line(format!("breaker  TRIPPED: {why}"));
        }
        let used = tally.usage.today.max(tally.tokens_today);
        line(format!("breaker  {used} of {} in 24 hours", world.policy.breaker.transactions_per_day));
    }
    match &gathered.past {
        Ok(past) => past.started.iter().filter(|(_, recorded)| recorded.end.is_none()).for_each(|(id, recorded)| {
            line(format!("UNDER WAY  {id} since entry {} of the ledger: `apply` ends it", recorded.number));
        }),
        Err(why) => line(format!("the ledger cannot be read: {why}")),
    }
    let document = PlanDocument {
        schema: PLAN_SCHEMA.to_owned(),
        halted: plan::halted(&world.halts),
        proposals: judged
            .iter()
            .map(|(candidate, judgement)| ended(plan::planned(candidate, judgement), &gathered))
            .collect(),
        trust: gathered.trust.clone(),
        left_out: gathered.left_out,
    };
    let outcome = plan::halt_outcome(&document.halted);
    let text = show::halts(&document.halted, screen) + &head + &show::list(&document, screen);
    Ok(Done { outcome, text, json: show::json(&document)? })
}

/// With what became of it, by the ledger.
fn ended(mut planned: PlannedProposal, gathered: &Gathered) -> PlannedProposal {
    let recorded = gathered.past.as_ref().ok().and_then(|past| past.started.get(&planned.id));
    if let Some(end) = recorded.and_then(|recorded| recorded.end.as_ref()) {
        planned.result = Some(result_of(end.outcome));
        planned.receipt = Some(end.receipt.clone());
        planned.detail = end.detail.clone();
    }
    planned
}
