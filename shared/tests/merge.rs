//! Which rule wins when manifests are merged.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use countersign_shared::manifest::Canonical;
use countersign_shared::manifest::effective::PackageKey;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A fleet of one runner in these groups, each of which has one manifest of its own name.
fn repository(groups: &[&str], own: &[&str], manifests: &[(&str, &[&str], &str)]) -> BTreeMap<String, Vec<u8>> {
    let mut fleet = String::from("schema = \"countersign/fleet/1\"\n[runners.r]\naddress = \"h\"\n");
    writeln!(fleet, "groups = {groups:?}\nmanifests = {own:?}").unwrap();
    for group in groups {
        writeln!(fleet, "[groups.{group}]\nmanifests = [\"{group}\"]").unwrap();
    }
    let mut files = BTreeMap::from([("fleet.toml".to_owned(), fleet.into_bytes())]);
    for (name, includes, body) in manifests {
        let text = format!("schema = \"countersign/manifest/1\"\ninclude = {includes:?}\n{body}\n");
        files.insert(format!("manifests/{name}.toml"), text.into_bytes());
    }
    files
}

fn errors(files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let list = Canonical::load(files).unwrap_err();
    list.iter().filter(|d| d.line > 0).map(|d| format!("{} {}", d.at(), d.message)).collect()
}

/// The rule for `p`.
fn rule(files: &BTreeMap<String, Vec<u8>>) -> String {
    let canonical = Canonical::load(files).unwrap_or_else(|list| panic!("{}", list[0]));
    let effective = canonical.effective(&canonical.fleet.runners[0]);
    let key = PackageKey { name: "p".to_owned(), arch: None };
    effective.packages.get(&key).map_or("none".to_owned(), |ruling| ruling.rule.to_string())
}

const ONE: &str = "[packages]\np = \"= 1\"";
const TWO: &str = "[packages]\np = \"= 2\"";
const THREE: &str = "[packages]\np = \"= 3\"";

#[test]
fn the_includer_wins_however_deep() {
    let files = repository(&["a"], &[], &[("a", &["b"], ""), ("b", &["c"], TWO), ("c", &[], ONE)]);
    assert_eq!(rule(&files), "= 2");
}

#[test]
fn a_file_reached_twice_counts_once() {
    // Both sides of the diamond stand over the bottom; only one side names the package.
    let sides: [(&str, &[&str], &str); 4] =
        [("top", &["left", "right"], ""), ("left", &["base"], TWO), ("right", &["base"], ""), ("base", &[], ONE)];
    assert_eq!(rule(&repository(&["top"], &[], &sides)), "= 2");
    // The same when the sides are groups, and when the runner's own manifest includes what its group includes.
    assert_eq!(rule(&repository(&["left", "right"], &[], &sides[1..])), "= 2");
    assert_eq!(rule(&repository(&["left"], &["right"], &sides[1..])), "= 2");
}

#[test]
fn siblings_that_differ_are_an_error_unless_somebody_above_decides() {
    let conflict = repository(&["a", "b"], &[], &[("a", &[], ONE), ("b", &[], TWO)]);
    assert_eq!(
        errors(&conflict),
        ["manifests/b.toml:4:1 `p` is `= 2` here and `= 1` at manifests/a.toml:4:1, and runner r has both"]
    );
    let decided = repository(&["a", "b"], &["own"], &[("a", &[], ONE), ("b", &[], TWO), ("own", &[], THREE)]);
    assert_eq!(rule(&decided), "= 3");
    let named_again = repository(&["a", "b"], &["b"], &[("a", &[], ONE), ("b", &[], TWO)]);
    assert_eq!(rule(&named_again), "= 2", "the runner's own manifest decides, whichever it is");
    let equal = repository(&["a", "b"], &[], &[("a", &[], ONE), ("b", &[], "[packages]\np = { version = \"=1\" }")]);
    assert_eq!(rule(&equal), "= 1", "equality is after parsing");
    let includes = repository(&["t"], &[], &[("t", &["a", "b"], ""), ("a", &[], ONE), ("b", &[], TWO)]);
    assert_eq!(errors(&includes).len(), 1, "nor does an order of includes decide");
}

#[test]
fn what_the_runner_includes_wins_over_its_groups() {
    let files = repository(&["g"], &["own"], &[("g", &[], ONE), ("own", &["part"], ""), ("part", &[], TWO)]);
    assert_eq!(rule(&files), "= 2");
}

#[test]
fn settings_merge_by_key_and_lists_replace() {
    let base = "[unlisted]\nignore = [\"a*\", \"b*\"]\nexternal = \"remove\"\n[host]\nrepositories = [\"x\"]\nselinux = \"permissive\"";
    let top = "[unlisted]\nignore = [\"c*\"]\n[host]\nselinux = \"enforcing\"";
    let files = repository(&["top"], &[], &[("top", &["base"], top), ("base", &[], base)]);
    let canonical = Canonical::load(&files).unwrap();
    let effective = canonical.effective(&canonical.fleet.runners[0]);
    assert_eq!(effective.unlisted.ignore, ["c*"]);
    assert_eq!(effective.unlisted.external.as_str(), "remove");
    assert_eq!(effective.host.repositories, ["x"]);
    assert_eq!(effective.host.selinux.as_deref(), Some("enforcing"));

    let siblings = repository(&["top", "base"], &[], &[("top", &[], top), ("base", &[], base)]);
    let found = errors(&siblings);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[1].contains("`unlisted.ignore`") || found[0].contains("`unlisted.ignore`"));
}

#[test]
fn a_lock_closes_a_manifest() {
    let mut files = repository(&["a"], &[], &[("a", &["b"], ""), ("b", &[], "")]);
    files.insert(
        "manifests/b.toml".to_owned(),
        b"schema = \"countersign/manifest/1\"\nlock = \"locks/x.toml\"\n".to_vec(),
    );
    files.insert(
        "locks/x.toml".to_owned(),
        b"schema = \"countersign/lock/1\"\narch = \"x86_64\"\nreleasever = \"41\"\npackages = [\"b-2:1-1.noarch\", \"a-0:1-1.x86_64\"]\n"
            .to_vec(),
    );
    let canonical = Canonical::load(&files).unwrap();
    let effective = canonical.effective(&canonical.fleet.runners[0]);
    let lock = effective.lock.as_ref().unwrap();
    assert_eq!(lock.packages, ["a-1-1.x86_64", "b-2:1-1.noarch"]);
    assert_eq!((lock.arch.as_str(), lock.releasever.as_str()), ("x86_64", "41"));
}

#[test]
fn circles_are_named_with_their_chain() {
    let files = repository(
        &["a"],
        &[],
        &[("a", &["b"], ""), ("b", &["c"], ""), ("c", &["b", "d"], ""), ("d", &["d"], ""), ("e", &["a"], "")],
    );
    assert_eq!(
        errors(&files),
        [
            "manifests/b.toml:2:12 manifests include one another in a circle: b -> c -> b",
            "manifests/d.toml:2:12 manifests include one another in a circle: d -> d",
        ]
    );
}

#[test]
fn a_long_chain_of_includes_is_no_problem() {
    let mut files = repository(&["m0"], &[], &[]);
    for i in 0..1_000 {
        let text = format!("schema = \"countersign/manifest/1\"\ninclude = [\"m{}\"]\n", i + 1);
        files.insert(format!("manifests/m{i}.toml"), text.into_bytes());
    }
    let text = format!("schema = \"countersign/manifest/1\"\n{ONE}\n");
    files.insert("manifests/m1000.toml".to_owned(), text.into_bytes());
    assert_eq!(rule(&files), "= 1");
}

#[test]
fn ten_thousand_runners_share_their_manifests() {
    let mut fleet = String::from("schema = \"countersign/fleet/1\"\n");
    for group in 0..20 {
        writeln!(fleet, "[groups.g{group}]\nmanifests = [\"m{group}\"]").unwrap();
    }
    for runner in 0..10_000 {
        let (a, b) = (runner % 20, (runner / 20) % 2);
        writeln!(fleet, "[runners.r{runner}]\naddress = \"h{runner}\"\ngroups = [\"g{a}\", \"g{b}\"]").unwrap();
    }
    let mut files = BTreeMap::from([(
        "fleet.toml".to_owned(),
        fleet.replace("[\"g0\", \"g0\"]", "[\"g0\"]").replace("[\"g1\", \"g1\"]", "[\"g1\"]").into_bytes(),
    )]);
    for group in 0..20 {
        let mut text = String::from("schema = \"countersign/manifest/1\"\n[packages]\n");
        for package in 0..100 {
            writeln!(text, "p{group}-{package} = \"*\"").unwrap();
        }
        files.insert(format!("manifests/m{group}.toml"), text.into_bytes());
    }
    let canonical = Canonical::load(&files).unwrap();
    let mut distinct = BTreeSet::new();
    for runner in &canonical.fleet.runners {
        distinct.insert(std::sync::Arc::as_ptr(&canonical.effective(runner)) as usize);
    }
    assert_eq!((canonical.fleet.runners.len(), distinct.len()), (10_000, 39));
}

/// Manifests m0 to m5, includes only from lower to higher numbers, and rules for a few packages.
fn forest() -> impl Strategy<Value = Vec<(Vec<usize>, BTreeMap<u8, u8>)>> {
    let includes = prop::collection::vec(0usize..6, 0..3);
    let rules = prop::collection::btree_map(0u8..3, 0u8..3, 0..3);
    prop::collection::vec((includes, rules), 6)
}

/// The forest as files, everything that is a list turned by `turn`.
fn write(
    forest: &[(Vec<usize>, BTreeMap<u8, u8>)],
    groups: &[usize],
    own: &[usize],
    turn: usize,
) -> BTreeMap<String, Vec<u8>> {
    let turned = |list: &[usize]| -> Vec<String> {
        let unique: BTreeSet<usize> = list.iter().copied().collect();
        let mut names: Vec<String> = unique.iter().map(|i| format!("m{i}")).collect();
        if !names.is_empty() {
            let turn = turn % names.len();
            names.rotate_left(turn);
        }
        names
    };
    let mut fleet = format!(
        "schema = \"countersign/fleet/1\"\n[runners.r]\naddress = \"h\"\ngroups = {:?}\nmanifests = {:?}\n",
        turned(groups),
        turned(own)
    );
    for name in turned(groups) {
        writeln!(fleet, "[groups.{name}]\nmanifests = [\"{name}\"]").unwrap();
    }
    let mut files = BTreeMap::from([("fleet.toml".to_owned(), fleet.into_bytes())]);
    for (index, (includes, rules)) in forest.iter().enumerate() {
        let higher: Vec<usize> = includes.iter().copied().filter(|i| *i > index).collect();
        let mut text = format!("schema = \"countersign/manifest/1\"\ninclude = {:?}\n[packages]\n", turned(&higher));
        for (package, version) in rules {
            writeln!(text, "p{package} = \"= {version}\"").unwrap();
        }
        files.insert(format!("manifests/m{index}.toml"), text.into_bytes());
    }
    files
}

type Outcome = Result<BTreeMap<String, String>, Vec<(String, u32)>>;

fn outcome(files: &BTreeMap<String, Vec<u8>>) -> Outcome {
    match Canonical::load(files) {
        Ok(canonical) => {
            let effective = canonical.effective(&canonical.fleet.runners[0]);
            Ok(effective.packages.iter().map(|(key, ruling)| (key.to_string(), ruling.rule.to_string())).collect())
        }
        Err(list) => Err(list.into_iter().filter(|d| d.line > 0).map(|d| (d.file, d.line)).collect()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_order_of_lists_decides(
        forest in forest(), groups in prop::collection::vec(0usize..6, 0..4), own in prop::collection::vec(0usize..6, 0..3),
        turn in 1usize..5,
    ) {
        let straight = outcome(&write(&forest, &groups, &own, 0));
        let turned = outcome(&write(&forest, &groups, &own, turn));
        prop_assert_eq!(straight, turned);
    }

    #[test]
    fn a_manifest_over_all_others_always_wins(
        forest in forest(), groups in prop::collection::vec(0usize..6, 1..4),
    ) {
        let mut forest = forest;
        // m0 includes all and names every package: no conflict is left, and its rules are the outcome.
        forest[0] = ((1..6).collect(), (0..3).map(|package| (package, 9)).collect());
        let by_group = outcome(&write(&forest, &[0], &[], 0)).unwrap();
        prop_assert!(by_group.values().all(|rule| rule == "= 9"), "{:?}", by_group);
        let by_runner = outcome(&write(&forest, &groups, &[0], 0)).unwrap();
        prop_assert!(by_runner.values().all(|rule| rule == "= 9"), "{:?}", by_runner);
    }

    #[test]
    fn a_rule_in_force_is_one_that_was_written_and_why_finds_it(
        forest in forest(), groups in prop::collection::vec(0usize..6, 0..4), own in prop::collection::vec(0usize..6, 0..3),
    ) {
        let files = write(&forest, &groups, &own, 0);
        let Ok(canonical) = Canonical::load(&files) else { return Ok(()) };
        let runner = &canonical.fleet.runners[0];
        for (key, ruling) in &canonical.effective(runner).packages {
            let why = canonical.why(runner, key);
            prop_assert!(!why.in_force.is_empty());
            for origin in &why.in_force {
                prop_assert_eq!(&origin.ruling.rule, &ruling.rule);
                prop_assert_eq!(origin.chain.last(), Some(&origin.manifest));
                prop_assert_eq!(&canonical.manifests[&origin.manifest].packages[key].rule, &ruling.rule);
            }
        }
    }
}

/// Texts that are almost right, and bytes that are not.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "schema",
        " = ",
        "\"",
        "'",
        "\"countersign/manifest/1\"",
        "\"countersign/fleet/1\"",
        "\"countersign/waiver/1\"",
        "\"countersign/policy/1\"",
        "\"countersign/lock/1\"",
        "\n",
        "[",
        "]",
        "{",
        "}",
        "[[waive]]",
        "[packages]",
        "[runners.x]",
        "[groups.x]",
        "address",
        "include",
        "packages",
        "until",
        "2026-02-30",
        "1e999",
        "-0",
        "0x",
        "inf",
        ",",
        ".",
        "a",
        "*",
        ">= 1",
        "\\u0000",
        "\u{202e}",
        "\t",
        "\r",
        "#",
        "'''",
        "\"\"\"",
        "host_keys",
        "windows",
        "Mon-Fri 22:00-05:00 UTC",
        "lock",
        "locks/a.toml",
        "a.b.c",
        "1979-05-27T07:32:00Z",
        "\u{feff}",
        "ssh-ed25519 AAAA",
    ]);
    let text = prop::collection::vec(words, 0..40).prop_map(|words| words.concat().into_bytes());
    prop_oneof![4 => text, 1 => prop::collection::vec(any::<u8>(), 0..60)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes_never_stop_the_loader(contents in prop::collection::vec(hostile(), 9)) {
        let paths = [
            "fleet.toml", "fleet.d/a.toml", "policy.toml", "approvers", "manifests/a.toml", "manifests/b/c.toml",
            "locks/a.toml", "waivers/a.toml", "manifests/\u{202e}\u{1b}[2J.toml",
        ];
        let files: BTreeMap<String, Vec<u8>> = paths.iter().map(|p| (*p).to_owned()).zip(contents).collect();
        if let Err(list) = Canonical::load(&files) {
            for diagnostic in list {
                let text = diagnostic.to_string();
                prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", text);
            }
        }
    }
}
