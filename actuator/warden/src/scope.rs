//! What an undo takes back: what the transaction was about, and what came along with it unasked. What others did since is
//! theirs.

use crate::set::{self, Instance};
use countersign_manifests_schema::transaction::Transaction;
use countersign_shared::nevra::Nevra;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Packages, by what they are told apart by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scope {
    /// Single builds, for those that stand beside others of their name.
    nevras: BTreeSet<String>,
    /// Name and arch: a build in the place of another one is meant too.
    names: BTreeSet<(String, String)>,
}

impl Scope {
    /// What a transaction is about.
    pub(crate) fn of(transaction: &Transaction) -> Self {
        let mut scope = Self::default();
        for change in &transaction.rpms {
            scope.nevras.insert(change.nevra.clone());
            scope.names.extend(name_arch(&change.nevra));
        }
        scope
    }

    /// What differs between two sets beyond this.
    pub(crate) fn beyond(&self, former: &[Instance], seen: &[Instance]) -> Self {
        let alone = |one: &[Instance], other: &[Instance]| -> Vec<Instance> {
            one.iter().filter(|it| !other.contains(it) && !self.holds(it)).cloned().collect()
        };
        let mut beyond = Self::default();
        for instance in alone(former, seen).into_iter().chain(alone(seen, former)) {
            match (instance.install_only, name_arch(&instance.nevra)) {
                (false, Some(name)) => drop(beyond.names.insert(name)),
                _ => drop(beyond.nevras.insert(instance.nevra)),
            }
        }
        beyond
    }

    /// Both.
    pub(crate) fn with(mut self, other: &Self) -> Self {
        self.nevras.extend(other.nevras.iter().cloned());
        self.names.extend(other.names.iter().cloned());
        self
    }

    /// The instances of a set that it is about.
    pub(crate) fn part(&self, set: &[Instance]) -> Vec<Instance> {
        set.iter().filter(|instance| self.holds(instance)).cloned().collect()
    }

    /// What is different between two sets and not in it, one sentence each.
    pub(crate) fn beside(&self, former: &[Instance], seen: &[Instance]) -> Vec<String> {
        let others = |set: &[Instance]| -> Vec<Instance> { set.iter().filter(|it| !self.holds(it)).cloned().collect() };
        set::differences(&others(former), &others(seen))
    }

    fn holds(&self, instance: &Instance) -> bool {
        let by_name = || name_arch(&instance.nevra).is_some_and(|name| self.names.contains(&name));
        self.nevras.contains(&instance.nevra) || (!instance.install_only && by_name())
    }
}

fn name_arch(nevra: &str) -> Option<(String, String)> {
    Nevra::parse(nevra).ok().map(|nevra| (nevra.name.to_owned(), nevra.arch.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_manifests_schema::transaction::{Action, Change, Reason};

    fn instance(nevra: &str, install_only: bool) -> Instance {
        Instance { nevra: nevra.to_owned(), header: nevra.to_owned(), reason: Reason::User, install_only }
    }

    fn transaction(nevras: &[&str]) -> Transaction {
        let change = |nevra: &&str| Change {
            nevra: (*nevra).to_owned(),
            action: Action::Install,
            reason: Reason::User,
            repo_id: "fedora".to_owned(),
            sha256: None,
            asserted: false,
        };
        Transaction { generation: 5, rpms: nevras.iter().map(change).collect() }
    }

    #[test]
    fn it_is_about_what_was_named_and_what_stands_in_its_place() {
        let scope = Scope::of(&transaction(&["llvm-19-1.x86_64", "llvm-20-1.x86_64", "kernel-core-6.11.6-1.x86_64"]));
        for (nevra, install_only, ours) in [
            ("llvm-20-1.x86_64", false, true),
            ("llvm-21-1.x86_64", false, true),
            ("llvm-20-1.i686", false, false),
            ("llvm-libs-20-1.x86_64", false, false),
            ("kernel-core-6.11.6-1.x86_64", true, true),
            ("kernel-core-6.11.7-1.x86_64", true, false),
        ] {
            assert_eq!(scope.holds(&instance(nevra, install_only)), ours, "{nevra}");
        }
    }

    #[test]
    fn what_came_along_is_what_differs_beyond_it() {
        let scope = Scope::of(&transaction(&["llvm-19-1.x86_64"]));
        let marked = Instance { reason: Reason::Dependency, ..instance("gcc-14-1.x86_64", false) };
        let former = [instance("gcc-14-1.x86_64", false), instance("llvm-20-1.x86_64", false)];
        let seen = [marked, instance("kernel-core-6-1.x86_64", true), instance("llvm-19-1.x86_64", false)];
        let beyond = scope.beyond(&former, &seen);
        assert_eq!(scope.beyond(&former, &former), Scope::default());
        assert!(
            beyond.holds(&instance("gcc-15-1.x86_64", false)) && !beyond.holds(&instance("llvm-19-1.x86_64", false))
        );
        assert!(beyond.holds(&seen[1]) && !beyond.holds(&instance("kernel-core-7-1.x86_64", true)));
        let both = scope.clone().with(&beyond);
        assert_eq!((both.part(&former).len(), both.part(&seen).len()), (2, 3));
        assert_eq!(both.beside(&former, &seen), Vec::<String>::new());
        assert_eq!(scope.beside(&former, &seen).len(), 2);
    }
}
