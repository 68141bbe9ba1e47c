use super::story::{judge, lines, manifest, runner};
use crate::manifest::effective::Effective;
use crate::observation::Observation;

fn from(rules: &[(&str, &str)], repos: &[&str]) -> Effective {
    let mut effective = manifest(rules);
    for ruling in effective.packages.values_mut() {
        ruling.from = repos.iter().map(|repo| (*repo).to_owned()).collect();
    }
    effective
}

fn vendors_and_keys(vendors: &[&str], keys: &[&str]) -> Effective {
    let mut effective = Effective::default();
    effective.host.vendors = vendors.iter().map(|v| (*v).to_owned()).collect();
    effective.host.keys = keys.iter().map(|k| (*k).to_owned()).collect();
    effective
}

fn with_repo(repo: &'static str) -> Observation<'static> {
    let mut observation = runner(&["nodejs-22-1.x86_64"]);
    if let crate::observation::Section::Seen(packages) = &mut observation.packages {
        packages.list[0].from_repo = repo;
    }
    observation
}

#[test]
fn a_package_comes_from_the_repositories_of_its_rule() {
    let rules = || from(&[("nodejs", "*")], &["updates", "fedora"]);
    for (repo, expected) in [
        ("updates", vec![]),
        ("fedora", vec![]),
        ("copr:x", vec!["wrong-origin nodejs.x86_64 (updates, fedora) [copr:x] !"]),
        // After a replay.
        ("@stored_transaction(fedora)", vec![]),
        ("@stored_transaction(copr:x)", vec!["wrong-origin nodejs.x86_64 (updates, fedora) [copr:x] !"]),
        // Unknown, never wrong.
        ("", vec![]),
        ("_dnf_local", vec![]),
        ("_dnf_local_nogpgcheck", vec![]),
        ("@commandline", vec![]),
        ("<unknown>", vec![]),
        ("anaconda", vec![]),
    ] {
        assert_eq!(lines(&judge(rules(), &with_repo(repo))), expected, "{repo}");
    }
}

#[test]
fn a_wrong_origin_comes_in_addition_to_a_package_code() {
    let rules = from(&[("nodejs", "= 20"), ("absent-one", "absent")], &["updates"]);
    let observation = runner(&["nodejs-22-1.x86_64 from=copr:x", "absent-one-1-1.x86_64 from=copr:x"]);
    assert_eq!(
        lines(&judge(rules, &observation)),
        [
            "unwanted absent-one.x86_64 (absent) [1-1]",
            "ahead nodejs.x86_64 (= 20) [22-1]",
            "wrong-origin nodejs.x86_64 (updates) [copr:x] !"
        ]
    );
}

#[test]
fn vendors_and_keys_bind_every_package_and_empty_lists_do_not_judge() {
    let instances = [
        "a-1-1.x86_64 vendor=Fedora key=105ef944a15b79cc",
        "b-1-1.x86_64 vendor=Evil key=deadbeefdeadbeef",
        "c-1-1.x86_64",
    ];
    let rows: [(&str, Effective, &[&str]); 4] = [
        ("not judged", vendors_and_keys(&[], &[]), &[]),
        (
            "vendors",
            vendors_and_keys(&["Fedora"], &[]),
            &["wrong-origin b.x86_64 (Fedora) [Evil] !", "wrong-origin c.x86_64 (Fedora) [(none)] !"],
        ),
        (
            "keys, by their fingerprint",
            vendors_and_keys(&[], &["e1b1f0ba4b3c4d0a6ffbb8d0105ef944a15b79cc"]),
            &[
                "wrong-origin b.x86_64 (e1b1f0ba4b3c4d0a6ffbb8d0105ef944a15b79cc) [deadbeefdeadbeef] !",
                "wrong-origin c.x86_64 (e1b1f0ba4b3c4d0a6ffbb8d0105ef944a15b79cc) [(none)] !",
            ],
        ),
        (
            "a short id is no key: two of them collide",
            vendors_and_keys(&["Fedora"], &["a15b79cc"]),
            &[
                "wrong-origin a.x86_64 (a15b79cc) [105ef944a15b79cc] !",
                "wrong-origin b.x86_64 (Fedora; a15b79cc) [Evil, deadbeefdeadbeef] !",
                "wrong-origin c.x86_64 (Fedora; a15b79cc) [(none)] !",
            ],
        ),
    ];
    for (story, effective, expected) in rows {
        assert_eq!(lines(&judge(effective, &runner(&instances))), expected, "{story}");
    }
}
