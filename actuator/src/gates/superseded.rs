//! `superseded`: a newer one exists for the same runner, which people have approved. What nobody approved stands in
//! nobody's way.

use super::Verdict;
use crate::facts::Facts;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    match &facts.candidate.newer {
        None => Verdict::pass("it is the newest approved one for its runner"),
        Some(id) => Verdict::refuse(format!("{id} is newer")),
    }
}
