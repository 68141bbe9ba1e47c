use super::{Assessment, Circumstances, Earlier, SpecChange, Version, Versions, assess, changes};
use countersign_manifests_schema::report::DriftItem;
use countersign_shared::drift::{By, Code, Compiled, Drift, Item, Unjudged, drift};
use countersign_shared::evr::Evr;
use countersign_shared::manifest::effective::{Effective, PackageKey, Place, Rule, Ruling};
use countersign_shared::manifest::version::VersionSpec;
use countersign_shared::manifest::waiver::Waiver;
use countersign_shared::nevra::Nevra;
use countersign_shared::observation::{
    Dnf, Failure, History, Kernel, Observation, Os, Package, Packages, Privileges, Reason, Section,
};
use jiff::civil::date;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// 2026-11-20T03:30:00Z.
const NOW: i64 = 1_795_145_400;

pub(crate) fn item(code: Code, package: Option<&str>, arch: Option<&str>, since: Option<i64>) -> Item {
    Item {
        code,
        package: package.map(str::to_owned),
        arch: arch.map(str::to_owned),
        wanted: Some("= 1".to_owned()),
        seen: vec!["2-1".to_owned()],
        since,
        by: since.map(|_| By { user: Some("alice".to_owned()), command: "dnf install a".to_owned() }),
        remediable: true,
        blocked: None,
    }
}

fn waiver(package: Option<&str>, arch: Option<&str>, code: Option<Code>, day: i8) -> Waiver {
    let until = date(2026, 11, day);
    let midnight = until.tomorrow().unwrap().to_zoned(TimeZone::UTC).unwrap();
    Waiver {
        runners: vec!["runner-01".to_owned()],
        groups: Vec::new(),
        package: package.map(|name| PackageKey { name: name.to_owned(), arch: arch.map(str::to_owned) }),
        code,
        seen: None,
        reason: "tenant X".to_owned(),
        owner: format!("owner-{day}"),
        until,
        last_second: midnight.timestamp().as_second() - 1,
        place: Place { file: "waivers/w.toml".to_owned(), line: 3, column: 1 },
    }
}

fn one(item: Item, waivers: &[Waiver], earlier: Option<Earlier<'_>>, change: Option<(&str, i64)>) -> Assessment {
    at(NOW, item, waivers, earlier, change)
}

fn at(
    now: i64,
    item: Item,
    waivers: &[Waiver],
    earlier: Option<Earlier<'_>>,
    change: Option<(&str, i64)>,
) -> Assessment {
    let drift = Drift { items: vec![item], ..Drift::default() };
    let spec = [change.map(|(commit, at)| SpecChange { commit: commit.to_owned(), at })];
    let waivers: Vec<&Waiver> = waivers.iter().collect();
    let circumstances = Circumstances { waivers: &waivers, earlier, observed_at: NOW + 5, spec: &spec, now };
    assess(&drift, &Effective::default(), &circumstances)
}

#[test]
fn a_waiver_covers_by_package_arch_and_code_and_the_item_stays_listed() {
    let ahead = || item(Code::Ahead, Some("a"), Some("x86_64"), Some(1));
    let host = || item(Code::Selinux, None, None, None);
    let missing = || item(Code::Missing, Some("a"), None, None);
    let rows = [
        ("plain name = all arches", ahead(), waiver(Some("a"), None, None, 20), true),
        ("plain name, no arch", missing(), waiver(Some("a"), None, None, 20), true),
        ("that arch", ahead(), waiver(Some("a"), Some("x86_64"), None, 20), true),
        ("another arch", ahead(), waiver(Some("a"), Some("i686"), None, 20), false),
        ("an arch where the item has none", missing(), waiver(Some("a"), Some("i686"), None, 20), false),
        ("another package", ahead(), waiver(Some("ab"), None, None, 20), false),
        ("package and code", ahead(), waiver(Some("a"), None, Some(Code::Ahead), 20), true),
        ("package and another code", ahead(), waiver(Some("a"), None, Some(Code::Behind), 20), false),
        ("a code alone", ahead(), waiver(None, None, Some(Code::Ahead), 20), true),
        ("a code alone, host item", host(), waiver(None, None, Some(Code::Selinux), 20), true),
        ("a package does not cover host items", host(), waiver(Some("a"), None, None, 20), false),
    ];
    for (story, item, waiver, covered) in rows {
        let before = item.remediable;
        let assessment = one(item, &[waiver], None, None);
        let item = &assessment.items[0];
        assert_eq!(item.waived.is_some(), covered, "{story}");
        assert_eq!(item.remediable, before && !covered, "{story}: waived drift is not remediable");
        assert!(assessment.expired.is_empty(), "{story}");
    }
}

#[test]
fn a_waiver_that_says_what_is_seen_covers_exactly_that() {
    let of = |code, package: Option<&str>, wanted: Option<&str>, seen: &[&str]| Item {
        wanted: wanted.map(str::to_owned),
        seen: seen.iter().map(|text| (*text).to_owned()).collect(),
        ..item(code, package, package.map(|_| "x86_64"), None)
    };
    let llvm = |seen: &[&str]| of(Code::Behind, Some("llvm"), Some(">= 19"), seen);
    let disabled = |id: &str| of(Code::RepoDisabled, None, Some(id), &[]);
    let rows: [(&str, Item, &[&str], bool); 12] = [
        ("that", llvm(&["18-1"]), &["18-1"], true),
        ("less", llvm(&["17-1"]), &["18-1"], false),
        ("that and more", llvm(&["17-1", "18-1"]), &["18-1"], false),
        ("a part of it", llvm(&["18-1"]), &["17-1", "18-1"], false),
        ("both, in another order", llvm(&["17-1", "18-1"]), &["17-1", "18-1"], true),
        ("nothing, where something was accepted", of(Code::Missing, Some("a"), Some("*"), &[]), &["18-1"], false),
        ("nothing", of(Code::Missing, Some("a"), Some("*"), &[]), &[], true),
        ("something, where nothing was accepted", llvm(&["18-1"]), &[], false),
        ("a mode", of(Code::Selinux, None, Some("enforcing"), &["permissive"]), &["permissive"], true),
        ("another mode", of(Code::Selinux, None, Some("enforcing"), &["disabled"]), &["permissive"], false),
        ("the repository that is not enabled", disabled("updates"), &["updates"], true),
        ("another one", disabled("fedora"), &["updates"], false),
    ];
    for (story, item, seen, covered) in rows {
        let seen = Some(seen.iter().map(|text| (*text).to_owned()).collect());
        let waiver = Waiver { seen, ..waiver(None, None, Some(item.code), 20) };
        let assessment = one(item, &[waiver], None, None);
        assert_eq!(assessment.items[0].waived.is_some(), covered, "{story}");
        assert!(assessment.expired.is_empty(), "{story}");
    }
}

#[test]
fn a_waiver_is_valid_through_the_last_second_of_its_day_in_utc() {
    let midnight = date(2026, 11, 21).to_zoned(TimeZone::UTC).unwrap().timestamp().as_second();
    for (now, waived) in [(midnight - 86_400, true), (midnight - 1, true), (midnight, false)] {
        let drifted = item(Code::Ahead, Some("a"), Some("x86_64"), Some(1));
        let assessment = at(now, drifted, &[waiver(Some("a"), None, None, 20)], None, None);
        assert_eq!(assessment.items[0].waived.is_some(), waived, "{now}");
        assert_eq!(assessment.expired.len(), usize::from(!waived), "{now}");
    }
}

#[test]
fn an_expired_waiver_is_told_only_while_nothing_else_covers_the_item() {
    let drifted = || item(Code::Ahead, Some("a"), Some("x86_64"), Some(1));
    let old = || waiver(Some("a"), None, None, 10);
    let assessment = one(drifted(), &[old()], None, None);
    assert_eq!(assessment.items[0].waived, None);
    assert!(assessment.items[0].remediable);
    assert_eq!(assessment.expired.len(), 1);
    assert_eq!(assessment.expired[0].place, "waivers/w.toml:3");
    assert_eq!(assessment.expired[0].about, "a");

    let assessment = one(drifted(), &[old(), waiver(Some("a"), None, None, 25)], None, None);
    assert_eq!(assessment.items[0].waived.as_ref().unwrap().owner, "owner-25");
    assert!(assessment.expired.is_empty());

    // Of two that cover it, the one that covers it for longer.
    let both = [waiver(Some("a"), None, None, 28), waiver(None, None, Some(Code::Ahead), 25)];
    let assessment = one(drifted(), &both, None, None);
    assert_eq!(assessment.items[0].waived.as_ref().unwrap().until, "2026-11-28");

    // Expired, and nothing there that it would have covered.
    let other = item(Code::Ahead, Some("b"), Some("x86_64"), Some(1));
    assert!(one(other, &[old()], None, None).expired.is_empty());
}

/// `since`, the command, the commit.
fn origin(assessment: &Assessment) -> (Option<&str>, Option<&str>, Option<&str>) {
    let item = &assessment.items[0];
    (item.since.as_deref(), item.by.as_ref().map(|by| by.command.as_str()), item.spec_changed.as_deref())
}

#[test]
fn since_is_the_later_of_runner_and_canonical_and_names_only_that_one() {
    let drifted = || item(Code::Ahead, Some("a"), Some("x86_64"), Some(NOW - 100));
    let told = one(drifted(), &[], None, None);
    assert_eq!(origin(&told), (Some("2026-11-20T03:28:20Z"), Some("dnf install a"), None));
    let told = one(drifted(), &[], None, Some(("c1", NOW - 200)));
    assert_eq!(origin(&told), (Some("2026-11-20T03:28:20Z"), Some("dnf install a"), None));
    let told = one(drifted(), &[], None, Some(("c1", NOW - 50)));
    assert_eq!(origin(&told), (Some("2026-11-20T03:29:10Z"), None, Some("c1")));
}

/// The item as a run at `since` reported it.
fn reported(item: &Item, since: &str, commit: Option<&str>) -> DriftItem {
    let mut before = one(item.clone(), &[], None, None).items.remove(0);
    before.since = Some(since.to_owned());
    before.spec_changed = commit.map(str::to_owned);
    before
}

#[test]
fn what_the_runner_does_not_date_is_dated_by_its_first_observation() {
    let undated = || item(Code::Missing, Some("a"), None, None);
    let first = "2026-11-20T03:30:05Z";
    // First run ever: canonical is older than the observation.
    let told = one(undated(), &[], None, Some(("c1", NOW - 500)));
    assert_eq!(origin(&told), (Some(first), None, None));
    // Not there at the last observation, and canonical has not changed since.
    let nothing = Earlier { items: &[], canonical_at: NOW - 500 };
    let told = one(undated(), &[], Some(nothing), Some(("c1", NOW - 500)));
    assert_eq!(origin(&told), (Some(first), None, None));
    // Not there at the last observation, because canonical did not ask for it then.
    let told = one(undated(), &[], Some(nothing), Some(("c2", NOW - 400)));
    assert_eq!(origin(&told), (Some("2026-11-20T03:23:20Z"), None, Some("c2")));
    // There at the last observation: what was said then stands.
    let before = [reported(&undated(), "2026-11-18T03:30:00Z", None)];
    let earlier = Earlier { items: &before, canonical_at: NOW - 500 };
    let told = one(undated(), &[], Some(earlier), Some(("c1", 5)));
    assert_eq!(origin(&told), (Some("2026-11-18T03:30:00Z"), None, None));
    // The rule for it was written otherwise then: a new item, and as old as it was.
    let item = Item { wanted: Some(">= 1".to_owned()), ..undated() };
    let told = one(item, &[], Some(earlier), None);
    assert_eq!(origin(&told), (Some("2026-11-18T03:30:00Z"), None, None));
    assert!(told.items[0].new);
    let before = [reported(&undated(), "2026-11-18T03:30:00Z", Some("c1"))];
    let earlier = Earlier { items: &before, canonical_at: NOW - 500 };
    let told = one(undated(), &[], Some(earlier), None);
    assert_eq!(origin(&told), (Some("2026-11-18T03:30:00Z"), None, Some("c1")));
}

#[test]
fn one_missing_repository_is_not_dated_by_another() {
    let repo =
        |id: &str| Item { wanted: Some(id.to_owned()), seen: Vec::new(), ..item(Code::RepoDisabled, None, None, None) };
    let before = [reported(&repo("fedora"), "2026-11-18T03:30:00Z", None)];
    let earlier = || Some(Earlier { items: &before, canonical_at: NOW - 500 });
    assert_eq!(origin(&one(repo("fedora"), &[], earlier(), None)).0, Some("2026-11-18T03:30:00Z"));
    assert_eq!(origin(&one(repo("updates"), &[], earlier(), None)).0, Some("2026-11-20T03:30:05Z"));
}

#[test]
fn an_item_is_new_unless_the_last_observation_had_the_very_same() {
    let drifted = || item(Code::Ahead, Some("a"), Some("x86_64"), Some(1));
    let before = [reported(&drifted(), "2026-11-18T03:30:00Z", None)];
    let earlier = || Some(Earlier { items: &before, canonical_at: 1 });
    assert!(one(drifted(), &[], None, None).items[0].new, "never observed before");
    assert!(!one(drifted(), &[], earlier(), None).items[0].new);
    let further = [
        ("seen", Item { seen: vec!["3-1".to_owned()], ..drifted() }),
        ("wanted", Item { wanted: Some("= 1.1".to_owned()), ..drifted() }),
        ("code", Item { code: Code::Behind, ..drifted() }),
        ("arch", Item { arch: Some("i686".to_owned()), ..drifted() }),
    ];
    for (what, item) in further {
        assert!(one(item, &[], earlier(), None).items[0].new, "another {what}");
    }
    // Neither time nor author make it another one.
    let later = Item { since: Some(2), by: None, ..drifted() };
    assert!(!one(later, &[], earlier(), None).items[0].new);
}

#[test]
fn what_was_not_judged_is_said_with_its_codes() {
    let drift = Drift {
        unjudged: vec![Unjudged {
            section: "history",
            codes: &[Code::OutOfBand, Code::Interrupted],
            why: Failure::new("history-unreadable", "no -wal file"),
        }],
        ..Drift::default()
    };
    let mut effective = Effective::default();
    effective.host.modules = vec!["nodejs:22".to_owned()];
    let circumstances = Circumstances { waivers: &[], earlier: None, observed_at: NOW, spec: &[], now: NOW };
    let told = assess(&drift, &effective, &circumstances).unjudged;
    assert_eq!(told[0].code, "history-unreadable");
    assert_eq!(told[0].message, "history was not read (no -wal file): not judged: out-of-band, interrupted");
    assert_eq!(told[1].code, "modules");
}

pub(crate) fn manifest(rules: &[(&str, &str)]) -> Arc<Compiled> {
    let mut effective = Effective::default();
    for (name, spec) in rules {
        let key = PackageKey { name: (*name).to_owned(), arch: None };
        let rule = Rule::Present(VersionSpec::parse(spec).unwrap());
        effective.packages.insert(key, Ruling { rule, from: Vec::new(), reason: None, place: Place::default() });
    }
    Arc::new(Compiled::new(Arc::new(effective)).unwrap())
}

/// `a-2-1.x86_64` and nothing else, seen completely.
pub(crate) fn observation(install_time: i64) -> Observation<'static> {
    let package = Package {
        nevra: Nevra::new("a", Evr::new(0, "2", "1").unwrap(), "x86_64").unwrap(),
        install_time,
        db_instance: 1,
        header_sha256: "",
        vendor: "",
        key: "",
        reason: Reason::Dependency,
        from_repo: "",
        install_only: false,
    };
    Observation {
        at: NOW,
        os: Section::Seen(Os { id: "fedora", version_id: "41", arch: "x86_64" }),
        kernel: Section::Seen(Kernel { release: "6.11.4-301.fc41.x86_64", booted: 0 }),
        selinux: Section::Seen("enforcing"),
        packages: Section::Seen(Packages { list: vec![package], rpmdb_digest: "aa".repeat(32) }),
        needed: Section::Seen(Vec::new()),
        repos: Section::Seen(Vec::new()),
        versionlocks: Section::Seen(Vec::new()),
        dnf: Section::Seen(Dnf { generation: 5, version: "5.4.6" }),
        history: Section::Seen(History::default()),
        locks: Section::Seen(Vec::new()),
        reboot: Section::Seen(false),
        privileges: Section::Seen(Privileges { uid: 1, sudo: false, rpmdb_writable: false, groups: "", forced: true }),
        metadata: Section::Seen(None),
        avc: Section::Seen(0),
        config: Section::Seen("00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa"),
        modules: Section::Seen(Vec::new()),
    }
}

#[test]
fn the_commit_that_made_it_drift_is_the_one_since_which_every_version_has_it() {
    let version = |commit: &str, at: i64, rules: Option<&[(&str, &str)]>| Version {
        change: SpecChange { commit: commit.to_owned(), at },
        manifest: rules.map(manifest),
    };
    // `a-2-1` came at 100.
    let fits: &[(&str, &str)] = &[("a", "= 2")];
    let drifts: &[(&str, &str)] = &[("a", "= 1")];
    let drifts_otherwise: &[(&str, &str)] = &[("a", "= 0.5")];
    let rows: [(&str, Vec<Version>, bool, Option<&str>); 8] = [
        ("the rule was there before the package came", vec![version("c1", 50, Some(drifts))], true, None),
        (
            "the newest commit changed the rule",
            vec![version("c2", 200, Some(drifts)), version("c1", 50, Some(fits))],
            true,
            Some("c2"),
        ),
        (
            "the newest commit changed the rule, and it was drift before",
            vec![
                version("c3", 300, Some(drifts_otherwise)),
                version("c2", 200, Some(drifts)),
                version("c1", 50, Some(fits)),
            ],
            true,
            Some("c2"),
        ),
        (
            "other commits came later, and it was drift when the package came",
            vec![version("c2", 200, Some(drifts_otherwise)), version("c1", 50, Some(drifts))],
            true,
            None,
        ),
        (
            "it drifted, was adopted, and the adoption was taken back",
            vec![version("c3", 300, Some(drifts)), version("c2", 200, Some(fits)), version("c1", 50, Some(drifts))],
            true,
            Some("c3"),
        ),
        ("canonical began with it", vec![version("c1", 200, Some(drifts))], true, Some("c1")),
        ("canonical was not looked at from its beginning", vec![version("c1", 200, Some(drifts))], false, None),
        (
            "the runner was not in canonical before",
            vec![version("c2", 200, Some(drifts)), version("c1", 150, None)],
            true,
            Some("c2"),
        ),
    ];
    for (story, list, complete, expected) in rows {
        let seen = observation(100);
        let items = drift(list[0].manifest.as_ref().unwrap(), &seen).unwrap().items;
        assert_eq!(items.len(), 1, "{story}");
        let found = changes(&items, &seen, &Versions { list, complete }, NOW);
        assert_eq!(found[0].as_ref().map(|change| change.commit.as_str()), expected, "{story}");
    }
}

#[test]
fn what_the_runner_does_not_date_was_so_when_it_was_last_judged() {
    // `b` is not there, and dnf never knew it.
    let version = |commit: &str, at: i64, rules: &[(&str, &str)]| Version {
        change: SpecChange { commit: commit.to_owned(), at },
        manifest: Some(manifest(rules)),
    };
    // Last judged by the commit of this time; whether canonical was read to its beginning does not matter then.
    for (judged_by, expected) in [(100, Some("c2")), (199, Some("c2")), (200, None), (250, None)] {
        let list = vec![version("c2", 200, &[("b", "*")]), version("c1", 50, &[])];
        let seen = observation(100);
        let items = drift(list[0].manifest.as_ref().unwrap(), &seen).unwrap().items;
        assert_eq!((items.len(), items[0].since), (1, None));
        let found = changes(&items, &seen, &Versions { list, complete: false }, judged_by);
        assert_eq!(found[0].as_ref().map(|change| change.commit.as_str()), expected, "{judged_by}");
    }
}

#[test]
fn other_drift_of_the_same_package_or_host_is_not_the_same_drift() {
    let with = |change: &dyn Fn(&mut Effective)| {
        let mut effective = Effective::default();
        change(&mut effective);
        Arc::new(Compiled::new(Arc::new(effective)).unwrap())
    };
    let rule = |effective: &mut Effective, spec: &str, from: &str| {
        let key = PackageKey { name: "a".to_owned(), arch: None };
        let rule = Rule::Present(VersionSpec::parse(spec).unwrap());
        let from = vec![from.to_owned()];
        effective.packages.insert(key, Ruling { rule, from, reason: None, place: Place::default() });
    };
    let repos = |effective: &mut Effective, id: &str| effective.host.repositories = vec![id.to_owned()];
    // Now, before, and whether the commit of now made it drift.
    let rows = [
        ("another repository", with(&|e| repos(e, "x")), with(&|e| repos(e, "y")), true),
        ("the same repository", with(&|e| repos(e, "x")), with(&|e| repos(e, "x")), false),
        ("version, origin before", with(&|e| rule(e, "= 1", "fedora")), with(&|e| rule(e, "= 2", "updates")), true),
        ("origin, version before", with(&|e| rule(e, "= 2", "updates")), with(&|e| rule(e, "= 1", "fedora")), true),
        (
            "version, another version before",
            with(&|e| rule(e, "= 1", "fedora")),
            with(&|e| rule(e, "= 3", "fedora")),
            false,
        ),
    ];
    for (story, now, before, expected) in rows {
        let mut seen = observation(100);
        if let Section::Seen(packages) = &mut seen.packages {
            packages.list[0].from_repo = "fedora";
        }
        let items = drift(&now, &seen).unwrap().items;
        assert_eq!(items.len(), 1, "{story}");
        let version = |commit: &str, at, manifest| Version {
            change: SpecChange { commit: commit.to_owned(), at },
            manifest: Some(manifest),
        };
        let list = vec![version("c2", 200, now), version("c1", 50, before)];
        let found = changes(&items, &seen, &Versions { list, complete: true }, 100);
        assert_eq!(found[0].is_some(), expected, "{story}");
    }
}
