//! What waits: open proposals, and merged ones that not enough people have signed.

use super::{line, short};
use crate::desk::Desk;
use crate::examine::{self, Examined};
use crate::shelf::{Key, Shelf};
use crate::stop::{Done, Result};
use countersign_manifests_schema::person::{
    ProposalPlace, REVIEW_SCHEMA, ReviewDocument, ReviewedProposal, Unreadable,
};
use countersign_manifests_schema::plan::GateVerdict;
use countersign_shared::exit::Outcome;
use countersign_shared::terminal::{Cell, Column, Role, Screen, Table, visible};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Lists them.
pub(crate) fn review(desk: &Desk, screen: Screen) -> Result<Done> {
    let spec = desk.spec()?;
    let shelf = Shelf::read(desk, &spec)?;
    let made = examine::made(desk, &shelf);
    let mut unreadable = shelf.unreadable.clone();
    let mut proposals = Vec::new();
    let waiting = shelf.open.keys().filter(|key| !shelf.merged.contains(*key));
    // Merged proposals whose time is over wait for nobody.
    let merged = shelf.merged.iter().filter(|key| examine::has_time(&made, key, spec.now));
    for key in waiting.chain(merged) {
        let one = examine::examine(desk, &spec, &shelf, &made, key);
        let is_merged = shelf.merged.contains(key);
        match one.as_ref().map(|one| (one, one.document(false))) {
            Ok((one, Some(_))) if is_merged && is_settled(one) => {}
            Ok((_, Some(document))) => proposals.push(document),
            // What cannot be read costs its own row, and nothing else.
            Ok((one, None)) => unreadable.push(odd(&shelf, key, one.refusal().map(|row| row.detail.clone()))),
            Err(stop) => unreadable.push(odd(&shelf, key, Some(stop.summary()))),
        }
    }
    proposals.sort_by(|a, b| (&a.class, &a.runner, &a.id).cmp(&(&b.class, &b.runner, &b.id)));
    let halted = halted(desk, &shelf)?;
    let document = ReviewDocument { schema: REVIEW_SCHEMA.to_owned(), halted, proposals, unreadable };
    Ok(Done { text: text(&document, spec.now, screen), json: line(&document)?, outcome: Outcome::Clean })
}

/// Nobody needs to do anything: enough people have signed, or the world has moved on.
fn is_settled(one: &Examined) -> bool {
    let over = ["expired", "superseded", "withdrawn", "canonical-moved", "unjustified"];
    one.has_enough() || one.refusal().is_some_and(|row| over.contains(&row.gate.as_str()))
}

fn odd(shelf: &Shelf, key: &Key, message: Option<String>) -> Unreadable {
    let branch = shelf.open.get(key).cloned().unwrap_or_default();
    let (runner, id) = key;
    Unreadable { branch, path: Some(format!("proposals/{runner}/{id}")), message: message.unwrap_or_default() }
}

/// The first line of `HALT` in the main branch.
fn halted(desk: &Desk, shelf: &Shelf) -> Result<Option<String>> {
    let main = desk.proposed.tree(shelf.main)?;
    // In whatever form: a stop that cannot be read is one.
    if main.get_name("HALT").is_none() {
        return Ok(None);
    }
    let bytes = desk.proposed.file(&main, "HALT", 64 << 10).ok().flatten().unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned()))
}

fn text(document: &ReviewDocument, now: i64, screen: Screen) -> String {
    let mut out = String::new();
    let mut push = |line: &str| {
        out.push_str(line);
        out.push('\n');
    };
    if let Some(reason) = &document.halted {
        push(&screen.palette.paint(Role::Bad, &format!("HALT is set in proposed: {}", visible(reason))));
    }
    let mut classes: BTreeMap<&str, Vec<&ReviewedProposal>> = BTreeMap::new();
    for proposal in &document.proposals {
        classes.entry(&proposal.class).or_default().push(proposal);
    }
    if classes.is_empty() {
        push("Nothing waits for you.");
    }
    for members in classes.values() {
        let Some(first) = members.first() else { continue };
        push(&screen.palette.paint(Role::Heading, &visible(&headline(first, members.len()))));
        let mut table = Table::new([
            Column::text("proposal", 12),
            Column::text("runner", 10),
            Column::text("age", 3),
            Column::text("ends in", 4),
            Column::text("drift since", 10).spare(),
            Column::text("by", 4).spare(),
            Column::text("signed", 6),
            Column::text("state", 12),
        ]);
        for one in members {
            let (role, state) = state(one);
            table.push([
                Cell::new(short(&one.id)),
                Cell::of(Role::Place, &one.runner),
                Cell::new(span(now - seconds(&one.created))),
                Cell::new(span(seconds(&one.expires) - now)),
                Cell::new(one.since.as_deref().unwrap_or("").get(..10).unwrap_or("")),
                Cell::new(one.by.join(", ")),
                Cell::new(format!("{} of {}", one.approved_by.len(), one.required)),
                Cell::of(role, state),
            ]);
        }
        for line in table.lines(screen.width, screen.palette) {
            push(&line);
        }
        if let Some(branch) = &first.branch {
            let name = visible(branch.trim_start_matches("proposals/")).into_owned();
            push(&format!("  countersign show {}   countersign approve {name}", short(&first.id)));
        }
        push("");
    }
    for one in &document.unreadable {
        let place = one.path.as_deref().unwrap_or(&one.branch);
        let line = format!("not a proposal: {}: {}", visible(place), visible(&one.message));
        push(&screen.palette.paint(Role::Bad, &line));
    }
    out
}

/// `2 runners: 3 changes, 1 downgrade, 2 that no drift asks for; protected: glibc`
fn headline(first: &ReviewedProposal, runners: usize) -> String {
    let mut parts = vec![format!("{} changes", first.changes)];
    for (count, what) in
        [(first.removals, "removals"), (first.downgrades, "downgrades"), (first.pulled, "that no drift asks for")]
    {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let mut text = format!("{runners} {}: {}", if runners == 1 { "runner" } else { "runners" }, parts.join(", "));
    if !first.protected.is_empty() {
        text.push_str(&format!("; PROTECTED: {}", first.protected.join(", ")));
    }
    text
}

fn state(one: &ReviewedProposal) -> (Role, String) {
    if let Some(row) = one.checks.iter().find(|row| row.verdict == GateVerdict::Refuse) {
        return (Role::Bad, row.gate.clone());
    }
    match one.place {
        ProposalPlace::Open => (Role::Plain, "open".to_owned()),
        ProposalPlace::Merged if one.approved_by.is_empty() => (Role::Warn, "merged, not approved".to_owned()),
        ProposalPlace::Merged => (Role::Warn, "merged, not by enough".to_owned()),
    }
}

fn seconds(time: &str) -> i64 {
    time.parse::<Timestamp>().map_or(0, |time| time.as_second())
}

/// `3d`, `5h`, `12m`; nothing for what is over.
fn span(seconds: i64) -> String {
    match seconds {
        ..=0 => "-".to_owned(),
        1..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
