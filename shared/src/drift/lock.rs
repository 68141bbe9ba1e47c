//! Closed manifests: the installed set against a lock.
//!
//! A line of a lock is a rule `= epoch:version-release` for one `name.arch`. Rules that people wrote are judged first,
//! so that there is one code per name and arch.

use super::Code;
use super::compiled::Locked;
use super::finding::Finding;
use super::judge::Judge;
use super::since::{Cause, Fits};
use super::version::{Named, is_native};
use crate::manifest::effective::Rule;
use crate::observation::Package;

impl<'x> Judge<'x> {
    /// The installed instances of one arch against the lines for it.
    pub(super) fn locked(
        &self,
        named: &Named<'x, '_>,
        arch: &'x str,
        instances: &[&'x Package<'x>],
    ) -> Option<Finding<'x>> {
        if !self.compiled.is_closed() {
            return None;
        }
        let lines = lines_of(named.locked, arch);
        if lines.is_empty() {
            let finding = Finding::package(Code::NotInLock, named.name, Some(arch), None, instances.to_vec());
            return Some(self.protect_running_kernel(finding));
        }
        let is_locked = |p: &&Package<'x>| lines.iter().any(|line| line.evr().cmp_rpm(&p.nevra.evr).is_eq());
        let is_installed = |line: &&Locked| instances.iter().any(|p| line.evr().cmp_rpm(&p.nevra.evr).is_eq());
        if instances.iter().all(is_locked) && lines.iter().all(|line| is_installed(&line)) {
            return None;
        }
        if instances.iter().any(|p| p.install_only) {
            if !lines.iter().all(|line| is_installed(&line)) {
                return Some(missing(named.name, arch, lines, instances.to_vec()));
            }
            let extra: Vec<&'x Package<'x>> = instances.iter().copied().filter(|p| !is_locked(p)).collect();
            let finding = Finding::package(Code::NotInLock, named.name, Some(arch), None, extra);
            return Some(self.protect_running_kernel(finding));
        }
        let (newest, line) = (instances.last()?, lines.last()?);
        let code = if newest.nevra.evr.cmp_rpm(&line.evr()).is_gt() { Code::Ahead } else { Code::Behind };
        let wanted = Some(lines_text(lines));
        Some(Finding::package(code, named.name, Some(arch), wanted, instances.to_vec()))
    }

    /// Lines of the lock for arches of which nothing is installed, unless a rule has already decided about them.
    pub(super) fn not_installed_but_locked(&mut self, named: &Named<'x, '_>, arches: &[&str]) {
        let mut rest = named.locked;
        while let Some(first) = rest.first() {
            let arch = &*first.arch;
            let lines = lines_of(rest, arch);
            rest = &rest[lines.len()..];
            let decided = match named.ruling(arch).map(|ruling| &ruling.rule) {
                None => false,
                Some(Rule::Present(_)) => named.by_arch.iter().any(|(own, _)| *own == arch),
                // `same-as` has said `kernel-mismatch` for the native arch, or nothing is missing.
                Some(Rule::SameAsRunningKernel) => is_native(arch, self.native),
                Some(Rule::Absent(_) | Rule::Allowed) => true,
            };
            if !decided && !arches.contains(&arch) {
                self.findings.push(missing(named.name, arch, lines, Vec::new()));
            }
        }
    }
}

/// The lines for one arch; `lines` are all for one name, sorted by arch.
fn lines_of<'x>(lines: &'x [Locked], arch: &str) -> &'x [Locked] {
    let start = lines.partition_point(|line| &*line.arch < arch);
    let end = start + lines[start..].partition_point(|line| &*line.arch == arch);
    &lines[start..end]
}

fn lines_text(lines: &[Locked]) -> String {
    let texts: Vec<String> = lines.iter().map(|line| format!("= {}", line.evr())).collect();
    texts.join(", ")
}

fn missing<'x>(name: &'x str, arch: &'x str, lines: &'x [Locked], seen: Vec<&'x Package<'x>>) -> Finding<'x> {
    let fits = if seen.is_empty() { Fits::Any } else { Fits::OneOf(lines.iter().map(Locked::evr).collect()) };
    Finding::package(Code::Missing, name, Some(arch), Some(lines_text(lines)), seen).caused(Cause::Removed(fits))
}
