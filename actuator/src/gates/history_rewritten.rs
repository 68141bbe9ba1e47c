//! `history-rewritten`: a tip does not descend from the last one seen.

use super::Verdict;
use crate::facts::Facts;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    match facts.world.rewritten.first() {
        None => Verdict::pass("both tips descend from the last ones seen"),
        Some(why) => Verdict::refuse(why),
    }
}
