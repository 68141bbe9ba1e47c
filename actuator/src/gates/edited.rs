//! `edited`: bytes and sha256 differ.

use super::Verdict;
use crate::facts::Facts;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    match &facts.candidate.sealed {
        Ok(_) => Verdict::pass("its bytes are those that its sha256 names"),
        Err(why) => Verdict::refuse(why),
    }
}
