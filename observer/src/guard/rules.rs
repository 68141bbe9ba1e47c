//! How the manifest in force for a runner has changed.

use crate::assess::Key;
use countersign_shared::manifest::effective::{Effective, Ruling};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One changed rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleChange {
    /// `name`, `name.arch`, `[unlisted]`, `[host] KEY` or `lock`.
    pub what: String,
    /// As it was; `None` when there was no rule.
    pub before: Option<String>,
    /// As it is.
    pub after: Option<String>,
    /// The commit that changed it.
    pub commit: String,
    /// Digests of drift that the commit adopts for this runner, from
    /// [`adopted_in`](countersign_shared::drift::adoption::adopted_in).
    pub adoptions: Vec<String>,
}

impl RuleChange {
    /// Whether an item is judged by this rule.
    pub(super) fn is_about(&self, key: &Key) -> bool {
        let Some(package) = &key.package else {
            return match key.code.as_str() {
                "repo-enabled" | "repo-disabled" => self.what == "[host] repositories",
                "selinux" => self.what == "[host] selinux",
                _ => false,
            };
        };
        let of_name = self.what.strip_prefix(package.as_str());
        let of_package = match (of_name, &key.arch) {
            (Some(""), _) => true,
            (Some(rest), Some(arch)) => rest.strip_prefix('.') == Some(arch),
            _ => false,
        };
        of_package
            || match key.code.as_str() {
                "unlisted" => self.what == "[unlisted]",
                "wrong-origin" => self.what == "[host] vendors" || self.what == "[host] keys",
                _ => self.what == "lock",
            }
    }
}

/// Everything that `after` demands otherwise than `before`, by one commit.
pub fn rule_changes(before: &Effective, after: &Effective, commit: &str, adoptions: &[String]) -> Vec<RuleChange> {
    let mut changes = Vec::new();
    let mut note = |what: String, before: Option<String>, after: Option<String>| {
        if before != after {
            let (commit, adoptions) = (commit.to_owned(), adoptions.to_vec());
            changes.push(RuleChange { what, before, after, commit, adoptions });
        }
    };
    let keys: BTreeSet<_> = before.packages.keys().chain(after.packages.keys()).collect();
    for key in keys {
        let (was, is) = (before.packages.get(key), after.packages.get(key));
        if was != is {
            note(key.to_string(), was.map(text), is.map(text));
        }
    }
    note("[unlisted]".to_owned(), Some(unlisted(before)), Some(unlisted(after)));
    for ((what, was), (_, is)) in host(before).into_iter().zip(host(after)) {
        note(format!("[host] {what}"), Some(was), Some(is));
    }
    let lock = |effective: &Effective| effective.lock.as_ref().map(|lock| lock.packages.join("\n"));
    if lock(before) != lock(after) {
        let name =
            |effective: &Effective, which: &str| effective.lock.as_ref().map(|lock| format!("{} {which}", lock.file));
        // The set is long and only its being another one matters.
        note("lock".to_owned(), name(before, "before"), name(after, "after"));
    }
    changes
}

fn text(ruling: &Ruling) -> String {
    match ruling.from.as_slice() {
        [] => ruling.rule.to_string(),
        from => format!("{} from {}", ruling.rule, from.join(", ")),
    }
}

fn unlisted(effective: &Effective) -> String {
    let unlisted = &effective.unlisted;
    format!(
        "user-installed {}, groups {}, external {}, dependencies {}, ignore {}",
        unlisted.user_installed.as_str(),
        unlisted.groups.as_str(),
        unlisted.external.as_str(),
        unlisted.dependencies.as_str(),
        unlisted.ignore.join(" "),
    )
}

fn host(effective: &Effective) -> [(&'static str, String); 5] {
    let host = &effective.host;
    [
        ("selinux", host.selinux.clone().unwrap_or_default()),
        ("repositories", host.repositories.join(", ")),
        ("vendors", host.vendors.join(", ")),
        ("keys", host.keys.join(", ")),
        ("modules", host.modules.join(", ")),
    ]
}
