//! From an item of drift to what dnf is asked for, always on full NEVRAs: dnf takes a name to mean every arch of it.

use super::{Block, Blocked};
use crate::drift::kernel::Running;
use crate::drift::{Code, Item};
use crate::evr::Evr;
use crate::manifest::effective::{Effective, PackageKey, Rule, Ruling};
use crate::manifest::version::VersionSpec;
use crate::nevra::Nevra;
use crate::observation::{Observation, Package};
use countersign_manifests_schema::transaction::Action;
use std::cmp::Ordering;

/// What is known of an item besides what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// A waiver covers it.
    pub waived: bool,
    /// In how many consecutive observations it was seen, this one included.
    pub observations: u32,
}

/// What must be asked for to remove one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// These instances go.
    Remove(Vec<String>),
    /// A version that fits comes, out of what repositories offer.
    Bring(Wish),
}

/// A package that must come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Its name.
    pub name: String,
    /// Architectures that will do, the better ones first.
    pub arches: Vec<String>,
    /// Repositories that it may come from; empty = any.
    pub from: Vec<String>,
    /// The rule as it is shown.
    pub wanted: String,
    fits: Fits,
    /// What it takes the place of, `[epoch:]version-release`; empty when it comes beside or anew.
    instead_of: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fits {
    Spec(VersionSpec),
    /// Lines of a lock for this name.
    Locked(Vec<String>),
    /// `version-release` of the running kernel.
    VersionRelease(String),
}

/// One package that a repository offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// `name-[epoch:]version-release.arch`, epoch 0 left out.
    pub nevra: String,
    /// The repository.
    pub repo_id: String,
}

/// One thing that dnf is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Want {
    /// Full NEVRA.
    pub nevra: String,
    /// Install, Upgrade, Downgrade or Remove.
    pub action: Action,
}

/// What would remove an item; `None` when no transaction is to be proposed for it, whatever is offered.
pub fn wish(
    effective: &Effective,
    observation: &Observation<'_>,
    item: &Item,
    standing: Standing,
    settle: u32,
) -> Option<Result<Remedy, Blocked>> {
    if !item.remediable || standing.waived || item.blocked.is_some() {
        return None;
    }
    let name = item.package.as_deref()?;
    if item.code == Code::Unlisted && standing.observations < settle {
        let message = format!("seen in {} of {settle} consecutive observations", standing.observations);
        return Some(Err(Blocked::new(Block::Settling, message)));
    }
    Some(match item.code {
        Code::Unwanted | Code::Unlisted | Code::NotInLock => remove(observation, item, |_| true),
        Code::Duplicate => remove_duplicates(effective, observation, item),
        Code::Missing | Code::WrongArch | Code::Ahead | Code::Behind | Code::KernelMismatch => {
            bring(effective, observation, item, name).map(Remedy::Bring)
        }
        Code::WrongOrigin
        | Code::OutOfBand
        | Code::Interrupted
        | Code::RepoEnabled
        | Code::RepoDisabled
        | Code::Selinux
        | Code::StuckLock => return None,
    })
}

/// The instances that an item shows.
fn instances<'o, 'x>(observation: &'o Observation<'x>, item: &'o Item) -> impl Iterator<Item = &'o Package<'x>> {
    let list = observation.packages.seen().map_or(&[][..], |packages| &packages.list);
    list.iter().filter(move |p| {
        item.package.as_deref() == Some(p.nevra.name)
            && item.arch.as_deref().is_none_or(|arch| arch == p.nevra.arch)
            && item.seen.contains(&p.nevra.evr.to_string())
    })
}

fn remove(observation: &Observation<'_>, item: &Item, goes: impl Fn(&Package<'_>) -> bool) -> Result<Remedy, Blocked> {
    let running = observation.kernel.seen().map(Running::new);
    let kept = |p: &Package<'_>| p.install_only && running.as_ref().is_some_and(|running| running.is(p));
    let gone: Vec<String> =
        instances(observation, item).filter(|p| goes(p) && !kept(p)).map(|p| p.nevra.to_string()).collect();
    if gone.is_empty() {
        return Err(Blocked::new(Block::Protected, "it belongs to the running kernel"));
    }
    Ok(Remedy::Remove(gone))
}

/// One instance stays: the newest of those that fit, or the newest.
fn remove_duplicates(effective: &Effective, observation: &Observation<'_>, item: &Item) -> Result<Remedy, Blocked> {
    let mut all: Vec<Nevra<'_>> = instances(observation, item).map(|p| p.nevra).collect();
    all.sort();
    let fits = |nevra: &&Nevra<'_>| {
        let spec = match ruling(effective, nevra.name, nevra.arch).map(|ruling| &ruling.rule) {
            Some(Rule::Present(spec)) => spec.matches(&nevra.evr),
            _ => true,
        };
        spec && effective.lock.as_ref().is_none_or(|lock| lock.packages.contains(&nevra.to_string()))
    };
    let stays = all.iter().rev().find(fits).or(all.last()).copied();
    remove(observation, item, |p| Some(p.nevra) != stays)
}

fn bring(effective: &Effective, observation: &Observation<'_>, item: &Item, name: &str) -> Result<Wish, Blocked> {
    let native = observation.os.seen().map_or("", |os| os.arch);
    let arches = match (&item.arch, item.code) {
        (Some(arch), Code::Missing | Code::Ahead | Code::Behind | Code::KernelMismatch) => vec![arch.clone()],
        _ => vec![native.to_owned(), "noarch".to_owned()],
    };
    let ruling = arches.iter().find_map(|arch| ruling(effective, name, arch));
    let wanted = item.wanted.clone().unwrap_or_default();
    let fits = match ruling.map(|ruling| &ruling.rule) {
        Some(Rule::Present(spec)) if spec.to_string() == wanted => Fits::Spec(spec.clone()),
        Some(Rule::SameAsRunningKernel) if item.code == Code::KernelMismatch => {
            let release = observation.kernel.seen().map_or("", |kernel| kernel.release);
            Fits::VersionRelease(release.to_owned())
        }
        _ => Fits::Locked(locked(effective, name, &arches)),
    };
    let replaces = matches!(item.code, Code::Ahead | Code::Behind);
    Ok(Wish {
        name: name.to_owned(),
        arches,
        from: ruling.map(|ruling| ruling.from.clone()).unwrap_or_default(),
        wanted,
        fits,
        instead_of: if replaces { item.seen.clone() } else { Vec::new() },
    })
}

/// The rule that binds a name on an arch.
pub(super) fn ruling<'e>(effective: &'e Effective, name: &str, arch: &str) -> Option<&'e Ruling> {
    let key = |arch: Option<&str>| PackageKey { name: name.to_owned(), arch: arch.map(str::to_owned) };
    effective.packages.get(&key(Some(arch))).or_else(|| effective.packages.get(&key(None)))
}

fn locked(effective: &Effective, name: &str, arches: &[String]) -> Vec<String> {
    let lines = effective.lock.as_ref().map_or(&[][..], |lock| &lock.packages);
    let of_name = |line: &&String| {
        Nevra::parse(line).is_ok_and(|nevra| nevra.name == name && arches.iter().any(|arch| arch == nevra.arch))
    };
    lines.iter().filter(of_name).cloned().collect()
}

impl Remedy {
    /// What dnf is asked for, by what repositories offer.
    pub fn wants(&self, offers: &[Offer]) -> Result<Vec<Want>, Blocked> {
        match self {
            Remedy::Remove(nevras) => {
                Ok(nevras.iter().map(|nevra| Want { nevra: nevra.clone(), action: Action::Remove }).collect())
            }
            Remedy::Bring(wish) => Ok(vec![wish.choose(offers)?]),
        }
    }

    /// The package of which offers must be known.
    pub fn asks_for(&self) -> Option<&str> {
        match self {
            Remedy::Remove(_) => None,
            Remedy::Bring(wish) => Some(&wish.name),
        }
    }
}

impl Wish {
    fn fits(&self, nevra: &Nevra<'_>) -> bool {
        match &self.fits {
            Fits::Spec(spec) => spec.matches(&nevra.evr),
            Fits::Locked(lines) => lines.iter().any(|line| {
                Nevra::parse(line).is_ok_and(|l| l.arch == nevra.arch && l.evr.cmp_rpm(&nevra.evr).is_eq())
            }),
            Fits::VersionRelease(release) => {
                let evr = format!("{}-{}", nevra.evr.version, nevra.evr.release);
                release.strip_prefix(&evr).is_some_and(|rest| {
                    let arch = rest.split('+').next().unwrap_or_default();
                    arch.strip_prefix('.').is_some_and(|arch| arch == nevra.arch || nevra.arch == "noarch")
                })
            }
        }
    }

    /// Picks the newest offer that fits.
    pub fn choose(&self, offers: &[Offer]) -> Result<Want, Blocked> {
        let parsed = offers.iter().filter_map(|offer| Some((Nevra::parse(&offer.nevra).ok()?, offer)));
        let named: Vec<(Nevra<'_>, &Offer)> = parsed.filter(|(nevra, _)| nevra.name == self.name).collect();
        let rank = |arch: &str| self.arches.iter().rev().position(|one| one == arch);
        let allowed = |offer: &Offer| self.from.is_empty() || self.from.contains(&offer.repo_id);
        let best = named
            .iter()
            .filter(|(nevra, offer)| rank(nevra.arch).is_some() && allowed(offer) && self.fits(nevra))
            .max_by(|(a, _), (b, _)| a.evr.cmp(&b.evr).then_with(|| rank(a.arch).cmp(&rank(b.arch))));
        let Some((nevra, _)) = best else {
            return Err(Blocked::new(Block::UnreachablePin, self.unreachable(&named)));
        };
        Ok(Want { nevra: nevra.to_string(), action: self.action(nevra) })
    }

    fn action(&self, nevra: &Nevra<'_>) -> Action {
        let newest = self.instead_of.iter().filter_map(|evr| Evr::parse(evr).ok()).max();
        match newest.map(|newest| nevra.evr.cmp_rpm(&newest)) {
            None => Action::Install,
            Some(Ordering::Less) => Action::Downgrade,
            Some(Ordering::Equal | Ordering::Greater) => Action::Upgrade,
        }
    }

    fn unreachable(&self, named: &[(Nevra<'_>, &Offer)]) -> String {
        let (name, wanted) = (&self.name, &self.wanted);
        let arches = self.arches.join(" or ");
        let place = match self.from.as_slice() {
            [] => "no repository".to_owned(),
            from => format!("none of {}", from.join(", ")),
        };
        let mut offered: Vec<&Nevra<'_>> = named.iter().map(|(nevra, _)| nevra).collect();
        offered.sort();
        let offered: Vec<String> = offered.iter().rev().take(3).map(ToString::to_string).collect();
        let instead = if offered.is_empty() {
            "nothing of that name is offered".to_owned()
        } else {
            format!("offered: {}", offered.join(", "))
        };
        format!("{place} offers {name} {wanted} for {arches}; {instead}")
    }
}
