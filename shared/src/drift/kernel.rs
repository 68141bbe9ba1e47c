//! The running kernel: `same-as = "running-kernel"`, and the protection of its packages.

use super::Code;
use super::finding::Finding;
use super::since::{Cause, Fits};
use crate::evr::Evr;
use crate::nevra::is_known_arch;
use crate::observation::{Kernel, Package};

/// `uname -r`, taken apart as far as it can be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Running<'x> {
    /// `uname -r` as it is.
    pub(super) release: &'x str,
    /// `version-release`, without arch and `+variant`; the whole text for kernels that no package brought.
    version_release: &'x str,
    arch: Option<&'x str>,
    variant: Option<&'x str>,
}

impl<'x> Running<'x> {
    pub(crate) fn new(kernel: &Kernel<'x>) -> Self {
        let release = kernel.release;
        // A version may have a `+` of its own; a variant follows the architecture.
        let (bare, variant) = match release.rsplit_once('+') {
            Some((bare, variant)) if ends_with_arch(bare) => (bare, Some(variant)),
            _ => (release, None),
        };
        let (version_release, arch) = match bare.rsplit_once('.') {
            Some((version_release, arch)) if is_known_arch(arch) => (version_release, Some(arch)),
            _ => (bare, None),
        };
        Self { release, version_release, arch, variant }
    }

    /// Whether the instance is of the running kernel's version, release and arch; `noarch` packages have no arch to
    /// compare.
    pub(crate) fn is(&self, package: &Package<'_>) -> bool {
        self.arch.is_some_and(|arch| package.nevra.arch == arch || package.nevra.arch == "noarch")
            && is_version_release(&package.nevra.evr, self.version_release)
    }

    /// The newest installed kernel, when it is newer than the running one: what a reboot would bring.
    fn after_reboot(&self, packages: &'x [Package<'x>]) -> Option<Evr<'x>> {
        let (version, release) = self.version_release.rsplit_once('-')?;
        let running = Evr { epoch: 0, version, release };
        let newest = |name: &str| {
            instances(packages, name).iter().filter(|p| Some(p.nevra.arch) == self.arch).map(|p| p.nevra.evr).max()
        };
        let newest = match self.variant {
            None => newest("kernel-core").or_else(|| newest("kernel")),
            Some(variant) => newest(&format!("kernel-{variant}-core")).or_else(|| newest(&format!("kernel-{variant}"))),
        }?;
        newest.cmp_rpm(&running).is_gt().then_some(newest)
    }
}

fn ends_with_arch(text: &str) -> bool {
    text.rsplit_once('.').is_some_and(|(_, arch)| is_known_arch(arch))
}

pub(super) fn is_version_release(evr: &Evr<'_>, text: &str) -> bool {
    text.strip_prefix(evr.version).and_then(|rest| rest.strip_prefix('-')) == Some(evr.release)
}

fn instances<'x>(packages: &'x [Package<'x>], name: &str) -> &'x [Package<'x>] {
    let start = packages.partition_point(|p| p.nevra.name < name);
    let end = start + packages[start..].partition_point(|p| p.nevra.name == name);
    &packages[start..end]
}

/// Judges one `same-as` rule over the instances that it binds.
pub(super) fn same_as<'x>(
    running: &Running<'x>,
    name: &'x str,
    arch: Option<&'x str>,
    bound: Vec<&'x Package<'x>>,
    packages: &'x [Package<'x>],
) -> Option<Finding<'x>> {
    if bound.iter().any(|p| running.is(p)) {
        return None;
    }
    let arch = arch.or_else(|| {
        bound
            .iter()
            .map(|p| p.nevra.arch)
            .find(|arch| Some(*arch) == running.arch)
            .or_else(|| bound.first().map(|p| p.nevra.arch))
    });
    let next = running.after_reboot(packages).filter(|next| {
        bound.iter().any(|p| p.nevra.evr.version == next.version && p.nevra.evr.release == next.release)
    });
    let wanted = Some(running.release.to_owned());
    let finding = Finding::package(Code::KernelMismatch, name, arch, wanted, bound)
        .caused(Cause::Either(Fits::VersionRelease(running.version_release)));
    Some(match next {
        Some(next) => {
            finding.only_reported().blocked("reboot", format!("kernel {next} is installed and waits for a reboot"))
        }
        // A kernel that no package brought cannot be followed by one.
        None if running.arch.is_none() => finding.only_reported(),
        None => finding,
    })
}
