//! `runner-differs`: the warden's binary, approvers or policy digest is not the expected one.

use super::Verdict;
use crate::facts::Facts;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let answered = match facts.answered() {
        Ok(answered) => answered,
        Err(why) => return Verdict::Skipped(why),
    };
    let (seen, expected) = (answered.inspection, answered.expected);
    if seen.runner != facts.candidate.runner {
        return Verdict::refuse(format!("it calls itself {}", seen.runner));
    }
    for (what, seen, expected) in [
        ("binary", &seen.binary, &expected.binary),
        ("approvers file", &seen.approvers, &expected.approvers),
        ("policy", &seen.policy, &expected.policy),
        ("notary key", &seen.notary_key, &expected.notary_key),
    ] {
        if expected.is_empty() {
            return Verdict::refuse(format!("no digest of the warden's {what} is configured; it has {seen}"));
        }
        if !expected.contains(seen) {
            return Verdict::refuse(format!("the warden's {what} has the sha256 {seen}"));
        }
    }
    Verdict::pass(format!("warden {}, as expected", seen.version))
}
