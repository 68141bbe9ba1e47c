//! Which rule wins: the manifests of one runner become its [`Effective`] manifest.
//!
//! A file that is reached twice counts once. Over each other stand: the runner's own manifests, with what only they
//! include, over those of its groups; then an includer over what it includes, directly or through others. Of the
//! rules for one package, those count that no other rule stands over; when they differ, that is a conflict. No order
//! of files, groups or includes plays a part.

use super::effective::{Effective, Host, Lock, PackageKey, Place, Ruling, Unlisted};
use super::file::{Manifest, Setting, Value};
use std::collections::{BTreeMap, BTreeSet};

/// All that decides the effective manifest of a runner; runners with equal inputs share one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Inputs {
    /// Manifests of its groups.
    pub(super) groups: BTreeSet<String>,
    /// Its own.
    pub(super) own: BTreeSet<String>,
}

/// Two rules of equal standing that differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Conflict {
    /// The package or setting.
    pub(super) what: String,
    /// The manifests.
    pub(super) manifests: [String; 2],
    /// What they say.
    pub(super) says: [String; 2],
    /// Where they say it: file, line, column.
    pub(super) places: [(String, u32, u32); 2],
}

/// The manifests that take part, with who stands over whom.
pub(super) struct Standing<'m> {
    /// Each with its level (1 = of a group, 2 = the runner's own) and all that it includes, directly or not.
    members: Vec<Member<'m>>,
}

/// What manifests say about one package or setting.
type Said<'m, T> = Vec<(&'m Manifest, T)>;

struct Member<'m> {
    manifest: &'m Manifest,
    level: u8,
    below: BTreeSet<&'m str>,
}

impl<'m> Standing<'m> {
    /// Includes of manifests that do not exist are passed over; they are reported elsewhere.
    pub(super) fn new(inputs: &Inputs, manifests: &'m BTreeMap<String, Manifest>) -> Self {
        let of_groups = reach(inputs.groups.iter().map(String::as_str), manifests);
        let of_runner = reach(inputs.own.iter().map(String::as_str), manifests);
        let all = of_groups.union(&of_runner);
        let members = all
            .filter_map(|name| manifests.get(*name))
            .map(|manifest| {
                let name = manifest.name.as_str();
                let own = inputs.own.contains(name) || !of_groups.contains(name);
                let mut below = reach(manifest.includes.iter().map(|i| i.name.as_str()), manifests);
                below.remove(name);
                Member { manifest, level: if own { 2 } else { 1 }, below }
            })
            .collect();
        Self { members }
    }

    fn is_over(&self, upper: &Member<'_>, lower: &Member<'_>) -> bool {
        upper.level > lower.level || (upper.level == lower.level && upper.below.contains(lower.manifest.name.as_str()))
    }

    /// For one package or setting: those that nobody stands over, then the others.
    fn rank<'s, T>(&'s self, of: impl Fn(&'m Manifest) -> Option<T>) -> (Said<'m, T>, Said<'m, T>) {
        let holders: Vec<(&'s Member<'m>, T)> =
            self.members.iter().filter_map(|member| Some((member, of(member.manifest)?))).collect();
        let uppermost: Vec<bool> =
            holders.iter().map(|(member, _)| !holders.iter().any(|(other, _)| self.is_over(other, member))).collect();
        let (mut winners, mut others) = (Vec::new(), Vec::new());
        for ((member, value), uppermost) in holders.into_iter().zip(uppermost) {
            let side = if uppermost { &mut winners } else { &mut others };
            side.push((member.manifest, value));
        }
        (winners, others)
    }

    /// The rulings on a package: those in force (several only when equal or in conflict), and those overridden.
    pub(super) fn rulings(&self, key: &PackageKey) -> (Said<'m, &'m Ruling>, Said<'m, &'m Ruling>) {
        self.rank(|manifest| manifest.packages.get(key))
    }

    /// Merges. `locks` are by path.
    pub(super) fn merge(&self, locks: &BTreeMap<String, Lock>) -> (Effective, Vec<Conflict>) {
        let mut conflicts = Vec::new();
        let mut effective = Effective::default();
        // Most packages are named by one file only; only the others need to be ranked.
        let mut holders: BTreeMap<&PackageKey, (u32, &Ruling)> = BTreeMap::new();
        for member in &self.members {
            for (key, ruling) in &member.manifest.packages {
                holders.entry(key).or_insert((0, ruling)).0 += 1;
            }
        }
        for (key, (count, ruling)) in holders {
            let ruling = match count {
                1 => ruling,
                _ => {
                    let (winners, _) = self.rulings(key);
                    let Some(&(first, ruling)) = winners.first() else {
                        continue;
                    };
                    for (other, different) in winners[1..].iter().filter(|(_, other)| *other != ruling) {
                        conflicts.push(Conflict {
                            what: key.to_string(),
                            manifests: [first.name.clone(), other.name.clone()],
                            says: [show(ruling), show(different)],
                            places: [spot(&ruling.place), spot(&different.place)],
                        });
                    }
                    ruling
                }
            };
            effective.packages.insert(key.clone(), ruling.clone());
        }
        let written: BTreeSet<Setting> =
            self.members.iter().flat_map(|member| member.manifest.settings.keys().copied()).collect();
        for setting in written {
            let (winners, _) = self.rank(|manifest| manifest.settings.get(&setting));
            let Some((first, (value, place))) = winners.first() else {
                continue;
            };
            for (other, (different, elsewhere)) in winners[1..].iter().filter(|(_, (v, _))| v != value) {
                conflicts.push(Conflict {
                    what: setting.as_str().to_owned(),
                    manifests: [first.name.clone(), other.name.clone()],
                    says: [show_value(value), show_value(different)],
                    places: [spot(place), spot(elsewhere)],
                });
            }
            apply(setting, value, &mut effective.unlisted, &mut effective.host);
            if let (Setting::Lock, Value::Word(path)) = (setting, value) {
                effective.lock = locks.get(path).cloned();
            }
        }
        (effective, conflicts)
    }
}

/// Names reached from these by includes, these too.
fn reach<'m>(from: impl Iterator<Item = &'m str>, manifests: &'m BTreeMap<String, Manifest>) -> BTreeSet<&'m str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = from.collect();
    while let Some(name) = open.pop() {
        if let Some(manifest) = manifests.get(name)
            && reached.insert(manifest.name.as_str())
        {
            open.extend(manifest.includes.iter().map(|include| include.name.as_str()));
        }
    }
    reached
}

fn apply(setting: Setting, value: &Value, unlisted: &mut Unlisted, host: &mut Host) {
    match (setting, value) {
        (Setting::UserInstalled, Value::Disposal(d)) => unlisted.user_installed = *d,
        (Setting::Groups, Value::Disposal(d)) => unlisted.groups = *d,
        (Setting::External, Value::Disposal(d)) => unlisted.external = *d,
        (Setting::Dependencies, Value::Disposal(d)) => unlisted.dependencies = *d,
        (Setting::Ignore, Value::List(list)) => unlisted.ignore.clone_from(list),
        (Setting::Selinux, Value::Word(mode)) => host.selinux = Some(mode.clone()),
        (Setting::Repositories, Value::List(list)) => host.repositories.clone_from(list),
        (Setting::Vendors, Value::List(list)) => host.vendors.clone_from(list),
        (Setting::Keys, Value::List(list)) => host.keys.clone_from(list),
        (Setting::Modules, Value::List(list)) => host.modules.clone_from(list),
        // A setting has one type of value, given when it was read.
        _ => {}
    }
}

fn spot(place: &Place) -> (String, u32, u32) {
    (place.file.clone(), place.line, place.column)
}

fn show(ruling: &Ruling) -> String {
    match ruling.from.as_slice() {
        [] => ruling.rule.to_string(),
        from => format!("{} from {}", ruling.rule, from.join(", ")),
    }
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Disposal(disposal) => disposal.as_str().to_owned(),
        Value::Word(word) => word.clone(),
        Value::List(list) => format!("[{}]", list.join(", ")),
    }
}
