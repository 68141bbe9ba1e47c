//! The incident on one runner, in a few lines.

pub(super) use crate::drift::tests::story::{closed, manifest, package_key, runner};
use crate::drift::{Compiled, Item, drift};
use crate::manifest::effective::Effective;
use crate::manifest::policy::Policy;
use crate::observation::Observation;
use crate::proposal::{Blocked, Justified, Refusal, Sealed, Situation, Standing, build, justify, wish};
use countersign_manifests_schema::report::{By, DriftItem};
use countersign_manifests_schema::transaction::{Action, Change, Reason, Transaction};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The time of every proposal.
pub(super) const NOW: &str = "2026-11-20T03:30:00Z";

pub(super) fn items(effective: &Effective, observation: &Observation<'_>) -> Vec<Item> {
    let compiled = Compiled::new(Arc::new(effective.clone())).unwrap();
    drift(&compiled, observation).unwrap().items
}

/// What is asked for, for each item: actions, or the code that blocks it. `offers` are `NEVRA REPO`.
pub(super) fn wanted(effective: &Effective, observation: &Observation<'_>, offers: &[&str]) -> Vec<String> {
    let offers: Vec<_> = offers.iter().map(|line| offer(line)).collect();
    let standing = Standing { waived: false, observations: 2 };
    items(effective, observation)
        .iter()
        .flat_map(|item| match wish(effective, observation, item, standing, 2) {
            None => vec![format!("{} -", item.code)],
            Some(Err(blocked)) => vec![format!("{} {}", item.code, blocked.code)],
            Some(Ok(remedy)) => match remedy.wants(&offers) {
                Ok(wants) => wants.iter().map(|want| format!("{} {}", want.action.as_str(), want.nevra)).collect(),
                Err(blocked) => vec![format!("{} {}: {}", item.code, blocked.code, blocked.message)],
            },
        })
        .collect()
}

pub(super) fn offer(line: &str) -> crate::proposal::Offer {
    let (nevra, repo_id) = line.split_once(' ').unwrap_or((line, "updates"));
    crate::proposal::Offer { nevra: nevra.to_owned(), repo_id: repo_id.to_owned() }
}

/// `ACTION NEVRA [REASON]`; incoming packages are from `updates` and have a sha256.
pub(super) fn transaction(lines: &[&str]) -> Transaction {
    let mut rpms: Vec<Change> = lines.iter().map(|line| change(line)).collect();
    rpms.sort_by(|a, b| (&a.nevra, a.action.as_str()).cmp(&(&b.nevra, b.action.as_str())));
    Transaction { generation: 5, rpms }
}

fn change(line: &str) -> Change {
    let mut words = line.splitn(3, ' ');
    let word = words.next().unwrap();
    let action = Action::ALL.into_iter().find(|a| a.as_str().replace(' ', "") == word).unwrap();
    let nevra = words.next().unwrap().to_owned();
    let word = words.next().unwrap_or("User");
    let reason = Reason::ALL.into_iter().find(|reason| reason.as_str() == word).unwrap();
    let incoming = action.is_incoming();
    Change {
        nevra,
        action,
        reason,
        repo_id: if incoming { "updates" } else { "@System" }.to_owned(),
        sha256: incoming.then(|| "5a".repeat(32)),
        asserted: true,
    }
}

/// Judges a transaction that claims the items of these packages; the items of the others in `waived` may not be
/// touched.
pub(super) fn judge(
    effective: &Effective,
    observation: &Observation<'_>,
    claimed: &[&str],
    waived: &[&str],
    transaction: &Transaction,
) -> Result<Justified, Blocked> {
    judge_by(&Policy::default(), effective, observation, claimed, waived, transaction)
}

pub(super) fn judge_by(
    policy: &Policy,
    effective: &Effective,
    observation: &Observation<'_>,
    claimed: &[&str],
    waived: &[&str],
    transaction: &Transaction,
) -> Result<Justified, Blocked> {
    let compiled = Compiled::new(Arc::new(effective.clone())).unwrap();
    let items = items(effective, observation);
    let of = |names: &[&str]| -> Vec<&Item> {
        items.iter().filter(|item| item.package.as_deref().is_some_and(|name| names.contains(&name))).collect()
    };
    justify(&compiled, observation, &of(claimed), &of(waived), policy, transaction)
}

/// As the report has it.
pub(super) fn reported(item: &Item) -> DriftItem {
    DriftItem {
        code: item.code.to_string(),
        package: item.package.clone(),
        arch: item.arch.clone(),
        wanted: item.wanted.clone(),
        seen: item.seen.clone(),
        since: Some("2026-11-19T22:14:03Z".to_owned()),
        by: Some(By { user: Some("alice".to_owned()), command: "dnf upgrade llvm".to_owned() }),
        spec_changed: None,
        waived: None,
        new: true,
        remediable: item.remediable,
        blocked: None,
    }
}

/// The proposal for the items of some packages.
pub(super) fn proposal(
    effective: &Effective,
    observation: &Observation<'_>,
    claimed: &[&str],
    transaction: &Transaction,
) -> Result<Sealed, Refusal> {
    let justified = judge(effective, observation, claimed, &[], transaction).map_err(Refusal::Blocked)?;
    let items: Vec<DriftItem> = items(effective, observation)
        .iter()
        .filter(|item| item.package.as_deref().is_some_and(|name| claimed.contains(&name)))
        .map(reported)
        .collect();
    build(&Situation {
        runner: "runner-04",
        version: "0.1.0",
        commit: "8d1f00000000000000000000000000000000c0de",
        effective,
        observation,
        configuration: &"c0".repeat(32),
        claimed: &items,
        justified: &justified,
        unobtainable: &BTreeSet::new(),
        snapshots: false,
        tried: &[],
        now: NOW.parse::<Timestamp>().unwrap(),
        ttl: Duration::from_secs(7 * 86_400),
    })
}

/// llvm was upgraded by hand, a tool came that nobody wants, and one that is wanted went.
pub(super) fn incident() -> (Effective, Observation<'static>) {
    let mut effective = manifest(&[
        ("llvm", "= 19.1.0-1.fc41"),
        ("clang-tools-extra", "*"),
        ("gcc-toolset-13", "absent"),
        ("htop", "*"),
    ]);
    for (name, reason) in [
        ("llvm", Some("tenant X links its passes against 19")),
        ("htop", None),
        ("gcc-toolset-13", Some("tenant X's build prefers it")),
    ] {
        let ruling = effective.packages.get_mut(&package_key(name)).unwrap();
        ruling.reason = reason.map(str::to_owned);
        ruling.place.file = "manifests/builder.toml".to_owned();
    }
    let mut observation = runner(&[
        "bash-5.2.32-1.fc41.x86_64",
        "clang-tools-extra-20.1.0-1.fc41.x86_64 user",
        "gcc-toolset-13-13.0-1.fc41.x86_64 user",
        "llvm-20.1.0-1.fc41.x86_64 user",
        "llvm-libs-20.1.0-1.fc41.x86_64",
    ]);
    observation.at = "2026-11-20T03:29:30Z".parse::<Timestamp>().unwrap().as_second();
    (effective, observation)
}

/// What dnf makes of all of it.
pub(super) fn way_back_to_the_manifest() -> Transaction {
    transaction(&[
        "Downgrade llvm-19.1.0-1.fc41.x86_64",
        "Replaced llvm-20.1.0-1.fc41.x86_64",
        "Downgrade llvm-libs-19.1.0-1.fc41.x86_64 Dependency",
        "Replaced llvm-libs-20.1.0-1.fc41.x86_64 Dependency",
        "Downgrade clang-tools-extra-19.1.0-1.fc41.x86_64",
        "Replaced clang-tools-extra-20.1.0-1.fc41.x86_64",
        "Remove gcc-toolset-13-13.0-1.fc41.x86_64",
        "Install htop-3.3.0-4.fc41.x86_64",
    ])
}

pub(super) const CLAIMED: &[&str] = &["llvm", "gcc-toolset-13", "htop"];
