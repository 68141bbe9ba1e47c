//! `status`: where things stand, by what was fetched last. No remote is asked.

use super::{plan, show};
use crate::config::Config;
use crate::gather::{self, From};
use crate::halt::Halt;
use crate::stop::{Done, Stop};
use countersign_manifests_schema::plan::{PLAN_SCHEMA, PlanDocument};
use countersign_shared::exit::Outcome;
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
    let mut halted = false;
    for (place, halt) in &world.halts {
        match halt {
            Halt::Clear => {}
            Halt::Set(reason) => line(format!("HALTED  {place}: {reason}")),
            Halt::Unreadable(error) => line(format!("HALTED  {place}: not known: {error}")),
        }
        halted |= !halt.lets_pass();
    }
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
        for why in &tally.tripped {
            line(format!("breaker  tripped: {why}"));
        }
        line(format!("breaker  {} of {} in 24 hours", tally.today, world.policy.breaker.transactions_per_day));
    }
    let document = PlanDocument {
        schema: PLAN_SCHEMA.to_owned(),
        proposals: judged.iter().map(|(candidate, judgement)| plan::planned(candidate, judgement)).collect(),
        trust: gathered.trust.clone(),
        left_out: gathered.left_out,
    };
    let outcome = if halted { Outcome::Halted } else { Outcome::Clean };
    Ok(Done { outcome, text: head + &show::plan(&document, screen), json: show::json(&document)? })
}
