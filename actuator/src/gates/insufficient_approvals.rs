//! `insufficient-approvals`: too few distinct people; protected packages want more. One key is one person.

use super::Verdict;
use crate::facts::{Candidate, Facts};
use countersign_manifests_schema::proposal::Proposal;
use countersign_shared::manifest::policy::Policy;
use countersign_shared::nevra::Nevra;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let have = facts.candidate.people.len();
    let (needed, protected) = needed(&facts.world.policy, facts.candidate);
    let why = protected.map_or_else(String::new, |name| format!(", because {name} is protected"));
    if have >= needed as usize {
        Verdict::pass(format!("{have} of {needed}{why}"))
    } else {
        let void = facts.candidate.void_approvals.first();
        let void = void.map_or_else(String::new, |void| format!("; one does not count: {void}"));
        Verdict::refuse(format!("{have} of {needed} people have approved it{why}{void}"))
    }
}

/// How many people it needs, and the protected package that makes them more. Nobody knows what damaged bytes touch.
pub(super) fn needed(policy: &Policy, candidate: &Candidate) -> (u32, Option<String>) {
    let required = policy.approval.required;
    match candidate.sealed.as_ref().ok().map(|sealed| touched(policy, sealed.proposal())) {
        None | Some(None) => (required, None),
        Some(Some(name)) => (required.max(policy.approval.protected_required), Some(name)),
    }
}

/// A protected package that a transaction changes, by policy.toml as it is now and by the proposal.
fn touched(policy: &Policy, proposal: &Proposal) -> Option<String> {
    let changed = proposal.transaction.rpms.iter().filter_map(|change| Nevra::parse(&change.nevra).ok());
    let own = changed.map(|nevra| nevra.name).find(|name| policy.protected.contains(*name));
    own.map(str::to_owned).or_else(|| proposal.risk.protected.first().cloned())
}
