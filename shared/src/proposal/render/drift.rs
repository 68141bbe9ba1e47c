//! What is wrong, since when and by whom.

use super::{line, moment};
use crate::terminal::markdown::{code, prose};
use countersign_manifests_schema::proposal::{ClaimedItem, Proposal};

pub(super) fn section(proposal: &Proposal, out: &mut String) {
    line(out, format_args!("## What is wrong\n"));
    line(out, format_args!("| package | problem | installed | wanted | since | by |\n|---|---|---|---|---|---|"));
    for item in &proposal.drift {
        let seen: Vec<String> = item.seen.iter().map(|seen| code(seen)).collect();
        let seen = if seen.is_empty() { "-".to_owned() } else { seen.join(", ") };
        let wanted = item.wanted.as_deref().map_or("not listed".to_owned(), code);
        let since = item.since.as_deref().map_or("not known".to_owned(), moment);
        line(
            out,
            format_args!(
                "| {} | {} | {seen} | {wanted} | {since} | {} |",
                subject(item),
                problem(&item.code),
                by(item)
            ),
        );
    }
    out.push('\n');
    let explained: Vec<&ClaimedItem> =
        proposal.drift.iter().filter(|item| item.reason.is_some() || item.file.is_some()).collect();
    if explained.is_empty() {
        return;
    }
    line(out, format_args!("Why it should be so:\n"));
    for item in explained {
        let file = item.file.as_deref().map_or("the manifest".to_owned(), code);
        match &item.reason {
            Some(reason) => line(out, format_args!("- {}: {} ({file})", subject(item), quoted(reason))),
            None => line(out, format_args!("- {}: {file} says so and gives no reason", subject(item))),
        }
    }
    out.push('\n');
}

/// The words of the person who wrote the rule, as such.
fn quoted(reason: &str) -> String {
    let shown = prose(reason);
    if shown.is_empty() { "no reason".to_owned() } else { format!("\u{201c}{shown}\u{201d}") }
}

fn subject(item: &ClaimedItem) -> String {
    match &item.arch {
        Some(arch) => code(&format!("{}.{arch}", item.package)),
        None => code(&item.package),
    }
}

/// A code of drift in words.
fn problem(code: &str) -> &'static str {
    match code {
        "missing" => "missing",
        "unwanted" => "must not be there",
        "unlisted" => "no manifest names it",
        "ahead" => "newer than wanted",
        "behind" => "older than wanted",
        "duplicate" => "installed twice",
        "wrong-arch" => "only of a foreign architecture",
        "not-in-lock" => "not in the locked set",
        "kernel-mismatch" => "does not match the running kernel",
        _ => "differs",
    }
}

fn by(item: &ClaimedItem) -> String {
    if let Some(commit) = &item.spec_changed {
        return format!("a change of canonical: {}", code(commit));
    }
    match &item.by {
        None => "not known".to_owned(),
        Some(by) => {
            let user = by.user.as_deref().map_or("a program without a login".to_owned(), code);
            format!("{user} with {}", code(&by.command))
        }
    }
}
