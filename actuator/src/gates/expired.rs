//! `expired`: its time is over by our clock.

use super::Verdict;
use crate::facts::Facts;
use jiff::Timestamp;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let Some(sealed) = facts.sealed() else {
        return Verdict::Skipped("there is no proposal to ask".to_owned());
    };
    let proposal = sealed.proposal();
    let at = |text: &str| text.parse::<Timestamp>().map(Timestamp::as_second);
    match (at(&proposal.created), at(&proposal.expires)) {
        (Ok(created), _) if created > facts.world.now + CLOCKS => {
            Verdict::refuse(format!("it was made at {}, which is in the future", proposal.created))
        }
        (Ok(_), Ok(expires)) if facts.world.now < expires => Verdict::pass(format!("until {}", proposal.expires)),
        (Ok(_), Ok(_)) => Verdict::refuse(format!("it ended at {}", proposal.expires)),
        _ => Verdict::refuse("its times cannot be read"),
    }
}

/// Seconds by which the observer's clock may be ahead of ours.
const CLOCKS: i64 = 300;
