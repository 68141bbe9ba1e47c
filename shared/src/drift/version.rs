//! What a rule demands of the instances of one name: its versions, its architectures, and that of several instances one
//! may be enough.

use super::Code;
use super::finding::Finding;
use super::judge::Judge;
use super::kernel;
use super::since::{Cause, Fits};
use crate::manifest::effective::{Rule, Ruling};
use crate::manifest::version::{Position, VersionSpec};
use crate::observation::Package;

/// Everything that is said about one name, and what is there of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'x, 'r> {
    pub(super) name: &'x str,
    /// The rule of the plain name.
    pub(super) plain: Option<&'x Ruling>,
    /// Rules of `name.arch`, by arch.
    pub(super) by_arch: &'r [(&'x str, &'x Ruling)],
    /// The lines of the lock.
    pub(super) locked: &'x [super::compiled::Locked],
    /// EVR-ascending.
    pub(super) instances: &'x [Package<'x>],
}

impl<'x> Named<'x, '_> {
    /// The rule of `name.arch`.
    fn own(&self, arch: &str) -> Option<&'x Ruling> {
        let (_, ruling) = self.by_arch.iter().find(|(own, _)| *own == arch)?;
        Some(ruling)
    }

    /// The rule that binds instances of an arch.
    pub(super) fn ruling(&self, arch: &str) -> Option<&'x Ruling> {
        self.own(arch).or(self.plain)
    }

    /// Instances that the plain rule binds: those whose arch has no rule of its own.
    fn bound(&self) -> impl Iterator<Item = &'x Package<'x>> {
        self.instances.iter().filter(|p| self.own(p.nevra.arch).is_none())
    }
}

/// How the demand of a plain rule to be installed is met.
enum Presence<'x> {
    /// It is met, or there is no such demand.
    Met,
    /// Nothing that would meet it; the instances of an install-only package that do not.
    Missing(Vec<&'x Package<'x>>),
    /// Only foreign arches are there.
    WrongArch,
}

/// Whether a package of this arch belongs on a machine of the native arch. Every arch does while the native one is
/// unknown.
pub(super) fn is_native(arch: &str, native: Option<&str>) -> bool {
    native.is_none_or(|native| arch == "noarch" || base_arch(arch) == base_arch(native))
}

/// dnf's base arch: what rpm builds for one machine under several names.
fn base_arch(arch: &str) -> &str {
    match arch {
        "x86_64_v2" | "x86_64_v3" | "x86_64_v4" => "x86_64",
        "i386" | "i486" | "i586" | "athlon" => "i686",
        "armv7hnl" => "armv7hl",
        other => other,
    }
}

impl<'x> Judge<'x> {
    /// Judges one name completely.
    pub(super) fn name(&mut self, named: &Named<'x, '_>) {
        self.origins(named);
        if self.is_plainly_fine(named) {
            return;
        }
        let presence = self.presence(named);
        let mut arches: Vec<&'x str> = named.instances.iter().map(|p| p.nevra.arch).collect();
        arches.sort_unstable();
        arches.dedup();
        for arch in &arches {
            self.arch(named, arch, &presence);
        }
        for (arch, ruling) in named.by_arch {
            if !arches.contains(arch) {
                self.none_of_arch(named.name, arch, ruling);
            }
        }
        let missing = match presence {
            Presence::Missing(seen) => {
                self.plain_missing(named, seen);
                true
            }
            Presence::Met | Presence::WrongArch => false,
        };
        if let (Some(Rule::SameAsRunningKernel), Some(running)) = (named.plain.map(|r| &r.rule), &self.running) {
            let bound = named.bound().collect();
            let mismatch = kernel::same_as(running, named.name, None, bound, self.packages);
            self.findings.extend(mismatch);
        }
        if !missing {
            self.not_installed_but_locked(named, &arches);
        }
    }

    /// The usual case, decided without allocating: one instance that meets its rule, or that no rule names and nobody
    /// asks about.
    fn is_plainly_fine(&self, named: &Named<'x, '_>) -> bool {
        let ([one], []) = (named.instances, named.by_arch) else {
            return false;
        };
        if self.chain.is_out_of_band(one) {
            return false;
        }
        if self.compiled.is_closed() {
            let [line] = named.locked else { return false };
            return named.plain.is_none() && *line.arch == *one.nevra.arch && line.evr() == one.nevra.evr;
        }
        match named.plain.map(|ruling| &ruling.rule) {
            None => !self.is_unlisted(one),
            Some(Rule::Allowed) => true,
            Some(Rule::Present(spec)) => is_native(one.nevra.arch, self.native) && spec.matches(&one.nevra.evr),
            Some(Rule::Absent(_) | Rule::SameAsRunningKernel) => false,
        }
    }

    fn presence(&self, named: &Named<'x, '_>) -> Presence<'x> {
        let Some(Rule::Present(spec)) = named.plain.map(|ruling| &ruling.rule) else {
            return Presence::Met;
        };
        let native_has_its_own_rule = named
            .by_arch
            .iter()
            .any(|(arch, _)| *arch != "noarch" && self.native.is_some() && is_native(arch, self.native));
        if native_has_its_own_rule {
            return Presence::Met;
        }
        let bound: Vec<&Package<'x>> = named.bound().collect();
        let mut native = bound.iter().filter(|p| is_native(p.nevra.arch, self.native)).peekable();
        if native.peek().is_some() {
            let install_only = bound.iter().any(|p| p.install_only);
            if install_only && !native.any(|p| spec.matches(&p.nevra.evr)) {
                return Presence::Missing(bound);
            }
            Presence::Met
        } else if bound.is_empty() {
            Presence::Missing(bound)
        } else {
            Presence::WrongArch
        }
    }

    fn plain_missing(&mut self, named: &Named<'x, '_>, seen: Vec<&'x Package<'x>>) {
        let Some(ruling) = named.plain else { return };
        let finding = missing(named.name, None, &ruling.rule, seen);
        self.findings.push(finding);
    }

    /// Judges the instances of one arch: at most one package code.
    fn arch(&mut self, named: &Named<'x, '_>, arch: &'x str, presence: &Presence<'x>) {
        let instances: Vec<&'x Package<'x>> = named.instances.iter().filter(|p| p.nevra.arch == arch).collect();
        let out_of_band = self.out_of_band(named.name, arch, &instances);
        let own = named.own(arch);
        let code = match named.ruling(arch).map(|ruling| &ruling.rule) {
            None => self
                .duplicate(named.name, arch, &instances)
                .or_else(|| self.locked(named, arch, &instances))
                .or_else(|| if out_of_band { None } else { self.unlisted(named.name, arch, &instances) }),
            Some(Rule::Allowed) => self.duplicate(named.name, arch, &instances),
            Some(rule @ Rule::Absent(spec)) => self
                .unwanted(named.name, arch, rule, spec.as_ref(), &instances)
                .or_else(|| self.duplicate(named.name, arch, &instances))
                .or_else(|| self.locked(named, arch, &instances)),
            Some(rule @ Rule::Present(spec)) => {
                let foreign = own.is_none() && !is_native(arch, self.native);
                if foreign && matches!(presence, Presence::WrongArch) {
                    let wanted = Some(rule.to_string());
                    let finding = Finding::package(Code::WrongArch, named.name, Some(arch), wanted, instances);
                    Some(finding)
                } else {
                    self.duplicate(named.name, arch, &instances)
                        .or_else(|| present(named.name, arch, rule, spec, own.is_some(), &instances))
                        .or_else(|| match presence {
                            Presence::Missing(_) => None,
                            Presence::Met | Presence::WrongArch => self.locked(named, arch, &instances),
                        })
                }
            }
            Some(Rule::SameAsRunningKernel) => match (&self.running, own) {
                (Some(running), Some(_)) => kernel::same_as(running, named.name, Some(arch), instances, self.packages),
                // The plain rule is judged once over all arches.
                _ => None,
            },
        };
        self.findings.extend(code);
    }

    /// A rule for an arch of which nothing is installed.
    fn none_of_arch(&mut self, name: &'x str, arch: &'x str, ruling: &'x Ruling) {
        let finding = match (&ruling.rule, &self.running) {
            (rule @ Rule::Present(_), _) => Some(missing(name, Some(arch), rule, Vec::new())),
            (Rule::SameAsRunningKernel, Some(running)) => {
                kernel::same_as(running, name, Some(arch), Vec::new(), self.packages)
            }
            (Rule::SameAsRunningKernel, None) | (Rule::Absent(_) | Rule::Allowed, _) => None,
        };
        self.findings.extend(finding);
    }

    fn unwanted(
        &self,
        name: &'x str,
        arch: &'x str,
        rule: &Rule,
        spec: Option<&VersionSpec>,
        instances: &[&'x Package<'x>],
    ) -> Option<Finding<'x>> {
        let matching: Vec<&'x Package<'x>> =
            instances.iter().copied().filter(|p| spec.is_none_or(|spec| spec.matches(&p.nevra.evr))).collect();
        if matching.is_empty() {
            return None;
        }
        let finding = Finding::package(Code::Unwanted, name, Some(arch), Some(rule.to_string()), matching);
        Some(self.protect_running_kernel(finding))
    }

    /// Nothing is proposed against the running kernel's own packages. They stay in the list: they are there.
    pub(super) fn protect_running_kernel(&self, finding: Finding<'x>) -> Finding<'x> {
        let is_running =
            |p: &&Package<'x>| p.install_only && self.running.as_ref().is_some_and(|running| running.is(p));
        if finding.seen.instances().iter().all(is_running) {
            finding.blocked("protected", "it belongs to the running kernel")
        } else {
            finding
        }
    }

    fn duplicate(&self, name: &'x str, arch: &'x str, instances: &[&'x Package<'x>]) -> Option<Finding<'x>> {
        let several = instances.len() > 1 && !instances.iter().any(|p| p.install_only);
        several.then(|| Finding::package(Code::Duplicate, name, Some(arch), None, instances.to_vec()))
    }
}

/// The instances of one arch against a version spec. The presence of a plain name's package is judged elsewhere.
fn present<'x>(
    name: &'x str,
    arch: &'x str,
    rule: &'x Rule,
    spec: &VersionSpec,
    own_rule: bool,
    instances: &[&'x Package<'x>],
) -> Option<Finding<'x>> {
    if instances.iter().any(|p| p.install_only) {
        let none_fits = !instances.iter().any(|p| spec.matches(&p.nevra.evr));
        return (own_rule && none_fits).then(|| missing(name, Some(arch), rule, instances.to_vec()));
    }
    let code = instances.iter().find_map(|p| match spec.position(&p.nevra.evr) {
        Position::Fits => None,
        Position::Above => Some(Code::Ahead),
        Position::Below => Some(Code::Behind),
    })?;
    let wanted = Some(rule.to_string());
    Some(Finding::package(code, name, Some(arch), wanted, instances.to_vec()))
}

fn missing<'x>(name: &'x str, arch: Option<&'x str>, rule: &'x Rule, seen: Vec<&'x Package<'x>>) -> Finding<'x> {
    let fits = match rule {
        Rule::Present(spec) if !seen.is_empty() => Fits::Spec(spec),
        _ => Fits::Any,
    };
    Finding::package(Code::Missing, name, arch, Some(rule.to_string()), seen).caused(Cause::Removed(fits))
}
