//! The second half of the story: a person signs, and what was signed is applied.

use super::cheats;
use super::stage::Stage;
use super::story::heading;
use anyhow::Context as _;
use countersign_manifests_schema::plan::{ApplyResult, PlanDocument, PlannedProposal};
use countersign_manifests_schema::report::{DriftReport, RunnerReport};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Tells it. What is not as it should be; empty when all is well.
#[expect(clippy::print_stdout, reason = "this is the demo's output")]
pub(super) fn tell(stage: &Stage, report: &DriftReport) -> anyhow::Result<Vec<String>> {
    let offered: Vec<&RunnerReport> = report.runners.iter().filter(|runner| runner.proposal.is_some()).collect();
    let ids: Vec<&str> = offered.iter().filter_map(|runner| runner.proposal.as_deref()).collect();

    println!(
        "\nNothing has been changed so far, and the observer could not. Now Mira, who is listed in `approvers`, reads"
    );
    println!("the proposals and signs all but the last with her own key; a second program may then do exactly that.");
    let (last, signed) = ids.split_last().context("nothing was proposed")?;
    let short: Vec<&str> = signed.iter().map(|id| &id[..12]).collect();
    heading(&format!("countersign approve {}", short.join(" ")), "signed merges that name each proposal's sha256");
    let approve = stage.acting.person(&[&["approve", "--yes"], signed].concat());
    let approved = crate::embedded::acting::done(approve)?;
    println!("{}", indented(&approved.stdout));
    heading("countersign lease --reason \"the llvm incident\"", "Mira is on duty: the notary may give permissions now");
    let lease = stage.acting.person(&["lease", "--yes", "--reason", "the llvm incident"]);
    println!("{}", indented(&crate::embedded::acting::done(lease)?.stdout));

    heading("countersign-actuator apply --all", "every gate asked, staged, permitted once, applied, looked at, kept");
    let start = Instant::now();
    let document = apply(stage, true)?;
    println!("That took {} ms, and each has a receipt in the ledger.", start.elapsed().as_millis());
    let mut wrong = Vec::new();
    for row in &document.proposals {
        let fine = row.result == Some(ApplyResult::Applied) && row.receipt.is_some();
        wrong.extend((!fine).then(|| format!("{} was {:?} ({:?})", row.runner, row.result, row.refusal)));
    }
    if document.proposals.len() != signed.len() {
        wrong.push(format!("{} of {} signed proposals were applied", document.proposals.len(), signed.len()));
    }

    heading("countersign-actuator ledger verify", "the chain of receipts, compared with what the notary has seen");
    let verified = stage.acting.actuator(&["ledger", "verify"]).output()?;
    println!("{}", indented(&verified.stdout));
    wrong.extend((!verified.status.success()).then(|| "the ledger does not verify".to_owned()));

    heading("countersign-observer nightly", "does it see the difference?");
    let after = stage.report(&["nightly"])?;
    wrong.extend(in_sync(report, &after, &document.proposals));

    println!("\nTwo attempts to cheat:");
    wrong.extend(cheats::bot_merges(stage, last)?);
    wrong.extend(cheats::token_twice(stage, &document.proposals)?);

    heading("countersign-actuator apply --all", "once more: is there anything left to do?");
    let again = apply(stage, false)?;
    let moved = again.proposals.iter().filter(|row| row.result == Some(ApplyResult::Applied)).count();
    println!("{moved} applied: what was never countersigned is refused, and what was applied is spent.");
    wrong.extend((moved > 0).then(|| "something was applied twice".to_owned()));
    Ok(wrong)
}

/// Runs `apply --all`, shown to the reader or not, and answers with its document.
fn apply(stage: &Stage, shown: bool) -> anyhow::Result<PlanDocument> {
    let mut command: Command = stage.acting.actuator(&["apply", "--all", "--json"]);
    let output = command.stderr(Stdio::inherit()).output()?;
    let document: PlanDocument = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("the actuator said {}", String::from_utf8_lossy(&output.stdout)))?;
    if shown {
        show(&document.proposals);
    }
    Ok(document)
}

#[expect(clippy::print_stdout, reason = "this is the demo's output")]
fn show(rows: &[PlannedProposal]) {
    for row in rows {
        let passed =
            row.gates.iter().filter(|gate| gate.verdict == countersign_manifests_schema::plan::GateVerdict::Pass);
        let result = match row.result {
            Some(ApplyResult::Applied) => "applied",
            Some(ApplyResult::Undone) => "undone",
            Some(ApplyResult::Failed) => "failed",
            Some(ApplyResult::Refused) | None => "not started",
        };
        let receipt = row.receipt.as_deref().map(|receipt| format!(", receipt {}", &receipt[..12])).unwrap_or_default();
        let by = row.approved_by.join(", ");
        println!(
            "  {}  {}  {} gates passed, approved by {by}: {result}{receipt}",
            row.runner,
            &row.id[..12],
            passed.count()
        );
        let refusal = row.gates.iter().find(|gate| Some(&gate.gate) == row.refusal.as_ref());
        if let Some(gate) = refusal {
            println!("    {}: {}", gate.gate, gate.detail);
        }
        if let Some(detail) = &row.detail {
            println!("    {detail}");
        }
    }
}

/// What was applied must be gone from the report.
#[expect(clippy::print_stdout, reason = "this is the demo's output")]
fn in_sync(before: &DriftReport, after: &DriftReport, applied: &[PlannedProposal]) -> Vec<String> {
    let drift = |report: &DriftReport, name: &str| {
        report.runners.iter().find(|runner| runner.name == name).map(|runner| {
            let remediable = runner.drift.iter().filter(|item| item.remediable && item.blocked.is_none()).count();
            (runner.drift.len(), remediable)
        })
    };
    let mut wrong = Vec::new();
    for row in applied.iter().filter(|row| row.result == Some(ApplyResult::Applied)) {
        let (Some((was, _)), Some((is, left))) = (drift(before, &row.runner), drift(after, &row.runner)) else {
            wrong.push(format!("{} was not observed again", row.runner));
            continue;
        };
        let rest = if is == 0 { "in sync".to_owned() } else { format!("{is} left that no package change removes") };
        println!("  {}  {was} differences before, now {rest}", row.runner);
        wrong.extend((left > 0).then(|| format!("{} still has drift that was applied away", row.runner)));
    }
    wrong
}

fn indented(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim_end().lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
