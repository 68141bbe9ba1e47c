//! Tables of the guard: for each code a story that triggers it, and those just beside.

mod changes;
mod records;

use super::*;
use crate::assess::Key;
use crate::assess::tests::observation;
use countersign_manifests_schema::report::{DriftItem, Waived};
use countersign_manifests_schema::warden::Stage;
use countersign_shared::drift::adoption::{Adopted, adopted_in, digest_of_all};
use countersign_shared::drift::{By, Code as DriftCode, Drift, Item};
use countersign_shared::manifest::effective::{Effective, Lock, PackageKey, Place, Rule, Ruling};
use countersign_shared::manifest::version::VersionSpec;
use countersign_shared::observation::{Applied, Failure, History, HistoryEntry, Repo, Section};

const DAY: i64 = 86_400;
const NOW: i64 = 100 * DAY;

fn key(code: &str, package: Option<&str>, seen: &[&str]) -> Key {
    Key {
        code: code.to_owned(),
        package: package.map(str::to_owned),
        arch: package.map(|_| "x86_64".to_owned()),
        wanted: Some("= 1".to_owned()),
        seen: seen.iter().map(|seen| (*seen).to_owned()).collect(),
    }
}

fn reported(key: &Key, new: bool) -> DriftItem {
    DriftItem {
        code: key.code.clone(),
        package: key.package.clone(),
        arch: key.arch.clone(),
        wanted: key.wanted.clone(),
        seen: key.seen.clone(),
        since: None,
        by: None,
        spec_changed: None,
        waived: None,
        new,
        remediable: true,
        blocked: None,
    }
}

fn item(key: &Key, since: i64) -> Item {
    Item {
        code: DriftCode::parse(&key.code).unwrap(),
        package: key.package.clone(),
        arch: key.arch.clone(),
        wanted: key.wanted.clone(),
        seen: key.seen.clone(),
        since: Some(since),
        by: None,
        remediable: true,
        blocked: None,
    }
}

fn footprint(days_ago: i64, items: &[Key], rules: &[RuleChange]) -> Footprint {
    Footprint { at: NOW - days_ago * DAY, items: items.to_vec(), rules: rules.to_vec(), ..Footprint::default() }
}

fn change(what: &str, before: Option<&str>, after: Option<&str>) -> RuleChange {
    RuleChange {
        what: what.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
        commit: "c0ffee".to_owned(),
        adoptions: Vec::new(),
    }
}

struct Story {
    observation: Observation<'static>,
    drift: Drift,
    assessment: Assessment,
    now: Footprint,
    earlier: Vec<Footprint>,
    receipts: Vec<Receipt>,
}

/// `a-2-1.x86_64` is installed; the items of `now` are the drift, new unless the newest footprint has them.
fn story(now: Footprint, earlier: Vec<Footprint>) -> Story {
    let is_new = |key: &Key| !earlier.first().is_some_and(|before| before.items.contains(key));
    Story {
        observation: observation(100),
        drift: Drift { items: now.items.iter().map(|key| item(key, NOW - 50)).collect(), ..Drift::default() },
        assessment: Assessment {
            items: now.items.iter().map(|key| reported(key, is_new(key))).collect(),
            ..Assessment::default()
        },
        now,
        earlier,
        receipts: Vec::new(),
    }
}

impl Story {
    fn watch(&self) -> Vec<(&'static str, String)> {
        let found = watch(&Watched {
            runner: "runner-01",
            observation: &self.observation,
            drift: &self.drift,
            assessment: &self.assessment,
            now: &self.now,
            earlier: &self.earlier,
            receipts: &self.receipts,
            actuator_user: "countersign-actuator",
        });
        found.into_iter().map(|finding| (finding.code.as_str(), finding.message)).collect()
    }

    fn codes(&self) -> Vec<&'static str> {
        self.watch().into_iter().map(|(code, _)| code).collect()
    }
}
