//! Titles and texts: a pointer to what is in the branch, with counts. The truth is in the files, and is signed.

use super::decide::{Unwanted, Wanted};
use super::pull::marks;
use crate::publish::merge::merge_command;
use crate::publish::repository::{Branch, Change, Synced};
use crate::publish::{Ready, summary};
use std::fmt::Write as _;

/// Proposals that are listed by name; the rest is counted.
const LISTED: usize = 50;

/// What the forge should show after the push, and what no longer.
///
/// `main` is the short name of the branch into which people merge.
pub fn wishes(synced: &Synced, ready: &[Ready], main: &str) -> (Vec<Wanted>, Vec<Unwanted>) {
    let mut wanted = Vec::new();
    let mut unwanted = Vec::new();
    for branch in &synced.branches {
        let name = branch.branch.short().to_owned();
        match branch.change {
            Change::Gone => unwanted.push(Unwanted { branch: name, superseded: false }),
            Change::Superseded => unwanted.push(Unwanted { branch: name, superseded: true }),
            Change::Created | Change::Updated | Change::Kept => wanted.push(wish(branch, name, ready, main)),
            // What is at the tip is not what we would write about.
            Change::Foreign | Change::Moved | Change::Refused(_) => {
                wanted.push(Wanted { class: None, ..wish(branch, name, ready, main) });
            }
        }
    }
    (wanted, unwanted)
}

fn wish(branch: &Branch, name: String, ready: &[Ready], main: &str) -> Wanted {
    let first = branch.offers.first().and_then(|index| ready.get(*index));
    let class = first.map(|ready| ready.class.clone());
    let owner = first.and_then(|ready| ready.owner.clone()).filter(|owner| is_plain(owner));
    let mut labels = vec!["countersign".to_owned()];
    if summary::totals(branch, ready).protected {
        labels.push("countersign/protected".to_owned());
    }
    Wanted {
        title: title(branch, first),
        body: body(branch, ready, main, owner.as_deref(), class.as_deref()),
        branch: name,
        class,
        labels,
        owner,
        runners: branch.holds.len(),
    }
}

fn title(branch: &Branch, first: Option<&Ready>) -> String {
    match (&branch.holds[..], first.and_then(|ready| ready.group.as_deref()).filter(|group| is_plain(group))) {
        ([(runner, _)], _) => format!("Bring {runner} back to its manifest"),
        (many, Some(group)) => format!("Bring {} runners of {group} back to their manifest", many.len()),
        (many, None) => format!("Bring {} runners back to their manifest", many.len()),
    }
}

fn body(branch: &Branch, ready: &[Ready], main: &str, owner: Option<&str>, class: Option<&str>) -> String {
    let mut text = format!("{}.\n\n", summary::sentence(branch, ready));
    for (runner, id) in branch.holds.iter().take(LISTED) {
        let _ = writeln!(text, "- `proposals/{runner}/{id}/README.md`");
    }
    if branch.holds.len() > LISTED {
        let _ = writeln!(text, "- and {} more", branch.holds.len() - LISTED);
    }
    text.push_str("\nEach README says what changes, why, what else moves with it, and since when.\n");
    if let Some(owner) = owner {
        let _ = writeln!(text, "\nOwner: `{owner}`");
    }
    if let Some(command) = merge_command(branch, main) {
        let all = if branch.holds.len() == 1 { "it" } else { "all of it" };
        let _ = write!(
            text,
            "\n**To approve {all}**, run this in your clone of this repository; git must sign with your own SSH key \
             (`git config gpg.format ssh`). `countersign approve` does the same.\n\n```sh\n{command}```\n\n\
             The button on this page approves nothing: an approval is a signature by a listed person. \
             Nothing happens at the merge itself; a person on duty starts the change afterwards.\n"
        );
    }
    text.push_str("\n**To refuse it**, close it: it stays closed until the drift changes.\n");
    text.push_str(&marks(class.unwrap_or_default()));
    text
}

/// A name that is no markup and mentions nobody.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= 100 && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+-@".contains(c))
}
