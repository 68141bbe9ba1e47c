//! One proposal: what will happen, recomputed.

use super::line;
use crate::desk::Desk;
use crate::examine::{self, Examined};
use crate::shelf::{Key, Shelf, Spot};
use crate::stop::{Done, Result, Stop};
use countersign_manifests_schema::person::{REVIEW_SCHEMA, ReviewDocument};
use countersign_manifests_schema::plan::GateVerdict;
use countersign_shared::exit::Outcome;
use countersign_shared::proposal::render;
use countersign_shared::terminal::{Role, Screen, visible, wrapped};

/// Lines that one check takes at most.
const LINES: usize = 12;

/// Shows it.
pub(crate) fn show(desk: &Desk, text: &str, screen: Screen) -> Result<Done> {
    let spec = desk.spec()?;
    let shelf = Shelf::read(desk, &spec)?;
    let made = examine::made(desk, &shelf);
    let keys: Vec<Key> = shelf.resolve(text)?;
    let examined: Vec<Examined> =
        keys.iter().map(|key| examine::examine(desk, &spec, &shelf, &made, key)).collect::<Result<_>>()?;
    let refused = examined.iter().any(|one| one.refusal().is_some());
    if let Some(one) = examined.iter().find(|one| one.sealed.is_none()) {
        let detail = one.refusal().map(|row| row.detail.clone()).unwrap_or_default();
        return Err(Stop::refused("edited", format!("{}: {detail}", one.found.directory())));
    }
    let document = ReviewDocument {
        schema: REVIEW_SCHEMA.to_owned(),
        halted: None,
        proposals: examined.iter().filter_map(|one| one.document(true)).collect(),
        unreadable: Vec::new(),
    };
    let text: Vec<String> = examined.iter().map(|one| page(one, screen)).collect();
    let outcome = if refused { Outcome::Refused } else { Outcome::Clean };
    Ok(Done { text: text.join("\n"), json: line(&document)?, outcome })
}

/// The checks, and then the README as it is rendered here; never the one that lies there.
pub(super) fn page(one: &Examined, screen: Screen) -> String {
    let mut out = String::new();
    if let Some(sealed) = &one.sealed {
        for line in render(sealed).lines() {
            // Each line is made visible by itself: nothing in it can become a line of ours.
            out.push_str(&visible(line));
            out.push('\n');
        }
        out.push('\n');
    }
    out.push_str(&summary(one, screen));
    out
}

/// Who it is, where it is, what was checked.
pub(super) fn summary(one: &Examined, screen: Screen) -> String {
    let (runner, id) = &one.found.key;
    let place = match &one.found.spot {
        Spot::Merged => "merged".to_owned(),
        Spot::Branch(name, commit) => format!("proposals/{name} at {commit}"),
    };
    let heading = format!("Recomputed here: {id} for {runner} ({place})");
    let mut out = format!("{}\n", screen.palette.paint(Role::Heading, &visible(&heading)));
    for row in &one.checks {
        let (role, word) = match row.verdict {
            GateVerdict::Refuse => (Role::Bad, "REFUSES"),
            GateVerdict::Skipped => (Role::Dim, "skipped"),
            GateVerdict::Pass => (Role::Good, "ok"),
        };
        let text = format!("{:<15} {}", row.gate, visible(&row.detail));
        let mut lines = wrapped(&text, screen.width.saturating_sub(10).max(20), LINES).into_iter();
        let first = lines.next().unwrap_or_default();
        out.push_str(&format!("  {} {first}\n", screen.palette.paint(role, &format!("{word:<7}"))));
        for line in lines {
            out.push_str(&format!("          {line}\n"));
        }
    }
    if one.sealed.is_some() {
        let by = one.evidence.approved_by();
        let names = if by.is_empty() { "nobody".to_owned() } else { by.join(", ") };
        let wanted = format!("approved by {names}; the policy wants {}", one.required);
        out.push_str(&format!("  {}\n", visible(&wanted)));
        for void in &one.evidence.void {
            out.push_str(&format!("  {}\n", visible(&format!("counts for nothing: {void}"))));
        }
    }
    out
}
