//! `ledger show`: what was done, by whom it was approved, what was run, and how it ended.

use super::LedgerError;
use super::read::scan;
use super::witness::word;
use countersign_manifests_schema::lease::Order;
use countersign_manifests_schema::ledger::{CommandRecord, Entry, Event};
use countersign_shared::terminal::{Palette, Role, visible};
use jiff::Timestamp;
use serde_json::json;
use ssh_key::public::KeyData;
use std::path::Path;

/// The `schema` of [`Listing::json`].
pub const LISTING_SCHEMA: &str = "countersign/ledger-listing/1";
/// Characters of a command line that are shown.
const LONGEST_COMMAND: usize = 160;

/// Which entries are shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selection<'a> {
    /// Only those from this time on, Unix seconds.
    pub since: Option<i64>,
    /// Only those of this proposal: sha256, or the beginning of it.
    pub proposal: Option<&'a str>,
}

/// Entries that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// In the order of the ledger.
    pub entries: Vec<Entry>,
}

/// Reads the ledger, checking every entry, and keeps those that were asked for.
pub fn show(path: &Path, key: &KeyData, selection: Selection<'_>) -> Result<Listing, LedgerError> {
    let mut entries = Vec::new();
    scan(path, key, &mut |entry, _, _| {
        if selection.takes(entry) {
            entries.push(entry.clone());
        }
    })?;
    Ok(Listing { entries })
}

impl Selection<'_> {
    fn takes(self, entry: &Entry) -> bool {
        let at = entry.at.parse::<Timestamp>().map(Timestamp::as_second);
        let recent = self.since.is_none_or(|since| at.is_ok_and(|at| at >= since));
        recent && self.proposal.is_none_or(|wanted| proposal(&entry.event).is_some_and(|id| id.starts_with(wanted)))
    }
}

fn proposal(event: &Event) -> Option<&str> {
    match event {
        Event::Started { proposal, .. } | Event::Ended { proposal, .. } | Event::Refused { proposal, .. } => {
            Some(proposal)
        }
        Event::Halted { .. } | Event::Tripped { .. } | Event::Reset { .. } => None,
    }
}

impl Listing {
    /// One document with the whole entries, and a newline.
    pub fn json(&self) -> String {
        format!("{}\n", json!({"schema": LISTING_SCHEMA, "entries": self.entries}))
    }

    /// For people; several lines with a newline at the end.
    pub fn text(&self, palette: Palette) -> String {
        if self.entries.is_empty() {
            return "nothing is recorded\n".to_owned();
        }
        let mut lines = Vec::new();
        for entry in &self.entries {
            entry_lines(entry, palette, &mut lines);
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

fn entry_lines(entry: &Entry, palette: Palette, lines: &mut Vec<String>) {
    let (role, title, details) = match &entry.event {
        Event::Started { proposal, runner, approved_by, before, staged, commands, .. } => {
            let by: Vec<_> = approved_by.iter().map(|person| visible(person)).collect();
            let mut details = vec![
                format!("proposal {}", visible(proposal)),
                format!("approved by {}", by.join(", ")),
                format!("package set before {}", visible(before)),
                format!("staged set {}", visible(staged)),
            ];
            details.extend(commands.iter().map(command));
            (Role::Plain, format!("started on {}", visible(runner)), details)
        }
        Event::Ended { proposal, runner, outcome, after, commands, detail } => {
            let mut details = vec![format!("proposal {}", visible(proposal))];
            details.push(match after {
                Some(after) => format!("package set after {}", visible(after)),
                None => "nobody could look at the package set afterwards".to_owned(),
            });
            details.extend(detail.iter().map(|detail| visible(detail).into_owned()));
            details.extend(commands.iter().map(command));
            let role = if word(*outcome) == "applied" { Role::Good } else { Role::Bad };
            (role, format!("{} on {}", word(*outcome), visible(runner)), details)
        }
        Event::Refused { proposal, runner, code, detail } => {
            let details = vec![format!("proposal {}", visible(proposal)), visible(detail).into_owned()];
            (Role::Warn, format!("not started on {}: {}", visible(runner), visible(code)), details)
        }
        Event::Halted { reason } => (Role::Bad, "halted".to_owned(), vec![visible(reason).into_owned()]),
        Event::Tripped { reason } => (Role::Bad, "breaker tripped".to_owned(), vec![visible(reason).into_owned()]),
        Event::Reset { order, by } => {
            let reason = serde_json::from_str::<Order>(&order.text).map(|order| order.reason).unwrap_or_default();
            (Role::Warn, format!("breaker reset by {}", visible(by)), vec![visible(&reason).into_owned()])
        }
    };
    lines.push(format!("{:>5}  {}  {}", entry.number, visible(&entry.at), palette.paint(role, &title)));
    lines.extend(details.into_iter().filter(|detail| !detail.is_empty()).map(|detail| format!("       {detail}")));
}

fn command(record: &CommandRecord) -> String {
    let words: Vec<_> = record.argv.iter().map(|word| visible(word)).collect();
    let line: String = words.join(" ").chars().take(LONGEST_COMMAND).collect();
    let exit = record.exit.map_or_else(|| "ended by a signal".to_owned(), |exit| format!("exit {exit}"));
    format!("ran {line}: {exit}, output {}", visible(&record.output))
}
