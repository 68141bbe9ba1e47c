//! `not-observer`: the proposal's commit is not signed by the declared observer key.

use super::Verdict;
use crate::facts::Facts;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    match &facts.candidate.made {
        Ok(commit) => Verdict::pass(format!("the observer signed {commit}")),
        Err(why) => Verdict::refuse(why),
    }
}
