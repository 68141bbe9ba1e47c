//! `outside-window`: no maintenance window, or not enough of it left for what is undone at the last moment that the runner
//! gives it. No window at all means always; a runner of several groups must be within a window of each group that has some.

use super::Verdict;
use crate::facts::{CONFIRM_WITHIN, Facts};

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let Some(wanted) = &facts.wanted else {
        return Verdict::refuse("the runner is no longer in fleet.toml");
    };
    let (limit, supposed) = match facts.answered() {
        Ok(answered) => (i64::try_from(answered.inspection.confirm_within).unwrap_or(i64::MAX), ""),
        Err(_) => (CONFIRM_WITHIN, " (the default: the runner has not said)"),
    };
    let mut least: Option<i64> = None;
    for group in &wanted.runner.groups {
        let windows = facts.world.policy.windows.get(group).map(Vec::as_slice).unwrap_or_default();
        if windows.is_empty() {
            continue;
        }
        match windows.iter().filter_map(|window| window.remaining(facts.world.now)).max() {
            None => return Verdict::refuse(format!("no window of {group} is open")),
            Some(left) if left < limit => {
                return Verdict::refuse(format!(
                    "the window of {group} closes in {left} s, and an application may take {limit} s{supposed}"
                ));
            }
            Some(left) => least = Some(least.map_or(left, |least| least.min(left))),
        }
    }
    match least {
        None => Verdict::pass("its groups have no windows: always"),
        Some(left) => Verdict::pass(format!("open for another {left} s, and {limit} s are enough{supposed}")),
    }
}
