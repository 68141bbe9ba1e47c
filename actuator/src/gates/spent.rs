//! `spent`: it was ever started, however that ended.

use super::Verdict;
use crate::facts::{Facts, Reach};

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    match &facts.candidate.started {
        Err(why) => return Verdict::refuse(format!("whether it was started is not known: {why}")),
        Ok(Some(place)) => return Verdict::refuse(format!("it was started: {place}")),
        Ok(None) => {}
    }
    if let Reach::Answered(answered) = facts.reach
        && let Some(last) = &answered.inspection.last
        && last.proposal == facts.candidate.id
    {
        return Verdict::refuse(format!("the runner started it at {}", last.started));
    }
    Verdict::pass("it was never started")
}
