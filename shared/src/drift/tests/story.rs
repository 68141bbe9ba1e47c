//! A runner and its manifest in a few lines, and drift as lines of text.

use crate::drift::{Compiled, Drift, Item, drift, drift_since};
use crate::evr::Evr;
use crate::manifest::effective::{Effective, Lock, PackageKey, Place, Rule, Ruling};
use crate::manifest::version::VersionSpec;
use crate::nevra::{Nevra, is_known_arch};
use crate::observation::{
    Dnf, Failure, History, HistoryChange, HistoryEntry, Kernel, Observation, Os, Package, Packages, Privileges, Reason,
    Section,
};
use std::sync::Arc;

/// dnf's digest of the set in every story, unless it tells otherwise.
pub(crate) const DIGEST: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
/// The time of every observation.
pub(crate) const NOW: i64 = 1_000_000;

/// A manifest of `key = rule` lines; `running-kernel` is `same-as`.
pub(crate) fn manifest(rules: &[(&str, &str)]) -> Effective {
    let mut effective = Effective::default();
    for (key, text) in rules {
        effective.packages.insert(package_key(key), ruling(text));
    }
    effective
}

pub(crate) fn package_key(key: &str) -> PackageKey {
    match key.rsplit_once('.') {
        Some((name, arch)) if is_known_arch(arch) => PackageKey { name: name.to_owned(), arch: Some(arch.to_owned()) },
        _ => PackageKey { name: key.to_owned(), arch: None },
    }
}

pub(crate) fn ruling(text: &str) -> Ruling {
    let rule = match text {
        "absent" => Rule::Absent(None),
        "allowed" => Rule::Allowed,
        "running-kernel" => Rule::SameAsRunningKernel,
        _ => match text.strip_prefix("absent ") {
            Some(spec) => Rule::Absent(Some(VersionSpec::parse(spec).unwrap())),
            None => Rule::Present(VersionSpec::parse(text).unwrap()),
        },
    };
    Ruling { rule, from: Vec::new(), reason: None, place: Place::default() }
}

pub(crate) fn closed(lines: &[&str]) -> Effective {
    Effective {
        lock: Some(Lock {
            file: "locks/x.toml".to_owned(),
            arch: "x86_64".to_owned(),
            releasever: "41".to_owned(),
            packages: lines.iter().map(|line| (*line).to_owned()).collect(),
        }),
        ..Effective::default()
    }
}

/// One instance: a NEVRA, then words `user`, `group`, `dep`, `weak`, `clean`, `ext`, `unknown`, `install-only`, `@TIME`,
/// `from=`, `vendor=`, `key=`. Without words it is a dependency, installed by dnf long ago.
pub(crate) fn package(line: &'static str) -> Package<'static> {
    let mut words = line.split_whitespace();
    let nevra = Nevra::parse(words.next().unwrap()).unwrap();
    let mut package = Package {
        nevra,
        install_time: 100,
        db_instance: 1,
        header_sha256: "",
        vendor: "",
        key: "",
        reason: Reason::Dependency,
        from_repo: "",
        install_only: false,
    };
    for word in words {
        match word {
            "user" => package.reason = Reason::User,
            "group" => package.reason = Reason::Group,
            "dep" => package.reason = Reason::Dependency,
            "weak" => package.reason = Reason::WeakDependency,
            "clean" => package.reason = Reason::Clean,
            "ext" => package.reason = Reason::External,
            "unknown" => package.reason = Reason::Unknown,
            "install-only" => package.install_only = true,
            _ => {
                if let Some(time) = word.strip_prefix('@') {
                    package.install_time = time.parse().unwrap();
                } else if let Some(repo) = word.strip_prefix("from=") {
                    package.from_repo = repo;
                } else if let Some(vendor) = word.strip_prefix("vendor=") {
                    package.vendor = vendor;
                } else {
                    package.key = word.strip_prefix("key=").unwrap();
                }
            }
        }
    }
    package
}

/// A runner with these instances, seen completely, as dnf left it.
pub(crate) fn runner(lines: &[&'static str]) -> Observation<'static> {
    let mut list: Vec<Package<'static>> = lines.iter().map(|line| package(line)).collect();
    list.sort_by(|a, b| a.nevra.cmp(&b.nevra));
    Observation {
        at: NOW,
        os: Section::Seen(Os { id: "fedora", version_id: "41", arch: "x86_64" }),
        kernel: Section::Seen(Kernel { release: "6.11.4-301.fc41.x86_64", booted: 50 }),
        selinux: Section::Seen("enforcing"),
        packages: Section::Seen(Packages { list, rpmdb_digest: DIGEST.to_owned() }),
        needed: Section::Seen(Vec::new()),
        repos: Section::Seen(Vec::new()),
        versionlocks: Section::Seen(Vec::new()),
        dnf: Section::Seen(Dnf { generation: 5, version: "5.4.6" }),
        history: Section::Seen(History { entries: vec![entry(1, (90, 110), DIGEST, &[])], ..History::default() }),
        locks: Section::Seen(Vec::new()),
        reboot: Section::Seen(false),
        privileges: Section::Seen(Privileges {
            uid: 990,
            sudo: false,
            rpmdb_writable: false,
            groups: "",
            forced: true,
        }),
        metadata: Section::Seen(None),
        avc: Section::Seen(0),
        config: Section::Seen("00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa"),
        modules: Section::Seen(Vec::new()),
    }
}

/// A transaction of `alice`; changes are `+NEVRA` or `-NEVRA`. An end of 0 was killed.
pub(crate) fn entry(
    id: u64,
    (begin, end): (i64, i64),
    rpmdb_end: &'static str,
    changes: &[&str],
) -> HistoryEntry<'static> {
    HistoryEntry {
        id,
        begin,
        end,
        completed: end != 0,
        user: Some("alice".to_owned()),
        command: format!("dnf {id}").into(),
        rpmdb_end: rpmdb_end.into(),
        changes: changes
            .iter()
            .map(|change| HistoryChange { nevra: change[1..].to_owned(), incoming: change.starts_with('+') })
            .collect(),
    }
}

pub(crate) fn history(entries: Vec<HistoryEntry<'static>>) -> Section<History<'static>> {
    Section::Seen(History { entries, ..History::default() })
}

pub(crate) fn failed<T>(code: &str) -> Section<T> {
    Section::Failed(Failure::new(code, "as told"))
}

pub(crate) fn judge(effective: Effective, observation: &Observation<'_>) -> Drift {
    let compiled = Compiled::new(Arc::new(effective)).unwrap();
    drift(&compiled, observation).unwrap()
}

pub(crate) fn judge_since(effective: Effective, observation: &Observation<'_>, earlier: &Observation<'_>) -> Drift {
    let compiled = Compiled::new(Arc::new(effective)).unwrap();
    drift_since(&compiled, observation, Some(earlier)).unwrap()
}

/// `code name.arch (wanted) [seen, seen]`, then `!` when nothing is remediable and `blocked:CODE`. A null arch is `-`,
/// a host item has no name.
pub(crate) fn line(item: &Item) -> String {
    let mut text = item.code.to_string();
    if let Some(package) = &item.package {
        text += &format!(" {package}.{}", item.arch.as_deref().unwrap_or("-"));
    }
    if let Some(wanted) = &item.wanted {
        text += &format!(" ({wanted})");
    }
    text += &format!(" [{}]", item.seen.join(", "));
    if !item.remediable {
        text += " !";
    }
    if let Some(blocked) = &item.blocked {
        text += &format!(" blocked:{}", blocked.code);
    }
    text
}

pub(crate) fn lines(drift: &Drift) -> Vec<String> {
    drift.items.iter().map(line).collect()
}

/// One row of a table: what is told, rules, instances, drift.
pub(crate) type Row =
    (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str], &'static [&'static str]);

/// Judges every row; all that differ are shown.
pub(crate) fn check(rows: &[Row]) {
    let mut wrong = Vec::new();
    for (story, rules, instances, expected) in rows {
        let is = lines(&judge(manifest(rules), &runner(instances)));
        if is != *expected {
            wrong.push(format!("{story}\n  expected {expected:?}\n  is       {is:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `since` and `by` of the only item.
pub(crate) fn origin(drift: &Drift) -> (Option<i64>, Option<String>) {
    assert_eq!(drift.items.len(), 1, "{:?}", lines(drift));
    let item = &drift.items[0];
    (item.since, item.by.as_ref().map(|by| by.command.clone()))
}

/// Epoch 0.
pub(crate) fn evr<'a>(version: &'a str, release: &'a str) -> Evr<'a> {
    Evr::new(0, version, release).unwrap()
}
