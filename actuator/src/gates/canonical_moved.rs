//! `canonical-moved`: the effective manifest changed.

use super::Verdict;
use crate::facts::Facts;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let Some(sealed) = facts.sealed() else {
        return Verdict::Skipped("there is no proposal to compare".to_owned());
    };
    let Some(wanted) = &facts.wanted else {
        return Verdict::refuse("the runner is no longer in fleet.toml");
    };
    let (then, now) = (&sealed.proposal().canonical.manifest_digest, wanted.compiled.effective().digest());
    if *then == now {
        Verdict::pass("the manifest is as it was")
    } else {
        Verdict::refuse(format!("the manifest was {then} and is {now}"))
    }
}
