//! `not-merged`: it is not on main's first-parent way.

use super::Verdict;
use crate::facts::{Facts, Place};

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    match &facts.candidate.place {
        Place::Main(commit) => Verdict::pass(format!("merged by {commit}")),
        Place::Branch(branch) => Verdict::refuse(format!("it waits on {branch}: `countersign approve`")),
    }
}
