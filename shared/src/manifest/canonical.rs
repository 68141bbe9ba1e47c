//! The whole canonical repository, read and checked.

use super::approvers::{self, Approvers};
use super::effective::{Effective, Lock, PackageKey, Place, Ruling};
use super::file::{self, Manifest, Setting, Value};
use super::findings::Findings;
use super::fleet::{self, Fleet, Runner};
use super::lock;
use super::merge::{Conflict, Inputs, Standing};
use super::policy::{self, Policy};
use super::read;
use super::waiver::{self, Waiver};
use crate::diagnostic::{Diagnostic, Severity, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything that people wrote into canonical. Exists only when none of it is wrong.
#[derive(Debug, Clone)]
pub struct Canonical {
    /// Runners, groups, bastions, keys.
    pub fleet: Fleet,
    /// The policy; all defaults when there is no `policy.toml`.
    pub policy: Policy,
    /// The people; `None` when there is no `approvers`.
    pub approvers: Option<Approvers>,
    /// All waivers, in the order of their files.
    pub waivers: Vec<Waiver>,
    /// Each manifest as its file has it, by name.
    pub manifests: BTreeMap<String, Manifest>,
    warnings: Vec<Diagnostic>,
    locks: BTreeMap<String, Lock>,
    /// As `fleet.runners`.
    of_runner: Vec<Arc<Effective>>,
    waivers_of_runner: BTreeMap<String, Vec<usize>>,
    waivers_of_group: BTreeMap<String, Vec<usize>>,
}

/// A rule for a package and the way on which it reached a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The rule.
    pub ruling: Ruling,
    /// The manifest that has it.
    pub manifest: String,
    /// From the runner or its group down to the manifest: `group builders`, `builder`, `base`.
    pub chain: Vec<String>,
}

/// All rules for a package that a runner's manifests have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Why {
    /// Those in force: one, or several that say the same.
    pub in_force: Vec<Origin>,
    /// Those that another one stands over.
    pub overridden: Vec<Origin>,
}

/// What a path in canonical is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Fleet,
    Policy,
    Approvers,
    Manifest,
    Lock,
    Waiver,
}

/// Whether canonical's path has a meaning for the programs; other files are passed over.
pub fn is_relevant(path: &str) -> bool {
    purpose(path).is_some()
}

fn purpose(path: &str) -> Option<Purpose> {
    let below = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.ends_with(".toml"));
    match path {
        "fleet.toml" => Some(Purpose::Fleet),
        "policy.toml" => Some(Purpose::Policy),
        "approvers" => Some(Purpose::Approvers),
        _ if below("fleet.d/") && path.matches('/').count() == 1 => Some(Purpose::Fleet),
        _ if below("manifests/") => Some(Purpose::Manifest),
        _ if below("locks/") => Some(Purpose::Lock),
        _ if below("waivers/") => Some(Purpose::Waiver),
        _ => None,
    }
}

impl Canonical {
    /// Reads path -> bytes, as git or a directory has them. On failure: every problem of every file, sorted by file
    /// and place, warnings included.
    pub fn load(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, Vec<Diagnostic>> {
        let mut findings = Findings::default();
        let mut of: BTreeMap<&'static str, Vec<Source<'_>>> = BTreeMap::new();
        let mut fleet_sources = Vec::new();
        // A file that is there but cannot be read is reported as such, not as missing.
        let mut unreadable = BTreeSet::new();
        for (path, bytes) in files {
            let Some(purpose) = purpose(path) else {
                continue;
            };
            let Some(text) = read::text(path, bytes, &mut findings) else {
                unreadable.insert(path.as_str());
                continue;
            };
            let source = Source::new(path, text);
            match purpose {
                Purpose::Fleet => fleet_sources.push(source),
                Purpose::Policy => of.entry("policy").or_default().push(source),
                Purpose::Approvers => of.entry("approvers").or_default().push(source),
                Purpose::Manifest => of.entry("manifest").or_default().push(source),
                Purpose::Lock => of.entry("lock").or_default().push(source),
                Purpose::Waiver => of.entry("waiver").or_default().push(source),
            }
        }
        let sources = |what: &str| of.get(what).map(Vec::as_slice).unwrap_or_default();

        // `fleet.toml` before `fleet.d/`, so that a second definition is reported in the fragment.
        fleet_sources.sort_by_key(|source| source.file() != "fleet.toml");
        let report_absence = !unreadable.contains("fleet.toml");
        let (fleet, references) = fleet::read(&fleet_sources, report_absence, &mut findings);

        let mut manifests: BTreeMap<String, Manifest> = BTreeMap::new();
        let mut manifest_sources: BTreeMap<&str, &Source<'_>> = BTreeMap::new();
        for source in sources("manifest") {
            let manifest = file::read(source, &mut findings);
            if let Some(name) = file::name_of(source.file()) {
                manifest_sources.insert(name, source);
            }
            manifests.insert(manifest.name.clone(), manifest);
        }
        let unread = unreadable.iter().filter_map(|path| file::name_of(path));
        let known: BTreeSet<&str> = manifest_sources.keys().copied().chain(unread).collect();
        fleet::check_references(&references, &fleet_sources, &fleet, &known, &mut findings);
        file::check_includes(&manifests, &manifest_sources, &known, &mut findings);

        let locks: BTreeMap<String, Lock> = sources("lock")
            .iter()
            .map(|source| (source.file().to_owned(), lock::read(source, &mut findings)))
            .collect();
        check_locks(&manifests, &manifest_sources, &locks, &unreadable, &mut findings);

        let policy = match sources("policy") {
            [source, ..] => policy::read(source, fleet.groups.keys().map(String::as_str), &mut findings),
            [] => Policy::default(),
        };
        let approvers = sources("approvers").first().map(|source| approvers::read(source, &mut findings));
        if approvers.is_none() && !unreadable.contains("approvers") {
            findings.push(Diagnostic::whole_file(
                Severity::Warning,
                "approvers",
                "there is no file `approvers`, so nobody can approve anything",
                Some("list the people in it: `ada@example.org ssh-ed25519 AAAA...`".to_owned()),
            ));
        }
        let waivers: Vec<Waiver> =
            sources("waiver").iter().flat_map(|source| waiver::read(source, &fleet, &mut findings)).collect();

        let of_runner = merge_all(&fleet, &manifests, &locks, &manifest_sources, &mut findings);
        let failed = findings.has_errors();
        let diagnostics = findings.into_sorted();
        if failed {
            return Err(diagnostics);
        }
        let mut waivers_of_runner: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut waivers_of_group: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, waiver) in waivers.iter().enumerate() {
            for runner in &waiver.runners {
                waivers_of_runner.entry(runner.clone()).or_default().push(index);
            }
            for group in &waiver.groups {
                waivers_of_group.entry(group.clone()).or_default().push(index);
            }
        }
        Ok(Self {
            fleet,
            policy,
            approvers,
            waivers,
            manifests,
            warnings: diagnostics,
            locks,
            of_runner,
            waivers_of_runner,
            waivers_of_group,
        })
    }

    /// What is probably not meant so, by file and place.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The manifest in force for a runner of this fleet. Runners with the same manifests share one.
    pub fn effective(&self, runner: &Runner) -> Arc<Effective> {
        let runners = &self.fleet.runners;
        if let Ok(index) = runners.binary_search_by(|own| own.name.cmp(&runner.name))
            && (&runners[index].groups, &runners[index].manifests) == (&runner.groups, &runner.manifests)
        {
            return Arc::clone(&self.of_runner[index]);
        }
        // A runner of another fleet: its manifests are merged as they are here.
        let inputs = inputs(runner, &self.fleet);
        Arc::new(Standing::new(&inputs, &self.manifests).merge(&self.locks).0)
    }

    /// The waivers for a runner, by name or by group, valid or not.
    pub fn waivers_for(&self, runner: &Runner) -> Vec<&Waiver> {
        let by_name = self.waivers_of_runner.get(&runner.name);
        let by_group = runner.groups.iter().filter_map(|group| self.waivers_of_group.get(group));
        let indices: BTreeSet<usize> = by_name.into_iter().chain(by_group).flatten().copied().collect();
        indices.into_iter().map(|index| &self.waivers[index]).collect()
    }

    /// Which rules a runner has for a package, and on which way each reached it.
    pub fn why(&self, runner: &Runner, key: &PackageKey) -> Why {
        let inputs = inputs(runner, &self.fleet);
        let standing = Standing::new(&inputs, &self.manifests);
        let (in_force, overridden) = standing.rulings(key);
        let origins = |list: Vec<(&Manifest, &Ruling)>| {
            list.into_iter()
                .map(|(manifest, ruling)| Origin {
                    ruling: ruling.clone(),
                    manifest: manifest.name.clone(),
                    chain: self.chain(runner, &manifest.name),
                })
                .collect()
        };
        Why { in_force: origins(in_force), overridden: origins(overridden) }
    }

    /// The shortest way from a runner to a manifest.
    fn chain(&self, runner: &Runner, target: &str) -> Vec<String> {
        let own = runner.manifests.iter();
        let own = own.map(|name| vec![format!("runner {}", runner.name), name.clone()]);
        let of_groups = runner.groups.iter().flat_map(|group| {
            let manifests = self.fleet.groups.get(group).map(|g| g.manifests.as_slice());
            let manifests = manifests.unwrap_or_default().iter();
            manifests.map(move |name| vec![format!("group {group}"), name.clone()])
        });
        let mut open: std::collections::VecDeque<Vec<String>> = own.chain(of_groups).collect();
        let mut seen = BTreeSet::new();
        while let Some(chain) = open.pop_front() {
            let Some(last) = chain.last() else {
                continue;
            };
            if last == target {
                return chain;
            }
            if !seen.insert(last.clone()) {
                continue;
            }
            for include in self.manifests.get(last).into_iter().flat_map(|m| &m.includes) {
                let mut longer = chain.clone();
                longer.push(include.name.clone());
                open.push_back(longer);
            }
        }
        Vec::new()
    }
}

fn inputs(runner: &Runner, fleet: &Fleet) -> Inputs {
    let groups = runner.groups.iter().filter_map(|group| fleet.groups.get(group));
    Inputs {
        groups: groups.flat_map(|group| group.manifests.iter().cloned()).collect(),
        own: runner.manifests.iter().cloned().collect(),
    }
}

/// Every combination of manifests that a runner has, merged once; checks those of groups without runners, too. In the
/// order of the runners.
fn merge_all(
    fleet: &Fleet,
    manifests: &BTreeMap<String, Manifest>,
    locks: &BTreeMap<String, Lock>,
    sources: &BTreeMap<&str, &Source<'_>>,
    findings: &mut Findings,
) -> Vec<Arc<Effective>> {
    let mut wanted: BTreeMap<Inputs, String> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for runner in &fleet.runners {
        used.extend(runner.groups.iter().map(String::as_str));
        wanted.entry(inputs(runner, fleet)).or_insert_with(|| format!("runner {}", runner.name));
    }
    for (name, group) in fleet.groups.iter().filter(|(name, _)| !used.contains(name.as_str())) {
        let groups = group.manifests.iter().cloned().collect();
        let inputs = Inputs { groups, own: BTreeSet::new() };
        wanted.entry(inputs).or_insert_with(|| format!("group {name}"));
    }
    let mut conflicts: BTreeMap<Conflict, String> = BTreeMap::new();
    let mut merged = BTreeMap::new();
    for (inputs, whose) in wanted {
        let (effective, found) = Standing::new(&inputs, manifests).merge(locks);
        for conflict in found {
            conflicts.entry(conflict).or_insert_with(|| whose.clone());
        }
        merged.insert(inputs, Arc::new(effective));
    }
    for (conflict, whose) in conflicts {
        report_conflict(&conflict, &whose, sources, findings);
    }
    let of = |runner| merged.get(&inputs(runner, fleet)).map(Arc::clone).unwrap_or_default();
    fleet.runners.iter().map(of).collect()
}

fn report_conflict(conflict: &Conflict, whose: &str, sources: &BTreeMap<&str, &Source<'_>>, findings: &mut Findings) {
    let Some(source) = sources.get(conflict.manifests[1].as_str()) else {
        return;
    };
    let [(file, line, column), (_, here_line, here_column)] = &conflict.places;
    let span = source.span_at(*here_line, *here_column, &conflict.what);
    findings.error(
        source,
        &span,
        format!(
            "`{}` is `{}` here and `{}` at {file}:{line}:{column}, and {whose} has both",
            conflict.what, conflict.says[1], conflict.says[0]
        ),
        "name it in the runner's own manifest or in one that includes both, or let one of the two go",
    );
}

/// A manifest's lock must be a file below `locks/`.
fn check_locks(
    manifests: &BTreeMap<String, Manifest>,
    sources: &BTreeMap<&str, &Source<'_>>,
    locks: &BTreeMap<String, Lock>,
    unreadable: &BTreeSet<&str>,
    findings: &mut Findings,
) {
    for manifest in manifests.values() {
        let Some((Value::Word(path), Place { line, column, .. })) = manifest.settings.get(&Setting::Lock) else {
            continue;
        };
        if locks.contains_key(path) || unreadable.contains(path.as_str()) {
            continue;
        }
        if let Some(source) = sources.get(manifest.name.as_str()) {
            let hint = match read::suggestion(path, locks.keys().map(String::as_str)) {
                hint if hint.is_empty() => "locks are paths such as `locks/builder.toml`".to_owned(),
                hint => hint,
            };
            let span = source.span_at(*line, *column, path);
            findings.error(source, &span, format!("there is no lock `{path}`"), hint);
        }
    }
}
