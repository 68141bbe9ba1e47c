//! Runs that end before they have a report: each with its code, its exit status and exactly one document.

use std::fs;
use std::path::Path;

use countersign_integration::lab::{Base, Lab, LabConfig, Runner, turn};

use crate::forge::{self, Rights};
use crate::observer::{Answer, Observer};
use crate::site::{BUILDER, Settings, Site, runners};

/// One runner and the forge.
fn small() -> (Lab, Site) {
    let lab = Lab::up(&LabConfig::new([("runner-01", Base::Dnf5), ("forge", Base::Dnf5)])).unwrap();
    let site = Site::new(lab.runner("forge"), runners(&lab));
    site.enroll(runners(&lab));
    (lab, site)
}

fn nightly(observer: &Observer) -> Answer {
    observer.run(&["nightly", "--json"])
}

fn refused(observer: &Observer, status: i32, code: &str) -> String {
    let error = nightly(observer).error(status);
    assert_eq!(error.code, code, "{}", error.message);
    error.message
}

/// How often anybody has connected to the runners: `PassiveOpens` of RFC 4022, as their kernels count.
fn asked(lab: &Lab) -> u64 {
    let opens = |runner: &Runner| -> u64 {
        let text = runner.sh("awk '$1 == \"Tcp:\" { opens = $7 } END { print opens }' /proc/net/snmp").unwrap();
        text.trim().parse().unwrap()
    };
    runners(lab).map(opens).sum()
}

#[test]
fn a_run_that_cannot_begin_says_why_in_one_document_and_asks_no_runner() {
    let Some(_turn) = turn("a_run_that_cannot_begin_says_why_in_one_document_and_asks_no_runner") else {
        return;
    };
    let (mut lab, site) = small();
    let observer = site.observer(&Settings::of("small"));
    let clean = nightly(&observer).report(0);
    assert!(clean.runners.iter().all(|row| row.drift.is_empty()), "{:?}", clean.runners);
    let after_one = asked(&lab);
    assert!(after_one > 0);

    // The configuration.
    let config = site.path("small.toml");
    let good = fs::read_to_string(&config).unwrap();
    for (bad, word) in [
        (format!("{good}\nallow_mutating = true\n"), "allow_mutating"),
        (good.replace("anchor ", "anchor_ "), "anchor_"),
        ("state_dir = [".to_owned(), ""),
    ] {
        assert_ne!(bad, good);
        fs::write(&config, bad).unwrap();
        let said = refused(&observer, 2, "config");
        assert!(said.contains(word), "{said}");
    }
    fs::remove_file(&config).unwrap();
    refused(&observer, 2, "config");
    fs::write(&config, &good).unwrap();

    assert_eq!(asked(&lab), after_one, "a runner was asked without a configuration");

    // Files of canonical: the first error is the document, with its place; without --json all of them are told.
    let broken = BUILDER.replace("\"= 19.1.0-1.fc41\"", "\"19.1.0-1.fc41\"").replace("[host]", "[hots]");
    site.commit(&[("manifests/builder.toml", &broken)]);
    site.push(lab.runner("forge"));
    let error = nightly(&observer).error(2);
    assert!(error.at.as_deref().is_some_and(|at| at.starts_with("manifests/builder.toml:")), "{error:?}");
    let told = observer.run(&["nightly"]);
    assert_eq!((told.status, told.stdout), (2, Vec::new()));
    for word in ["clang-tools-extra", "llvm", "hots"] {
        assert!(told.stderr.contains(word), "{word} is not in {}", told.stderr);
    }
    assert_eq!(asked(&lab), after_one, "a runner was asked with a broken manifest");
    site.commit(&[("manifests/builder.toml", BUILDER)]);
    site.push(lab.runner("forge"));
    nightly(&observer).report(0);

    // A credential that could push.
    let key = site.public_key("keys/canonical_read");
    let after_two = asked(&lab);
    assert!(after_one < after_two, "the good run is not counted");
    forge::allow(lab.runner("forge"), &key, Rights::Write);
    refused(&observer, 20, "canonical-writable");
    forge::allow(lab.runner("forge"), &key, Rights::Read);

    // A commit by somebody who is not listed, and an unsigned one.
    let strict = BUILDER.replace("htop              = \"*\"", "htop              = \"absent\"");
    site.commit_by("people/stranger", &[("manifests/builder.toml", &strict)], &[]);
    site.push(lab.runner("forge"));
    refused(&observer, 20, "canonical-unsigned");
    site.commit_by("people/mira", &[], &["--amend", "--no-gpg-sign"]);
    site.push(lab.runner("forge"));
    refused(&observer, 20, "canonical-unsigned");
    // Nor is a runner enrolled with keys that nobody stands behind.
    let printed = observer.run(&["enroll", "runner-01"]);
    assert_eq!((printed.status, printed.stdout.as_slice()), (20, &b""[..]));
    assert!(printed.stderr.contains("not all of canonical's history is by people"), "{}", printed.stderr);

    // The history that was seen is gone, signed by a person or not.
    assert_eq!(asked(&lab), after_two, "a runner was asked after a refusal");
    site.commit_by("people/mira", &[], &["--amend"]);
    site.push(lab.runner("forge"));
    nightly(&observer).report(10);
    let other = strict.replace("htop              = \"absent\"", "htop              = \"allowed\"");
    site.commit_by("people/mira", &[("manifests/builder.toml", &other)], &["--amend"]);
    site.push(lab.runner("forge"));
    let after_three = asked(&lab);
    assert!(after_two < after_three, "the good run is not counted");
    let said = refused(&observer, 20, "history-rewritten");
    assert!(!said.is_empty());
    // Twice: the first refusal is not the new truth.
    refused(&observer, 20, "history-rewritten");

    // Nobody there.
    lab.runner_mut("forge").stop().unwrap();
    refused(&observer, 1, "unreachable");
    assert_eq!(asked(&lab), after_three, "a runner was asked after a refusal");
}

#[test]
fn a_local_canonical_that_the_account_can_write_is_refused() {
    let Some(_turn) = turn("a_local_canonical_that_the_account_can_write_is_refused") else {
        return;
    };
    let (_lab, site) = small();
    let observer = site.observer(&Settings::of("local"));
    let config = site.path("local.toml");
    let clone = site.path("canonical");
    let local = |url: &Path| {
        let text = fs::read_to_string(&config).unwrap();
        let lines = text.lines().filter(|line| !["ssh_key", "known_hosts"].iter().any(|key| line.starts_with(key)));
        let url = format!("url = \"{}\"", url.display());
        let lines = lines.map(|line| if line.starts_with("url") { url.as_str() } else { line });
        fs::write(&config, lines.collect::<Vec<_>>().join("\n")).unwrap();
    };
    local(&clone);
    nightly(&observer).report(0);
    // One reference that anybody may write is enough.
    let refs = clone.join(".git/refs/heads");
    fs::set_permissions(&refs, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let said = refused(&observer, 20, "canonical-writable");
    assert!(said.contains("refs/heads"), "{said}");
}
