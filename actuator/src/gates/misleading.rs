//! `misleading`: the README is not what this proposal renders to.

use super::Verdict;
use crate::facts::Facts;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    match (facts.sealed(), &facts.candidate.readme) {
        (None, _) => Verdict::Skipped("there is no proposal to render".to_owned()),
        (Some(_), Ok(())) => Verdict::pass("its README is its rendering"),
        (Some(_), Err(why)) => Verdict::refuse(why),
    }
}
