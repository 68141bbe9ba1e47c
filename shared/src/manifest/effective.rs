//! The manifest that is in force for one runner: all its manifests merged, every rule parsed.

use super::version::VersionSpec;
use std::collections::BTreeMap;

/// What one runner should be. Cannot be wrong: every text in it has been parsed and checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effective {
    /// Rules by package.
    pub packages: BTreeMap<PackageKey, Ruling>,
    /// What to do about packages that no rule names.
    pub unlisted: Unlisted,
    /// Rules about the host itself.
    pub host: Host,
    /// The complete set, when one of the manifests is closed by a lock.
    pub lock: Option<Lock>,
}

/// `name` or `name.arch`. Sorted by name bytes, the plain name before its arches.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageKey {
    /// The package name.
    pub name: String,
    /// A known rpm architecture, when the rule is for that one alone.
    pub arch: Option<String>,
}

/// A rule and where it was written.
#[derive(Debug, Clone)]
pub struct Ruling {
    /// What is wanted.
    pub rule: Rule,
    /// Repositories that the package may come from; empty = any.
    pub from: Vec<String>,
    /// Why, in the words of the person who wrote it.
    pub reason: Option<String>,
    /// Where it was written, for people.
    pub place: Place,
}

/// Equal when they demand the same; place and reason do not count.
impl PartialEq for Ruling {
    fn eq(&self, other: &Self) -> bool {
        self.rule == other.rule && self.from == other.from
    }
}
impl Eq for Ruling {}

/// A position in a file of canonical.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Path inside the repository.
    pub file: String,
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// What is wanted of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Installed, in a version that fits.
    Present(VersionSpec),
    /// Not installed; with a spec, no instance that fits it.
    Absent(Option<VersionSpec>),
    /// Neither required nor unlisted.
    Allowed,
    /// Installed in the version and release of the running kernel.
    SameAsRunningKernel,
}

/// What is done about a class of packages that no rule names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposal {
    /// Reported, and proposed for removal.
    Remove,
    /// Reported only.
    Report,
    /// Not looked at.
    Ignore,
}

impl Disposal {
    /// The word that people write.
    pub const fn as_str(self) -> &'static str {
        match self {
            Disposal::Remove => "remove",
            Disposal::Report => "report",
            Disposal::Ignore => "ignore",
        }
    }
}

/// `[unlisted]`, with its defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlisted {
    /// Reason `User`.
    pub user_installed: Disposal,
    /// Reason `Group`.
    pub groups: Disposal,
    /// Reasons `External User`, `None` and unknown.
    pub external: Disposal,
    /// Reasons `Dependency`, `Weak Dependency`, `Clean`.
    pub dependencies: Disposal,
    /// Globs over package names that are never unlisted.
    pub ignore: Vec<String>,
}

impl Default for Unlisted {
    fn default() -> Self {
        Self {
            user_installed: Disposal::Report,
            groups: Disposal::Ignore,
            external: Disposal::Ignore,
            dependencies: Disposal::Ignore,
            ignore: Vec::new(),
        }
    }
}

/// `[host]`; empty means not judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host {
    /// `enforcing`, `permissive` or `disabled`.
    pub selinux: Option<String>,
    /// Ids of the repositories that should be enabled, and no others.
    pub repositories: Vec<String>,
    /// Allowed vendors.
    pub vendors: Vec<String>,
    /// Allowed signing keys, lower-case hex ids.
    pub keys: Vec<String>,
    /// Wanted module streams, `name:stream`.
    pub modules: Vec<String>,
}

/// A complete package set (`countersign/lock/1`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    /// Path inside canonical.
    pub file: String,
    /// Native architecture it was taken on.
    pub arch: String,
    /// Release it was taken on.
    pub releasever: String,
    /// Sorted NEVRAs, epoch left out when 0, each of which parses.
    pub packages: Vec<String>,
}
