use super::*;
use countersign_shared::drift::drift;
use countersign_shared::observation::Privileges;
use std::convert::Infallible;
use std::fmt::Write as _;

const TOKEN: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// 2026-11-20T00:00:00Z
const NOW: i64 = 1_795_132_800;

/// A runner's answer: packages as `name version arch reason`, enabled repositories, SELinux mode.
fn record(packages: &[(&str, &str, &str, &str)], repos: &[&str], selinux: &str, dnf_end: &str) -> String {
    let mut sections = vec![
        ("os", "id\tfedora\nversion_id\t41\narch\tx86_64\n".to_owned(), "0".to_owned()),
        ("kernel", "6.10.0-1.fc41.x86_64\t1700000000\n".to_owned(), "0".to_owned()),
        ("selinux", format!("{selinux}\n"), "0".to_owned()),
        ("dnf", "5\t5.4.6.0\n".to_owned(), "0".to_owned()),
    ];
    let mut rows = String::new();
    for (index, (name, evr, arch, reason)) in packages.iter().enumerate() {
        let (version, release) = evr.split_once('-').unwrap();
        let (epoch, version) = version.split_once(':').unwrap_or(("0", version));
        writeln!(
            rows,
            "{name}\t{epoch}\t{version}\t{release}\t{arch}\t1700000500\t{}\t\t\t{reason}\t-\tfedora\tFedora",
            index + 1
        )
        .unwrap();
    }
    sections.push(("packages", rows, format!("0 {}", packages.len())));
    let history = format!("t\t7\t1700000100\t1700000110\tOk\t{dnf_end}\t\"0 root <root>\"\t\"dnf5 install x\"\n");
    sections.push(("needed", String::new(), "0 0".to_owned()));
    sections.push(("history", history, "0 1".to_owned()));
    let repos: String = repos.iter().map(|id| format!("{id}\tenabled\n")).collect();
    for (name, rows) in [
        ("tokens", format!("{TOKEN}\t{TOKEN}\n")),
        ("repos", repos),
        ("versionlocks", String::new()),
        ("config", "c0".repeat(32)),
        ("modules", String::new()),
        ("locks", String::new()),
        ("reboot", "no\n".to_owned()),
        ("privileges", "986\tno\tno\tyes\tcountersign-observer\n".to_owned()),
        ("metadata", "1700000009\n".to_owned()),
        ("avc", "0\n".to_owned()),
        ("stable", "yes\n".to_owned()),
    ] {
        sections.push((name, rows, "0".to_owned()));
    }
    let mut text = String::new();
    for (name, rows, close) in &sections {
        writeln!(text, "section {name}").unwrap();
        for row in rows.lines() {
            writeln!(text, " {row}").unwrap();
        }
        writeln!(text, "close {close}").unwrap();
    }
    writeln!(text, "end {}", sections.len()).unwrap();
    text
}

fn canonical(extra: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    let mut fleet = String::from(
        "schema = \"countersign/fleet/1\" # ours\n\n[groups.builders] # keep me\nowner = \"b@example.org\"\nmanifests = []\n",
    );
    for number in 1..=5 {
        writeln!(fleet, "[runners.r{number}]\naddress = \"10.0.0.{number}\"\ngroups = [\"builders\"]").unwrap();
    }
    let mut files = BTreeMap::from([("fleet.toml".to_owned(), fleet.into_bytes())]);
    files.extend(extra.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
    files
}

/// A drifted fleet: r1 to r4 were observed, r5 never was.
fn answers() -> BTreeMap<&'static str, String> {
    let common = [
        ("bash", "5.2-1.fc41", "x86_64", "u"),
        ("dnf5", "5.4-1.fc41", "x86_64", "g"),
        ("glibc", "2.40-1.fc41", "x86_64", "d"),
        ("llvm", "19.1-1.fc41", "x86_64", "u"),
        ("tzdata", "2:2026a-1.fc41", "noarch", "e"),
    ];
    let with = |more: &[(&'static str, &'static str, &'static str, &'static str)]| {
        let mut all = common.to_vec();
        all.extend_from_slice(more);
        all
    };
    let mut third = with(&[("glibc", "2.40-1.fc41", "i686", "u"), ("llvm", "18.1-1.fc41", "x86_64", "u")]);
    third.retain(|package| package.0 != "tzdata");
    BTreeMap::from([
        ("r1", record(&with(&[("htop", "3-1.fc41", "x86_64", "u")]), &["fedora", "updates"], "enforcing", "")),
        ("r2", record(&with(&[]), &["fedora", "updates"], "enforcing", "")),
        ("r3", record(&third, &["fedora", "updates", "rawhide"], "permissive", TOKEN)),
        ("r4", record(&with(&[("gcc-toolset-13", "13-1.fc41", "x86_64", "u")]), &["fedora"], "enforcing", "")),
    ])
}

fn make(files: &BTreeMap<String, Vec<u8>>) -> Result<Baseline, BaselineError> {
    let answers = answers();
    let request = Request { canonical: files, group: "builders", now: NOW, waive_days: 30 };
    baseline(&request, |runner| Ok::<_, Infallible>(answers.get(runner).map(|record| (record.clone(), 1_700_001_000))))
}

/// What the next report would count: items without a valid waiver, as `runner package code`.
fn unwaived(files: &BTreeMap<String, Vec<u8>>, needed: &[&str], now: i64) -> Vec<String> {
    unwaived_of(&answers(), files, needed, now)
}

fn unwaived_of(
    answers: &BTreeMap<&'static str, String>,
    files: &BTreeMap<String, Vec<u8>>,
    needed: &[&str],
    now: i64,
) -> Vec<String> {
    let canonical = Canonical::load(files).unwrap_or_else(|list| panic!("{}", list[0]));
    let mut left = Vec::new();
    for (&name, record) in answers {
        let runner = canonical.fleet.runner(name).unwrap();
        let mut observation = Observation::parse(record, 1_700_001_000).unwrap();
        observation.needed = Section::Seen(needed.to_vec());
        let compiled = Compiled::new(canonical.effective(runner)).unwrap();
        for item in drift(&compiled, &observation).unwrap().items {
            let waivers = canonical.waivers_for(runner);
            if !waivers.iter().any(|waiver| waiver.is_valid_at(now) && waiver.covers(&item.difference())) {
                left.push(format!("{name} {} {}", item.package.as_deref().unwrap_or("-"), item.code));
            }
        }
    }
    left
}

#[test]
fn the_first_report_after_a_baseline_is_empty_and_later_drift_shows() {
    let before = canonical(&[]);
    assert!(unwaived(&before, &[], NOW).len() > 5, "the fleet has drifted from nothing");
    let made = make(&before).unwrap();
    let after = over(&before, &made.files);
    assert_eq!(unwaived(&after, &[], NOW), [""; 0]);
    assert_eq!(unwaived(&after, &["glibc"], NOW), [""; 0], "whatever the manifest's packages turn out to need");
    let in_31_days = NOW + 31 * 86_400;
    assert!(!unwaived(&after, &[], in_31_days).is_empty(), "waivers end");

    // A waiver is for what was there and not for more.
    let fleet = Canonical::load(&after).unwrap();
    let compiled = Compiled::new(fleet.effective(fleet.fleet.runner("r2").unwrap())).unwrap();
    let record = record(
        &[("bash", "5.2-1.fc41", "x86_64", "u"), ("nmap", "7-1.fc41", "x86_64", "u")],
        &["fedora", "updates"],
        "enforcing",
        "",
    );
    let items = drift(&compiled, &Observation::parse(&record, 1_700_001_000).unwrap()).unwrap().items;
    let shown: Vec<String> =
        items.iter().map(|i| format!("{} {}", i.package.as_deref().unwrap_or("-"), i.code)).collect();
    assert_eq!(shown, ["dnf5 missing", "llvm missing", "nmap unlisted", "tzdata missing"]);

    let mut texts = made.files.iter().map(|(path, text)| format!("--- {path}\n{text}")).collect::<Vec<_>>();
    texts.push(format!("{:?} {:?} {} {}", made.runners, made.not_observed, made.packages, made.waivers));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn what_drifts_further_is_not_covered_by_the_waivers_of_a_baseline() {
    let mut before = canonical(&[("manifests/base.toml", BASE)]);
    let fleet = String::from_utf8(before["fleet.toml"].clone()).unwrap();
    before.insert("fleet.toml".to_owned(), fleet.replace("manifests = []", "manifests = [\"base\"]").into_bytes());
    let of = |llvm, more: &[(&'static str, &'static str, &'static str, &'static str)], repos: &[&str], mode| {
        let mut all = vec![("bash", "5.2-1.fc41", "x86_64", "u"), ("llvm", llvm, "x86_64", "u")];
        all.extend_from_slice(more);
        record(&all, repos, mode, "")
    };
    let usual = || of("19.1-1.fc41", &[], &["fedora", "updates", "extras"], "enforcing");
    let tool = ("tool", "2.40-1.fc41", "x86_64", "u");
    // The third runner has an old llvm, a tool of its own, one repository more and one less.
    let third = |llvm, more: &[_], repos: &[&str]| of(llvm, &[&[tool], more].concat(), repos, "permissive");
    let repos = ["fedora", "updates", "rawhide"];
    let old = "18.1-1.fc41";
    let day_one = BTreeMap::from([("r1", usual()), ("r2", usual()), ("r3", third(old, &[], &repos))]);
    let request = Request { canonical: &before, group: "builders", now: NOW, waive_days: 30 };
    let seen = |runner: &str| Ok::<_, Infallible>(day_one.get(runner).map(|record| (record.clone(), 1_700_001_000)));
    let made = baseline(&request, seen).unwrap();
    assert_eq!(made.waivers, 5, "{:?}", made.files);
    let after = over(&before, &made.files);

    let rows: [(&str, String, &[&str]); 8] = [
        ("as it was", third(old, &[], &repos), &[]),
        ("further back", third("17.0-1.fc41", &[], &repos), &["r3 llvm behind"]),
        ("another repository more", third(old, &[], &["copr", "fedora", "updates", "rawhide"]), &["r3 - repo-enabled"]),
        ("another repository less", third(old, &[], &["fedora", "rawhide"]), &["r3 - repo-disabled"]),
        ("another version", third(old, &[("tool", "2.41-1.fc41", "x86_64", "u")], &repos), &["r3 tool duplicate"]),
        ("another architecture", third(old, &[("tool", "2.40-1.fc41", "i686", "u")], &repos), &["r3 tool unlisted"]),
        ("another tool", third(old, &[("nmap", "7-1.fc41", "x86_64", "u")], &repos), &["r3 nmap unlisted"]),
        ("less than was accepted", usual(), &[]),
    ];
    for (what, record, shown) in rows {
        assert_eq!(unwaived_of(&BTreeMap::from([("r3", record)]), &after, &[], NOW), shown, "{what}");
    }
}

/// Rules of people: the third runner is behind them.
const BASE: &str = "schema = \"countersign/manifest/1\"\n[packages]\nllvm = \">= 19\"\n";

#[test]
fn what_people_wrote_is_kept() {
    let base = "schema = \"countersign/manifest/1\"\n[packages]\nllvm = \"= 19.1\"\n[host]\nselinux = \"enforcing\"\n";
    let own = "schema = \"countersign/manifest/1\"\ninclude = [\"base\"]\nowner = \"x@example.org\"\n";
    let mut files = canonical(&[("manifests/base.toml", base), ("manifests/builders.toml", own)]);
    let fleet =
        String::from_utf8(files["fleet.toml"].clone()).unwrap().replace("manifests = []", "manifests = [\"builders\"]");
    files.insert("fleet.toml".to_owned(), fleet.into_bytes());
    let made = make(&files).unwrap();
    let manifest = &made.files["manifests/builders.toml"];
    assert!(manifest.contains("include = [\"base\"]\nowner = \"x@example.org\"\n"), "{manifest}");
    assert!(!manifest.contains("llvm") && !manifest.contains("selinux"), "{manifest}");
    assert!(!made.files.contains_key("fleet.toml"), "the group has the manifest already");
    assert_eq!(unwaived(&over(&files, &made.files), &[], NOW), [""; 0]);

    // A second baseline has nothing to add, and overwrites nothing that says something.
    let after = over(&files, &made.files);
    let again = make(&after).unwrap();
    assert_eq!((again.packages, again.waivers), (0, 0));
    assert!(
        again.files.keys().all(|path| !after.contains_key(path) || path == "fleet.toml"),
        "{:?}",
        again.files.keys()
    );
    let full = over(&after, &again.files);
    assert_eq!(unwaived(&full, &[], NOW), [""; 0]);
    assert!(again.files["fleet.toml"].contains("[groups.builders] # keep me"), "comments stay");
}

#[test]
fn a_baseline_of_nothing_is_refused() {
    let files = canonical(&[]);
    let request = Request { canonical: &files, group: "builders", now: NOW, waive_days: 30 };
    let nothing = |_: &str| Ok::<_, Infallible>(None);
    assert!(matches!(baseline(&request, nothing), Err(BaselineError::NotObserved(_))));
    let garbage = |_: &str| Ok::<_, Infallible>(Some(("garbage".to_owned(), NOW)));
    assert!(matches!(baseline(&request, garbage), Err(BaselineError::NotObserved(_))));
    let other = Request { group: "builder", ..request };
    assert!(matches!(baseline(&other, nothing), Err(BaselineError::NoGroup(_))));
    let broken = |_: &str| Err(std::io::Error::other("disk"));
    assert!(matches!(baseline(&request, broken), Err(BaselineError::History(..))));
}

#[test]
fn the_test_record_is_a_whole_observation() {
    let answers = answers();
    let seen = Observation::parse(&answers["r1"], 0).unwrap();
    assert_eq!(seen.packages.seen().unwrap().list.len(), 6);
    let Privileges { forced, .. } = seen.privileges.seen().unwrap();
    assert!(forced);
    assert!(seen.history.seen().is_some() && seen.repos.seen().is_some() && seen.selinux.seen().is_some());
}
