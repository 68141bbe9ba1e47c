//! From the drift of a runner to what the report says of it: waivers, since when, by whom or by which commit, and
//! whether it is new. Pure: what earlier runs said and what canonical was are passed in.

mod key;
mod spec;
#[cfg(test)]
pub(crate) mod tests;
mod waiver;
pub mod why;

pub use key::Key;
pub use spec::{SpecChange, Version, Versions, changes};
pub use waiver::Expired;

use countersign_manifests_schema::report::{By, DriftItem, Notice};
use countersign_shared::drift::{Drift, Item};
use countersign_shared::manifest::effective::Effective;
use countersign_shared::manifest::waiver::Waiver;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// What the last run in which this runner was observed said of it.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'e> {
    /// Its items.
    pub items: &'e [DriftItem],
    /// Committer time of the commit that it was judged by, Unix seconds.
    pub canonical_at: i64,
}

/// All that is needed besides the drift.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'c> {
    /// The waivers for this runner, valid or not.
    pub waivers: &'c [&'c Waiver],
    /// `None` when it was never observed before.
    pub earlier: Option<Earlier<'c>>,
    /// When it was observed, Unix seconds.
    pub observed_at: i64,
    /// What canonical did to each item, in the order of the items; from [`changes`].
    pub spec: &'c [Option<SpecChange>],
    /// When the run started, Unix seconds; waivers end by it.
    pub now: i64,
}

/// What the report says of one runner.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assessment {
    /// In the order of the drift.
    pub items: Vec<DriftItem>,
    /// Waivers that would have covered something, had they not ended.
    pub expired: Vec<Expired>,
    /// What was not judged, and why.
    pub unjudged: Vec<Notice>,
}

/// Turns drift into what the report says.
pub fn assess(drift: &Drift, effective: &Effective, circumstances: &Circumstances<'_>) -> Assessment {
    let mut expired = BTreeSet::new();
    let items = drift
        .items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let change = circumstances.spec.get(index).and_then(Option::as_ref);
            let standing = waiver::standing(item, circumstances.waivers, circumstances.now);
            expired.extend(standing.expired);
            let mut reported = reported(item, circumstances, change);
            reported.remediable &= standing.waived.is_none();
            reported.waived = standing.waived;
            reported
        })
        .collect();
    Assessment { items, expired: expired.into_iter().collect(), unjudged: unjudged(drift, effective) }
}

fn reported(item: &Item, circumstances: &Circumstances<'_>, change: Option<&SpecChange>) -> DriftItem {
    let mut reported = DriftItem {
        code: item.code.to_string(),
        package: item.package.clone(),
        arch: item.arch.clone(),
        wanted: item.wanted.clone(),
        seen: item.seen.clone(),
        since: None,
        by: None,
        spec_changed: None,
        waived: None,
        new: false,
        remediable: item.remediable,
        blocked: item.blocked.as_ref().map(|f| Notice { code: f.code.clone(), message: f.message.clone() }),
    };
    // The same state was there before, whatever was wanted then; it is the same item only if that was the same, too.
    let same_state = |other: &&DriftItem| {
        other.code == reported.code
            && other.package == reported.package
            && other.arch == reported.arch
            && other.seen == reported.seen
    };
    let before = || circumstances.earlier.map_or(&[][..], |earlier| earlier.items).iter().filter(same_state);
    let same_item = before().find(|other| other.wanted == reported.wanted);
    let is_new = same_item.is_none();
    // A repository that should be enabled is told by what is wanted alone.
    let same_package = before().next().filter(|_| item.package.is_some());
    let origin = origin(item, same_item.or(same_package), circumstances, change);
    reported.new = is_new;
    match origin {
        Origin::Runner(at, by) => {
            reported.since = rfc3339(at);
            reported.by = by;
        }
        Origin::Spec(change) => {
            reported.since = rfc3339(change.at);
            reported.spec_changed = Some(change.commit);
        }
    }
    reported
}

/// What made an item: the later of what happened on the runner and what happened to canonical.
enum Origin {
    Runner(i64, Option<By>),
    Spec(SpecChange),
}

fn origin(
    item: &Item,
    earlier: Option<&DriftItem>,
    circumstances: &Circumstances<'_>,
    change: Option<&SpecChange>,
) -> Origin {
    let later = |at: i64| change.filter(|change| change.at > at).cloned().map(Origin::Spec);
    if let Some(at) = item.since {
        let by = item.by.as_ref().map(|by| By { user: by.user.clone(), command: by.command.clone() });
        return later(at).unwrap_or(Origin::Runner(at, by));
    }
    // The runner does not say, so the first observation of it counts.
    let first = earlier.and_then(|earlier| {
        let at = seconds(earlier.since.as_deref()?)?;
        Some(match &earlier.spec_changed {
            None => Origin::Runner(at, None),
            Some(commit) => Origin::Spec(SpecChange { commit: commit.clone(), at }),
        })
    });
    match (first, circumstances.earlier) {
        (Some(first), _) => {
            let (Origin::Runner(at, _) | Origin::Spec(SpecChange { at, .. })) = first;
            later(at).unwrap_or(first)
        }
        // It was there at the last observation, too, if canonical has made it drift since: what is seen is older than
        // the commit.
        (None, Some(before)) => later(before.canonical_at).unwrap_or(Origin::Runner(circumstances.observed_at, None)),
        (None, None) => later(circumstances.observed_at).unwrap_or(Origin::Runner(circumstances.observed_at, None)),
    }
}

/// RFC 3339 UTC seconds; `None` outside the years 1 to 9999.
pub fn rfc3339(seconds: i64) -> Option<String> {
    let time = Timestamp::from_second(seconds).ok()?;
    Some(time.to_string()).filter(|text| text.len() == "2026-11-20T03:30:00Z".len())
}

fn seconds(rfc3339: &str) -> Option<i64> {
    rfc3339.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

fn unjudged(drift: &Drift, effective: &Effective) -> Vec<Notice> {
    let mut notices: Vec<Notice> = drift
        .unjudged
        .iter()
        .map(|unjudged| {
            let codes: Vec<&str> = unjudged.codes.iter().map(|code| code.as_str()).collect();
            let without = if codes.is_empty() { "nothing can be proposed".to_owned() } else { codes.join(", ") };
            Notice {
                code: unjudged.why.code.clone(),
                message: format!("{} was not read ({}): not judged: {without}", unjudged.section, unjudged.why.message),
            }
        })
        .collect();
    if !effective.host.modules.is_empty() {
        notices.push(Notice {
            code: "modules".to_owned(),
            message: "module streams are not compared: no drift code covers them".to_owned(),
        });
    }
    notices
}
