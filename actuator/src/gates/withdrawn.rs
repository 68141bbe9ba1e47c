//! `withdrawn`: it was taken back from main, or a person has signed a rejection.

use super::Verdict;
use crate::facts::Facts;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    if let Some(commit) = &facts.candidate.gone {
        return Verdict::refuse(format!("{commit} took it away, and what was taken back stays so"));
    }
    match facts.candidate.rejected_by.as_slice() {
        [] => Verdict::pass("nobody has taken it back"),
        people => Verdict::refuse(format!("rejected by {}", people.join(", "))),
    }
}
