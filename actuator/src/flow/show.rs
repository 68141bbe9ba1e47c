//! What people see of a plan. Text of others is made visible on the way in.

use crate::stop::Stop;
use countersign_manifests_schema::plan::{
    ApplyResult, GateRow, GateVerdict, HaltedAt, PlanDocument, PlanVerdict, PlannedProposal,
};
use countersign_shared::exit::Outcome;
use countersign_shared::terminal::{Cell, Column, Role, Screen, Table, visible, wrap};
use serde::Serialize;

/// Digits of a short id: for eyes only.
const SHORT: usize = 12;
/// Proposals in the list before the rest is only counted.
const LISTED: usize = 50;

/// A document, with a newline at its end.
pub(crate) fn json(document: &impl Serialize) -> Result<String, Stop> {
    let text = serde_json::to_string(document).map_err(|error| Stop::of(Outcome::Failed, "json", &error))?;
    Ok(text + "\n")
}

/// Halts, then the list.
pub(crate) fn plan(document: &PlanDocument, screen: Screen) -> String {
    halts(&document.halted, screen) + &list(document, screen)
}

/// One line for each halt, or more.
pub(super) fn halts(halted: &[HaltedAt], screen: Screen) -> String {
    let mut text = String::new();
    for HaltedAt { place, reason } in halted {
        for line in wrap(&visible(&format!("HALTED {place}: {reason}")), screen.width) {
            text += &screen.palette.paint(Role::Bad, &line);
            text.push('\n');
        }
    }
    text
}

/// The list, what is refused and why; every gate when it is about one proposal.
pub(super) fn list(document: &PlanDocument, screen: Screen) -> String {
    let mut lines: Vec<String> = Vec::new();
    for notice in &document.trust {
        let text = format!("TRUSTED WITHOUT PROOF  {}: {}", notice.code, notice.message);
        lines.extend(
            wrap(&visible(&text), screen.width).iter().map(|line| screen.palette.paint(Role::Bad, line).into_owned()),
        );
    }
    lines.push(screen.palette.paint(Role::Heading, &heading(&document.proposals)).into_owned());
    let mut table = Table::new([
        Column::text("runner", 12),
        Column::text("proposal", SHORT),
        Column::text("approved by", 16),
        Column::text("verdict", 22),
    ]);
    for proposal in document.proposals.iter().take(LISTED) {
        let (role, verdict) = verdict(proposal);
        let short: String = proposal.id.chars().take(SHORT).collect();
        table.push([
            Cell::of(Role::Place, &proposal.runner),
            Cell::new(short),
            Cell::new(proposal.approved_by.join(", ")),
            Cell::of(role, verdict),
        ]);
    }
    if !document.proposals.is_empty() {
        lines.extend(table.lines(screen.width, screen.palette));
    }
    let hidden = document.proposals.len().saturating_sub(LISTED) + document.left_out;
    if hidden > 0 {
        lines.push(format!("  and {hidden} more"));
    }
    match document.proposals.as_slice() {
        [one] => lines.extend(gates(one, screen)),
        all => lines.extend(refusals(all, screen)),
    }
    lines.push(String::new());
    lines.join("\n")
}

/// How many of what.
fn heading(proposals: &[PlannedProposal]) -> String {
    let count = |result| proposals.iter().filter(|p| p.result == Some(result)).count();
    let counts = [
        (count(ApplyResult::Applied), "applied"),
        (count(ApplyResult::Undone), "undone"),
        (count(ApplyResult::Failed), "failed"),
        (count(ApplyResult::Refused), "not started"),
    ];
    if counts.iter().all(|(count, _)| *count == 0) {
        let ready = proposals.iter().filter(|p| p.verdict == PlanVerdict::Ready).count();
        return format!("{} proposals, {ready} ready", proposals.len());
    }
    let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    format!("{} proposals: {}", proposals.len(), counts.collect::<Vec<_>>().join(", "))
}

fn verdict(proposal: &PlannedProposal) -> (Role, String) {
    match (proposal.result, &proposal.refusal) {
        (Some(ApplyResult::Applied), _) => (Role::Good, "applied".to_owned()),
        (Some(ApplyResult::Undone), _) => (Role::Warn, "undone".to_owned()),
        (Some(ApplyResult::Failed), _) => (Role::Bad, "failed".to_owned()),
        (Some(ApplyResult::Refused), None) => (Role::Warn, "not started".to_owned()),
        (_, Some(gate)) => (Role::Warn, format!("refused: {gate}")),
        (_, None) => (Role::Good, "ready".to_owned()),
    }
}

/// Every gate of one proposal.
fn gates(proposal: &PlannedProposal, screen: Screen) -> Vec<String> {
    let mut table = Table::new([Column::text("", 4), Column::text("gate", 22), Column::text("", 40)]);
    for row in &proposal.gates {
        let (role, mark) = match row.verdict {
            GateVerdict::Pass => (Role::Good, "pass"),
            GateVerdict::Refuse => (Role::Bad, "REFUSE"),
            GateVerdict::Skipped => (Role::Dim, "skipped"),
        };
        table.push([Cell::of(role, mark), Cell::new(&row.gate), Cell::new(&row.detail)]);
    }
    let mut lines = vec![String::new(), visible(&proposal.id).into_owned()];
    if let Some(detail) = &proposal.detail {
        lines.extend(wrap(&visible(detail), screen.width));
    }
    lines.extend(table.lines(screen.width, screen.palette));
    lines
}

/// The gate that decides, for each that is refused.
fn refusals(proposals: &[PlannedProposal], screen: Screen) -> Vec<String> {
    let mut lines = Vec::new();
    for proposal in proposals.iter().filter(|p| p.detail.is_some()).take(LISTED) {
        let short: String = proposal.id.chars().take(SHORT).collect();
        let text = format!("{} {short}: {}", proposal.runner, proposal.detail.as_deref().unwrap_or_default());
        lines.extend(wrap(&visible(&text), screen.width));
    }
    for proposal in proposals.iter().filter(|p| p.verdict == PlanVerdict::Refused).take(LISTED) {
        let row = proposal.gates.iter().find(|row: &&GateRow| Some(&row.gate) == proposal.refusal.as_ref());
        let Some(row) = row else { continue };
        let short: String = proposal.id.chars().take(SHORT).collect();
        let text = format!("{} {short}: {}: {}", proposal.runner, row.gate, row.detail);
        lines.extend(wrap(&visible(&text), screen.width));
    }
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}
