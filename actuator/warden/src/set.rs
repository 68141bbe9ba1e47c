//! The package set by value, so that it can be kept and compared: which build, which header, why.

use countersign_manifests_schema::transaction::Reason;
use countersign_shared::nevra::Nevra;
use countersign_shared::observation::Package;
use countersign_shared::proposal::installed_reason;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One installed instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instance {
    /// `name-[epoch:]version-release.arch`, epoch 0 left out.
    pub(crate) nevra: String,
    /// sha256 of its header; empty where rpm has none.
    pub(crate) header: String,
    /// dnf's reason.
    pub(crate) reason: Reason,
    /// Whether several versions may be installed beside one another.
    pub(crate) install_only: bool,
}

impl Instance {
    /// Its name and arch.
    pub(crate) fn name_arch(&self) -> Option<(&str, &str)> {
        Nevra::parse(&self.nevra).ok().map(|nevra| (nevra.name, nevra.arch))
    }
}

/// Sorted.
pub(crate) fn of(packages: &[Package<'_>]) -> Vec<Instance> {
    let mut set: Vec<Instance> = packages
        .iter()
        .map(|package| Instance {
            nevra: package.nevra.to_string(),
            header: package.header_sha256.to_owned(),
            reason: installed_reason(package.reason),
            install_only: package.install_only,
        })
        .collect();
    set.sort();
    set
}

/// What is different, one sentence each; empty when the sets are the same.
pub(crate) fn differences(wanted: &[Instance], seen: &[Instance]) -> Vec<String> {
    let by_nevra = |set: &[Instance]| {
        let mut map: BTreeMap<String, Vec<Instance>> = BTreeMap::new();
        for instance in set {
            map.entry(instance.nevra.clone()).or_default().push(instance.clone());
        }
        map
    };
    let (wanted, seen) = (by_nevra(wanted), by_nevra(seen));
    let mut found = Vec::new();
    for (nevra, want) in &wanted {
        match seen.get(nevra) {
            None => found.push(format!("{nevra} is not there")),
            Some(there) if there.len() != want.len() => found.push(format!("{nevra} is there {} times", there.len())),
            Some(there) => {
                for (want, there) in want.iter().zip(there) {
                    if want.header != there.header {
                        found.push(format!("{nevra} has another content"));
                    }
                    if want.reason != there.reason {
                        let (is, was) = (there.reason.as_str(), want.reason.as_str());
                        found.push(format!("{nevra} is installed for the reason {is}, not {was}"));
                    }
                }
            }
        }
    }
    found.extend(seen.keys().filter(|nevra| !wanted.contains_key(*nevra)).map(|nevra| format!("{nevra} is there")));
    found
}

/// A few of them as one sentence.
pub(crate) fn sentence(differences: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = differences.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match differences.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(nevra: &str, header: &str, reason: Reason) -> Instance {
        Instance { nevra: nevra.to_owned(), header: header.to_owned(), reason, install_only: false }
    }

    #[test]
    fn every_kind_of_difference_is_told() {
        let wanted = [instance("a-1-1.noarch", "x", Reason::User), instance("b-1-1.noarch", "y", Reason::Dependency)];
        assert_eq!(differences(&wanted, &wanted), Vec::<String>::new());
        let seen = [
            instance("a-1-1.noarch", "z", Reason::Group),
            instance("c-1-1.noarch", "", Reason::User),
            instance("c-1-1.noarch", "", Reason::User),
        ];
        assert_eq!(
            differences(&wanted, &seen),
            [
                "a-1-1.noarch has another content",
                "a-1-1.noarch is installed for the reason Group, not User",
                "b-1-1.noarch is not there",
                "c-1-1.noarch is there"
            ]
        );
        let twice = [wanted[0].clone(), wanted[0].clone(), wanted[1].clone()];
        assert_eq!(differences(&wanted, &twice), ["a-1-1.noarch is there 2 times"]);
    }
}
