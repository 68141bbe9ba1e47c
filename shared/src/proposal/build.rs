//! The proposal of one runner.

use super::digest::{base_digest, named_digest};
use super::judge::{TEXT_MAX, TRIED_MAX, counts};
use super::remedy::ruling;
use super::render::RENDERER;
use super::sealed::{SealError, Sealed};
use super::{Block, Blocked, Justified};
use crate::manifest::effective::Effective;
use crate::nevra::Nevra;
use crate::observation::{Observation, Section, set_digest};
use countersign_manifests_schema::proposal::{
    Base, By, CanonicalState, ClaimedItem, Observer, PROPOSAL_SCHEMA, Predicted, Proposal, Risk, Tried, WayBack,
    WayBackKind,
};
use countersign_manifests_schema::report::DriftItem;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// Everything that a proposal says.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'s> {
    /// The runner's name.
    pub runner: &'s str,
    /// Version of the observer.
    pub version: &'s str,
    /// Commit id of canonical.
    pub commit: &'s str,
    /// The manifest in force.
    pub effective: &'s Effective,
    /// What was seen.
    pub observation: &'s Observation<'s>,
    /// Digest of the configuration of repositories and dnf and of the version locks, 64 hex digits.
    pub configuration: &'s str,
    /// The items that the transaction removes, as the report has them.
    pub claimed: &'s [DriftItem],
    /// The transaction, judged.
    pub justified: &'s Justified,
    /// Outgoing packages that no repository offers any more.
    pub unobtainable: &'s BTreeSet<String>,
    /// Whether the runner takes a snapshot before it changes.
    pub snapshots: bool,
    /// Earlier applications against the claimed drift that were not kept, oldest first.
    pub tried: &'s [Tried],
    /// When it is made.
    pub now: Timestamp,
    /// How long it may be applied.
    pub ttl: Duration,
}

/// Why there is no proposal.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is blocked, for a reason that the report shows.
    #[error("{}", .0.message)]
    Blocked(Blocked),
    /// What would be written is no proposal.
    #[error("it cannot be written down")]
    Seal(#[from] SealError),
}

/// Makes the proposal.
pub fn build(situation: &Situation<'_>) -> Result<Sealed, Refusal> {
    let blocked = |code, message: &str| Refusal::Blocked(Blocked::new(code, message));
    let Section::Seen(packages) = &situation.observation.packages else {
        return Err(blocked(Block::Busy, "the packages were not read"));
    };
    let Section::Seen(os) = &situation.observation.os else {
        return Err(blocked(Block::Busy, "the architecture was not read"));
    };
    let transaction = &situation.justified.transaction;
    if let Some(change) = transaction.rpms.iter().find(|c| c.action.is_incoming() && c.sha256.is_none()) {
        let message = format!("the metadata has no sha256 of {}", change.nevra);
        return Err(blocked(Block::NoMetadata, &message));
    }
    let created = seconds(situation.now)?;
    let life = i64::try_from(situation.ttl.as_secs()).unwrap_or(i64::MAX);
    let expires = seconds(
        situation
            .now
            .as_second()
            .checked_add(life)
            .and_then(|at| Timestamp::from_second(at).ok())
            .unwrap_or(Timestamp::MAX),
    )?;
    let (removals, downgrades) = counts(transaction);
    let drift = claimed(situation);
    let proposal = Proposal {
        schema: PROPOSAL_SCHEMA.to_owned(),
        runner: situation.runner.to_owned(),
        created,
        expires,
        renderer: RENDERER,
        observer: Observer { version: situation.version.to_owned() },
        canonical: CanonicalState {
            commit: situation.commit.to_owned(),
            manifest_digest: situation.effective.digest(),
        },
        base: Base {
            digest: base_digest(&packages.list, os.arch, situation.configuration),
            set_digest: set_digest(&packages.list),
            observed_at: seconds(Timestamp::from_second(situation.observation.at).unwrap_or(situation.now))?,
            configuration: Some(situation.configuration.to_owned()),
            named: Some(named_digest(&packages.list, &drift, transaction)),
        },
        drift,
        transaction: transaction.clone(),
        predicted: Predicted { set_digest: situation.justified.set_digest.clone() },
        way_back: way_back(situation)?,
        risk: Risk { removals, downgrades, protected: situation.justified.protected.clone() },
        tried: situation.tried[situation.tried.len().saturating_sub(TRIED_MAX)..].to_vec(),
    };
    Ok(Sealed::new(proposal)?)
}

fn seconds(time: Timestamp) -> Result<String, SealError> {
    let whole = Timestamp::from_second(time.as_second()).unwrap_or(time);
    Ok(whole.to_string())
}

fn claimed(situation: &Situation<'_>) -> Vec<ClaimedItem> {
    let mut items: Vec<ClaimedItem> = situation
        .claimed
        .iter()
        .filter_map(|item| {
            let package = item.package.clone()?;
            let native = situation.observation.os.seen().map_or("", |os| os.arch);
            let rule = ruling(situation.effective, &package, item.arch.as_deref().unwrap_or(native));
            let rule = rule.filter(|_| item.code != "unlisted" && item.code != "not-in-lock");
            Some(ClaimedItem {
                code: item.code.clone(),
                package,
                arch: item.arch.clone(),
                wanted: item.wanted.clone(),
                seen: item.seen.clone(),
                since: item.since.clone(),
                by: item.by.as_ref().map(|by| By { user: by.user.as_deref().map(short), command: short(&by.command) }),
                spec_changed: item.spec_changed.clone(),
                file: rule.map(|rule| short(&rule.place.file)).filter(|file| !file.is_empty()),
                reason: rule.and_then(|rule| rule.reason.as_deref()).map(short),
            })
        })
        .collect();
    items.sort_by(|a, b| (&a.package, &a.arch, &a.code).cmp(&(&b.package, &b.arch, &b.code)));
    items
}

/// A text cut to what a field may hold.
fn short(text: &str) -> String {
    if text.len() <= TEXT_MAX {
        return text.to_owned();
    }
    let mut end = TEXT_MAX - 3;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", &text[..end])
}

fn way_back(situation: &Situation<'_>) -> Result<WayBack, Refusal> {
    let outgoing = situation.justified.transaction.rpms.iter().filter(|c| c.action.is_outgoing());
    let missing: BTreeSet<String> =
        outgoing.map(|c| &c.nevra).filter(|nevra| situation.unobtainable.contains(*nevra)).cloned().collect();
    let missing: Vec<String> = missing.into_iter().filter(|nevra| Nevra::parse(nevra).is_ok()).collect();
    let kind = match (missing.is_empty(), situation.snapshots) {
        (true, _) => WayBackKind::Packages,
        (false, true) => WayBackKind::Snapshot,
        (false, false) => WayBackKind::None,
    };
    Ok(WayBack { kind, missing })
}
