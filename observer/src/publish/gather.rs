//! From what a run has stored to what is offered: proposals on the shelf, and runners about which the run can say nothing.

use super::{Counts, Ready};
use countersign_manifests_schema::report::{DriftItem, DriftReport, Status};
use countersign_manifests_schema::transaction::Action;
use countersign_shared::manifest::fleet::Fleet;
use countersign_shared::proposal::{Sealed, class_digest, render};
use std::collections::BTreeSet;

/// Pure: the report and the proposals that are on the shelf in; what to offer, and whose offers stay as they were, out.
pub fn gather(report: &DriftReport, shelf: &[Sealed], fleet: &Fleet) -> (Vec<Ready>, BTreeSet<String>) {
    let mut ready = Vec::new();
    let mut unjudged = BTreeSet::new();
    for row in &report.runners {
        let busy = |notice: &countersign_manifests_schema::report::Notice| notice.code == "busy";
        let open = |item: &DriftItem| item.remediable && item.waived.is_none() && item.blocked.is_none();
        // The solver did not answer, or nobody has asked it since the comparison was made.
        let unasked = || row.drift.iter().any(|item| open(item) || item.blocked.as_ref().is_some_and(busy));
        let offered = shelf
            .iter()
            .find(|sealed| sealed.proposal().runner == row.name && row.proposal.as_deref() == Some(sealed.id()));
        match offered {
            Some(sealed) if row.status == Status::Observed => ready.extend(one(sealed, fleet)),
            // No observation and no answer of the solver is no word on what was offered before.
            _ if row.status != Status::Observed || unasked() => {
                unjudged.insert(row.name.clone());
            }
            _ => {}
        }
    }
    (ready, unjudged)
}

/// `None` for a runner that is not in the fleet any more.
fn one(sealed: &Sealed, fleet: &Fleet) -> Option<Ready> {
    let proposal = sealed.proposal();
    let runner = fleet.runner(&proposal.runner)?;
    let group = runner.groups.first();
    let count = |actions: &[Action]| proposal.transaction.rpms.iter().filter(|c| actions.contains(&c.action)).count();
    Some(Ready {
        runner: proposal.runner.clone(),
        class: class_digest(group.map(String::as_str), proposal),
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
        group: group.cloned(),
    })
}
