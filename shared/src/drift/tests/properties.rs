use super::story::{judge, lines, package_key, ruling, runner};
use crate::drift::{Code, Drift};
use crate::manifest::effective::{Disposal, Effective, Rule};
use crate::manifest::version::VersionSpec;
use crate::observation::{Observation, Package, Reason, Section};
use proptest::prelude::*;
use std::collections::BTreeSet;

const NAMES: [&str; 5] = ["a", "a-b", "gcc-c", "gcc-c++", "kernel-core"];
const VERSIONS: [&str; 4] = ["1", "1.0", "1.10", "2~rc1"];
const ARCHES: [&str; 3] = ["x86_64", "i686", "noarch"];
const RULES: [&str; 9] = ["*", "= 1", "= 1.0-1", "> 1", "< 2", ">= 1, < 1.5", "absent", "absent < 1.5", "allowed"];

fn instance() -> impl Strategy<Value = Package<'static>> {
    (0..NAMES.len(), 0..VERSIONS.len(), 1..3_u32, 0..ARCHES.len(), 0..7_usize, 0..2_i64).prop_map(
        |(name, version, epoch, arch, reason, late)| {
            let mut package = super::story::package("x-1-1.x86_64");
            package.nevra.name = NAMES[name];
            package.nevra.evr = super::story::evr(VERSIONS[version], "1");
            package.nevra.evr.epoch = epoch - 1;
            package.nevra.arch = ARCHES[arch];
            package.install_only = NAMES[name] == "kernel-core";
            package.install_time = 100 + 100 * late;
            package.reason = [
                Reason::User,
                Reason::Group,
                Reason::Dependency,
                Reason::WeakDependency,
                Reason::Clean,
                Reason::External,
                Reason::Unknown,
            ][reason];
            package
        },
    )
}

fn disposal() -> impl Strategy<Value = Disposal> {
    prop_oneof![Just(Disposal::Remove), Just(Disposal::Report), Just(Disposal::Ignore)]
}

fn manifest() -> impl Strategy<Value = Effective> {
    let rule = (0..NAMES.len(), 0..ARCHES.len() + 1, 0..RULES.len());
    (proptest::collection::vec(rule, 0..8), disposal(), disposal(), any::<bool>()).prop_map(
        |(rules, user_installed, external, same_as)| {
            let mut effective = Effective::default();
            for (name, arch, rule) in rules {
                let key = match ARCHES.get(arch) {
                    Some(arch) => format!("{}.{arch}", NAMES[name]),
                    None => NAMES[name].to_owned(),
                };
                effective.packages.insert(package_key(&key), ruling(RULES[rule]));
            }
            if same_as {
                effective.packages.insert(package_key("kernel-core"), ruling("running-kernel"));
            }
            effective.unlisted.user_installed = user_installed;
            effective.unlisted.external = external;
            effective
        },
    )
}

fn with_list(list: Vec<Package<'static>>, broken: bool) -> Observation<'static> {
    let mut observation = runner(&["zz-1-1.x86_64"]);
    if let Section::Seen(packages) = &mut observation.packages {
        packages.list.extend(list);
        packages.list.sort_by(|a, b| a.nevra.cmp(&b.nevra));
        packages.list.dedup_by(|a, b| a.nevra == b.nevra);
        if broken {
            packages.rpmdb_digest = "ff".repeat(32);
        }
    }
    observation
}

fn one_package_code_per_name_and_arch(drift: &Drift) -> bool {
    let mut seen = BTreeSet::new();
    drift
        .items
        .iter()
        .filter(|item| item.code.is_package_code())
        .all(|item| seen.insert((item.package.clone(), item.arch.clone())))
}

proptest! {
    #[test]
    fn items_are_sorted_unique_and_one_package_code_per_name_and_arch(
        effective in manifest(),
        list in proptest::collection::vec(instance(), 0..12),
        broken in any::<bool>(),
    ) {
        let drift = judge(effective, &with_list(list, broken));
        let keys: Vec<_> = drift
            .items
            .iter()
            .map(|i| (i.package.clone(), i.arch.clone(), i.code.as_str()))
            .collect();
        prop_assert!(keys.is_sorted_by(|a, b| a < b), "{:?}", lines(&drift));
        prop_assert!(one_package_code_per_name_and_arch(&drift), "{:?}", lines(&drift));
        let names: BTreeSet<_> = drift
            .items
            .iter()
            .filter(|i| i.code == Code::WrongArch)
            .map(|i| i.package.clone())
            .collect();
        prop_assert!(
            !drift.items.iter().any(|i| i.code == Code::Missing
                && i.arch.is_none()
                && names.contains(&i.package)),
            "{:?}", lines(&drift)
        );
    }

    #[test]
    fn the_order_of_the_observation_does_not_matter(
        effective in manifest(),
        list in proptest::collection::vec(instance(), 0..12),
        broken in any::<bool>(),
        turn in 0..13_usize,
    ) {
        let observation = with_list(list, broken);
        let mut turned = observation.clone();
        if let Section::Seen(packages) = &mut turned.packages {
            let by = turn % packages.list.len();
            packages.list.rotate_left(by);
            packages.list.reverse();
        }
        prop_assert_eq!(judge(effective.clone(), &observation), judge(effective, &turned));
    }

    #[test]
    fn an_unrelated_dependency_changes_nothing(
        effective in manifest(),
        list in proptest::collection::vec(instance(), 0..12),
        broken in any::<bool>(),
        name in "[m-z][a-z]{2,8}",
    ) {
        let observation = with_list(list, broken);
        let mut more = observation.clone();
        let name: &'static str = Box::leak(name.into_boxed_str());
        if let Section::Seen(packages) = &mut more.packages {
            let mut package = super::story::package("x-1-1.x86_64");
            package.nevra.name = name;
            packages.list.push(package);
            packages.list.sort_by(|a, b| a.nevra.cmp(&b.nevra));
        }
        let (mut before, mut after) =
            (judge(effective.clone(), &observation), judge(effective, &more));
        // One more package with a known reason can only tip this balance.
        if before.reasons_unknown != after.reasons_unknown {
            for drift in [&mut before, &mut after] {
                drift.reasons_unknown = false;
                drift.items.iter_mut().for_each(|item| item.blocked = None);
            }
        }
        prop_assert_eq!(before, after);
    }

    #[test]
    fn a_runner_that_satisfies_its_manifest_has_no_drift(
        list in proptest::collection::vec(instance(), 0..12),
        exact in any::<bool>(),
    ) {
        let mut observation = with_list(list, false);
        let mut effective = Effective::default();
        if let Section::Seen(packages) = &mut observation.packages {
            packages
                .list
                .dedup_by(|a, b| a.nevra.name == b.nevra.name && a.nevra.arch == b.nevra.arch);
            let mut kept = BTreeSet::new();
            packages.list.retain(|p| kept.insert((p.nevra.name, p.nevra.arch)));
            for package in &packages.list {
                let key = package_key(&format!("{}.{}", package.nevra.name, package.nevra.arch));
                let mut ruling = ruling("*");
                if exact {
                    ruling.rule = Rule::Present(VersionSpec::exactly(&package.nevra.evr));
                }
                effective.packages.insert(key, ruling);
            }
        }
        let drift = judge(effective, &observation);
        prop_assert_eq!(lines(&drift), Vec::<String>::new());
    }

    #[test]
    fn a_runner_as_its_lock_says_has_no_drift_and_one_package_less_is_missing(
        list in proptest::collection::vec(instance(), 0..12),
        lost in 0..13_usize,
    ) {
        let mut observation = with_list(list, false);
        let mut lock: Vec<String> = Vec::new();
        if let Section::Seen(packages) = &mut observation.packages {
            let mut kept = BTreeSet::new();
            packages
                .list
                .retain(|p| p.install_only || kept.insert((p.nevra.name, p.nevra.arch)));
            lock.extend(packages.list.iter().map(|p| p.nevra.to_string()));
        }
        let lock: Vec<&str> = lock.iter().map(String::as_str).collect();
        let drift = judge(super::story::closed(&lock), &observation);
        prop_assert_eq!(lines(&drift), Vec::<String>::new());

        let mut less = observation.clone();
        if let Section::Seen(packages) = &mut less.packages
            && packages.list.len() > 1
        {
            let lost = packages.list.remove(lost % packages.list.len());
            let drift = judge(super::story::closed(&lock), &less);
            prop_assert_eq!(drift.items.len(), 1, "{:?}", lines(&drift));
            prop_assert_eq!(drift.items[0].code, Code::Missing);
            prop_assert_eq!(drift.items[0].package.as_deref(), Some(lost.nevra.name));
        }
    }
}
