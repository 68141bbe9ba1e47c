//! One proposal, recomputed: everything that can be known without the runner.

pub(crate) mod claims;
mod evidence;

pub(crate) use evidence::Evidence;

use crate::desk::{Desk, Spec};
use crate::shelf::{Found, Key, Shelf, Spot};
use crate::stop::Result;
use claims::Recomputed;
use countersign_manifests_schema::person::{ProposalPlace, ReviewedProposal};
use countersign_manifests_schema::plan::{GateRow, GateVerdict};
use countersign_shared::proposal::{Sealed, class_digest, render};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A proposal with what was found out about it.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) found: Found,
    /// `None` when the bytes are no proposal; then a check says so.
    pub(crate) sealed: Option<Sealed>,
    pub(crate) evidence: Evidence,
    pub(crate) recomputed: Recomputed,
    pub(crate) required: u32,
    pub(crate) checks: Vec<GateRow>,
}

impl Examined {
    /// The first check that refuses.
    pub(crate) fn refusal(&self) -> Option<&GateRow> {
        self.checks.iter().find(|row| row.verdict == GateVerdict::Refuse)
    }

    /// Whether the policy wants no more people.
    pub(crate) fn has_enough(&self) -> bool {
        self.evidence.approved_by().len() >= self.required as usize
    }

    /// As `--json` has it.
    pub(crate) fn document(&self, with_readme: bool) -> Option<ReviewedProposal> {
        let sealed = self.sealed.as_ref()?;
        let proposal = sealed.proposal();
        let (place, branch, commit) = match &self.found.spot {
            Spot::Merged => (ProposalPlace::Merged, None, None),
            Spot::Branch(name, commit) => {
                (ProposalPlace::Open, Some(format!("proposals/{name}")), Some(commit.to_string()))
            }
        };
        let mut by: Vec<String> = proposal.drift.iter().filter_map(|item| item.by.as_ref()?.user.clone()).collect();
        by.sort();
        by.dedup();
        Some(ReviewedProposal {
            id: sealed.id().to_owned(),
            runner: proposal.runner.clone(),
            class: class_digest(None, proposal),
            place,
            branch,
            commit,
            created: proposal.created.clone(),
            expires: proposal.expires.clone(),
            since: proposal.drift.iter().filter_map(|item| item.since.clone()).min(),
            by,
            changes: self.recomputed.changes,
            pulled: self.recomputed.pulled,
            removals: self.recomputed.removals,
            downgrades: proposal.risk.downgrades,
            protected: self.recomputed.protected.clone(),
            approved_by: self.evidence.approved_by(),
            required: self.required,
            checks: self.checks.clone(),
            readme: with_readme.then(|| render(sealed)),
        })
    }
}

/// What was made for each runner and may count, the newest last.
pub(crate) type Made = BTreeMap<String, Vec<Claim>>;

/// When a proposal says that it was made and ends. Read from thousands, so nothing else of it is looked at: what decides
/// is examined in full.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim {
    created: String,
    id: String,
    expires: String,
}

/// Whether a proposal says that its time is not over.
pub(crate) fn has_time(made: &Made, (runner, id): &Key, now: i64) -> bool {
    made.get(runner).into_iter().flatten().any(|claim| claim.id == *id && !has_ended(&claim.expires, now))
}

fn has_ended(expires: &str, now: i64) -> bool {
    expires.parse::<Timestamp>().map_or(true, |end| end.as_second() <= now)
}

/// Reads all that can be read.
pub(crate) fn made(desk: &Desk, shelf: &Shelf) -> Made {
    #[derive(serde::Deserialize)]
    struct Times {
        created: String,
        expires: String,
    }
    let mut made = Made::new();
    // Whoever can push a branch must not be able to set proposals aside.
    let sound = |name: &String| shelf.branches.get(name).is_some_and(|branch| branch.fault.is_none());
    let open = shelf.open.iter().filter(|(_, name)| sound(name)).map(|(key, _)| key);
    for key in open.chain(&shelf.merged) {
        let found = shelf.find(&desk.proposed, key).ok();
        if let Some(Times { created, expires }) = found.and_then(|found| serde_json::from_slice(&found.json).ok()) {
            made.entry(key.0.clone()).or_default().push(Claim { created, id: key.1.clone(), expires });
        }
    }
    made.values_mut().for_each(|list| list.sort());
    made
}

/// A newer proposal for the same runner: one that the observer offers, or one that people have approved. What was merged
/// without them stands in nobody's way.
fn newer(desk: &Desk, spec: &Spec, shelf: &Shelf, made: &Made, key: &Key, created: &str) -> Result<Option<String>> {
    let is_newer = |other: &&Claim| (other.created.as_str(), &other.id) > (created, &key.1);
    for Claim { created, id, .. } in made.get(&key.0).into_iter().flatten().rev().take_while(is_newer) {
        let other = (key.0.clone(), id.clone());
        let found = shelf.find(&desk.proposed, &other)?;
        // Bytes that are not what they are called by count for nothing.
        let Ok(sealed) = found.sealed() else { continue };
        let counts = sealed.id() == id
            && match found.spot {
                Spot::Branch(..) => true,
                Spot::Merged => !Evidence::gather(desk, spec, shelf, &other, &sealed)?.approved_by().is_empty(),
            };
        if counts {
            return Ok(Some(format!("{id} was made later, at {created}")));
        }
    }
    Ok(None)
}

/// Recomputes one proposal.
pub(crate) fn examine(desk: &Desk, spec: &Spec, shelf: &Shelf, made: &Made, key: &Key) -> Result<Examined> {
    let found = shelf.find(&desk.proposed, key)?;
    let mut checks = vec![of_canonical(spec)];
    let mut say = |gate, problem, fine: &str| checks.push(row(gate, problem, fine));
    let fault = match &found.spot {
        Spot::Branch(name, _) => shelf.branches.get(name).and_then(|branch| branch.fault.clone()),
        Spot::Merged => evidence::not_brought_by_observer(desk, spec, shelf, key)?,
    };
    say("not-observer", fault, "the observer's declared key signed the commit that brings it");
    let sealed = match Sealed::parse(&found.json) {
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            say("edited", Some(format!("{error}{cause}")), "");
            None
        }
        Ok(sealed) => {
            let own = (sealed.proposal().runner.as_str(), sealed.id());
            let fits = own == (key.0.as_str(), key.1.as_str());
            let problem =
                (!fits).then(|| format!("the bytes are {} of {}, and not what the directory says", own.1, own.0));
            say("edited", problem, "bytes, sha256 and runner are those that it is called by");
            fits.then_some(sealed)
        }
    };
    let Some(sealed) = sealed else {
        let (evidence, recomputed) = (Evidence::default(), Recomputed::default());
        return Ok(Examined { found, sealed: None, evidence, recomputed, required: 0, checks });
    };
    let rendered = render(&sealed);
    let honest = found.readme.as_deref() == Some(rendered.as_bytes());
    let difference = (!honest).then(|| difference(found.readme.as_deref(), &rendered));
    say("misleading", difference, "the README is what this proposal renders to");
    let proposal = sealed.proposal();
    let ended = has_ended(&proposal.expires, spec.now);
    say("expired", ended.then(|| format!("it ended at {}", proposal.expires)), &format!("until {}", proposal.expires));
    let newer = newer(desk, spec, shelf, made, key, &proposal.created)?;
    say("superseded", newer, "there is no newer one");
    let evidence = Evidence::gather(desk, spec, shelf, key, &sealed)?;
    let no = evidence.rejected_by().join(", ");
    say("withdrawn", (!no.is_empty()).then(|| format!("rejected by {no}")), "nobody has rejected it");
    let (recomputed, moved, unjustified) = claims::recompute(spec, proposal);
    say("canonical-moved", moved, "the manifest in force is the one that it was made by");
    say("unjustified", unjustified, "each change has a cause in the manifest, as far as is known without the runner");
    let approval = &spec.canonical.policy.approval;
    let protected = if recomputed.protected.is_empty() { 0 } else { approval.protected_required };
    let required = approval.required.max(protected);
    Ok(Examined { found, sealed: Some(sealed), evidence, recomputed, required, checks })
}

fn row(gate: &str, problem: Option<String>, fine: &str) -> GateRow {
    let verdict = if problem.is_some() { GateVerdict::Refuse } else { GateVerdict::Pass };
    GateRow { gate: gate.to_owned(), verdict, detail: problem.unwrap_or_else(|| fine.to_owned()) }
}

fn of_canonical(spec: &Spec) -> GateRow {
    let gate = "canonical-unsigned";
    match &spec.history {
        Some(judged) => row(gate, judged.clone().err(), "people stand behind every commit since the anchor"),
        None => GateRow { verdict: GateVerdict::Skipped, ..row(gate, None, "no anchor is configured") },
    }
}

/// The first line in which the README is not what it should be.
fn difference(readme: Option<&[u8]>, rendered: &str) -> String {
    let Some(bytes) = readme else { return "THERE IS NO README, and people read that one".to_owned() };
    let text = String::from_utf8_lossy(bytes);
    let (mut theirs, mut ours) = (text.lines(), rendered.lines());
    let mut line = 1;
    loop {
        match (theirs.next(), ours.next()) {
            (None, None) => return "THE README IS NOT WHAT THIS PROPOSAL SAYS: its bytes differ".to_owned(),
            (a, b) if a == b => line += 1,
            (a, b) => {
                let shown = |text: Option<&str>| match text {
                    Some(text) => format!("{:?}", text.chars().take(120).collect::<String>()),
                    None => "nothing".to_owned(),
                };
                return format!(
                    "THE README IS NOT WHAT THIS PROPOSAL SAYS: line {line} is {} and must be {}",
                    shown(a),
                    shown(b)
                );
            }
        }
    }
}
