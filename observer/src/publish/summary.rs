//! What a person needs to fetch and merge by hand, in the manner of git-request-pull(1): for sites without a forge.

use super::merge::merge_command;
use super::repository::{Branch, Change, Synced};
use super::{Counts, Ready};
use countersign_shared::terminal::visible;
use std::fmt::Write as _;

/// A text for people about branches that are there to be merged. `url` must hold no password; `main` is the short name of
/// the branch into which they merge.
pub fn request_pull(synced: &Synced, ready: &[Ready], url: &str, main: &str) -> String {
    let mut text = String::new();
    for branch in &synced.branches {
        let Some(tip) =
            branch.tip.filter(|_| !matches!(branch.change, Change::Foreign | Change::Gone | Change::Superseded))
        else {
            continue;
        };
        let state = match &branch.change {
            Change::Created => "new",
            Change::Updated => "changed",
            Change::Kept => "unchanged",
            _ => "not brought up to date",
        };
        let _ = write!(
            text,
            "{} ({state}): {}\n\nThe proposals since {}\nare available in the repository at\n\n  {} {}\n\nup to commit {tip}:\n\n",
            branch.branch,
            sentence(branch, ready),
            synced.main,
            visible(url),
            branch.branch,
        );
        for (runner, id) in &branch.holds {
            let _ = writeln!(text, "  proposals/{}/{id}/README.md", visible(runner));
        }
        if let Some(command) = merge_command(branch, main) {
            let _ = write!(text, "\nTo approve, in a clone of it, with git signing by your own SSH key:\n\n{command}");
        }
        text.push('\n');
    }
    for branch in synced.problems() {
        let _ = writeln!(text, "{}: {}", branch.branch, problem(&branch.change));
    }
    text
}

/// One sentence about a branch that needs a person.
pub fn problem(change: &Change) -> String {
    match change {
        Change::Foreign => {
            "somebody else's commits are on it, so it is left alone; delete it to have it made anew".to_owned()
        }
        Change::Moved => "it was moved by somebody else at the same time; the next run looks again".to_owned(),
        Change::Refused(words) => format!("the server refuses it: {}", visible(words)),
        _ => String::new(),
    }
}

/// The sums of what a branch offers in this run.
pub fn totals(branch: &Branch, ready: &[Ready]) -> Counts {
    let mut sum = Counts::default();
    for proposal in branch.offers.iter().filter_map(|index| ready.get(*index)) {
        sum.drift += proposal.counts.drift;
        sum.installs += proposal.counts.installs;
        sum.changes += proposal.counts.changes;
        sum.removals += proposal.counts.removals;
        sum.protected |= proposal.counts.protected;
    }
    sum
}

/// How many runners, and how much of what.
pub fn sentence(branch: &Branch, ready: &[Ready]) -> String {
    let many = |count: usize, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    let sum = totals(branch, ready);
    let mut text = format!(
        "{}, {} removed by {}, {} and {}",
        many(branch.holds.len(), "runner", "runners"),
        many(sum.drift, "item of drift", "items of drift"),
        many(sum.installs, "install", "installs"),
        many(sum.changes, "change of version", "changes of version"),
        many(sum.removals, "removal", "removals"),
    );
    if sum.protected {
        text.push_str(", protected packages among them");
    }
    let kept = branch.holds.len().saturating_sub(branch.offers.len());
    if kept > 0 {
        let _ = write!(text, "; {} kept from before, not judged in this run", many(kept, "proposal", "proposals"));
    }
    text
}
