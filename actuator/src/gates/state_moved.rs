//! `state-moved`: a package instance that the transaction or its drift names, or the configuration of repositories and
//! dnf, changed. Unrelated changes are noted; closed manifests compare the whole set.

use super::Verdict;
use crate::facts::{Facts, Wanted};
use countersign_manifests_schema::proposal::Proposal;
use countersign_shared::observation::{Observation, set_digest};
use countersign_shared::proposal::{base_digest, configuration_digest, named_digest};

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let Some(sealed) = facts.sealed() else {
        return Verdict::Skipped("there is no proposal to compare".to_owned());
    };
    let Some(wanted) = &facts.wanted else {
        return Verdict::refuse("the runner is no longer in fleet.toml");
    };
    match facts.answered().map(|answered| &answered.observation) {
        Err(why) => Verdict::Skipped(why),
        Ok(Err(failure)) => Verdict::refuse(format!("the runner was not observed: {}", failure.message)),
        Ok(Ok(observation)) => compare(wanted, observation, sealed.proposal()),
    }
}

fn compare(wanted: &Wanted<'_>, observation: &Observation<'_>, proposal: &Proposal) -> Verdict {
    let (Some(packages), Some(os)) = (observation.packages.seen(), observation.os.seen()) else {
        return Verdict::refuse("the packages were not read");
    };
    let configuration = match configuration_digest(observation) {
        Ok(digest) => digest,
        Err(section) => return Verdict::refuse(format!("{section} was not read")),
    };
    if base_digest(&packages.list, os.arch, &configuration) == proposal.base.digest {
        return Verdict::pass("nothing has changed");
    }
    if wanted.compiled.effective().lock.is_some() {
        return Verdict::refuse("the manifest is closed, and something has changed");
    }
    if set_digest(&packages.list) == proposal.base.set_digest && proposal.base.named.is_none() {
        return Verdict::refuse("the packages are the same, and their content, reasons or configuration is not");
    }
    let (Some(named), Some(then)) = (&proposal.base.named, &proposal.base.configuration) else {
        return Verdict::refuse("something has changed, and the proposal does not tell what it builds on");
    };
    if *then != configuration {
        return Verdict::refuse("the configuration of repositories and dnf, or a version lock, has changed");
    }
    if *named != named_digest(&packages.list, &proposal.drift, &proposal.transaction) {
        return Verdict::refuse("a package that it names has changed");
    }
    Verdict::pass("only packages that it does not name have changed")
}
