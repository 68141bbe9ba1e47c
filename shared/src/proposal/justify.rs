//! Whether a transaction may be proposed: each change has a cause, what it claims to remove is gone afterwards, and
//! nothing is worse than before.

use super::predict::Predicted;
use super::{Block, Blocked, judge};
use crate::drift::kernel::Running;
use crate::drift::{Code, Compiled, Drift, Item, drift};
use crate::manifest::policy::Policy;
use crate::nevra::Nevra;
use crate::observation::{History, Observation, Packages, Section};
use countersign_manifests_schema::transaction::{Action, Change, Transaction};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A transaction that stands, and what it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Justified {
    /// With `asserted` set on each change that no item asks for.
    pub transaction: Transaction,
    /// The predicted package-set digest.
    pub set_digest: String,
    /// Names of protected packages that change, sorted.
    pub protected: Vec<String>,
}

/// Judges a transaction that is to remove the claimed items. `waived` are the items that nothing may touch.
pub fn justify(
    compiled: &Compiled,
    observation: &Observation<'_>,
    claimed: &[&Item],
    waived: &[&Item],
    policy: &Policy,
    transaction: &Transaction,
) -> Result<Justified, Blocked> {
    let mut transaction = transaction.clone();
    for change in &mut transaction.rpms {
        change.asserted = !claimed.iter().any(|item| asks_for(item, change));
    }
    transaction.rpms.sort_by(|a, b| (&a.nevra, a.action.as_str()).cmp(&(&b.nevra, b.action.as_str())));
    let installed = match &observation.packages {
        Section::Seen(packages) => &packages.list,
        Section::Failed(failure) => return Err(Blocked::new(Block::Busy, &failure.message)),
    };
    let predicted = Predicted::new(installed, &transaction).map_err(|error| {
        Blocked::new(Block::Conflict, format!("the answer of dnf does not fit the machine: {error}"))
    })?;
    forbid_waived(waived, &transaction)?;
    let protected = protect(observation, policy, &transaction)?;
    limit(policy, &transaction)?;
    compare(compiled, observation, claimed, &transaction, &predicted)?;
    let set_digest = predicted.set_digest();
    Ok(Justified { set_digest, protected, transaction })
}

/// Whether an item is the cause of a change: the same package on the same arch, and a change of its kind. An old kernel
/// that goes because a new one comes is no wish of anybody.
fn asks_for(item: &Item, change: &Change) -> bool {
    let Ok(nevra) = Nevra::parse(&change.nevra) else { return false };
    let named = item.package.as_deref() == Some(nevra.name);
    let of_arch = item.arch.as_deref().is_none_or(|arch| arch == nevra.arch || item.code == Code::WrongArch);
    let of_kind = match change.action {
        Action::Remove => {
            matches!(item.code, Code::Unwanted | Code::Unlisted | Code::NotInLock | Code::Duplicate)
                && item.seen.contains(&nevra.evr.to_string())
        }
        Action::Install => matches!(item.code, Code::Missing | Code::WrongArch | Code::KernelMismatch),
        Action::Upgrade | Action::Downgrade | Action::Replaced => matches!(item.code, Code::Ahead | Code::Behind),
        Action::Reinstall | Action::ReasonChange => false,
    };
    named && of_arch && of_kind
}

fn forbid_waived(waived: &[&Item], transaction: &Transaction) -> Result<(), Blocked> {
    for change in &transaction.rpms {
        let Ok(nevra) = Nevra::parse(&change.nevra) else { continue };
        let touches = |item: &&&Item| {
            item.package.as_deref() == Some(nevra.name) && item.arch.as_deref().is_none_or(|arch| arch == nevra.arch)
        };
        if let Some(item) = waived.iter().find(touches) {
            let message = format!("it would touch {}, whose {} is waived", change.nevra, item.code);
            return Err(Blocked::new(Block::Policy, message));
        }
    }
    Ok(())
}

/// Protected packages may change, with more people; they may not go. Nothing of the running kernel may.
fn protect(observation: &Observation<'_>, policy: &Policy, transaction: &Transaction) -> Result<Vec<String>, Blocked> {
    let list = observation.packages.seen().map_or(&[][..], |packages| &packages.list);
    let running = observation.kernel.seen().map(Running::new);
    let mut protected = BTreeSet::new();
    for change in &transaction.rpms {
        let Ok(nevra) = Nevra::parse(&change.nevra) else { continue };
        let of_running = |nevra: &Nevra<'_>| {
            let instance = list.iter().find(|p| p.nevra == *nevra && p.install_only);
            instance.is_some_and(|p| running.as_ref().is_some_and(|running| running.is(p)))
        };
        if change.action.is_outgoing() && of_running(&nevra) {
            let message = format!("{} would go, and it belongs to the running kernel", change.nevra);
            return Err(Blocked::new(Block::Protected, message));
        }
        if !policy.protected.contains(nevra.name) {
            continue;
        }
        let install_only = list.iter().any(|p| p.install_only && p.nevra.name == nevra.name);
        if change.action == Action::Remove && !install_only {
            let message = format!("{} would go, and policy.toml protects {}", change.nevra, nevra.name);
            return Err(Blocked::new(Block::Protected, message));
        }
        protected.insert(nevra.name.to_owned());
    }
    Ok(protected.into_iter().collect())
}

fn limit(policy: &Policy, transaction: &Transaction) -> Result<(), Blocked> {
    let (removals, _) = judge::counts(transaction);
    let most = policy.breaker.removals_per_transaction;
    if removals > most {
        let message = format!("{removals} packages would go, and policy.toml allows {most} in one transaction");
        return Err(Blocked::new(Block::Policy, message));
    }
    let pulled = transaction.rpms.iter().filter(|c| c.asserted && c.action != Action::Replaced).count();
    let most = policy.breaker.dependency_changes;
    if pulled > most as usize {
        let message = format!("{pulled} changes beyond the drift itself, and policy.toml allows {most}");
        return Err(Blocked::new(Block::Policy, message));
    }
    Ok(())
}

/// What a transaction cannot change, and what is not known of packages before they are there, is left out on both
/// sides of the comparison: vendors and keys, the chain of dnf's history.
fn compare(
    compiled: &Compiled,
    observation: &Observation<'_>,
    claimed: &[&Item],
    transaction: &Transaction,
    predicted: &Predicted<'_>,
) -> Result<(), Blocked> {
    let mut effective = compiled.effective().as_ref().clone();
    effective.host = Default::default();
    let unjudged = |what: &dyn std::fmt::Display| Blocked::new(Block::Conflict, format!("not judged: {what}"));
    let compiled = Compiled::new(Arc::new(effective)).map_err(|error| unjudged(&error))?;
    let judged = |observation: &Observation<'_>| -> Result<Drift, Blocked> {
        let judged = drift(&compiled, observation).map_err(|failure| unjudged(&failure.message))?;
        match judged.unjudged.first() {
            Some(gap) => Err(unjudged(&gap.section)),
            None => Ok(judged),
        }
    };
    let mut before = observation.clone();
    before.history = Section::Seen(History::default());
    let mut after = before.clone();
    if let Section::Seen(packages) = &before.packages {
        let (list, rpmdb_digest) = (predicted.packages().to_vec(), packages.rpmdb_digest.clone());
        after.packages = Section::Seen(Packages { list, rpmdb_digest });
    }
    if let Section::Seen(needed) = &mut after.needed {
        needed.extend(newly_needed(transaction));
    }
    let (before, after) = (judged(&before)?, judged(&after)?);
    for item in claimed {
        let open = after.items.iter().find(|left| subject(left) == subject(item) && left.blocked.is_none());
        if let Some(left) = open {
            return Err(creates(format!("afterwards {} would still be {}", tell(left), left.code)));
        }
    }
    match after.items.iter().find(|item| !before.items.iter().any(|old| is_no_worse(item, old))) {
        Some(new) => Err(creates(format!("it would make {} {}", tell(new), new.code))),
        None => Ok(()),
    }
}

fn creates(message: String) -> Blocked {
    Blocked::new(Block::CreatesDrift, message)
}

/// What comes as a dependency is needed by what it comes with.
fn newly_needed(transaction: &Transaction) -> Vec<&str> {
    use countersign_manifests_schema::transaction::Reason;
    let new = transaction.rpms.iter().filter(|c| c.action == Action::Install && c.reason == Reason::Dependency);
    new.filter_map(|change| Nevra::parse(&change.nevra).ok()).map(|nevra| nevra.name).collect()
}

fn subject(item: &Item) -> (Option<&str>, Option<&str>, Code) {
    (item.package.as_deref(), item.arch.as_deref(), item.code)
}

/// The same difference as before. A version that was wrong and moves is a new difference: it is not known to be better.
fn is_no_worse(item: &Item, old: &Item) -> bool {
    let fewer = item.seen.iter().all(|seen| old.seen.contains(seen));
    subject(item) == subject(old) && (fewer || matches!(item.code, Code::Unlisted))
}

fn tell(item: &Item) -> String {
    let name = item.package.as_deref().unwrap_or("the host");
    let arch = item.arch.as_ref().map(|arch| format!(".{arch}")).unwrap_or_default();
    let wanted = item.wanted.as_ref().map(|wanted| format!(" (wanted {wanted})")).unwrap_or_default();
    let seen = if item.seen.is_empty() { String::new() } else { format!(" {}", item.seen.join(", ")) };
    format!("{name}{arch}{seen}{wanted}")
}
