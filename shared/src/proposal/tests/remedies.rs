use super::story::{closed, incident, items, manifest, runner, wanted};
use crate::observation::{Kernel, Section};
use crate::proposal::{Block, Standing, wish};

#[test]
fn the_incident_is_asked_for_by_full_nevras() {
    let (effective, observation) = incident();
    let offers = [
        "llvm-19.1.0-1.fc41.x86_64",
        "llvm-20.1.0-1.fc41.x86_64",
        "htop-3.3.0-4.fc41.x86_64",
        "htop-3.2.0-1.fc41.x86_64",
    ];
    assert_eq!(
        wanted(&effective, &observation, &offers),
        [
            "Remove gcc-toolset-13-13.0-1.fc41.x86_64",
            "Install htop-3.3.0-4.fc41.x86_64",
            "Downgrade llvm-19.1.0-1.fc41.x86_64",
        ]
    );
}

/// A story: rules, instances, offers, what is asked for.
type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const ROWS: &[Row] = &[
    (
        "each arch is named for itself",
        &[("mlib", "= 1.0-1.fc41")],
        &["mlib-2.0-1.fc41.i686", "mlib-2.0-1.fc41.x86_64"],
        &["mlib-1.0-1.fc41.i686", "mlib-1.0-1.fc41.x86_64"],
        &["Downgrade mlib-1.0-1.fc41.i686", "Downgrade mlib-1.0-1.fc41.x86_64"],
    ),
    (
        "absent takes every arch",
        &[("mlib", "absent")],
        &["mlib-2.0-1.fc41.i686", "mlib-2.0-1.fc41.x86_64"],
        &[],
        &["Remove mlib-2.0-1.fc41.i686", "Remove mlib-2.0-1.fc41.x86_64"],
    ),
    (
        "only the foreign arch is absent",
        &[("glibc.i686", "absent"), ("glibc", "*")],
        &["glibc-2.40-1.fc41.i686", "glibc-2.40-1.fc41.x86_64"],
        &[],
        &["Remove glibc-2.40-1.fc41.i686"],
    ),
    (
        "a range takes the newest that fits",
        &[("glibc", ">= 2.40, < 2.41")],
        &["glibc-2.39-1.fc41.x86_64"],
        &["glibc-2.40-1.fc41.x86_64", "glibc-2.40-11.fc41.x86_64", "glibc-2.41-1.fc41.x86_64"],
        &["Upgrade glibc-2.40-11.fc41.x86_64"],
    ),
    (
        "the epoch decides whether it goes up",
        &[("a", "= 1-1")],
        &["a-2-1.x86_64"],
        &["a-1:1-1.x86_64"],
        &["Upgrade a-1:1-1.x86_64"],
    ),
    (
        "only a foreign arch is there: the native one comes",
        &[("mlib", "*")],
        &["mlib-1.0-1.fc41.i686"],
        &["mlib-1.0-1.fc41.i686", "mlib-1.0-1.fc41.x86_64"],
        &["Install mlib-1.0-1.fc41.x86_64"],
    ),
    ("a plain name may be noarch", &[("fonts", "*")], &[], &["fonts-1-1.noarch"], &["Install fonts-1-1.noarch"]),
    (
        "a foreign arch is not what a plain name means",
        &[("mlib", "*")],
        &[],
        &["mlib-1.0-1.fc41.i686"],
        &["missing unreachable-pin: no repository offers mlib * for x86_64 or noarch; offered: mlib-1.0-1.fc41.i686"],
    ),
    (
        "nothing fits",
        &[("llvm", "= 19.1.0-1.fc41")],
        &["llvm-20.1.0-1.fc41.x86_64"],
        &["llvm-20.1.0-1.fc41.x86_64", "llvm-libs-19.1.0-1.fc41.x86_64"],
        &[
            "ahead unreachable-pin: no repository offers llvm = 19.1.0-1.fc41 for x86_64; offered: llvm-20.1.0-1.fc41.x86_64",
        ],
    ),
    (
        "of an install-only package another instance comes",
        &[("kernel-core", "= 6.11.3-300.fc41")],
        &["kernel-core-6.11.4-301.fc41.x86_64 install-only"],
        &["kernel-core-6.11.3-300.fc41.x86_64"],
        &["Install kernel-core-6.11.3-300.fc41.x86_64"],
    ),
    (
        "absent spares the running kernel",
        &[("kernel-core", "absent")],
        &["kernel-core-6.11.3-300.fc41.x86_64 install-only", "kernel-core-6.11.4-301.fc41.x86_64 install-only"],
        &[],
        &["Remove kernel-core-6.11.3-300.fc41.x86_64"],
    ),
    (
        "of the running kernel alone nothing goes",
        &[("kernel-core", "absent")],
        &["kernel-core-6.11.4-301.fc41.x86_64 install-only"],
        &[],
        &["unwanted -"],
    ),
    (
        "the same version as the running kernel",
        &[("kernel-devel", "running-kernel")],
        &["kernel-devel-6.11.3-300.fc41.x86_64 install-only"],
        &["kernel-devel-6.11.5-300.fc41.x86_64", "kernel-devel-6.11.4-301.fc41.x86_64"],
        &["Install kernel-devel-6.11.4-301.fc41.x86_64"],
    ),
    (
        "one of two stays: the one that fits",
        &[("a", "= 1-1")],
        &["a-1-1.x86_64", "a-2-1.x86_64"],
        &[],
        &["Remove a-2-1.x86_64"],
    ),
    ("one of two stays: the newest", &[], &["a-1-1.x86_64", "a-2-1.x86_64"], &[], &["Remove a-1-1.x86_64"]),
];

#[test]
fn every_code_has_its_remedy() {
    let mut wrong = Vec::new();
    for (story, rules, instances, offers, expected) in ROWS {
        let mut instances = instances.to_vec();
        instances.push("zz-1-1.x86_64");
        let is = wanted(&manifest(rules), &runner(&instances), offers);
        if is != *expected {
            wrong.push(format!("{story}\n  expected {expected:?}\n  is       {is:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_repository_that_the_rule_does_not_allow_offers_nothing() {
    let mut effective = manifest(&[("nodejs", "*")]);
    for ruling in effective.packages.values_mut() {
        ruling.from = vec!["updates".to_owned()];
    }
    let observation = runner(&["zz-1-1.x86_64"]);
    let offers = ["nodejs-22-1.x86_64 third-party", "nodejs-20-1.x86_64 updates"];
    assert_eq!(wanted(&effective, &observation, &offers), ["Install nodejs-20-1.x86_64"]);
    let blocked = wanted(&effective, &observation, &offers[..1]);
    assert!(blocked[0].starts_with("missing unreachable-pin: none of updates offers nodejs *"), "{blocked:?}");
}

#[test]
fn a_closed_manifest_wants_the_lines_of_its_lock() {
    let effective = closed(&["a-1:1-1.x86_64", "b-1-1.noarch", "zz-1-1.x86_64"]);
    let observation = runner(&["a-1:2-1.x86_64", "c-1-1.x86_64", "zz-1-1.x86_64"]);
    assert_eq!(
        wanted(&effective, &observation, &["a-1:1-1.x86_64", "a-1-1.x86_64", "b-1-1.noarch", "b-2-1.noarch"]),
        ["Downgrade a-1:1-1.x86_64", "Install b-1-1.noarch", "Remove c-1-1.x86_64"]
    );
}

#[test]
fn unlisted_settles_first_and_a_waiver_ends_it() {
    let mut effective = manifest(&[]);
    effective.unlisted.user_installed = crate::manifest::effective::Disposal::Remove;
    let observation = runner(&["strace-6.11-1.fc41.x86_64 user", "zz-1-1.x86_64"]);
    let items = items(&effective, &observation);
    let ask = |observations, waived| wish(&effective, &observation, &items[0], Standing { waived, observations }, 2);
    assert_eq!(ask(1, false).unwrap().unwrap_err().code, Block::Settling);
    assert!(ask(2, false).unwrap().is_ok());
    assert!(ask(2, true).is_none());
}

#[test]
fn a_variant_of_the_kernel_is_still_that_kernel() {
    let effective = manifest(&[("kernel-devel", "running-kernel")]);
    let mut observation = runner(&["kernel-devel-6.11.3-300.fc41.x86_64 install-only"]);
    observation.kernel = Section::Seen(Kernel { release: "6.11.4-301.fc41.x86_64+debug", booted: 50 });
    let offers = ["kernel-devel-6.11.4-3.fc41.x86_64", "kernel-devel-6.11.4-301.fc41.x86_64"];
    assert_eq!(wanted(&effective, &observation, &offers), ["Install kernel-devel-6.11.4-301.fc41.x86_64"]);
}
