//! `canonical-unsigned`: canonical's history since the anchor is not all by people.

use super::Verdict;
use crate::facts::Facts;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    match &facts.world.canonical {
        Ok(who) => Verdict::pass(who),
        Err(why) => Verdict::refuse(why),
    }
}
