//! The part of the text report that only `--all` shows: every runner, every item.

use countersign_manifests_schema::report::{DriftItem, RunnerReport};
use countersign_shared::terminal::{Role, cut, visible};

use super::difference::{Piece, compare};
use super::page::Page;
use super::summary::Summary;
use super::text::names;
use super::{counted, moment, subject};

/// Text of others is shown up to here, in characters.
const LONGEST: usize = 600;

pub(super) fn details(page: &mut Page, summary: &Summary<'_>) {
    for runner in summary.shown_runners() {
        runner_details(page, summary, runner);
    }
    if !summary.report.risks.is_empty() {
        page.heading("Risks");
        for risk in &summary.report.risks {
            page.item((Role::Warn, &risk.code), &risk.message, usize::MAX);
        }
    }
    let clean: Vec<&str> = summary.clean_runners().map(|runner| runner.name.as_str()).collect();
    if !clean.is_empty() {
        page.heading(&format!("Without drift: {}", counted(clean.len() as u64, "runner")));
        page.sentence(Role::Plain, &names(&clean, usize::MAX));
    }
    page.heading("Steps");
    for step in &summary.report.steps {
        let status = match (&step.error, step.status) {
            (Some(error), _) => format!("failed ({}): {}", error.code, error.message),
            (None, status) => format!("{status:?}").to_lowercase(),
        };
        page.item((Role::Plain, &step.step), &status, usize::MAX);
    }
}

fn runner_details(page: &mut Page, summary: &Summary<'_>, runner: &RunnerReport) {
    let mut title = format!("{}: {}", runner.name, counted(runner.drift.len() as u64, "item"));
    if !runner.groups.is_empty() {
        title.push_str(&format!(", {}", runner.groups.join(", ")));
    }
    title.push_str(&format!(", {}", counted(runner.packages, "package")));
    page.heading(&title);
    if let Some(proposal) = &runner.proposal {
        page.item((Role::Dim, "proposal"), proposal, usize::MAX);
    }
    for notice in summary.context.unjudged.get(&runner.name).into_iter().flatten() {
        page.item((Role::Warn, "not judged"), &format!("{}: {}", notice.code, notice.message), usize::MAX);
    }
    for item in &runner.drift {
        item_details(page, item);
    }
}

fn item_details(page: &mut Page, item: &DriftItem) {
    let mut spans = vec![(Role::Warn, item.code.clone()), (Role::Plain, format!(" {}", subject(item)))];
    if let Some(since) = &item.since {
        spans.push((Role::Dim, format!("  since {}", moment::minute(since))));
    }
    if item.new {
        spans.push((Role::Heading, "  new".to_owned()));
    }
    page.spans(2, &spans);
    versions(page, item);
    if let Some(by) = &item.by {
        let who = by.user.as_deref().unwrap_or("(no login)");
        note(page, "by", &format!("{who}: {}", by.command));
    }
    if let Some(commit) = &item.spec_changed {
        note(page, "by", &format!("canonical commit {commit}"));
    }
    if let Some(waived) = &item.waived {
        note(page, "waived", &format!("until {} by {}", waived.until, waived.owner));
    }
    if let Some(blocked) = &item.blocked {
        note(page, "blocked", &format!("{}: {}", blocked.code, blocked.message));
    }
}

/// The rule and what is there, with what differs in colour.
fn versions(page: &mut Page, item: &DriftItem) {
    let bounded = |text: &str| cut(&visible(text), LONGEST).into_owned();
    let wanted = bounded(item.wanted.as_deref().unwrap_or_default());
    let seen = bounded(&item.seen.join(", "));
    let (left, right) = compare(&wanted, &seen);
    for (sign, label, pieces, role) in [("-", "wanted   ", left, Role::Bad), ("+", "installed", right, Role::Good)] {
        if pieces.iter().all(|piece| piece.text().is_empty()) {
            continue;
        }
        let mut spans = vec![(role, sign.to_owned()), (Role::Plain, format!(" {label}  "))];
        spans.extend(pieces.into_iter().map(|piece| match piece {
            Piece::Same(text) => (Role::Plain, text.to_owned()),
            Piece::Changed(text) => (role, text.to_owned()),
        }));
        page.spans(4, &spans);
    }
}

fn note(page: &mut Page, label: &str, text: &str) {
    page.note(label, &cut(&visible(text), LONGEST));
}
