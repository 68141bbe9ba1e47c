use super::*;
use countersign_manifests_schema::transaction::Reason;
use std::collections::BTreeMap;

const FLEET: &str = "schema = \"countersign/fleet/1\"\n[runners.r1]\naddress = \"10.0.0.1\"\nmanifests = [\"m\"]\n\
    [runners.r2]\naddress = \"10.0.0.2\"\nmanifests = [\"locked\"]\n";
const MANIFEST: &str = "schema = \"countersign/manifest/1\"\n[packages]\nhtop = \"*\"\nllvm = \"= 19.1.0-1.fc41\"\n\
    \"glibc.i686\" = \"absent\"\ntelnet = \"absent < 2\"\nglibc = \">= 2.40\"\nkernel-devel = { same-as = \"running-kernel\" }\n\
    strace = \"allowed\"\n[unlisted]\nuser-installed = \"remove\"\n";
const LOCKED: &str = "schema = \"countersign/manifest/1\"\nlock = \"locks/l.toml\"\n";
const LOCK: &str = "schema = \"countersign/lock/1\"\narch = \"x86_64\"\nreleasever = \"41\"\n\
    packages = [\"htop-3.3.0-1.fc41.x86_64\"]\n";

fn effective(runner: &str) -> std::sync::Arc<Effective> {
    let files: BTreeMap<String, Vec<u8>> = [
        ("fleet.toml", FLEET),
        ("manifests/m.toml", MANIFEST),
        ("manifests/locked.toml", LOCKED),
        ("locks/l.toml", LOCK),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
    .collect();
    let canonical = Canonical::load(&files).unwrap();
    canonical.effective(canonical.fleet.runner(runner).unwrap())
}

/// `CODE NAME[.ARCH] [WANTED] [SEEN ...]`, parts divided by `|`.
fn item(text: &str) -> ClaimedItem {
    let parts: Vec<&str> = text.split('|').map(str::trim).collect();
    let (code, subject) = parts[0].split_once(' ').unwrap();
    let (package, arch) = match subject.rsplit_once('.') {
        Some((package, arch)) => (package, Some(arch.to_owned())),
        None => (subject, None),
    };
    ClaimedItem {
        code: code.to_owned(),
        package: package.to_owned(),
        arch,
        wanted: Some(parts[1].to_owned()).filter(|wanted| !wanted.is_empty()),
        seen: parts[2].split_whitespace().map(str::to_owned).collect(),
        since: None,
        by: None,
        spec_changed: None,
        file: None,
        reason: None,
    }
}

fn changes(text: &str) -> Transaction {
    let one = |word: &str| {
        let (sign, nevra) = word.split_at(1);
        let action = match sign {
            "+" => Action::Install,
            "v" => Action::Downgrade,
            "^" => Action::Upgrade,
            "~" => Action::Replaced,
            _ => Action::Remove,
        };
        let (reason, repo_id) = (Reason::User, "r".to_owned());
        Change { nevra: nevra.to_owned(), action, reason, repo_id, sha256: None, asserted: false }
    };
    Transaction { generation: 5, rpms: text.split_whitespace().map(one).collect() }
}

/// What is said of an item and its transaction.
fn said(runner: &str, text: &str, transaction: &str) -> Result<(), String> {
    let (effective, item, transaction) = (effective(runner), item(text), changes(transaction));
    claim(&effective, &item)?;
    remedy(&effective, &item, &transaction)?;
    transaction.rpms.iter().try_for_each(|change| new_drift(&effective, change, &transaction))
}

#[test]
fn each_kind_of_drift_follows_from_the_manifest_and_is_removed() {
    for (runner, text, transaction) in [
        ("r1", "missing htop | * |", "+htop-3.3.0-1.fc41.x86_64"),
        (
            "r1",
            "ahead llvm.x86_64 | = 19.1.0-1.fc41 | 20.1.0-1.fc41",
            "vllvm-19.1.0-1.fc41.x86_64 ~llvm-20.1.0-1.fc41.x86_64",
        ),
        ("r1", "behind glibc.x86_64 | >= 2.40 | 2.39-1", "^glibc-2.40-1.x86_64 ~glibc-2.39-1.x86_64"),
        ("r1", "unwanted glibc.i686 | absent | 2.40-1", "-glibc-2.40-1.i686"),
        ("r1", "unwanted telnet.x86_64 | absent < 2 | 1.0-1", "-telnet-1.0-1.x86_64"),
        ("r1", "unlisted mlib.x86_64 | | 1.0-1", "-mlib-1.0-1.x86_64"),
        ("r1", "duplicate zlib.x86_64 | | 1.0-1 1.1-1", "-zlib-1.0-1.x86_64"),
        ("r1", "wrong-arch htop.i686 | * | 3.3.0-1", "+htop-3.3.0-1.x86_64"),
        (
            "r1",
            "kernel-mismatch kernel-devel.x86_64 | 6.11.4-301.fc41.x86_64 |",
            "+kernel-devel-6.11.4-301.fc41.x86_64",
        ),
        ("r2", "missing htop.x86_64 | = 3.3.0-1.fc41 |", "+htop-3.3.0-1.fc41.x86_64"),
        (
            "r2",
            "ahead htop.x86_64 | = 3.3.0-1.fc41 | 3.4.0-1.fc41",
            "vhtop-3.3.0-1.fc41.x86_64 ~htop-3.4.0-1.fc41.x86_64",
        ),
        ("r2", "not-in-lock zsh.x86_64 | | 5.9-1", "-zsh-5.9-1.x86_64"),
    ] {
        assert_eq!(said(runner, text, transaction), Ok(()), "{text}");
    }
}

#[test]
fn what_does_not_follow_is_named() {
    for (runner, text, transaction, word) in [
        ("r1", "missing strace | * |", "+strace-6.1-1.x86_64", "this is not so"),
        ("r1", "missing zsh | * |", "+zsh-5.9-1.x86_64", "this is not so"),
        ("r1", "missing htop | = 1 |", "+htop-3.3.0-1.fc41.x86_64", "the manifest says \"*\""),
        ("r1", "missing htop | * |", "+htop-data-1-1.x86_64", "nothing that the manifest accepts"),
        ("r1", "ahead llvm.x86_64 | = 19.1.0-1.fc41 | 18.1.0-1.fc41", "vllvm-19.1.0-1.fc41.x86_64", "this is not so"),
        (
            "r1",
            "ahead llvm.x86_64 | = 19.1.0-1.fc41 | 20.1.0-1.fc41",
            "vllvm-18.1.0-1.fc41.x86_64",
            "nothing that the manifest accepts",
        ),
        ("r1", "behind llvm.x86_64 | = 19.1.0-1.fc41 | 20.1.0-1.fc41", "^llvm-19.1.0-1.fc41.x86_64", "this is not so"),
        ("r1", "unwanted telnet.x86_64 | absent < 2 | 3.0-1", "-telnet-3.0-1.x86_64", "need not be absent"),
        ("r1", "unwanted glibc.i686 | absent | 2.40-1", "-glibc-2.40-1.x86_64", "leaves it there"),
        ("r1", "unwanted htop.x86_64 | absent | 3-1", "-htop-3-1.x86_64", "this is not so"),
        ("r1", "unlisted htop.x86_64 | | 3-1", "-htop-3-1.x86_64", "this is not so"),
        ("r2", "unlisted mlib.x86_64 | | 1.0-1", "-mlib-1.0-1.x86_64", "removes nothing for being unlisted"),
        ("r1", "duplicate zlib.x86_64 | | 1.0-1", "-zlib-1.0-1.x86_64", "this is not so"),
        ("r1", "not-in-lock zsh.x86_64 | | 5.9-1", "-zsh-5.9-1.x86_64", "this is not so"),
        ("r1", "selinux htop | | ", "-htop-1-1.x86_64", "this is not so"),
        ("r1", "nonsense htop | * |", "+htop-1-1.x86_64", "no code of drift"),
        ("r2", "missing htop.x86_64 | = 9-9 |", "+htop-9-9.x86_64", "this is not so"),
        ("r2", "missing htop.x86_64 | = 3.3.0-1.fc41 |", "+htop-9-9.x86_64", "nothing that the manifest accepts"),
        // The drift is removed, and something else is broken.
        ("r1", "missing htop | * |", "+htop-3-1.x86_64 vllvm-18-1.x86_64", "the manifest wants = 19.1.0-1.fc41"),
        ("r1", "missing htop | * |", "+htop-3-1.x86_64 +glibc-2.40-1.i686", "wants it absent"),
        ("r1", "missing htop | * |", "+htop-3-1.x86_64 -glibc-2.40-1.x86_64", "the manifest wants it"),
    ] {
        let error = said(runner, text, transaction).unwrap_err();
        assert!(error.contains(word), "{text} / {transaction}: {error}");
    }
}
