//! Whether what a proposal claims follows from canonical, and its changes from what it claims. Pure.
//!
//! What the runner has now is not known here: that the drift is really there, and that dnf would do exactly this, is asked
//! of the runner by the actuator's gates. What needs no runner is recomputed, so that a lying observer is seen by people.

use crate::desk::Spec;
use countersign_manifests_schema::proposal::{ClaimedItem, Proposal};
use countersign_manifests_schema::transaction::{Action, Change, Transaction};
use countersign_shared::drift::Code;
use countersign_shared::evr::Evr;
use countersign_shared::manifest::Canonical;
use countersign_shared::manifest::effective::{Disposal, Effective, PackageKey, Rule, Ruling};
use countersign_shared::manifest::fleet::Runner;
use countersign_shared::manifest::policy::Policy;
use countersign_shared::manifest::version::{Position, VersionSpec};
use countersign_shared::manifest::waiver::{Difference, Waiver};
use countersign_shared::nevra::Nevra;
use std::collections::BTreeSet;

/// What the transaction is, whatever the proposal says of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Recomputed {
    pub(crate) changes: u32,
    pub(crate) pulled: u32,
    pub(crate) removals: u32,
    pub(crate) protected: Vec<String>,
}

/// What the transaction is, why canonical has moved, why it is not justified.
pub(crate) fn recompute(spec: &Spec, proposal: &Proposal) -> (Recomputed, Option<String>, Option<String>) {
    let policy = &spec.canonical.policy;
    let recomputed = measure(policy, &proposal.drift, &proposal.transaction);
    let Some(runner) = spec.canonical.fleet.runner(&proposal.runner) else {
        let gone = format!("fleet.toml of {} has no runner {}", spec.tip, proposal.runner);
        return (recomputed, Some(gone), None);
    };
    let effective = spec.canonical.effective(runner);
    let digest = effective.digest();
    let moved = (digest != proposal.canonical.manifest_digest).then(|| {
        format!("the manifest in force at {} has the digest {digest}, and the proposal names another", spec.tip)
    });
    let waived = proposal.drift.iter().find_map(|item| {
        let until = waiver_for(&spec.canonical, runner, item, spec.now)?;
        Some(format!("{} {} is waived until {until}", item.code, subject(item)))
    });
    let unjustified = waived.or_else(|| judge(&effective, policy, proposal, &recomputed).err());
    (recomputed, moved, unjustified)
}

/// Until when an item is waived.
pub(crate) fn waiver_for(canonical: &Canonical, runner: &Runner, item: &ClaimedItem, now: i64) -> Option<String> {
    let difference = Difference {
        code: Code::parse(&item.code)?,
        package: Some(&item.package),
        arch: item.arch.as_deref(),
        wanted: item.wanted.as_deref(),
        seen: &item.seen,
    };
    let waivers = canonical.waivers_for(runner);
    let covers = |waiver: &&&Waiver| waiver.is_valid_at(now) && waiver.covers(&difference);
    waivers.iter().find(covers).map(|waiver| waiver.until.to_string())
}

fn measure(policy: &Policy, drift: &[ClaimedItem], transaction: &Transaction) -> Recomputed {
    let rpms = &transaction.rpms;
    let shown = || rpms.iter().filter(|change| change.action != Action::Replaced);
    let names = |change: &Change| Nevra::parse(&change.nevra).map(|nevra| nevra.name.to_owned());
    let protected: BTreeSet<String> =
        rpms.iter().filter_map(|change| names(change).ok()).filter(|name| policy.protected.contains(name)).collect();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Recomputed {
        changes: count(shown().count()),
        pulled: count(shown().filter(|change| !drift.iter().any(|item| asks_for(item, change))).count()),
        removals: count(rpms.iter().filter(|change| change.action == Action::Remove).count()),
        protected: protected.into_iter().collect(),
    }
}

fn judge(effective: &Effective, policy: &Policy, proposal: &Proposal, recomputed: &Recomputed) -> Result<(), String> {
    for item in &proposal.drift {
        claim(effective, item).map_err(|why| format!("{} {}: {why}", item.code, subject(item)))?;
        remedy(effective, item, &proposal.transaction)
            .map_err(|why| format!("{} {}: {why}", item.code, subject(item)))?;
    }
    for change in &proposal.transaction.rpms {
        let asked = proposal.drift.iter().any(|item| asks_for(item, change));
        if !change.asserted && !asked {
            return Err(format!("{} is passed off as asked for by the drift, and no item asks for it", change.nevra));
        }
        new_drift(effective, change, &proposal.transaction)?;
    }
    if proposal.risk.protected != recomputed.protected {
        let list = recomputed.protected.join(", ");
        return Err(format!("the protected packages that change are [{list}], and the proposal says otherwise"));
    }
    let breaker = &policy.breaker;
    if recomputed.removals > breaker.removals_per_transaction {
        let most = breaker.removals_per_transaction;
        return Err(format!("{} packages would go, and policy.toml allows {most}", recomputed.removals));
    }
    if recomputed.pulled > breaker.dependency_changes {
        let most = breaker.dependency_changes;
        return Err(format!("{} changes beyond the drift, and policy.toml allows {most}", recomputed.pulled));
    }
    Ok(())
}

/// The rule for a name on an arch; without an arch, the plain one or any.
fn ruling<'e>(effective: &'e Effective, name: &str, arch: Option<&str>) -> Option<&'e Ruling> {
    let key = |arch: Option<&str>| PackageKey { name: name.to_owned(), arch: arch.map(str::to_owned) };
    arch.and_then(|arch| effective.packages.get(&key(Some(arch)))).or_else(|| effective.packages.get(&key(None)))
}

/// Whether the manifest says what the item says that it does, and the item is what its code means.
pub(crate) fn claim(effective: &Effective, item: &ClaimedItem) -> Result<(), String> {
    let ruling = ruling(effective, &item.package, item.arch.as_deref());
    let rule = ruling.map(|ruling| &ruling.rule);
    let written = rule.map(ToString::to_string);
    let wanted = |rule: &Option<String>| match (rule, &item.wanted) {
        (Some(rule), Some(wanted)) if rule == wanted => Ok(()),
        (Some(rule), _) => Err(format!("the manifest says {rule:?}, and not what the proposal claims")),
        (None, _) => Err("no manifest has a rule for it".to_owned()),
    };
    let all = |at: Position, spec: &VersionSpec| {
        item.seen.iter().any(|seen| Evr::parse(seen).is_ok_and(|evr| spec.position(&evr) == at))
    };
    let Some(code) = Code::parse(&item.code) else { return Err("this is no code of drift".to_owned()) };
    match (code, rule) {
        (Code::Missing | Code::Ahead | Code::Behind, _) if is_of_lock(effective, item) => Ok(()),
        (Code::Missing, Some(Rule::Present(_) | Rule::SameAsRunningKernel)) => wanted(&written),
        (Code::Unwanted, Some(Rule::Absent(spec))) => {
            wanted(&written)?;
            let fits =
                |seen: &String| spec.as_ref().is_none_or(|spec| Evr::parse(seen).is_ok_and(|evr| spec.matches(&evr)));
            if item.seen.iter().all(fits) { Ok(()) } else { Err("what is seen need not be absent".to_owned()) }
        }
        (Code::Ahead, Some(Rule::Present(spec))) if all(Position::Above, spec) => wanted(&written),
        (Code::Behind, Some(Rule::Present(spec))) if all(Position::Below, spec) => wanted(&written),
        (Code::Unlisted, None) => {
            let unlisted = &effective.unlisted;
            let kinds = [unlisted.user_installed, unlisted.groups, unlisted.external, unlisted.dependencies];
            let removes = kinds.contains(&Disposal::Remove);
            if removes { Ok(()) } else { Err("the manifest removes nothing for being unlisted".to_owned()) }
        }
        (Code::NotInLock, _) if effective.lock.is_some() => Ok(()),
        (Code::KernelMismatch, Some(Rule::SameAsRunningKernel)) => Ok(()),
        (Code::WrongArch, Some(Rule::Present(_))) => wanted(&written),
        (Code::Duplicate, _) if item.seen.len() > 1 => Ok(()),
        (_, rule) => {
            let rule = rule.map_or("there is no rule".to_owned(), |rule| format!("the rule is {:?}", rule.to_string()));
            Err(format!("this is not so by the manifest: {rule}"))
        }
    }
}

/// Whether the item wants what the lock of a closed manifest lists.
fn is_of_lock(effective: &Effective, item: &ClaimedItem) -> bool {
    let lines = effective.lock.as_ref().map_or(&[][..], |lock| &lock.packages);
    let listed = |evr: &str| {
        lines.iter().filter_map(|line| Nevra::parse(line).ok()).any(|nevra| {
            nevra.name == item.package
                && item.arch.as_deref().is_none_or(|arch| arch == nevra.arch)
                && nevra.evr.to_string() == evr
        })
    };
    let wanted = item.wanted.as_deref().unwrap_or_default();
    !lines.is_empty() && wanted.split(", ").all(|one| one.strip_prefix("= ").is_some_and(listed))
}

/// Whether the transaction removes the item.
fn remedy(effective: &Effective, item: &ClaimedItem, transaction: &Transaction) -> Result<(), String> {
    let of = |change: &&Change| {
        Nevra::parse(&change.nevra).is_ok_and(|nevra| {
            let arch = item.arch.as_deref().is_none_or(|arch| arch == nevra.arch || item.code == "wrong-arch");
            nevra.name == item.package && arch
        })
    };
    let own: Vec<&Change> = transaction.rpms.iter().filter(of).collect();
    let goes = |seen: &String| {
        own.iter()
            .any(|c| c.action.is_outgoing() && Nevra::parse(&c.nevra).is_ok_and(|nevra| nevra.evr.to_string() == *seen))
    };
    let rule = ruling(effective, &item.package, item.arch.as_deref()).map(|ruling| &ruling.rule);
    let fits = own.iter().any(|c| {
        let in_spec = |spec: &VersionSpec| Nevra::parse(&c.nevra).is_ok_and(|nevra| spec.matches(&nevra.evr));
        let locked = || effective.lock.as_ref().is_none_or(|lock| lock.packages.contains(&c.nevra));
        let wrong = matches!(rule, Some(Rule::Present(spec)) if !in_spec(spec));
        c.action.is_incoming() && !wrong && (!is_of_lock(effective, item) || locked())
    });
    match item.code.as_str() {
        "missing" | "ahead" | "behind" | "wrong-arch" | "kernel-mismatch" if !fits => {
            Err("nothing that the manifest accepts comes in its place".to_owned())
        }
        "unwanted" | "unlisted" if !item.seen.iter().all(goes) => Err("the transaction leaves it there".to_owned()),
        "duplicate" | "not-in-lock" if !item.seen.iter().any(goes) && !fits => {
            Err("the transaction leaves it there".to_owned())
        }
        _ => Ok(()),
    }
}

/// A change must not itself break a rule.
fn new_drift(effective: &Effective, change: &Change, transaction: &Transaction) -> Result<(), String> {
    let Ok(nevra) = Nevra::parse(&change.nevra) else { return Ok(()) };
    let rule = ruling(effective, nevra.name, Some(nevra.arch)).map(|ruling| &ruling.rule);
    let comes = |other: &Change| {
        other.action.is_incoming() && Nevra::parse(&other.nevra).is_ok_and(|other| other.name == nevra.name)
    };
    match (change.action, rule) {
        (action, Some(Rule::Present(spec))) if action.is_incoming() && !spec.matches(&nevra.evr) => {
            Err(format!("{} comes, and the manifest wants {spec}", change.nevra))
        }
        (action, Some(Rule::Absent(spec)))
            if action.is_incoming() && spec.as_ref().is_none_or(|spec| spec.matches(&nevra.evr)) =>
        {
            Err(format!("{} comes, and the manifest wants it absent", change.nevra))
        }
        // Of several kernels one may go; which is left only the runner knows.
        (Action::Remove, Some(Rule::Present(spec)))
            if spec.matches(&nevra.evr) && !transaction.rpms.iter().any(comes) && !nevra.name.starts_with("kernel") =>
        {
            Err(format!("{} goes, and the manifest wants it", change.nevra))
        }
        _ => Ok(()),
    }
}

/// Whether an item is the cause of a change: the same package on the same arch, and a change of its kind.
fn asks_for(item: &ClaimedItem, change: &Change) -> bool {
    let Ok(nevra) = Nevra::parse(&change.nevra) else { return false };
    let code = item.code.as_str();
    let of_arch = item.arch.as_deref().is_none_or(|arch| arch == nevra.arch || code == "wrong-arch");
    let of_kind = match change.action {
        Action::Remove => {
            matches!(code, "unwanted" | "unlisted" | "not-in-lock" | "duplicate")
                && item.seen.contains(&nevra.evr.to_string())
        }
        Action::Install => matches!(code, "missing" | "wrong-arch" | "kernel-mismatch"),
        Action::Upgrade | Action::Downgrade | Action::Replaced => matches!(code, "ahead" | "behind"),
        Action::Reinstall | Action::ReasonChange => false,
    };
    item.package == nevra.name && of_arch && of_kind
}

fn subject(item: &ClaimedItem) -> String {
    let arch = item.arch.as_ref().map(|arch| format!(".{arch}")).unwrap_or_default();
    format!("{}{arch}", item.package)
}

#[cfg(test)]
mod tests;
