use super::story::{failed, judge, lines, manifest, runner};
use crate::drift::{Code, Compiled, drift};
use crate::manifest::effective::{Disposal, Effective};
use crate::observation::{Observation, Packages, Section};
use std::sync::Arc;

fn full_manifest() -> Effective {
    let mut effective = manifest(&[("missing", "*"), ("foreign", "*"), ("kernel-devel", "running-kernel")]);
    effective.unlisted.user_installed = Disposal::Remove;
    effective.host.selinux = Some("enforcing".to_owned());
    effective.host.repositories = vec!["fedora".to_owned()];
    effective
}

fn drifted() -> Observation<'static> {
    let mut observation = runner(&[
        "asked-1-1.x86_64 user",
        "foreign-1-1.i686",
        "kernel-devel-6.11.3-1.x86_64 install-only",
        "keeps-the-majority-known-1-1.x86_64",
    ]);
    observation.selinux = Section::Seen("permissive");
    observation.history = super::story::history(vec![
        super::story::entry(3, (120, 0), "", &[]),
        super::story::entry(2, (90, 110), "00000000000000000000000000000000000000000000000000000000000000bb", &[]),
    ]);
    observation.locks = Section::Seen(vec![crate::observation::Lock { path: "/run/lock", since: 500 }]);
    observation
}

const OUT_OF_BAND: &str = "out-of-band [] !";
const INTERRUPTED: &str = "interrupted [3] !";
const REPO: &str = "repo-disabled (fedora) [] !";
const SELINUX: &str = "selinux (enforcing) [permissive] !";
const STUCK: &str = "stuck-lock [/run/lock] !";
const UNLISTED: &str = "unlisted asked.x86_64 [1-1]";
const FOREIGN: &str = "wrong-arch foreign.i686 (*) [1-1]";
const KERNEL: &str = "kernel-mismatch kernel-devel.x86_64 (6.11.4-301.fc41.x86_64) [6.11.3-1]";
const MISSING: &str = "missing missing.- (*) []";

#[test]
fn everything_is_judged_when_everything_was_seen() {
    let drift = judge(full_manifest(), &drifted());
    assert_eq!(lines(&drift), [INTERRUPTED, OUT_OF_BAND, REPO, SELINUX, STUCK, UNLISTED, FOREIGN, KERNEL, MISSING]);
    assert!(drift.fully_observed());
}

/// A section, how to make it fail, the items that then are not judged, the codes that are said to be unjudged.
type Row = (&'static str, fn(&mut Observation<'static>), &'static [&'static str], &'static [Code]);

#[test]
fn what_a_failed_section_was_needed_for_is_neither_drift_nor_clean() {
    let rows: [Row; 7] = [
        ("os", |o| o.os = failed("truncated"), &[FOREIGN], &[Code::WrongArch]),
        ("kernel", |o| o.kernel = failed("truncated"), &[KERNEL], &[Code::KernelMismatch]),
        ("needed", |o| o.needed = failed("dnf-busy"), &[UNLISTED], &[Code::Unlisted]),
        (
            "history",
            |o| o.history = failed("history-unreadable"),
            &[OUT_OF_BAND, INTERRUPTED],
            &[Code::OutOfBand, Code::Interrupted],
        ),
        ("repos", |o| o.repos = failed("dnf-busy"), &[REPO], &[Code::RepoEnabled, Code::RepoDisabled]),
        ("selinux", |o| o.selinux = failed("truncated"), &[SELINUX], &[Code::Selinux]),
        ("locks", |o| o.locks = failed("truncated"), &[STUCK], &[Code::StuckLock]),
    ];
    let all = lines(&judge(full_manifest(), &drifted()));
    for (section, fail, gone, codes) in rows {
        let mut observation = drifted();
        fail(&mut observation);
        let drift = judge(full_manifest(), &observation);
        let expected: Vec<String> = all
            .iter()
            .filter(|line| !gone.contains(&line.as_str()))
            .map(|line| line.trim_end_matches(" !").to_owned() + " !")
            .collect();
        // Nothing is remediable on a runner that was not fully observed.
        assert_eq!(lines(&drift), expected, "{section}");
        assert_eq!(drift.unjudged.len(), 1, "{section}");
        assert_eq!((drift.unjudged[0].section, drift.unjudged[0].codes), (section, codes));
        assert!(!drift.fully_observed());
    }
}

#[test]
fn a_section_that_no_rule_asks_for_is_no_gap() {
    let mut effective = manifest(&[("a", "*")]);
    effective.unlisted.user_installed = Disposal::Ignore;
    let mut observation = runner(&["b-1-1.x86_64"]);
    observation.needed = failed("dnf-busy");
    observation.repos = failed("dnf-busy");
    observation.selinux = failed("truncated");
    observation.avc = failed("unreadable");
    observation.metadata = failed("truncated");
    let drift = judge(effective, &observation);
    assert_eq!(lines(&drift), ["missing a.- (*) []"]);
    assert!(drift.fully_observed());
}

#[test]
fn without_a_package_list_there_is_no_drift_and_no_clean_runner() {
    let compiled = Compiled::new(Arc::new(manifest(&[("a", "*")]))).unwrap();
    let mut observation = runner(&["a-1-1.x86_64"]);
    observation.packages = failed("changing");
    assert_eq!(drift(&compiled, &observation).unwrap_err().code, "changing");
    observation.packages = Section::Seen(Packages { list: Vec::new(), rpmdb_digest: String::new() });
    assert_eq!(drift(&compiled, &observation).unwrap_err().code, "packages-empty");
}
