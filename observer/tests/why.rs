//! `why`: what canonical and the last run say of one package.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use countersign_manifests_schema::report::{By, DriftItem, Notice, RunnerReport, Status, Waived};
use countersign_manifests_schema::why::WhyRunner;
use countersign_observer::assess::why::{asked, text, why};
use countersign_shared::evr::Evr;
use countersign_shared::manifest::Canonical;
use countersign_shared::nevra::Nevra;
use countersign_shared::observation::{
    Dnf, Failure, History, Observation, Os, Package, Packages, Privileges, Reason, Section,
};
use countersign_shared::terminal::Palette;
use std::collections::BTreeMap;

const FLEET: &str = r#"schema = "countersign/fleet/1"
[groups.builders]
manifests = ["builder"]
[runners.runner-01]
address = "10.0.0.11"
groups = ["builders"]
[runners.runner-02]
address = "10.0.0.12"
groups = ["builders"]
[runners.runner-03]
address = "10.0.0.13"
"#;

const BUILDER: &str = r#"schema = "countersign/manifest/1"
include = ["base"]
[packages]
llvm = { version = "= 19.1.0-1.fc41", reason = "tenant X" }
"llvm.i686" = "absent"
nodejs = { version = "*", from = ["updates"] }
"#;

const BASE: &str = r#"schema = "countersign/manifest/1"
[packages]
llvm = ">= 18"
htop = "*"
"#;

fn canonical() -> Canonical {
    let files: BTreeMap<String, Vec<u8>> =
        [("fleet.toml", FLEET), ("manifests/builder.toml", BUILDER), ("manifests/base.toml", BASE)]
            .into_iter()
            .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
            .collect();
    Canonical::load(&files).unwrap()
}

fn instance(name: &'static str, version: &'static str, arch: &'static str, reason: Reason) -> Package<'static> {
    Package {
        nevra: Nevra::new(name, Evr::new(0, version, "1.fc41").unwrap(), arch).unwrap(),
        install_time: 1_795_145_400,
        db_instance: 1,
        header_sha256: "",
        vendor: "",
        key: "",
        reason,
        from_repo: "updates",
        install_only: false,
    }
}

fn observation(list: Vec<Package<'static>>) -> Observation<'static> {
    fn failed<T>() -> Section<T> {
        Section::Failed(Failure::new("truncated", "not needed here"))
    }
    Observation {
        at: 1_795_145_460,
        os: Section::Seen(Os { id: "fedora", version_id: "41", arch: "x86_64" }),
        kernel: failed(),
        selinux: failed(),
        packages: Section::Seen(Packages { list, rpmdb_digest: String::new() }),
        needed: Section::Seen(Vec::new()),
        repos: failed(),
        versionlocks: failed(),
        dnf: Section::Seen(Dnf { generation: 5, version: "5.4.6" }),
        history: Section::Seen(History::default()),
        locks: failed(),
        reboot: failed(),
        privileges: Section::Seen(Privileges { uid: 1, sudo: false, rpmdb_writable: false, groups: "", forced: true }),
        metadata: failed(),
        avc: failed(),
        config: failed(),
        modules: failed(),
    }
}

fn ahead() -> DriftItem {
    DriftItem {
        code: "ahead".to_owned(),
        package: Some("llvm".to_owned()),
        arch: Some("x86_64".to_owned()),
        wanted: Some("= 19.1.0-1.fc41".to_owned()),
        seen: vec!["20.1.0-1.fc41".to_owned()],
        since: Some("2026-11-19T16:20:31Z".to_owned()),
        by: Some(By { user: Some("alice".to_owned()), command: "dnf5 install \u{1b}[31mllvm-20".to_owned() }),
        spec_changed: None,
        waived: Some(Waived { until: "2026-12-31".to_owned(), owner: "ada@example.org".to_owned() }),
        new: true,
        remediable: false,
        blocked: None,
    }
}

fn report(drift: Vec<DriftItem>, error: Option<Notice>) -> RunnerReport {
    RunnerReport {
        name: "runner-01".to_owned(),
        groups: Vec::new(),
        status: if error.is_some() { Status::Failed } else { Status::Observed },
        error,
        packages: 2,
        warm: false,
        drift,
        unjudged: Vec::new(),
        proposal: None,
    }
}

fn ask(
    package: &str,
    runner: &str,
    report: Option<&RunnerReport>,
    observation: Option<&Observation<'_>>,
) -> Option<WhyRunner> {
    let canonical = canonical();
    let runner = canonical.fleet.runner(runner).unwrap();
    why(&asked(package).unwrap(), runner, &canonical, report, observation)
}

#[test]
fn everything_known_of_a_drifted_package() {
    let seen = observation(vec![instance("llvm", "20.1.0", "x86_64", Reason::User)]);
    let answer = ask("llvm", "runner-01", Some(&report(vec![ahead()], None)), Some(&seen)).unwrap();
    insta::assert_snapshot!(text(&[answer], Palette::Plain), @r"
    runner-01
      rule       llvm = 19.1.0-1.fc41   manifests/builder.toml:4:1
                 group builders > builder
                 because tenant X
      rule       llvm.i686 absent   manifests/builder.toml:5:1
                 group builders > builder
      overridden llvm >= 18   manifests/base.toml:3:1
                 group builders > builder > base
      seen       llvm-20.1.0-1.fc41.x86_64 (reason user, from updates, installed 2026-11-20T03:30:00Z)
      drift      ahead on x86_64, wanted = 19.1.0-1.fc41, seen 20.1.0-1.fc41, new
      since      2026-11-19T16:20:31Z
      by         alice: dnf5 install \x1b[31mllvm-20
      waived     until 2026-12-31 by ada@example.org
      proposal   none
    ");
}

#[test]
fn a_question_for_one_arch_shows_the_rule_that_binds_it() {
    let rules = |package: &str| {
        let answer = ask(package, "runner-01", None, None).unwrap();
        answer.rules.iter().map(|rule| (rule.package.clone(), rule.in_force)).collect::<Vec<_>>()
    };
    let row = |package: &str, in_force: bool| (package.to_owned(), in_force);
    assert_eq!(rules("llvm.i686"), [row("llvm.i686", true), row("llvm", false), row("llvm", false)]);
    assert_eq!(rules("llvm.x86_64"), [row("llvm", true), row("llvm", false)]);
}

#[test]
fn a_package_that_no_rule_names_has_its_class() {
    let seen = observation(vec![instance("strace", "6", "x86_64", Reason::User)]);
    let answer = ask("strace", "runner-03", Some(&report(Vec::new(), None)), Some(&seen)).unwrap();
    insta::assert_snapshot!(text(&[answer], Palette::Plain), @r"
    runner-03
      rule       no manifest names it ([unlisted] user-installed = report)
      seen       strace-6-1.fc41.x86_64 (reason user, from updates, installed 2026-11-20T03:30:00Z)
      drift      none
    ");
}

#[test]
fn runners_of_which_the_same_is_known_are_told_together() {
    let seen = observation(vec![instance("bash", "5", "x86_64", Reason::User)]);
    let failed = report(Vec::new(), Some(Notice { code: "unreachable".to_owned(), message: "no route".to_owned() }));
    let answers: Vec<WhyRunner> = [
        ask("htop", "runner-01", Some(&report(Vec::new(), None)), Some(&seen)),
        ask("htop", "runner-02", Some(&report(Vec::new(), None)), Some(&seen)),
    ]
    .into_iter()
    .flatten()
    .collect();
    insta::assert_snapshot!(text(&answers, Palette::Plain), @r"
    runner-01, runner-02
      rule       htop *   manifests/base.toml:4:1
                 group builders > builder > base
      seen       not installed at 2026-11-20T03:31:00Z
      drift      none
    ");
    // What was seen before the failure is no judgement.
    let stale = ask("htop", "runner-01", Some(&failed), Some(&seen)).unwrap();
    assert!(!text(&[stale], Palette::Plain).contains("none"));
    let unseen = ask("htop", "runner-01", Some(&failed), None).unwrap();
    insta::assert_snapshot!(text(&[unseen], Palette::Plain), @r"
    runner-01
      rule       htop *   manifests/base.toml:4:1
                 group builders > builder > base
      not seen   in the last run: unreachable: no route
      seen       never observed
    ");
}

#[test]
fn where_a_package_does_not_matter_nothing_is_said() {
    let seen = observation(vec![instance("bash", "5", "x86_64", Reason::User)]);
    assert_eq!(ask("htop", "runner-03", Some(&report(vec![ahead()], None)), Some(&seen)), None);
    assert_eq!(asked("--help"), None);
    assert_eq!(asked("a b"), None);
    assert_eq!(asked("glibc.i686").unwrap().arch.as_deref(), Some("i686"));
    assert_eq!(asked("python3.13").unwrap().arch, None);
}
