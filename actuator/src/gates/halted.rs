//! `halted`: any halt is set, or cannot be read.

use super::Verdict;
use crate::facts::{Facts, Reach};
use crate::halt::Halt;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let world = facts.world.halts.iter().map(|(place, halt)| (place.as_str(), halt));
    for (place, halt) in world {
        match halt {
            Halt::Clear => {}
            Halt::Set(reason) if reason.is_empty() => {
                return Verdict::refuse(format!("{place}: a halt without a reason"));
            }
            Halt::Set(reason) => return Verdict::refuse(format!("{place}: {reason}")),
            Halt::Unreadable(error) => {
                return Verdict::refuse(format!("{place}: whether a halt is set is not known: {error}"));
            }
        }
    }
    if let Reach::Answered(answered) = facts.reach
        && let Some(reason) = &answered.inspection.halted
    {
        return Verdict::refuse(format!("the runner: {reason}"));
    }
    let places: Vec<&str> = facts.world.halts.iter().map(|(place, _)| place.as_str()).collect();
    Verdict::pass(format!("no halt: {}", places.join(", ")))
}
