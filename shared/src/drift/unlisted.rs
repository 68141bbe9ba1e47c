//! Packages that no manifest names, by dnf's install reason.

use super::Code;
use super::finding::Finding;
use super::judge::Judge;
use crate::manifest::effective::{Disposal, Unlisted};
use crate::observation::{Package, Reason};

/// What the manifest says about the class of a reason.
pub(super) fn disposal(unlisted: &Unlisted, reason: Reason) -> Disposal {
    match reason {
        Reason::User => unlisted.user_installed,
        Reason::Group => unlisted.groups,
        Reason::External | Reason::Unknown => unlisted.external,
        Reason::Dependency | Reason::WeakDependency | Reason::Clean => unlisted.dependencies,
    }
}

/// Whether any class is looked at.
pub(super) fn is_judged(unlisted: &Unlisted) -> bool {
    [unlisted.user_installed, unlisted.groups, unlisted.external, unlisted.dependencies]
        .iter()
        .any(|disposal| *disposal != Disposal::Ignore)
}

/// Whether more than half of the host is external to dnf, as after the loss of its state.
pub(super) fn reasons_unknown(packages: &[Package<'_>]) -> bool {
    let judged = || packages.iter().filter(|p| p.nevra.name != super::judge::GPG_PUBKEY);
    let external = judged().filter(|p| matches!(p.reason, Reason::External | Reason::Unknown)).count();
    2 * external > judged().count()
}

impl<'x> Judge<'x> {
    /// Whether an instance that no rule names is reported. A closed manifest names every package there may be.
    pub(super) fn is_unlisted(&self, package: &Package<'x>) -> bool {
        let name = package.nevra.name;
        !self.compiled.is_closed()
            && disposal(&self.compiled.effective().unlisted, package.reason) != Disposal::Ignore
            && self.is_needed(name) == Some(false)
            && !self.compiled.is_ignored(name)
    }

    pub(super) fn unlisted(&self, name: &'x str, arch: &'x str, instances: &[&'x Package<'x>]) -> Option<Finding<'x>> {
        if !instances.iter().any(|p| self.is_unlisted(p)) {
            return None;
        }
        let unlisted = &self.compiled.effective().unlisted;
        let remove = instances.iter().any(|p| disposal(unlisted, p.reason) == Disposal::Remove);
        let finding = Finding::package(Code::Unlisted, name, Some(arch), None, instances.to_vec());
        Some(if !remove {
            finding.only_reported()
        } else if self.reasons_unknown {
            finding.blocked("reasons-unknown", "dnf does not know why more than half of the packages are installed")
        } else {
            self.protect_running_kernel(finding)
        })
    }
}
