//! A canonical repository in good order: what is made of it.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod example;

use countersign_manifests_schema::{fleet, manifest, policy, waiver};
use countersign_shared::manifest::Canonical;
use countersign_shared::manifest::effective::{Disposal, PackageKey};
use countersign_shared::manifest::policy::Policy;
use example::{KEY, OTHER_KEY, example};
use std::collections::BTreeMap;
use std::sync::Arc;

fn key(text: &str) -> PackageKey {
    let (name, arch) = match text.split_once('.') {
        Some((name, arch)) => (name, Some(arch.to_owned())),
        None => (text, None),
    };
    PackageKey { name: name.to_owned(), arch }
}

fn rule(canonical: &Canonical, runner: &str, package: &str) -> String {
    let runner = canonical.fleet.runner(runner).unwrap();
    let effective = canonical.effective(runner);
    let ruling = effective.packages.get(&key(package));
    ruling.map_or("none".to_owned(), |ruling| ruling.rule.to_string())
}

#[test]
fn the_documented_example_loads_without_a_word() {
    let canonical = Canonical::load(&example()).unwrap();
    assert_eq!(canonical.warnings(), []);
    let runners = &canonical.fleet.runners;
    assert_eq!(runners.len(), 2);
    assert_eq!((runners[0].port, runners[0].user.as_str()), (22, "countersign-observer"));
    assert_eq!((runners[1].port, runners[1].user.as_str()), (2222, "watch"));
    assert_eq!(runners[1].actuator_user, "countersign-actuator");
    let keys: Vec<String> = runners[0].host_keys.iter().map(ToString::to_string).collect();
    assert_eq!(keys, [KEY.to_owned(), format!("@cert-authority {OTHER_KEY}")]);
    assert_eq!(canonical.policy.settle, 3);
    assert_eq!(canonical.policy.max_open, 20);
    assert_eq!(canonical.approvers.as_ref().unwrap().entries[0].principal, "ada@example.org");

    let effective = canonical.effective(&runners[0]);
    assert!(Arc::ptr_eq(&effective, &canonical.effective(&runners[1])), "equal inputs share one");
    for (package, expected) in [
        ("htop", "*"),
        ("bash", "*"),
        ("llvm", "= 19.1.0-1.fc41"),
        ("glibc", ">= 2.40, < 2.41"),
        ("glibc.i686", "absent"),
        ("kernel-devel", "same-as running-kernel"),
        ("gcc-toolset-13", "absent"),
        ("strace", "allowed"),
        ("python3", "none"),
    ] {
        assert_eq!(rule(&canonical, "runner-01", package), expected, "{package}");
    }
    assert_eq!(effective.packages[&key("nodejs")].from, ["updates"]);
    assert_eq!(effective.unlisted.dependencies, Disposal::Ignore, "the includer wins");
    assert_eq!(effective.host.selinux.as_deref(), Some("enforcing"));
    assert_eq!(effective.host.repositories, ["fedora", "updates"]);
    let place = &effective.packages[&key("llvm")].place;
    assert_eq!((place.file.as_str(), place.line, place.column), ("manifests/builder.toml", 7, 1));
}

#[test]
fn waivers_reach_runners_by_name_and_by_group() {
    let canonical = Canonical::load(&example()).unwrap();
    let of = |name: &str| canonical.waivers_for(canonical.fleet.runner(name).unwrap());
    assert_eq!(of("runner-01").len(), 1);
    assert_eq!(of("runner-02").len(), 2);
    let waiver = of("runner-02")[0];
    // 2026-12-31T23:59:59Z
    assert_eq!(waiver.last_second, 1_798_761_599);
    assert!(waiver.is_valid_at(1_798_761_599));
    assert!(!waiver.is_valid_at(1_798_761_600));
}

#[test]
fn why_names_the_way_on_which_a_rule_came() {
    let canonical = Canonical::load(&example()).unwrap();
    let runner = canonical.fleet.runner("runner-01").unwrap();
    let why = canonical.why(runner, &key("llvm"));
    assert_eq!(why.in_force.len(), 1);
    assert_eq!(why.in_force[0].chain, ["group builders", "builder"]);
    assert_eq!(why.overridden.len(), 1);
    assert_eq!(why.overridden[0].chain, ["group builders", "builder", "base"]);
    assert_eq!(why.overridden[0].ruling.place.line, 4);
}

#[test]
fn the_digest_knows_what_is_demanded_and_not_where() {
    let canonical = Canonical::load(&example()).unwrap();
    let digest = |files: &BTreeMap<String, Vec<u8>>| {
        let canonical = Canonical::load(files).unwrap();
        canonical.effective(&canonical.fleet.runners[0]).digest()
    };
    let before = canonical.effective(&canonical.fleet.runners[0]).digest();
    assert_eq!(before.len(), 64);

    let mut moved = example();
    let builder = String::from_utf8(moved["manifests/builder.toml"].clone()).unwrap();
    moved.insert(
        "manifests/builder.toml".to_owned(),
        builder
            .replace("htop              = \"*\"\n", "# a comment\n")
            .replace(">= 2.40, < 2.41", "<2.41,>=2.40")
            .into_bytes(),
    );
    moved.insert(
        "manifests/base.toml".to_owned(),
        b"schema = \"countersign/manifest/1\"\n[packages]\nhtop = '*'\nbash = \"*\"\n".to_vec(),
    );
    assert_eq!(digest(&moved), before);

    let mut changed = example();
    changed.insert("manifests/builder.toml".to_owned(), builder.replace("19.1.0-1", "19.1.0-2").into_bytes());
    assert_ne!(digest(&changed), before);
    let json = canonical.effective(&canonical.fleet.runners[0]).canonical_json();
    assert!(json.ends_with("}\n") && !json.contains(": ") && json.starts_with("{\"host\":{\"keys\":"), "{json}");
}

#[test]
fn the_policy_in_force_is_shown_with_every_default_and_reads_back() {
    let canonical = Canonical::load(&example()).unwrap();
    let shown = canonical.policy.to_toml();
    let mut files = example();
    files.insert("policy.toml".to_owned(), shown.clone().into_bytes());
    let again = Canonical::load(&files).unwrap();
    assert_eq!(again.policy, canonical.policy);
    insta::assert_snapshot!(Policy::default().to_toml());
    files.insert("policy.toml".to_owned(), Policy::default().to_toml().into_bytes());
    assert_eq!(Canonical::load(&files).unwrap().policy, Policy::default());
}

#[test]
fn what_loads_also_fits_the_types_of_the_schemas() {
    fn read<T: serde::de::DeserializeOwned>(text: &str) {
        let typed: Result<T, _> = toml::from_str(text);
        assert!(typed.is_ok(), "{:?}", typed.err());
    }
    for (path, bytes) in example() {
        let text = String::from_utf8(bytes).unwrap();
        match path.split(['/', '.']).next().unwrap() {
            "fleet" => read::<fleet::FleetFile>(&text),
            "manifests" => read::<manifest::ManifestFile>(&text),
            "policy" => read::<policy::PolicyFile>(&text),
            // TOML's own date is taken too; the schema knows the string.
            "waivers" => read::<waiver::WaiverFile>(&text.replace("until = 2026-11-30", "until = \"2026-11-30\"")),
            other => assert!(["approvers", "README"].contains(&other), "{path}"),
        }
    }
}
