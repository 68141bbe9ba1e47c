//! `baseline --group`: a manifest that fits most of a group, and waivers with an end for the rest, so that the first
//! report afterwards is empty and only new drift shows.
//!
//! Packages that a person, a group or nobody known to dnf brought, and that are on more than half of the runners, are
//! wanted in any version. Nothing is pinned: a pin is a decision of people. Whatever still differs then is found by the
//! same judgement as every report, and waived exactly as it is: what drifts further shows.

mod message;
mod rest;

pub use message::message;

use super::Files;
use countersign_manifests_schema::manifest::{HostTable, MANIFEST_SCHEMA, ManifestFile, PackageRule, Selinux};
use countersign_shared::diagnostic::Diagnostic;
use countersign_shared::drift::{CompileError, Compiled};
use countersign_shared::manifest::effective::{Effective, PackageKey, Rule};
use countersign_shared::manifest::file::Manifest;
use countersign_shared::manifest::{Canonical, write};
use countersign_shared::observation::{Failure, Observation, Reason, Section};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use rest::Rest;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;
use toml_edit::{Array, DocumentMut, Item as TomlItem};

/// What a baseline is made of.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// Canonical as it is, path -> bytes.
    pub canonical: &'r BTreeMap<String, Vec<u8>>,
    /// The group.
    pub group: &'r str,
    /// Unix seconds.
    pub now: i64,
    /// Days for which the waivers are valid.
    pub waive_days: u16,
}

/// A baseline, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// Files to copy over canonical.
    pub files: Files,
    /// Runners that it was made from, sorted.
    pub runners: Vec<String>,
    /// Runners of the group without a usable observation, and why; they will show drift when they are observed.
    pub not_observed: Vec<(String, String)>,
    /// Packages in the manifest.
    pub packages: usize,
    /// Waivers.
    pub waivers: usize,
    /// People that must stand behind the commit, when it changes the fleet as well.
    pub root_required: Option<u32>,
}

/// Why there is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// Canonical, as it is or with the baseline, does not lint.
    #[error("canonical cannot be used")]
    Canonical(Vec<Diagnostic>),
    /// The group is not in the fleet.
    #[error("there is no group `{0}`")]
    NoGroup(String),
    /// Nothing is known of any of its runners.
    #[error("no runner of the group `{0}` has been observed")]
    NotObserved(String),
    /// The stored observations cannot be read.
    #[error("the observation of {0} cannot be read")]
    History(String, #[source] Box<dyn Error + Send + Sync>),
    /// A manifest cannot be prepared.
    #[error("the manifest cannot be compared with observations")]
    Compile(#[from] CompileError),
    /// The file that defines the group cannot be changed.
    #[error("the manifest cannot be added to the group in {0}")]
    Fleet(String),
    /// The last day of the waivers is out of reach.
    #[error("{0} days from now is no date")]
    Date(u16),
}

impl BaselineError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            BaselineError::Canonical(_) => "run `countersign-observer lint`".to_owned(),
            BaselineError::NoGroup(_) => "name a group of fleet.toml".to_owned(),
            BaselineError::NotObserved(_) | BaselineError::History(..) => {
                "run `countersign-observer observe` first".to_owned()
            }
            BaselineError::Compile(_) => "run `countersign-observer lint`".to_owned(),
            BaselineError::Fleet(_) => "add the manifest to `manifests` of the group, and repeat".to_owned(),
            BaselineError::Date(_) => "choose fewer days".to_owned(),
        }
    }
}

/// Makes a baseline. `newest` gives the newest stored answer of a runner with its time in Unix seconds, and is asked
/// twice per runner, so that no more than one observation is held at a time.
pub fn baseline<E: Into<Box<dyn Error + Send + Sync>>>(
    request: &Request<'_>,
    mut newest: impl FnMut(&str) -> Result<Option<(String, i64)>, E>,
) -> Result<Baseline, BaselineError> {
    let mut read = |runner: &str| newest(runner).map_err(|e| BaselineError::History(runner.to_owned(), e.into()));
    let canonical = load(request.canonical)?;
    let Some(group) = canonical.fleet.groups.get(request.group) else {
        return Err(BaselineError::NoGroup(request.group.to_owned()));
    };
    let members = || canonical.fleet.runners.iter().filter(|r| r.groups.iter().any(|g| g == request.group));
    let mut tally = Tally::default();
    let mut runners = Vec::new();
    let mut not_observed = Vec::new();
    for runner in members() {
        let seen = match read(&runner.name)? {
            None => Err("it was never observed".to_owned()),
            Some((record, at)) => Observation::parse(&record, at)
                .and_then(|observation| tally.add(&observation))
                .map_err(|failure| failure.message),
        };
        match seen {
            Ok(()) => runners.push(runner),
            Err(why) => not_observed.push((runner.name.clone(), why)),
        }
    }
    if runners.is_empty() {
        return Err(BaselineError::NotObserved(request.group.to_owned()));
    }

    let mut in_force: Vec<Arc<Effective>> = Vec::new();
    for effective in runners.iter().map(|runner| canonical.effective(runner)) {
        if !in_force.iter().any(|known| Arc::ptr_eq(known, &effective)) {
            in_force.push(effective);
        }
    }
    let name = manifest_name(request.group, &canonical.manifests);
    let manifest = tally.manifest(&in_force, canonical.manifests.get(&name));
    let packages = manifest.packages.len();
    let day = date(request.now, 0).ok_or(BaselineError::Date(0))?;
    let comment = format!(
        "What more than half of the group {} had on {day}, from {} observed runners.\n\
         Any version fits; pin what has to stay.",
        request.group,
        runners.len()
    );
    let mut files = Files::new();
    files.insert(format!("manifests/{name}.toml"), write::manifest(&comment, &manifest));
    let changes_fleet = !group.manifests.contains(&name);
    if changes_fleet {
        let (path, text) = add_to_group(request, &group.place.file, &name)?;
        files.insert(path, text);
    }

    let merged = load(&over(request.canonical, &files))?;
    let mut rest = Rest::default();
    let mut compiled: Vec<(Arc<Effective>, Compiled)> = Vec::new();
    for runner in &runners {
        // Asked again, so that one observation at a time is enough; what was pruned meanwhile is not observed.
        let Some((record, at)) = read(&runner.name)? else { continue };
        let Ok(observation) = Observation::parse(&record, at) else { continue };
        let Some(runner) = merged.fleet.runner(&runner.name) else { continue };
        let effective = merged.effective(runner);
        let known = compiled.iter().position(|(known, _)| Arc::ptr_eq(known, &effective));
        let index = match known {
            Some(index) => index,
            None => {
                compiled.push((Arc::clone(&effective), Compiled::new(effective)?));
                compiled.len() - 1
            }
        };
        rest.add(&merged, runner, &compiled[index].1, observation, request.now);
    }
    let until = date(request.now, request.waive_days).ok_or(BaselineError::Date(request.waive_days))?;
    let owner = group.owner.clone().unwrap_or_else(|| format!("the owners of {}", request.group));
    let waivers = rest.waivers(&owner, &day, &until);
    let count = waivers.waive.len();
    if count > 0 {
        let comment =
            format!("What differed from the manifest of {} on {day}. Each ends; decide before.", request.group);
        let path = free_path(&format!("waivers/baseline-{}", request.group), request.canonical);
        files.insert(path, write::waivers(&comment, &waivers));
        load(&over(request.canonical, &files))?;
    }
    Ok(Baseline {
        files,
        runners: runners.into_iter().map(|runner| runner.name.clone()).collect(),
        not_observed,
        packages,
        waivers: count,
        root_required: changes_fleet.then_some(canonical.policy.approval.root_required),
    })
}

fn load(files: &BTreeMap<String, Vec<u8>>) -> Result<Canonical, BaselineError> {
    Canonical::load(files).map_err(BaselineError::Canonical)
}

fn over(canonical: &BTreeMap<String, Vec<u8>>, files: &Files) -> BTreeMap<String, Vec<u8>> {
    let mut all = canonical.clone();
    all.extend(files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())));
    all
}

/// The group's own name while its manifest says nothing yet, or else a new one.
fn manifest_name(group: &str, manifests: &BTreeMap<String, Manifest>) -> String {
    let is_free = |name: &str| manifests.get(name).is_none_or(Manifest::says_nothing);
    let numbered = (2..).map(|number| format!("{group}-baseline-{number}"));
    let mut names = [group.to_owned(), format!("{group}-baseline")].into_iter().chain(numbered);
    names.find(|name| is_free(name)).unwrap_or_else(|| group.to_owned())
}

fn free_path(stem: &str, files: &BTreeMap<String, Vec<u8>>) -> String {
    let first = format!("{stem}.toml");
    let mut others = (2..).map(|number| format!("{stem}-{number}.toml"));
    if files.contains_key(&first) { others.find(|path| !files.contains_key(path)).unwrap_or(first) } else { first }
}

/// `2026-11-20`, so many days from now, in UTC.
fn date(now: i64, days: u16) -> Option<String> {
    let day = Timestamp::from_second(now).ok()?.to_zoned(TimeZone::UTC).date();
    let day = day.checked_add(Span::new().days(i64::from(days))).ok()?;
    Some(day.to_string()).filter(|text| text.len() == "2026-11-20".len())
}

/// The group's file with the manifest in its list, all else as people wrote it.
fn add_to_group(request: &Request<'_>, path: &str, manifest: &str) -> Result<(String, String), BaselineError> {
    let failed = || BaselineError::Fleet(path.to_owned());
    let bytes = request.canonical.get(path).ok_or_else(failed)?;
    let text = std::str::from_utf8(bytes).map_err(|_| failed())?;
    let mut document: DocumentMut = text.parse().map_err(|_| failed())?;
    let group = document.get_mut("groups").and_then(|groups| groups.get_mut(request.group)).ok_or_else(failed)?;
    let table = group.as_table_like_mut().ok_or_else(failed)?;
    let list = table.entry("manifests").or_insert_with(|| TomlItem::Value(Array::new().into()));
    list.as_array_mut().ok_or_else(failed)?.push(manifest);
    Ok((path.to_owned(), document.to_string()))
}

/// What is on how many runners.
#[derive(Debug, Default)]
struct Tally {
    runners: usize,
    /// Packages that somebody wanted, as a plain name when they are of the native arch or noarch.
    packages: BTreeMap<PackageKey, usize>,
    selinux: BTreeMap<String, usize>,
    repositories: BTreeMap<String, usize>,
    with_repositories: usize,
}

impl Tally {
    fn add(&mut self, observation: &Observation<'_>) -> Result<(), Failure> {
        let packages = match &observation.packages {
            Section::Seen(packages) => packages,
            Section::Failed(failure) => return Err(failure.clone()),
        };
        let native = observation.os.seen().map(|os| os.arch);
        let mut names: BTreeSet<PackageKey> = BTreeSet::new();
        for package in packages.list.iter().filter(|package| is_wanted(package.reason)) {
            let nevra = &package.nevra;
            let own = nevra.arch == "noarch" || native.is_none_or(|native| native == nevra.arch);
            let arch = (!own).then(|| nevra.arch.to_owned());
            names.insert(PackageKey { name: nevra.name.to_owned(), arch });
        }
        names.retain(|key| key.name != "gpg-pubkey");
        for key in names {
            *self.packages.entry(key).or_default() += 1;
        }
        if let Some(mode) = observation.selinux.seen() {
            *self.selinux.entry((*mode).to_owned()).or_default() += 1;
        }
        if let Some(repos) = observation.repos.seen() {
            self.with_repositories += 1;
            let enabled: BTreeSet<&str> = repos.iter().filter(|repo| repo.enabled).map(|repo| repo.id).collect();
            for id in enabled.into_iter().filter(|id| !id.starts_with("_dnf_local")) {
                *self.repositories.entry(id.to_owned()).or_default() += 1;
            }
        }
        self.runners += 1;
        Ok(())
    }

    fn manifest<'e>(&self, in_force: &'e [Arc<Effective>], existing: Option<&Manifest>) -> ManifestFile {
        let any = Rule::Present(countersign_shared::manifest::version::VersionSpec::ANY);
        let mut packages = BTreeMap::new();
        for (key, count) in &self.packages {
            let plain = PackageKey { name: key.name.clone(), arch: None };
            // A plain rule binds every arch already.
            let is_covered = key.arch.is_some() && self.packages.get(&plain).is_some_and(|c| self.is_most(*c));
            if !self.is_most(*count) || is_covered {
                continue;
            }
            // The plain name comes first, then its arches.
            let of_name = |effective: &'e Arc<Effective>| {
                effective.packages.range(&plain..).next().filter(|(known, _)| known.name == key.name)
            };
            let rulings: Vec<_> = in_force.iter().map(of_name).collect();
            // What people have ruled on stays as they did, and what every runner has a rule for needs no other.
            let is_open = rulings.iter().any(Option::is_none);
            let is_same =
                rulings.iter().flatten().all(|(k, ruling)| *k == key && ruling.rule == any && ruling.from.is_empty());
            if is_open && is_same {
                packages.insert(key.to_string(), PackageRule::Short("*".to_owned()));
            }
        }
        ManifestFile {
            schema: MANIFEST_SCHEMA.to_owned(),
            include: existing.map(|m| m.includes.iter().map(|i| i.name.clone()).collect()).unwrap_or_default(),
            owner: existing.and_then(|manifest| manifest.owner.clone()),
            lock: None,
            packages,
            unlisted: None,
            host: self.host(in_force),
        }
    }

    fn host(&self, in_force: &[Arc<Effective>]) -> Option<HostTable> {
        let mode = self.selinux.iter().find(|(_, count)| self.is_most(**count)).map(|(mode, _)| mode.clone());
        let mode = mode.filter(|_| in_force.iter().all(|effective| effective.host.selinux.is_none()));
        let selinux = match mode.as_deref() {
            Some("enforcing") => Some(Selinux::Enforcing),
            Some("permissive") => Some(Selinux::Permissive),
            Some("disabled") => Some(Selinux::Disabled),
            _ => None,
        };
        let most = |count: usize| 2 * count > self.with_repositories;
        let enabled: Vec<String> =
            self.repositories.iter().filter(|(_, count)| most(**count)).map(|(id, _)| id.clone()).collect();
        let is_open = in_force.iter().all(|effective| effective.host.repositories.is_empty());
        let repositories = Some(enabled).filter(|enabled| !enabled.is_empty() && is_open);
        (selinux.is_some() || repositories.is_some()).then(|| HostTable {
            selinux,
            repositories,
            ..HostTable::default()
        })
    }

    fn is_most(&self, count: usize) -> bool {
        2 * count > self.runners
    }
}

/// Whether somebody asked for the package, or nobody knows: the reasons for which it could show as unlisted.
fn is_wanted(reason: Reason) -> bool {
    match reason {
        Reason::User | Reason::Group | Reason::External | Reason::Unknown => true,
        Reason::Dependency | Reason::WeakDependency | Reason::Clean => false,
    }
}

#[cfg(test)]
mod tests;
