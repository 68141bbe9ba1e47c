//! What the fields of a proposal may hold. Free text is bounded in length only: it is escaped wherever it is shown.

use super::render::RENDERERS;
use super::sealed::SealError;
use crate::drift::Code;
use crate::manifest::fleet::is_runner_name;
use crate::nevra::{Nevra, check_name, is_known_arch};
use countersign_manifests_schema::proposal::{
    ClaimedItem, PROPOSAL_SCHEMA, Proposal, Risk, Tried, WayBack, WayBackKind,
};
use countersign_manifests_schema::transaction::{Action, Change, SYSTEM_REPO, Transaction};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Bytes of one free text, such as a command line.
pub(super) const TEXT_MAX: usize = 4096;

/// Earlier applications that a proposal names at most.
pub(super) const TRIED_MAX: usize = 8;

type Checked = Result<(), SealError>;

fn wrong<T>(field: &'static str, problem: impl Into<String>) -> Result<T, SealError> {
    Err(SealError::Field { field, problem: problem.into() })
}

pub(super) fn check(proposal: &Proposal) -> Checked {
    if proposal.schema != PROPOSAL_SCHEMA {
        return wrong("schema", format!("not {PROPOSAL_SCHEMA}"));
    }
    if !is_runner_name(&proposal.runner) {
        return wrong("runner", "not the name of a runner");
    }
    let created = time("created", &proposal.created)?;
    if time("expires", &proposal.expires)? <= created {
        return wrong("expires", "not after `created`");
    }
    if !RENDERERS.contains(&proposal.renderer) {
        return wrong("renderer", format!("{} is not one of those that this version knows", proposal.renderer));
    }
    text("observer.version", &proposal.observer.version)?;
    digits("canonical.commit", &proposal.canonical.commit, 40)?;
    digits("canonical.manifest_digest", &proposal.canonical.manifest_digest, 64)?;
    digits("base.digest", &proposal.base.digest, 64)?;
    digits("base.set_digest", &proposal.base.set_digest, 64)?;
    time("base.observed_at", &proposal.base.observed_at)?;
    for (field, value) in [("base.configuration", &proposal.base.configuration), ("base.named", &proposal.base.named)] {
        value.as_deref().map_or(Ok(()), |value| digits(field, value, 64))?;
    }
    digits("predicted.set_digest", &proposal.predicted.set_digest, 64)?;
    drift(&proposal.drift)?;
    transaction(&proposal.transaction)?;
    way_back(&proposal.way_back, &proposal.transaction)?;
    risk(&proposal.risk, &proposal.transaction)?;
    tried(&proposal.tried)
}

fn tried(tried: &[Tried]) -> Checked {
    if tried.len() > TRIED_MAX {
        return wrong("tried", format!("more than {TRIED_MAX}"));
    }
    if !tried.is_sorted_by(|a, b| (&a.at, &a.proposal) < (&b.at, &b.proposal)) {
        return wrong("tried", "not sorted by time, or one twice");
    }
    for one in tried {
        digits("tried.proposal", &one.proposal, 64)?;
        time("tried.at", &one.at)?;
    }
    Ok(())
}

/// RFC 3339 UTC seconds, in the one spelling that is written.
pub(super) fn time(field: &'static str, text: &str) -> Result<Timestamp, SealError> {
    match text.parse::<Timestamp>() {
        Ok(time) if text.len() == 20 && time.to_string() == text => Ok(time),
        _ => wrong(field, "not a time such as 2026-11-20T03:30:00Z"),
    }
}

fn digits(field: &'static str, text: &str, length: usize) -> Checked {
    let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() == length && hex { Ok(()) } else { wrong(field, format!("not {length} lower-case hex digits")) }
}

fn text(field: &'static str, text: &str) -> Checked {
    if text.len() <= TEXT_MAX { Ok(()) } else { wrong(field, format!("more than {TEXT_MAX} bytes")) }
}

fn drift(items: &[ClaimedItem]) -> Checked {
    if items.is_empty() {
        return wrong("drift", "a proposal without drift");
    }
    let order = |item: &ClaimedItem| (item.package.clone(), item.arch.clone(), item.code.clone());
    if !items.is_sorted_by(|a, b| order(a) < order(b)) {
        return wrong("drift", "not sorted by package, arch and code, or an item twice");
    }
    for item in items {
        if !Code::parse(&item.code).is_some_and(Code::is_package_code) {
            return wrong("drift.code", "not a code of a package");
        }
        if check_name(&item.package).is_err() {
            return wrong("drift.package", "not the name of a package");
        }
        if !item.arch.as_deref().is_none_or(is_known_arch) {
            return wrong("drift.arch", "not an architecture");
        }
        if let Some(since) = &item.since {
            time("drift.since", since)?;
        }
        if let Some(commit) = &item.spec_changed {
            digits("drift.spec_changed", commit, 40)?;
        }
        for seen in &item.seen {
            text("drift.seen", seen)?;
        }
        let by = item.by.as_ref();
        text("drift.by.command", by.map_or("", |by| &by.command))?;
        text("drift.by.user", by.and_then(|by| by.user.as_deref()).unwrap_or_default())?;
        for (field, value) in
            [("drift.wanted", &item.wanted), ("drift.file", &item.file), ("drift.reason", &item.reason)]
        {
            text(field, value.as_deref().unwrap_or_default())?;
        }
    }
    Ok(())
}

fn transaction(transaction: &Transaction) -> Checked {
    if !matches!(transaction.generation, 4 | 5) {
        return wrong("transaction.generation", "neither 4 nor 5");
    }
    if transaction.rpms.is_empty() {
        return wrong("transaction.rpms", "a transaction that changes nothing");
    }
    let order = |change: &Change| (change.nevra.clone(), change.action.as_str());
    if !transaction.rpms.is_sorted_by(|a, b| order(a) < order(b)) {
        return wrong("transaction.rpms", "not sorted by nevra and action, or a change twice");
    }
    transaction.rpms.iter().try_for_each(change)
}

fn change(change: &Change) -> Checked {
    nevra("transaction.rpms.nevra", &change.nevra)?;
    if change.action.is_incoming() {
        if !is_repo_id(&change.repo_id) {
            return wrong("transaction.rpms.repo_id", "not the id of a repository");
        }
        return match &change.sha256 {
            Some(sha256) => digits("transaction.rpms.sha256", sha256, 64),
            None => wrong("transaction.rpms.sha256", "a package that comes needs one"),
        };
    }
    if change.sha256.is_some() {
        return wrong("transaction.rpms.sha256", "only a package that comes has one");
    }
    if change.repo_id != SYSTEM_REPO {
        return wrong("transaction.rpms.repo_id", format!("what is installed is in {SYSTEM_REPO}"));
    }
    Ok(())
}

/// Reads back as it is written, epoch 0 left out, of an architecture that rpm knows.
fn nevra(field: &'static str, text: &str) -> Checked {
    match Nevra::parse(text) {
        Ok(nevra) if nevra.to_string() == text && is_known_arch(nevra.arch) => Ok(()),
        _ => wrong(field, "not name-[epoch:]version-release.arch"),
    }
}

/// What dnf takes as the id of a repository. `@commandline` and the like are none.
pub(super) fn is_repo_id(text: &str) -> bool {
    let first = text.bytes().next();
    text.len() <= 256
        && first.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

fn way_back(way_back: &WayBack, transaction: &Transaction) -> Checked {
    let outgoing = |nevra: &String| transaction.rpms.iter().any(|c| c.action.is_outgoing() && c.nevra == *nevra);
    if !way_back.missing.is_sorted_by(|a, b| a < b) || !way_back.missing.iter().all(outgoing) {
        return wrong("way_back.missing", "not sorted, or not of packages that go");
    }
    if way_back.missing.is_empty() != (way_back.kind == WayBackKind::Packages) {
        return wrong("way_back.kind", "not what `missing` says");
    }
    Ok(())
}

fn risk(risk: &Risk, transaction: &Transaction) -> Checked {
    let touched: BTreeSet<&str> =
        transaction.rpms.iter().filter_map(|c| Nevra::parse(&c.nevra).ok()).map(|n| n.name).collect();
    if (risk.removals, risk.downgrades) != counts(transaction) {
        return wrong("risk", "not the numbers of the transaction");
    }
    let named = |name: &String| touched.contains(name.as_str());
    if !risk.protected.is_sorted_by(|a, b| a < b) || !risk.protected.iter().all(named) {
        return wrong("risk.protected", "not sorted, or not of packages that change");
    }
    Ok(())
}

/// Removals and downgrades.
pub(super) fn counts(transaction: &Transaction) -> (u32, u32) {
    let count = |action: Action| transaction.rpms.iter().filter(|c| c.action == action).count() as u32;
    (count(Action::Remove), count(Action::Downgrade))
}
