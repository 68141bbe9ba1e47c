//! One runner that is asked for plans, and on which root carries them out by hand.

use std::collections::BTreeSet;

use countersign_integration::lab::Runner;
use countersign_manifests_schema::transaction::{Action, Transaction};
use countersign_observer::plan::{self, Plan, Rules};
use countersign_shared::observation::{Failure, Observation, Tokens, Verb, Want};
use countersign_shared::solver::base_digest;
use countersign_shared::ssh::{Limits, Session};

use crate::place::{ACCOUNT, Key, wait};

pub(crate) struct Stage<'r> {
    pub(crate) runner: &'r Runner,
    pub(crate) key: Key,
    session: Session,
}

pub(crate) fn want(verb: Verb, nevra: &str) -> Want {
    Want::new(verb, nevra).unwrap()
}

impl<'r> Stage<'r> {
    pub(crate) fn new(runner: &'r Runner) -> Self {
        let key = Key::enrolled(runner);
        let session = key.session(runner, ACCOUNT);
        Self { runner, key, session }
    }

    /// For the set of packages that is there now, any metadata being new enough.
    pub(crate) fn rules(&self) -> Rules {
        let record = self.key.observe(self.runner, &[], &Tokens::default()).unwrap();
        let seen = Observation::parse(&record, 0).unwrap();
        let base = base_digest(seen.packages.seen().unwrap());
        assert_eq!(base, self.base(), "the probe and the observation see one set");
        Rules { erasing: false, metadata_not_before: 0, base, listed: BTreeSet::new() }
    }

    /// The same without an observation.
    pub(crate) fn base(&self) -> String {
        let text = "rpm -qa --qf '%{NAME} %{DBINSTANCE}\\n' | sed '/^gpg-pubkey /d' | LC_ALL=C sort | sha256sum";
        self.runner.sh(text).unwrap()[..64].to_owned()
    }

    pub(crate) fn plan(&self, wants: &[Want], rules: &Rules) -> Result<Plan, Failure> {
        let ask = plan::Runner { session: &self.session, plain_exec: false, limits: Limits::default() };
        wait(plan::plan(&ask, wants, rules))
    }

    /// `name-[epoch:]version-release.arch` of everything installed.
    pub(crate) fn installed(&self) -> BTreeSet<String> {
        packages(&self.runner.sh(QUERY).unwrap())
    }
}

/// Prints the set.
pub(crate) const QUERY: &str =
    "rpm -qa --qf '%{name}-%{epochnum}:%{version}-%{release}.%{arch}\\n' | grep -v '^gpg-pubkey'";

pub(crate) fn packages(text: &str) -> BTreeSet<String> {
    text.lines().map(|line| line.replacen("-0:", "-", 1)).collect()
}

/// The set after the transaction.
pub(crate) fn predicted(before: &BTreeSet<String>, transaction: &Transaction) -> BTreeSet<String> {
    let mut set = before.clone();
    for change in transaction.rpms.iter().filter(|change| change.action.is_outgoing()) {
        assert!(set.remove(&change.nevra), "{} leaves and is not there", change.nevra);
    }
    for change in transaction.rpms.iter().filter(|change| change.action.is_incoming()) {
        set.insert(change.nevra.clone());
    }
    set
}

/// As dnf5 stores a transaction.
pub(crate) fn for_dnf5(transaction: &Transaction) -> String {
    let rpms: Vec<serde_json::Value> = transaction
        .rpms
        .iter()
        .map(|change| {
            serde_json::json!({
                "nevra": change.nevra, "action": change.action.as_str(), "reason": change.reason.as_str(),
                "repo_id": change.repo_id,
            })
        })
        .collect();
    serde_json::json!({"version": "1.0", "rpms": rpms}).to_string()
}

/// As dnf4 stores a transaction.
pub(crate) fn for_dnf4(transaction: &Transaction) -> String {
    let replaced_by = |old: &str| {
        let name = |nevra: &str| nevra.rsplitn(3, '-').nth(2).unwrap().to_owned();
        let new = transaction.rpms.iter().find(|new| new.action.is_incoming() && name(&new.nevra) == name(old));
        match new.map(|new| new.action) {
            Some(Action::Upgrade) => "Upgraded",
            Some(Action::Downgrade) => "Downgraded",
            Some(Action::Reinstall) => "Reinstalled",
            _ => "Obsoleted",
        }
    };
    let rpms: Vec<serde_json::Value> = transaction
        .rpms
        .iter()
        .map(|change| {
            let action = match change.action {
                Action::Replaced => replaced_by(&change.nevra),
                Action::Remove => "Removed",
                action => action.as_str(),
            };
            serde_json::json!({
                "nevra": change.nevra, "action": action,
                "reason": change.reason.as_str().to_lowercase().replace(' ', "-"), "repo_id": change.repo_id,
            })
        })
        .collect();
    serde_json::json!({"version": "0.0", "rpms": rpms}).to_string()
}
