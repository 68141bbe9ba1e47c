//! `host-key`: the runner's host key is not a known one.

use super::Verdict;
use crate::facts::{Facts, Reach};

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    match facts.reach {
        Reach::Unasked(why) => Verdict::Skipped(why.clone()),
        Reach::Failed(failure) if failure.code == "host-key" => Verdict::refuse(&failure.message),
        Reach::Failed(failure) => Verdict::Skipped(format!("the runner did not answer ({})", failure.code)),
        Reach::Answered(_) => Verdict::pass("its host key is the one in fleet.toml"),
    }
}
