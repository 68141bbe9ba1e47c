//! `not-human`: no approval by a listed person. Bots and forge keys never count.

use super::Verdict;
use crate::facts::Facts;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let candidate = facts.candidate;
    match (candidate.people.as_slice(), candidate.void_approvals.first()) {
        ([], None) => Verdict::refuse("nobody has approved it"),
        ([], Some(why)) => Verdict::refuse(format!("no listed person has approved it: {why}")),
        (people, _) => Verdict::pass(format!("approved by {}", people.join(", "))),
    }
}
