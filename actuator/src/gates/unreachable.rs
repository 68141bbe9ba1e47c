//! `unreachable`: the runner or its warden does not answer.

use super::Verdict;
use crate::facts::{Facts, Reach};

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    match facts.reach {
        Reach::Unasked(why) => Verdict::Skipped(why.clone()),
        Reach::Failed(failure) if failure.code == "host-key" => Verdict::pass("it was reached, up to its host key"),
        Reach::Failed(failure) => Verdict::refuse(format!("{} ({})", failure.message, failure.code)),
        Reach::Answered(_) => Verdict::pass("its warden has answered"),
    }
}
