//! Where installed packages came from, against `from`, `vendors` and `keys` of the manifest.

use super::Code;
use super::finding::{Finding, Seen};
use super::judge::Judge;
use super::version::Named;
use crate::manifest::effective::Rule;
use crate::observation::Package;

/// What a package without a vendor or a signature shows, as rpm writes it.
const NONE: &str = "(none)";

/// Shortest key id that counts as the end of a fingerprint: 64 bits. Shorter ones collide.
const SHORTEST_KEY_ID: usize = 16;

impl<'x> Judge<'x> {
    /// The origins of all instances of a name: one item per arch.
    pub(super) fn origins(&mut self, named: &Named<'x, '_>) {
        let host = &self.compiled.effective().host;
        let first_wrong = named.instances.iter().find(|p| {
            !allowed(repo(p), self.repos(named, p))
                || !allowed(Some(p.vendor), &host.vendors)
                || !key_allowed(p.key, &host.keys)
        });
        if first_wrong.is_none() {
            return;
        }
        let mut arches: Vec<&'x str> = named.instances.iter().map(|p| p.nevra.arch).collect();
        arches.sort_unstable();
        arches.dedup();
        for arch in arches {
            let finding = self.origins_of_arch(named, arch);
            self.findings.extend(finding);
        }
    }

    fn origins_of_arch(&self, named: &Named<'x, '_>, arch: &'x str) -> Option<Finding<'x>> {
        let host = &self.compiled.effective().host;
        let mut wanted: Vec<String> = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        let mut wrong: Vec<&'x Package<'x>> = Vec::new();
        let mut note = |is_allowed: bool, p: &'x Package<'x>, allowed: &[String], is: &str| {
            if is_allowed {
                return;
            }
            let allowed = allowed.join(", ");
            let is = if is.is_empty() { NONE } else { is }.to_owned();
            if !wanted.contains(&allowed) {
                wanted.push(allowed);
            }
            if !seen.contains(&is) {
                seen.push(is);
            }
            if !wrong.iter().any(|other| std::ptr::eq(*other, p)) {
                wrong.push(p);
            }
        };
        for p in named.instances.iter().filter(|p| p.nevra.arch == arch) {
            let repos = self.repos(named, p);
            note(allowed(repo(p), repos), p, repos, repo(p).unwrap_or_default());
            note(allowed(Some(p.vendor), &host.vendors), p, &host.vendors, p.vendor);
            note(key_allowed(p.key, &host.keys), p, &host.keys, p.key);
        }
        if wrong.is_empty() {
            return None;
        }
        let wanted = Some(wanted.join("; "));
        let finding = Finding::package(Code::WrongOrigin, named.name, Some(arch), wanted, Vec::new());
        Some(Finding { seen: Seen::Texts(seen, wrong), ..finding }.only_reported())
    }

    /// The repositories that the rule of an instance allows.
    fn repos(&self, named: &Named<'x, '_>, package: &Package<'x>) -> &'x [String] {
        match named.ruling(package.nevra.arch) {
            Some(ruling) if !matches!(ruling.rule, Rule::Absent(_)) => &ruling.from,
            _ => &[],
        }
    }
}

/// The repository an instance came from; `None` when dnf does not know, or names a place that is no repository.
fn repo<'x>(package: &Package<'x>) -> Option<&'x str> {
    let repo = package.from_repo;
    // A replay of a stored transaction records its source around the repository's id.
    let repo = repo.strip_prefix("@stored_transaction(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(repo);
    match repo {
        "" | "@commandline" | "<unknown>" | "anaconda" | "@System" => None,
        _ if repo.starts_with("_dnf_local") => None,
        _ => Some(repo),
    }
}

/// An empty list allows everything; what is unknown is never wrong.
fn allowed(is: Option<&str>, list: &[String]) -> bool {
    list.is_empty() || is.is_none_or(|is| list.iter().any(|one| one == is))
}

/// A key id is the end of its fingerprint, so either may be written. An unsigned package is never allowed by a list.
fn key_allowed(key: &str, list: &[String]) -> bool {
    let same = |one: &str| {
        one == key || (one.len().min(key.len()) >= SHORTEST_KEY_ID && (one.ends_with(key) || key.ends_with(one)))
    };
    list.is_empty() || (!key.is_empty() && list.iter().any(|one| same(one)))
}
