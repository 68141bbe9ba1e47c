//! What a proposal is bound to on the machine: the digests of its package set and of everything that a plan rests on.

use super::hex;
use crate::nevra::Nevra;
use crate::observation::{Observation, Package, Reason};
use countersign_manifests_schema::proposal::ClaimedItem;
use countersign_manifests_schema::transaction::{self, Transaction};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// sha256 over the sorted unique lines `name\tepoch\tversion\trelease\tarch\tsha256header\treason\n` in C order, then
/// `arch\n`, then `configuration\n`: the native arch, and the digest of the configuration of repositories and dnf and
/// of the version locks.
pub fn base_digest(packages: &[Package<'_>], arch: &str, configuration: &str) -> String {
    let mut digest = lines_of(packages.iter());
    digest.update(format!("{arch}\n{configuration}\n"));
    hex(&digest.finalize())
}

/// sha256 over the same lines, of the packages alone whose names are in the drift or the transaction.
pub fn named_digest(packages: &[Package<'_>], drift: &[ClaimedItem], transaction: &Transaction) -> String {
    let changed = transaction.rpms.iter().filter_map(|change| Nevra::parse(&change.nevra).ok()).map(|nevra| nevra.name);
    let named: BTreeSet<&str> = drift.iter().map(|item| item.package.as_str()).chain(changed).collect();
    hex(&lines_of(packages.iter().filter(|package| named.contains(package.nevra.name))).finalize())
}

fn lines_of<'p>(packages: impl Iterator<Item = &'p Package<'p>>) -> Sha256 {
    let lines: BTreeSet<String> = packages
        .map(|package| {
            let (name, evr, arch) = (package.nevra.name, package.nevra.evr, package.nevra.arch);
            let reason = reason(package.reason).as_str();
            format!(
                "{name}\t{}\t{}\t{}\t{arch}\t{}\t{reason}\n",
                evr.epoch, evr.version, evr.release, package.header_sha256
            )
        })
        .collect();
    let mut digest = Sha256::new();
    for line in lines {
        digest.update(line);
    }
    digest
}

/// An observed reason in the words of dnf5.
pub fn reason(reason: Reason) -> transaction::Reason {
    match reason {
        Reason::User => transaction::Reason::User,
        Reason::Group => transaction::Reason::Group,
        Reason::Dependency => transaction::Reason::Dependency,
        Reason::WeakDependency => transaction::Reason::WeakDependency,
        Reason::Clean => transaction::Reason::Clean,
        Reason::External => transaction::Reason::ExternalUser,
        Reason::Unknown => transaction::Reason::None,
    }
}

/// A reason of dnf5 as it will be observed.
pub(super) fn observed(reason: transaction::Reason) -> Reason {
    match reason {
        transaction::Reason::User => Reason::User,
        transaction::Reason::Group => Reason::Group,
        transaction::Reason::Dependency => Reason::Dependency,
        transaction::Reason::WeakDependency => Reason::WeakDependency,
        transaction::Reason::Clean => Reason::Clean,
        transaction::Reason::ExternalUser => Reason::External,
        transaction::Reason::None => Reason::Unknown,
    }
}

/// sha256 over the configuration that was observed: repositories, version locks, dnf and its settings. `Err` names the section that was
/// not read.
pub fn configuration_digest(observation: &Observation<'_>) -> Result<String, &'static str> {
    let repos = observation.repos.seen().ok_or("repos")?;
    let locks = observation.versionlocks.seen().ok_or("versionlocks")?;
    let dnf = observation.dnf.seen().ok_or("dnf")?;
    let settings = observation.config.seen().ok_or("config")?;
    let mut lines: BTreeSet<String> =
        repos.iter().map(|repo| format!("repo\t{}\t{}\n", repo.id, u8::from(repo.enabled))).collect();
    lines.extend(locks.iter().map(|lock| format!("lock\t{lock}\n")));
    lines.insert(format!("dnf\t{}\n", dnf.generation));
    lines.insert(format!("settings\t{settings}\n"));
    let mut digest = Sha256::new();
    for line in lines {
        digest.update(line);
    }
    Ok(hex(&digest.finalize()))
}
