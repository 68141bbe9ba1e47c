use super::story::{CLAIMED, incident, judge, judge_by, manifest, runner, transaction, way_back_to_the_manifest};
use crate::manifest::policy::Policy;
use crate::observation::{Package, Section, set_digest};
use crate::proposal::{Block, Predicted};
use countersign_manifests_schema::transaction::{Action, Change, Reason, Transaction};
use proptest::prelude::*;

#[test]
fn the_incidents_transaction_is_shown_whole() {
    let (effective, observation) = incident();
    let justified = judge(&effective, &observation, CLAIMED, &[], &way_back_to_the_manifest()).unwrap();
    let told: Vec<String> = justified
        .transaction
        .rpms
        .iter()
        .map(|c| format!("{}{} {}", if c.asserted { "+ " } else { "" }, c.action.as_str(), c.nevra))
        .collect();
    assert_eq!(
        told,
        [
            "+ Downgrade clang-tools-extra-19.1.0-1.fc41.x86_64",
            "+ Replaced clang-tools-extra-20.1.0-1.fc41.x86_64",
            "Remove gcc-toolset-13-13.0-1.fc41.x86_64",
            "Install htop-3.3.0-4.fc41.x86_64",
            "Downgrade llvm-19.1.0-1.fc41.x86_64",
            "Replaced llvm-20.1.0-1.fc41.x86_64",
            "+ Downgrade llvm-libs-19.1.0-1.fc41.x86_64",
            "+ Replaced llvm-libs-20.1.0-1.fc41.x86_64",
        ]
    );
    let after = runner(&[
        "bash-5.2.32-1.fc41.x86_64",
        "clang-tools-extra-19.1.0-1.fc41.x86_64",
        "htop-3.3.0-4.fc41.x86_64",
        "llvm-19.1.0-1.fc41.x86_64",
        "llvm-libs-19.1.0-1.fc41.x86_64",
    ]);
    assert_eq!(justified.set_digest, set_digest(&after.packages.seen().unwrap().list));
}

#[test]
fn the_incidents_first_step_is_refused_where_the_manifest_pins_what_it_pulls_along() {
    let (mut effective, observation) = incident();
    let pinned = manifest(&[("clang-tools-extra", "= 20.1.0-1.fc41")]);
    effective.packages.extend(pinned.packages);
    let blocked = judge(&effective, &observation, CLAIMED, &[], &way_back_to_the_manifest()).unwrap_err();
    assert_eq!(blocked.code, Block::CreatesDrift);
    assert_eq!(blocked.message, "it would make clang-tools-extra.x86_64 19.1.0-1.fc41 (wanted = 20.1.0-1.fc41) behind");
}

const DOWN: &[&str] = &["Downgrade llvm-19.1.0-1.fc41.x86_64", "Replaced llvm-20.1.0-1.fc41.x86_64"];

/// What is told, what dnf does besides bringing llvm down, and the code that blocks it.
const REFUSED: &[(&str, &[&str], Block)] = &[
    ("what should go is not there", &["Remove strace-6.11-1.fc41.x86_64"], Block::Conflict),
    ("what should come is there", &["Install bash-5.2.32-1.fc41.x86_64"], Block::Conflict),
    ("an upgrade of nothing", &["Upgrade strace-6.11-1.fc41.x86_64"], Block::Conflict),
    (
        "an upgrade that goes back",
        &["Upgrade bash-5.1-1.fc41.x86_64", "Replaced bash-5.2.32-1.fc41.x86_64"],
        Block::Conflict,
    ),
    ("the reason of nothing", &["ReasonChange strace-6.11-1.fc41.x86_64"], Block::Conflict),
    ("a wanted package goes", &["Remove clang-tools-extra-20.1.0-1.fc41.x86_64"], Block::CreatesDrift),
    ("a protected package goes", &["Remove bash-5.2.32-1.fc41.x86_64"], Block::Protected),
    ("a waived package is touched", &["Remove gcc-toolset-13-13.0-1.fc41.x86_64"], Block::Policy),
];

#[test]
fn what_does_not_stand_is_refused() {
    let (effective, observation) = incident();
    for (story, more, code) in REFUSED {
        let lines: Vec<&str> = DOWN.iter().chain(*more).copied().collect();
        let blocked = judge(&effective, &observation, &["llvm"], &["gcc-toolset-13"], &transaction(&lines));
        assert_eq!(blocked.map_err(|blocked| blocked.code), Err(*code), "{story}");
    }
    assert!(judge(&effective, &observation, &["llvm"], &["gcc-toolset-13"], &transaction(DOWN)).is_ok());
}

#[test]
fn a_claim_that_the_transaction_does_not_remove_is_refused() {
    let (effective, observation) = incident();
    let blocked = judge(&effective, &observation, &["llvm", "htop"], &[], &transaction(DOWN)).unwrap_err();
    assert_eq!(blocked.code, Block::CreatesDrift);
    assert_eq!(blocked.message, "afterwards htop (wanted *) would still be missing");
}

#[test]
fn drift_that_is_not_claimed_may_stay_and_may_not_move() {
    let mut effective = manifest(&[("a", "= 1-1"), ("b", "= 1-1")]);
    let observation = runner(&["a-2-1.x86_64", "b-3-1.x86_64"]);
    let alone = ["Downgrade a-1-1.x86_64", "Replaced a-2-1.x86_64"];
    assert!(judge(&effective, &observation, &["a"], &[], &transaction(&alone)).is_ok());
    let mut moved = alone.to_vec();
    moved.extend(["Downgrade b-2-1.x86_64 Dependency", "Replaced b-3-1.x86_64 Dependency"]);
    let blocked = judge(&effective, &observation, &["a"], &[], &transaction(&moved)).unwrap_err();
    assert_eq!(blocked.code, Block::CreatesDrift, "{}", blocked.message);
    effective.packages.retain(|key, _| key.name != "b");
    assert!(judge(&effective, &observation, &["a"], &[], &transaction(&moved)).is_ok());
}

#[test]
fn too_much_at_once_is_a_matter_of_policy() {
    let (effective, observation) = incident();
    let mut policy = Policy::default();
    let whole = way_back_to_the_manifest();
    policy.breaker.dependency_changes = 2;
    assert!(judge_by(&policy, &effective, &observation, CLAIMED, &[], &whole).is_ok());
    policy.breaker.dependency_changes = 1;
    let blocked = judge_by(&policy, &effective, &observation, CLAIMED, &[], &whole).unwrap_err();
    assert_eq!(blocked.message, "2 changes beyond the drift itself, and policy.toml allows 1");
    policy.breaker.removals_per_transaction = 0;
    let blocked = judge_by(&policy, &effective, &observation, CLAIMED, &[], &whole).unwrap_err();
    assert_eq!(
        (blocked.code, blocked.message.as_str()),
        (Block::Policy, "1 packages would go, and policy.toml allows 0 in one transaction")
    );
}

#[test]
fn the_running_kernel_stays_and_an_evicted_one_is_nobodys_wish() {
    let effective = manifest(&[("kernel-core", "= 6.11.2-300.fc41")]);
    let observation =
        runner(&["kernel-core-6.11.3-300.fc41.x86_64 install-only", "kernel-core-6.11.4-301.fc41.x86_64 install-only"]);
    let come = "Install kernel-core-6.11.2-300.fc41.x86_64";
    let oldest = transaction(&[come, "Remove kernel-core-6.11.3-300.fc41.x86_64"]);
    let justified = judge(&effective, &observation, &["kernel-core"], &[], &oldest).unwrap();
    let asserted: Vec<bool> = justified.transaction.rpms.iter().map(|change| change.asserted).collect();
    assert_eq!(asserted, [false, true]);
    assert_eq!(justified.protected, ["kernel-core"]);
    let running = transaction(&[come, "Remove kernel-core-6.11.4-301.fc41.x86_64"]);
    let blocked = judge(&effective, &observation, &["kernel-core"], &[], &running).unwrap_err();
    assert_eq!(blocked.code, Block::Protected);
}

#[test]
fn a_dependency_of_what_comes_is_not_unlisted() {
    let mut effective = manifest(&[("htop", "*")]);
    effective.unlisted.dependencies = crate::manifest::effective::Disposal::Report;
    let observation = runner(&["htop-data-1-1.noarch user", "zz-1-1.x86_64 group"]);
    let with = |reason| transaction(&["Install htop-3.3.0-4.fc41.x86_64", reason]);
    let needed = with("Install hwloc-libs-2.11-1.fc41.x86_64 Dependency");
    assert!(judge(&effective, &observation, &["htop"], &[], &needed).is_ok());
    let weak = with("Install hwloc-libs-2.11-1.fc41.x86_64 Weak Dependency");
    let blocked = judge(&effective, &observation, &["htop"], &[], &weak).unwrap_err();
    assert_eq!(blocked.code, Block::CreatesDrift);
}

#[test]
fn vendors_and_keys_of_what_comes_are_not_known_and_not_held_against_it() {
    let (mut effective, mut observation) = incident();
    effective.host.vendors = vec!["Fedora Project".to_owned()];
    effective.host.keys = vec!["e99d6ad1a6ab4ae1".to_owned()];
    if let Section::Seen(packages) = &mut observation.packages {
        for package in &mut packages.list {
            (package.vendor, package.key) = ("Fedora Project", "e99d6ad1a6ab4ae1");
        }
    }
    assert!(judge(&effective, &observation, CLAIMED, &[], &way_back_to_the_manifest()).is_ok());
}

fn packages() -> impl Strategy<Value = Vec<(usize, u32)>> {
    proptest::collection::vec((0..8_usize, 1..5_u32), 0..10)
}

fn nevra((name, version): (usize, u32)) -> String {
    format!("{}-{version}-1.x86_64", ["a", "a-b", "b", "c++", "c", "d", "e", "f"][name])
}

proptest! {
    #[test]
    fn the_prediction_is_the_base_minus_what_goes_plus_what_comes(before in packages(), after in packages()) {
        let set = |list: &[(usize, u32)]| list.iter().map(|p| nevra(*p)).collect::<std::collections::BTreeSet<_>>();
        let (before, after) = (set(&before), set(&after));
        let leaked = |nevra: &String| -> Package<'static> {
            crate::drift::tests::story::package(Box::leak(nevra.clone().into_boxed_str()))
        };
        let mut installed: Vec<Package<'static>> = before.iter().map(leaked).collect();
        installed.sort_by(|a, b| a.nevra.cmp(&b.nevra));
        let mut wanted: Vec<Package<'static>> = after.iter().map(leaked).collect();
        wanted.sort_by(|a, b| a.nevra.cmp(&b.nevra));
        let change = |nevra: &String, action: Action| Change {
            nevra: nevra.clone(), action, reason: Reason::User, repo_id: String::new(), sha256: None, asserted: false,
        };
        let gone = before.difference(&after).map(|nevra| change(nevra, Action::Remove));
        let come = after.difference(&before).map(|nevra| change(nevra, Action::Install));
        let transaction = Transaction { generation: 5, rpms: gone.chain(come).collect() };
        let predicted = Predicted::new(&installed, &transaction).unwrap();
        prop_assert_eq!(predicted.set_digest(), set_digest(&wanted));
        let again = Predicted::new(predicted.packages(), &transaction);
        prop_assert_eq!(again.is_ok(), transaction.rpms.is_empty(), "a transaction fits only once");
    }
}
