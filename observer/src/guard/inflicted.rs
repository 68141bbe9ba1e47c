//! *self-inflicted*: new drift that follows our own application.

use super::Watched;
use serde::{Deserialize, Serialize};

/// One of our own applications on a runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// What it is called, for people.
    pub id: String,
    /// Unix seconds of its start.
    pub started: i64,
    /// Unix seconds of its end.
    pub finished: i64,
    /// Names of the packages that it changed.
    pub packages: Vec<String>,
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
        let receipt = watched.receipts.iter().find(|receipt| {
            let ours = item.package.as_ref().is_some_and(|name| receipt.packages.contains(name));
            receipt.started <= since && (since <= receipt.finished || ours)
        });
        if let Some(receipt) = receipt {
            let subject = crate::assess::Key::of(item).subject();
            found.push(format!("{} {subject} follows our own application {}", item.code, receipt.id));
        }
    }
    found
}
