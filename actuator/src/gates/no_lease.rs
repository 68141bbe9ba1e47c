//! `no-lease`: no person's signed lease covers this proposal now.

use super::Verdict;
use crate::facts::{Duty, Facts};

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let leases = match &facts.world.leases {
        Ok(leases) => leases,
        Err(why) => return Verdict::refuse(format!("the notary could not be asked: {why}")),
    };
    let now = facts.world.now;
    let covering = |duty: &&Duty| duty.proposals.contains(&facts.candidate.id);
    let fits = |duty: &&Duty| duty.expires > now && duty.left > 0;
    match leases.iter().filter(covering).find(fits) {
        Some(duty) => Verdict::pass(format!("{} is on duty for another {} s", duty.by, duty.expires - now)),
        None => match leases.iter().find(covering) {
            Some(duty) if duty.left == 0 => Verdict::refuse(format!("the lease of {} is used up", duty.by)),
            Some(duty) => Verdict::refuse(format!("the lease of {} has ended", duty.by)),
            None => match facts.world.void_leases.first() {
                Some(why) => Verdict::refuse(format!("a lease does not count: {why}")),
                None => Verdict::refuse("nobody is on duty for it: `countersign lease --proposals ID`"),
            },
        },
    }
}
