//! What each program is made of. A program that must not be able to do something does not link what could.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// A line for each crate that is linked into `package`: normal dependencies on this platform, features as built.
fn tree(package: &str, format: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--format", format, "--package", package])
        .current_dir(root)
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8").lines().map(str::to_owned).collect()
}

/// Names of all crates that are linked into `package`.
fn closure(package: &str) -> BTreeSet<String> {
    let lines = tree(package, "{p}");
    let names: BTreeSet<String> =
        lines.iter().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(names.contains(package), "the list names the package itself");
    names
}

/// The features that `dependency` has in `package`.
fn features(package: &str, dependency: &str) -> BTreeSet<String> {
    let start = format!("{dependency}|");
    let lines = tree(package, "{lib}|{f}");
    lines
        .iter()
        .filter_map(|line| line.strip_prefix(&start))
        .flat_map(|f| f.split(','))
        .map(|f| f.trim_end_matches(" (*)").to_owned())
        .collect()
}

/// The members of `forbidden` that `package` links.
fn linked(package: &str, forbidden: &[&str]) -> Vec<String> {
    let closure = closure(package);
    forbidden.iter().filter(|name| closure.contains(**name)).map(|name| (*name).to_owned()).collect()
}

const SECOND_CRYPTO_PROVIDERS: &[&str] = &["ring", "openssl", "openssl-sys", "libssh2-sys", "native-tls"];

#[test]
fn the_observer_links_nothing_of_the_actuator_and_no_package_manager() {
    let forbidden = [
        "countersign-actuator",
        "countersign-warden",
        "countersign-notary",
        "countersign",
        "countersign-integration",
        "rpm",
        "libdnf-sys",
    ];
    assert_eq!(linked("countersign-observer", &forbidden), Vec::<String>::new());
}

#[test]
fn the_actuator_links_nothing_of_the_observer() {
    assert_eq!(
        linked("countersign-actuator", &["countersign-observer", "countersign-integration"]),
        Vec::<String>::new()
    );
}

/// Without the feature there is no code that writes to a remote.
#[test]
fn only_the_observer_can_push() {
    let push = |package| features(package, "countersign_shared").contains("push");
    assert!(push("countersign-observer"), "the list would show it");
    for package in ["countersign-actuator", "countersign-warden", "countersign-notary", "countersign"] {
        assert!(!push(package), "{package}");
    }
}

/// It writes the copy of its ledger, and that is all of git that it writes.
#[test]
fn only_the_actuator_can_keep_receipts() {
    let receipts = |package| features(package, "countersign_shared").contains("receipts");
    assert!(receipts("countersign-actuator"), "the list would show it");
    for package in ["countersign-observer", "countersign-warden", "countersign-notary", "countersign"] {
        assert!(!receipts(package), "{package}");
    }
}

/// It holds the key that signs tokens, and is asked over a socket of its own machine alone.
#[test]
fn the_notary_links_nothing_that_reaches_out() {
    let forbidden = [
        "countersign-actuator",
        "countersign-observer",
        "countersign-warden",
        "tokio",
        "russh",
        "git2",
        "reqwest",
        "rustls",
        "rusqlite",
    ];
    assert_eq!(linked("countersign-notary", &forbidden), Vec::<String>::new());
}

#[test]
fn wire_formats_are_serde_and_nothing_that_reads_or_writes() {
    let forbidden = ["countersign-shared", "tokio", "git2", "russh", "rusqlite", "tracing", "anyhow"];
    assert_eq!(linked("countersign-manifests-schema", &forbidden), Vec::<String>::new());
}

#[test]
fn what_is_shared_reads_git_and_ssh_only_where_a_program_asks_for_it() {
    assert_eq!(linked("countersign-shared", &["tokio", "git2", "russh", "rusqlite"]), Vec::<String>::new());
}

#[test]
fn the_warden_links_no_network_no_git_and_nothing_that_decides() {
    let forbidden = [
        "tokio",
        "russh",
        "git2",
        "reqwest",
        "rusqlite",
        "countersign-actuator",
        "countersign-notary",
        "countersign-observer",
        "countersign-integration",
    ];
    assert_eq!(linked("countersign-warden", &forbidden), Vec::<String>::new());
    assert_eq!(linked("countersign-warden", SECOND_CRYPTO_PROVIDERS), Vec::<String>::new());
}

#[test]
fn there_is_one_crypto_provider_and_one_ssh_key() {
    for package in ["countersign-observer", "countersign-actuator"] {
        assert_eq!(linked(package, SECOND_CRYPTO_PROVIDERS), Vec::<String>::new(), "{package}");
        let keys = closure(package).into_iter().filter(|name| name == "ssh-key").count();
        assert!(keys <= 1, "{package}");
    }
}

#[test]
fn the_list_would_show_what_is_forbidden() {
    let forbidden = ["russh", "rusqlite", "git2"];
    assert_eq!(linked("countersign-observer", &forbidden), forbidden);
}
