//! The package set that a transaction leads to.

use super::digest::observed;
use crate::evr::ParseError;
use crate::nevra::Nevra;
use crate::observation::{Package, set_digest};
use countersign_manifests_schema::transaction::{Action, Change, Transaction};
use std::collections::BTreeMap;

/// Why a transaction cannot be one of this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistent {
    /// Not a NEVRA.
    #[error("{0:?} is not a package")]
    Nevra(String, #[source] ParseError),
    /// What should go is not there.
    #[error("{0} would go, and is not installed")]
    NotInstalled(String),
    /// What should come is there.
    #[error("{0} would come, and is installed")]
    Installed(String),
    /// The reason of a package that will not be there.
    #[error("the reason of {0} would change, and it is not installed afterwards")]
    ReasonOfNothing(String),
    /// An upgrade of nothing, or a replacement by nothing.
    #[error("{0} would be replaced by nothing, or replace nothing")]
    Unpaired(String),
    /// An upgrade to an older version, or a downgrade to a newer one.
    #[error("{0} is not the {1} that it is said to be")]
    Direction(String, &'static str),
}

/// What will be installed, sorted by NEVRA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicted<'a> {
    packages: Vec<Package<'a>>,
}

impl<'a> Predicted<'a> {
    /// What is installed plus what comes minus what goes. Vendor, key, header and install time of what comes are not
    /// known beforehand and are left empty.
    pub fn new(installed: &[Package<'a>], transaction: &'a Transaction) -> Result<Self, Inconsistent> {
        let mut set: BTreeMap<Nevra<'a>, Package<'a>> = installed.iter().map(|p| (p.nevra, *p)).collect();
        let mut changes = Vec::with_capacity(transaction.rpms.len());
        for change in &transaction.rpms {
            let nevra =
                Nevra::parse(&change.nevra).map_err(|error| Inconsistent::Nevra(change.nevra.clone(), error))?;
            changes.push((nevra, change));
        }
        check_pairs(&changes)?;
        for (nevra, change) in changes.iter().filter(|(_, c)| c.action.is_outgoing()) {
            set.remove(nevra).ok_or_else(|| Inconsistent::NotInstalled(change.nevra.clone()))?;
        }
        for (nevra, change) in changes.iter().filter(|(_, c)| c.action.is_incoming()) {
            if set.insert(*nevra, incoming(*nevra, change, installed)).is_some() {
                return Err(Inconsistent::Installed(change.nevra.clone()));
            }
        }
        for (nevra, change) in changes.iter().filter(|(_, c)| c.action == Action::ReasonChange) {
            let package = set.get_mut(nevra).ok_or_else(|| Inconsistent::ReasonOfNothing(change.nevra.clone()))?;
            package.reason = observed(change.reason);
        }
        Ok(Self { packages: set.into_values().collect() })
    }

    /// Every instance, sorted by NEVRA.
    pub fn packages(&self) -> &[Package<'a>] {
        &self.packages
    }

    /// Its package-set digest, 64 hex digits.
    pub fn set_digest(&self) -> String {
        set_digest(&self.packages)
    }
}

fn incoming<'a>(nevra: Nevra<'a>, change: &'a Change, installed: &[Package<'a>]) -> Package<'a> {
    Package {
        nevra,
        install_time: 0,
        db_instance: 0,
        header_sha256: "",
        vendor: "",
        key: "",
        reason: observed(change.reason),
        from_repo: &change.repo_id,
        install_only: installed.iter().any(|p| p.install_only && p.nevra.name == nevra.name),
    }
}

/// A version change is two entries, and goes in the direction that it says. A package may also be replaced by one of
/// another name that obsoletes it.
fn check_pairs(changes: &[(Nevra<'_>, &Change)]) -> Result<(), Inconsistent> {
    let replaced = |name: &str| {
        let of_name = changes.iter().filter(move |(_, c)| c.action == Action::Replaced);
        of_name.map(|(n, _)| *n).filter(|n| n.name == name).collect::<Vec<_>>()
    };
    for (nevra, change) in changes {
        let unpaired = || Err(Inconsistent::Unpaired(change.nevra.clone()));
        let (word, right): (&'static str, fn(std::cmp::Ordering) -> bool) = match change.action {
            Action::Upgrade => ("upgrade", std::cmp::Ordering::is_gt),
            Action::Downgrade => ("downgrade", std::cmp::Ordering::is_lt),
            Action::Reinstall => ("reinstallation", std::cmp::Ordering::is_eq),
            Action::Replaced => {
                if !changes.iter().any(|(_, c)| c.action.is_incoming()) {
                    return unpaired();
                }
                continue;
            }
            Action::Install | Action::Remove | Action::ReasonChange => continue,
        };
        let before = replaced(nevra.name);
        if before.is_empty() {
            return unpaired();
        }
        if !before.iter().any(|old| right(nevra.evr.cmp_rpm(&old.evr))) {
            return Err(Inconsistent::Direction(change.nevra.clone(), word));
        }
    }
    Ok(())
}
