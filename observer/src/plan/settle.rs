//! A resolution becomes a transaction: every file with its repository and sha256, every package that leaves with the
//! reason it had and where it could come back from.

use std::collections::{BTreeMap, BTreeSet};

use countersign_manifests_schema::transaction::{Action, Change, Reason, SYSTEM_REPO, Transaction};
use countersign_shared::nevra::Nevra;
use countersign_shared::observation::Failure;
use countersign_shared::solver::{Offers, PlanAnswer, Step};

use super::{Blocked, Outgoing, Rules};

/// What settling adds to a plan.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) transaction: Transaction,
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) snapper: bool,
}

/// Whether packages may come from there: not the local plugin's copies, not a file.
pub(super) fn is_source(repo_id: &str) -> bool {
    !repo_id.starts_with(['@', '<']) && !repo_id.starts_with("_dnf_local")
}

/// `Err` in the outer result: the answers contradict one another. In the inner one: a rule forbids it.
pub(super) fn settle(
    answer: &PlanAnswer<'_>,
    steps: &[Step],
    wanted: &BTreeSet<String>,
    rules: &Rules,
) -> Result<Result<Settled, Blocked>, Failure> {
    let offers = answer.offers.as_ref().ok_or_else(|| Failure::new("garbage", "no offers in the answer"))?;
    let installed: BTreeMap<&str, Reason> =
        offers.installed.iter().map(|(nevra, reason)| (nevra.as_str(), *reason)).collect();
    let mut rpms = Vec::with_capacity(steps.len());
    for step in steps {
        let asserted = !(wanted.contains(&step.nevra)
            || step.replaced_by.iter().any(|by| wanted.contains(by) && same_name(by, &step.nevra)));
        let change = if step.action.is_incoming() {
            if let Some(blocked) = unsafe_source(answer, offers, step) {
                return Ok(Err(blocked));
            }
            incoming(offers, &installed, steps, step, asserted)?
        } else {
            let Some(had) = installed.get(step.nevra.as_str()) else {
                return Err(Failure::new(
                    "garbage",
                    format!("dnf would change {}, which is not installed", step.nevra),
                ));
            };
            if step.action == Action::ReasonChange && !is_listed(&step.nevra, rules) {
                let message = format!("dnf would change why {} is installed, which no manifest names", step.nevra);
                return Ok(Err(Blocked::new("policy", message)));
            }
            let reason = if step.action == Action::Replaced { *had } else { step.reason.unwrap_or(*had) };
            Change {
                nevra: step.nevra.clone(),
                action: step.action,
                reason,
                repo_id: SYSTEM_REPO.to_owned(),
                sha256: None,
                asserted,
            }
        };
        rpms.push(change);
    }
    rpms.sort_by(|a, b| (&a.nevra, a.action.as_str()).cmp(&(&b.nevra, b.action.as_str())));
    let mut outgoing: Vec<Outgoing> =
        steps.iter().filter(|step| step.action.is_outgoing()).map(|step| way_back(offers, step)).collect();
    outgoing.sort_by(|a, b| a.nevra.cmp(&b.nevra));
    outgoing.dedup();
    let transaction = Transaction { generation: answer.generation, rpms };
    Ok(Ok(Settled { transaction, outgoing, snapper: offers.keeps.snapper }))
}

fn incoming(
    offers: &Offers<'_>,
    installed: &BTreeMap<&str, Reason>,
    steps: &[Step],
    step: &Step,
    asserted: bool,
) -> Result<Change, Failure> {
    let offer = offers.offers.iter().find(|offer| offer.nevra == step.nevra && offer.repo_id == step.repo_id);
    let Some(offer) = offer else {
        let message = format!("dnf would take {} from {}, which does not offer it", step.nevra, step.repo_id);
        return Err(Failure::new("garbage", message));
    };
    let sha256 = match (step.sha256.as_deref(), offer.sha256) {
        (Some(one), Some(other)) if one != other => {
            return Err(Failure::new("garbage", format!("two digests of {}", step.nevra)));
        }
        (one, other) => one.or(other).map(str::to_owned),
    };
    let replaced = steps.iter().filter(|old| old.replaced_by.contains(&step.nevra));
    let had = replaced.filter_map(|old| installed.get(old.nevra.as_str()).copied());
    let reason = had.chain(step.reason).max_by_key(|reason| strength(*reason)).unwrap_or(Reason::None);
    Ok(Change {
        nevra: step.nevra.clone(),
        action: step.action,
        reason,
        repo_id: step.repo_id.clone(),
        sha256,
        asserted,
    })
}

/// A package that a repository with signatures offers is not taken from one without, nor any from a local copy.
fn unsafe_source(answer: &PlanAnswer<'_>, offers: &Offers<'_>, step: &Step) -> Option<Blocked> {
    if !is_source(&step.repo_id) {
        return Some(Blocked::new("policy", format!("dnf would take {} from {}", step.nevra, step.repo_id)));
    }
    let checked = |id: &str| answer.repos.iter().any(|repo| repo.id == id && repo.gpgcheck);
    if checked(&step.repo_id) {
        return None;
    }
    let better = offers.offers.iter().find(|offer| offer.nevra == step.nevra && checked(offer.repo_id))?;
    let message = format!(
        "dnf would take {} from {}, which does not check signatures, though {} offers it too",
        step.nevra, step.repo_id, better.repo_id
    );
    Some(Blocked::new("policy", message))
}

/// dnf5's own order of reasons, weakest first (`transaction_item_reason.cpp`): the strongest of those involved is kept.
fn strength(reason: Reason) -> u8 {
    match reason {
        Reason::None => 0,
        Reason::Clean => 1,
        Reason::WeakDependency => 2,
        Reason::Dependency => 3,
        Reason::Group => 4,
        Reason::ExternalUser => 5,
        Reason::User => 6,
    }
}

fn way_back(offers: &Offers<'_>, step: &Step) -> Outgoing {
    let mut repos: Vec<String> = offers
        .offers
        .iter()
        .filter(|offer| offer.nevra == step.nevra && is_source(offer.repo_id))
        .map(|offer| offer.repo_id.to_owned())
        .collect();
    repos.sort();
    Outgoing { nevra: step.nevra.clone(), repos, kept: offers.keeps.local.contains(&step.nevra) }
}

fn is_listed(nevra: &str, rules: &Rules) -> bool {
    Nevra::parse(nevra).is_ok_and(|nevra| rules.listed.contains(nevra.name))
}

fn same_name(one: &str, other: &str) -> bool {
    matches!((Nevra::parse(one), Nevra::parse(other)), (Ok(one), Ok(other)) if one.name == other.name)
}
