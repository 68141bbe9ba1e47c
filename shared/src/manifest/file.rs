//! One file below `manifests/`, parsed but not merged.

use super::effective::{Disposal, PackageKey, Place, Ruling};
use super::findings::Findings;
use super::read::{Scope, Text, document, place, suggestion};
use super::rule::{REPOSITORY_ID, is_id, parse_key, parse_ruling, word_list};
use crate::diagnostic::{Diagnostic, Severity, Source};
use countersign_manifests_schema::manifest::MANIFEST_SCHEMA;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A manifest as one file has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Its name: the path below `manifests/`, without `.toml`.
    pub name: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Manifests that it builds on.
    pub includes: Vec<Include>,
    /// Rules by package.
    pub packages: BTreeMap<PackageKey, Ruling>,
    /// Keys of `[unlisted]` and `[host]`, and `lock`.
    pub(super) settings: BTreeMap<Setting, (Value, Place)>,
}

/// An entry of `include`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// The name of the included manifest.
    pub name: String,
    /// Where it is written.
    pub place: Place,
    pub(super) span: Range<usize>,
}

/// A key that merges as one, with its value's type in [`Value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Setting {
    UserInstalled,
    Groups,
    External,
    Dependencies,
    Ignore,
    Selinux,
    Repositories,
    Vendors,
    Keys,
    Modules,
    Lock,
}

impl Setting {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Setting::UserInstalled => "unlisted.user-installed",
            Setting::Groups => "unlisted.groups",
            Setting::External => "unlisted.external",
            Setting::Dependencies => "unlisted.dependencies",
            Setting::Ignore => "unlisted.ignore",
            Setting::Selinux => "host.selinux",
            Setting::Repositories => "host.repositories",
            Setting::Vendors => "host.vendors",
            Setting::Keys => "host.keys",
            Setting::Modules => "host.modules",
            Setting::Lock => "lock",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Disposal(Disposal),
    Word(String),
    List(Vec<String>),
}

/// The name of a manifest by its path.
pub(super) fn name_of(path: &str) -> Option<&str> {
    path.strip_prefix("manifests/")?.strip_suffix(".toml")
}

/// Folders and a name, each of letters, digits, `.`, `_`, `+` and `-`, and beginning with a letter or digit.
fn is_name(name: &str) -> bool {
    name.len() <= 200
        && name.split('/').all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"._+-".contains(&c))
        })
}

pub(super) fn read(source: &Source<'_>, findings: &mut Findings) -> Manifest {
    if !name_of(source.file()).is_some_and(is_name) {
        findings.push(Diagnostic::whole_file(
            Severity::Error,
            source.file(),
            "this is not a name for a manifest",
            Some("letters, digits and `._+-`, beginning with a letter or digit: `manifests/web/front.toml`".to_owned()),
        ));
    }
    document(source, MANIFEST_SCHEMA, findings, |scope, findings| {
        let mut manifest = Manifest {
            name: name_of(source.file()).unwrap_or_default().to_owned(),
            owner: scope.text("owner", findings).map(|text| text.value.to_owned()),
            ..Manifest::default()
        };
        manifest.includes = read_includes(scope, findings);
        if let Some(text) = scope.text("lock", findings) {
            let value = Value::Word(text.value.to_owned());
            manifest.settings.insert(Setting::Lock, (value, place(source, &text.span)));
        }
        if let Some(mut table) = scope.table("packages", findings) {
            let entries: Vec<_> = table.entries().collect();
            for (name, value) in entries {
                let key = parse_key(source, &name, findings);
                let ruling = parse_ruling(&table, &name, value, findings);
                if let (Some(key), Some(ruling)) = (key, ruling) {
                    manifest.packages.insert(key, ruling);
                }
            }
        }
        if let Some(mut table) = scope.table("unlisted", findings) {
            read_unlisted(&mut manifest, &mut table, findings);
            table.finish(findings);
        }
        if let Some(mut table) = scope.table("host", findings) {
            read_host(&mut manifest, &mut table, findings);
            table.finish(findings);
        }
        manifest
    })
}

fn read_includes(scope: &mut Scope<'_>, findings: &mut Findings) -> Vec<Include> {
    let source = scope.source();
    let mut seen = BTreeSet::new();
    let mut includes = Vec::new();
    for text in scope.texts("include", findings).unwrap_or_default() {
        if text.value.ends_with(".toml") || text.value.starts_with("manifests/") {
            let name = text.value.trim_start_matches("manifests/").trim_end_matches(".toml");
            findings.error(
                source,
                &text.span,
                format!("`{}` is a path, not the name of a manifest", text.value),
                format!("write `{name}`"),
            );
        } else if !seen.insert(text.value) {
            findings.warning(source, &text.span, format!("`{}` is included twice", text.value), "remove one");
        } else {
            includes.push(Include { name: text.value.to_owned(), place: place(source, &text.span), span: text.span });
        }
    }
    includes
}

fn read_unlisted(manifest: &mut Manifest, table: &mut Scope<'_>, findings: &mut Findings) {
    let words = [("remove", Disposal::Remove), ("report", Disposal::Report), ("ignore", Disposal::Ignore)];
    let classes = [
        ("user-installed", Setting::UserInstalled),
        ("groups", Setting::Groups),
        ("external", Setting::External),
        ("dependencies", Setting::Dependencies),
    ];
    for (key, setting) in classes {
        if let Some(disposal) = table.choice(key, &words, findings) {
            manifest.set(setting, Value::Disposal(disposal), key, table);
        }
    }
    if let Some(texts) = table.texts("ignore", findings) {
        let source = table.source();
        let mut globs = BTreeSet::new();
        for text in texts {
            match globset::Glob::new(text.value) {
                Ok(_) if !text.value.is_empty() => {
                    globs.insert(text.value.to_owned());
                }
                Ok(_) => findings.error(source, &text.span, "an empty glob fits nothing", "remove it"),
                Err(error) => findings.error(
                    source,
                    &text.span,
                    format!("`{}` is not a glob: {}", text.value, error.kind()),
                    "such as `*-debuginfo`",
                ),
            }
        }
        manifest.set(Setting::Ignore, Value::List(globs.into_iter().collect()), "ignore", table);
    }
}

fn read_host(manifest: &mut Manifest, table: &mut Scope<'_>, findings: &mut Findings) {
    let source = table.source();
    let modes = ["enforcing", "permissive", "disabled"].map(|mode| (mode, mode));
    if let Some(mode) = table.choice("selinux", &modes, findings) {
        manifest.set(Setting::Selinux, Value::Word(mode.to_owned()), "selinux", table);
    }
    if let Some(texts) = table.texts("repositories", findings) {
        let list = word_list(source, &texts, REPOSITORY_ID, is_id, findings);
        manifest.set(Setting::Repositories, Value::List(list), "repositories", table);
    }
    if let Some(texts) = table.texts("vendors", findings) {
        let is_vendor = |text: &str| !text.trim().is_empty() && !text.contains(char::is_control);
        let list = word_list(source, &texts, ("a vendor", "as `rpm -qi` shows them"), is_vendor, findings);
        manifest.set(Setting::Vendors, Value::List(list), "vendors", table);
    }
    if let Some(texts) = table.texts("keys", findings) {
        let list = read_key_ids(source, &texts, findings);
        manifest.set(Setting::Keys, Value::List(list), "keys", table);
    }
    if let Some(texts) = table.texts("modules", findings) {
        let is_stream = |text: &str| {
            text.split_once(':').is_some_and(|(name, stream)| is_id(name) && is_id(stream) && !name.contains(':'))
        };
        let list = word_list(source, &texts, ("a module stream", "write `name:stream`"), is_stream, findings);
        manifest.set(Setting::Modules, Value::List(list), "modules", table);
    }
}

/// Ids or fingerprints of OpenPGP keys: 16, 40 or 64 hex digits, in lower case. Ids of 8 digits collide.
fn read_key_ids(source: &Source<'_>, texts: &[Text<'_>], findings: &mut Findings) -> Vec<String> {
    let mut ids = BTreeSet::new();
    for text in texts {
        let id = text.value.trim_start_matches("0x").to_ascii_lowercase();
        let is_hex = id.bytes().all(|c| c.is_ascii_hexdigit());
        if is_hex && [16, 40, 64].contains(&id.len()) {
            ids.insert(id);
        } else {
            findings.error(
                source,
                &text.span,
                format!("`{}` is not the id of a signing key", text.value),
                "16 hex digits, as `rpm -qa --qf '%{SIGPGP:pgpsig}'` shows them",
            );
        }
    }
    ids.into_iter().collect()
}

impl Manifest {
    /// Whether it has neither rules nor settings; it may have includes and an owner.
    pub fn says_nothing(&self) -> bool {
        self.packages.is_empty() && self.settings.is_empty()
    }

    fn set(&mut self, setting: Setting, value: Value, key: &str, table: &Scope<'_>) {
        let span = table.key_span(key).unwrap_or_else(|| table.span());
        self.settings.insert(setting, (value, table.place(&span)));
    }
}

/// Reports includes of manifests that are not there, and every cycle once, with its chain.
pub(super) fn check_includes(
    manifests: &BTreeMap<String, Manifest>,
    sources: &BTreeMap<&str, &Source<'_>>,
    known: &BTreeSet<&str>,
    findings: &mut Findings,
) {
    for manifest in manifests.values() {
        let Some(source) = sources.get(manifest.name.as_str()) else {
            continue;
        };
        for include in &manifest.includes {
            if !known.contains(include.name.as_str()) {
                let hint = match suggestion(&include.name, known.iter().copied()) {
                    hint if hint.is_empty() => format!("write manifests/{}.toml", include.name),
                    hint => hint,
                };
                findings.error(source, &include.span, format!("there is no manifest `{}`", include.name), hint);
            }
        }
    }
    for chain in cycles(manifests) {
        let first = &manifests[&chain[0]];
        let next = chain.get(1).unwrap_or(&chain[0]);
        let Some(include) = first.includes.iter().find(|include| include.name == *next) else {
            continue;
        };
        if let Some(source) = sources.get(first.name.as_str()) {
            let mut shown = chain.join(" -> ");
            shown.push_str(" -> ");
            shown.push_str(&chain[0]);
            findings.error(
                source,
                &include.span,
                format!("manifests include one another in a circle: {shown}"),
                "remove one of these includes",
            );
        }
    }
}

/// Each cycle that a depth-first walk closes, from its smallest name on.
fn cycles(manifests: &BTreeMap<String, Manifest>) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in manifests.keys() {
        // An explicit stack: a chain of includes may be as long as the number of files.
        let mut path: Vec<(&str, usize)> = vec![(start, 0)];
        let mut on_path: BTreeMap<&str, usize> = BTreeMap::from([(start.as_str(), 0)]);
        while let Some((name, next)) = path.last_mut() {
            let include = manifests.get(*name).and_then(|m| m.includes.get(*next));
            let Some(include) = include.filter(|_| !done.contains(*name)) else {
                done.insert(name);
                on_path.remove(*name);
                path.pop();
                continue;
            };
            *next += 1;
            let target = include.name.as_str();
            if let Some(depth) = on_path.get(target) {
                let cycle: Vec<&str> = path[*depth..].iter().map(|(name, _)| *name).collect();
                let smallest = (0..cycle.len()).min_by_key(|i| cycle[*i]).unwrap_or(0);
                let turned = cycle.iter().cycle().skip(smallest).take(cycle.len());
                found.insert(turned.map(|name| (*name).to_owned()).collect());
            } else if !done.contains(target) && manifests.contains_key(target) {
                on_path.insert(target, path.len());
                path.push((target, 0));
            }
        }
    }
    found
}
