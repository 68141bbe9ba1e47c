//! *self-inflicted*: new drift that came in an application of an approved change, or right after one without a person.
//!
//! When applications were is the runner's own word. It can raise a finding here and clear none.

use super::Watched;
use crate::assess::Key;
use countersign_manifests_schema::warden::Stage;
use countersign_shared::observation::{Applied, Observation};

/// Seconds after the end of an application in which what no person did counts as its work: what its packages left
/// running, or wrote into a timer.
pub(super) const AFTER: i64 = 60 * 60;

/// One of our own applications on a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// sha256 of the proposal.
    pub id: String,
    /// Unix seconds of its start.
    pub started: i64,
    /// Unix seconds of its end; of the observation while it is under way.
    pub finished: i64,
}

impl Receipt {
    /// What the warden says that it started.
    pub fn all(observation: &Observation<'_>) -> Vec<Receipt> {
        let applications = observation.history.seen().map_or(&[][..], |history| &history.applications);
        let receipt = |applied: &Applied<'_>| {
            let finished = match applied.stage {
                Stage::Started | Stage::Unconfirmed => applied.at.max(observation.at),
                Stage::Confirmed | Stage::Undone | Stage::Failed => applied.at,
            };
            Receipt { id: applied.proposal.to_owned(), started: applied.started, finished }
        };
        applications.iter().map(receipt).collect()
    }
}

pub(super) fn find(watched: &Watched<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let items = &watched.assessment.items;
    // Both are in the same order; what canonical made drift is not ours.
    for (item, origin) in items.iter().zip(&watched.drift.items) {
        let Some(since) = origin.since.filter(|_| item.new && item.waived.is_none() && item.spec_changed.is_none())
        else {
            continue;
        };
        // Who logged in as the actuator is the warden; root is whatever root has running.
        let user = origin.by.as_ref().and_then(|by| by.user.as_deref());
        if user.is_some_and(|user| user != "root" && user != watched.actuator_user) {
            continue;
        }
        let covers = |receipt: &&Receipt| receipt.started <= since && since <= receipt.finished.saturating_add(AFTER);
        if let Some(receipt) = watched.receipts.iter().rev().find(covers) {
            let subject = Key::of(item).subject();
            found.push(format!("{} {subject} follows our own application of {}", item.code, receipt.id));
        }
    }
    found
}
