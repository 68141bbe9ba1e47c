//! From what a run has stored to what is offered: proposals on the shelf, and runners about which the run can say nothing.

use super::{Counts, Ready};
use countersign_manifests_schema::report::{DriftItem, DriftReport, Status};
use countersign_manifests_schema::transaction::Action;
use countersign_shared::manifest::fleet::Fleet;
use countersign_shared::proposal::{Sealed, class_digest, render};
use std::collections::{BTreeMap, BTreeSet};

/// Pure: the report and the proposals that are on the shelf in; what to offer, and whose offers stay as they were, out.
pub fn gather(report: &DriftReport, shelf: &[Sealed], fleet: &Fleet) -> (Vec<Ready>, BTreeSet<String>) {
    let mut offered = Vec::new();
    let mut unjudged = BTreeSet::new();
    for row in &report.runners {
        let busy = |notice: &countersign_manifests_schema::report::Notice| notice.code == "busy";
        let open = |item: &DriftItem| item.remediable && item.waived.is_none() && item.blocked.is_none();
        // The solver did not answer, or nobody has asked it since the comparison was made.
        let unasked = || row.drift.iter().any(|item| open(item) || item.blocked.as_ref().is_some_and(busy));
        let sealed = shelf
            .iter()
            .find(|sealed| sealed.proposal().runner == row.name && row.proposal.as_deref() == Some(sealed.id()));
        match sealed {
            Some(sealed) if row.status == Status::Observed => offered.push(sealed),
            // No observation and no answer of the solver is no word on what was offered before.
            _ if row.status != Status::Observed || unasked() => {
                unjudged.insert(row.name.clone());
            }
            _ => {}
        }
    }
    let groups = groups(&offered, fleet);
    let ready = offered.iter().zip(groups).filter_map(|(sealed, group)| one(sealed, group, fleet)).collect();
    (ready, unjudged)
}

/// Which of its groups each proposal goes with: runners that are alike share the group that most of them are in, so that
/// one more group of one of them does not take them apart.
fn groups<'f>(offered: &[&Sealed], fleet: &'f Fleet) -> Vec<Option<&'f str>> {
    let of = |sealed: &Sealed| fleet.runner(&sealed.proposal().runner).map_or(&[][..], |runner| &runner.groups);
    let mut alike: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, sealed) in offered.iter().enumerate() {
        alike.entry(class_digest(None, sealed.proposal())).or_default().push(index);
    }
    let mut chosen = vec![None; offered.len()];
    for mut open in alike.into_values() {
        loop {
            let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
            for group in open.iter().flat_map(|index| of(offered[*index])) {
                *sizes.entry(group).or_default() += 1;
            }
            // The first by name of those that are equally large.
            let Some((group, _)) = sizes.into_iter().rev().max_by_key(|(_, size)| *size) else { break };
            open.retain(|index| {
                let member = of(offered[*index]).iter().any(|other| other == group);
                if member {
                    chosen[*index] = Some(group);
                }
                !member
            });
        }
    }
    chosen
}

/// `None` for a runner that is not in the fleet any more.
fn one(sealed: &Sealed, group: Option<&str>, fleet: &Fleet) -> Option<Ready> {
    let proposal = sealed.proposal();
    fleet.runner(&proposal.runner)?;
    let count = |actions: &[Action]| proposal.transaction.rpms.iter().filter(|c| actions.contains(&c.action)).count();
    Some(Ready {
        runner: proposal.runner.clone(),
        class: class_digest(group, proposal),
        id: sealed.id().to_owned(),
        created: proposal.created.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second),
        proposal_json: sealed.bytes().to_vec(),
        readme: render(sealed),
        counts: Counts {
            drift: proposal.drift.len(),
            installs: count(&[Action::Install]),
            changes: count(&[Action::Upgrade, Action::Downgrade, Action::Reinstall]),
            removals: count(&[Action::Remove]),
            protected: !proposal.risk.protected.is_empty(),
        },
        owner: group.and_then(|group| fleet.groups.get(group)).and_then(|group| group.owner.clone()),
        group: group.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests;
