//! `expired`: its time is over by our clock; or the runner's own rules take nothing that is so old.

use super::Verdict;
use crate::facts::Facts;
use countersign_shared::duration::Span;
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
        (Ok(created), Ok(expires)) if facts.world.now < expires => match too_old(facts, created) {
            Some(why) => Verdict::refuse(why),
            None => Verdict::pass(format!("until {}", proposal.expires)),
        },
        (Ok(_), Ok(_)) => Verdict::refuse(format!("it ended at {}", proposal.expires)),
        _ => Verdict::refuse("its times cannot be read"),
    }
}

/// Rules of a runner that was enrolled under another policy may be shorter than the proposal's life.
fn too_old(facts: &Facts<'_>, created: i64) -> Option<String> {
    let longest = facts.answered().ok()?.inspection.max_age;
    let until = created.saturating_add(i64::try_from(longest).unwrap_or(i64::MAX));
    (facts.world.now > until).then(|| {
        format!("the runner takes no proposal that is older than {}; enroll it again", Span::from_secs(longest))
    })
}

/// Seconds by which the observer's clock may be ahead of ours.
const CLOCKS: i64 = 300;
