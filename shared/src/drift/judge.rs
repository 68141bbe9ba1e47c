//! The walk over one runner: manifest, lock and installed set are all sorted by name, so they are joined by merging.

use super::chain::Chain;
use super::compiled::{Compiled, Locked};
use super::finding::{Finding, Seen};
use super::kernel::Running;
use super::since::Past;
use super::version::Named;
use super::{Code, Drift, Item, Unjudged, unlisted};
use crate::manifest::effective::{PackageKey, Rule, Ruling};
use crate::observation::{Failure, History, Observation, Package, Section};
use std::borrow::Cow;

/// rpm keeps imported keys as packages of this name. Never judged.
pub(super) const GPG_PUBKEY: &str = "gpg-pubkey";

/// How one runner differs from its manifest.
///
/// `Err` when its package set was not read: then nothing is known of its drift, and the runner has failed.
pub fn drift(compiled: &Compiled, observation: &Observation<'_>) -> Result<Drift, Failure> {
    drift_since(compiled, observation, None)
}

/// As [`drift`], with the stored previous observation of the same runner: what was there while the set was still as
/// dnf had left it did not come behind dnf's back.
pub fn drift_since(
    compiled: &Compiled,
    observation: &Observation<'_>,
    earlier: Option<&Observation<'_>>,
) -> Result<Drift, Failure> {
    let packages = match &observation.packages {
        Section::Failed(failure) => return Err(failure.clone()),
        Section::Seen(packages) => packages,
    };
    if packages.list.is_empty() {
        // The rpm database of a runner that can be managed holds at least rpm and dnf.
        return Err(Failure::new("packages-empty", "the rpm database answered with no package at all"));
    }
    let list = sorted(&packages.list);
    let native = observation.os.seen().map(|os| os.arch);
    let history = observation.history.seen();
    let needed = observation.needed.seen().map(|names| sorted_names(names));
    let mut judge = Judge {
        compiled,
        native,
        running: observation.kernel.seen().map(Running::new),
        needed: needed.as_deref(),
        chain: Chain::new(packages, history, earlier),
        reasons_unknown: unlisted::reasons_unknown(&list),
        packages: &list,
        any_out_of_band: false,
        findings: Vec::new(),
        unjudged: Vec::new(),
    };
    judge.all_names();
    judge.out_of_band_host();
    judge.host(observation);
    judge.note_failed_sections(observation);
    Ok(judge.into_drift(history))
}

/// One runner under judgement.
#[derive(Debug)]
pub(super) struct Judge<'x> {
    pub(super) compiled: &'x Compiled,
    /// Native arch, when known.
    pub(super) native: Option<&'x str>,
    pub(super) running: Option<Running<'x>>,
    needed: Option<&'x [&'x str]>,
    pub(super) chain: Chain<'x>,
    pub(super) reasons_unknown: bool,
    /// Sorted by NEVRA.
    pub(super) packages: &'x [Package<'x>],
    pub(super) any_out_of_band: bool,
    pub(super) findings: Vec<Finding<'x>>,
    unjudged: Vec<Unjudged>,
}

impl<'x> Judge<'x> {
    /// Whether a listed package needs this one; `None` when that could not be read.
    pub(super) fn is_needed(&self, name: &str) -> Option<bool> {
        let needed = self.needed?;
        Some(needed.binary_search(&name).is_ok())
    }

    /// Walks over every name that is installed, ruled or locked.
    fn all_names(&mut self) {
        let compiled: &'x Compiled = self.compiled;
        let mut rules = compiled.effective().packages.iter().peekable();
        let mut installed: &'x [Package<'x>] = self.packages;
        let mut locked = compiled.locked();
        let mut by_arch: Vec<(&'x str, &'x Ruling)> = Vec::new();
        loop {
            let heads = [
                installed.first().map(|p| p.nevra.name),
                rules.peek().map(|(key, _)| key.name.as_str()),
                locked.first().map(|line| &*line.name),
            ];
            let Some(name) = heads.into_iter().flatten().min() else {
                break;
            };
            let instances = take_while(&mut installed, |p| p.nevra.name == name);
            let lines: &'x [Locked] = take_while(&mut locked, |line| &*line.name == name);
            by_arch.clear();
            let mut plain = None;
            while let Some((key, ruling)) = rules.next_if(|(key, _)| key.name == name) {
                let PackageKey { arch, .. } = key;
                match arch {
                    None => plain = Some(ruling),
                    Some(arch) => by_arch.push((arch, ruling)),
                }
            }
            if name != GPG_PUBKEY {
                self.name(&Named { name, plain, by_arch: &by_arch, locked: lines, instances });
            }
        }
    }

    fn host(&mut self, observation: &'x Observation<'x>) {
        let host = &self.compiled.effective().host;
        if let (false, Some(repos)) = (host.repositories.is_empty(), observation.repos.seen()) {
            self.repositories(repos);
        }
        if let (Some(wanted), Some(mode)) = (&host.selinux, observation.selinux.seen()) {
            self.selinux(wanted, mode);
        }
        let locks = observation.locks.seen().map_or(&[][..], Vec::as_slice);
        self.stuck_locks(locks, observation.at);
        if let Some(history) = observation.history.seen() {
            self.interrupted(history, locks);
        }
    }

    /// Says what was not judged. Sections that no rule of this manifest asks for are no gap.
    fn note_failed_sections(&mut self, observation: &Observation<'_>) {
        let effective = self.compiled.effective();
        let host = &effective.host;
        let any_same_as = effective.packages.values().any(|ruling| ruling.rule == Rule::SameAsRunningKernel);
        let needs_needed = !self.compiled.is_closed() && unlisted::is_judged(&effective.unlisted);
        let kernel: &[Code] = if any_same_as { &[Code::KernelMismatch] } else { &[] };
        let sections: [(&'static str, Option<&Failure>, bool, &'static [Code]); 7] = [
            ("os", observation.os.failure(), true, &[Code::WrongArch]),
            ("kernel", observation.kernel.failure(), true, kernel),
            ("needed", observation.needed.failure(), needs_needed, &[Code::Unlisted]),
            ("history", observation.history.failure(), true, &[Code::OutOfBand, Code::Interrupted]),
            (
                "repos",
                observation.repos.failure(),
                !host.repositories.is_empty(),
                &[Code::RepoEnabled, Code::RepoDisabled],
            ),
            ("selinux", observation.selinux.failure(), host.selinux.is_some(), &[Code::Selinux]),
            ("locks", observation.locks.failure(), true, &[Code::StuckLock]),
        ];
        for (section, failure, asked, codes) in sections {
            if let (Some(failure), true) = (failure, asked) {
                self.unjudged.push(Unjudged { section, codes, why: failure.clone() });
            }
        }
    }

    fn into_drift(self, history: Option<&'x History<'x>>) -> Drift {
        let past = Past::new(history, self.native, &self.findings);
        let fully_observed = self.unjudged.is_empty();
        let mut items: Vec<Item> = self
            .findings
            .into_iter()
            .map(|finding| {
                let (since, by) = past.origin(&finding);
                Item {
                    code: finding.code,
                    package: finding.package.map(str::to_owned),
                    arch: finding.arch.map(str::to_owned),
                    since,
                    by,
                    wanted: finding.wanted,
                    remediable: finding.remediable && fully_observed,
                    blocked: finding.blocked,
                    seen: match finding.seen {
                        Seen::Instances(instances) => instances.iter().map(|p| p.nevra.evr.to_string()).collect(),
                        Seen::Texts(texts, _) => texts,
                    },
                }
            })
            .collect();
        items.sort_by(|a, b| key(a).cmp(&key(b)));
        Drift { items, reasons_unknown: self.reasons_unknown, unjudged: self.unjudged }
    }
}

type Key<'i> = (Option<&'i str>, Option<&'i str>, &'static str, Option<&'i str>, &'i [String]);

/// Package, arch, code; host items of one code by what is wanted and seen.
fn key(item: &Item) -> Key<'_> {
    (item.package.as_deref(), item.arch.as_deref(), item.code.as_str(), item.wanted.as_deref(), &item.seen)
}

fn take_while<'x, T>(rest: &mut &'x [T], belongs: impl Fn(&T) -> bool) -> &'x [T] {
    let count = rest.iter().take_while(|one| belongs(one)).count();
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}

/// The list in the order that the type promises; copied only when it is not.
fn sorted<'p, 'a>(list: &'p [Package<'a>]) -> Cow<'p, [Package<'a>]> {
    if list.is_sorted_by(|a, b| a.nevra <= b.nevra) {
        Cow::Borrowed(list)
    } else {
        let mut list = list.to_vec();
        list.sort_by(|a, b| a.nevra.cmp(&b.nevra).then(a.db_instance.cmp(&b.db_instance)));
        Cow::Owned(list)
    }
}

fn sorted_names<'p, 'a>(names: &'p [&'a str]) -> Cow<'p, [&'a str]> {
    if names.is_sorted() {
        Cow::Borrowed(names)
    } else {
        let mut names = names.to_vec();
        names.sort_unstable();
        Cow::Owned(names)
    }
}
