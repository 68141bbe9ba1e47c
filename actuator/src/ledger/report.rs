//! `ledger verify`: chain and signatures recomputed, then compared with everybody who has seen something of it.

use super::LedgerError;
use super::entry::EntryError;
use super::read::scan;
use super::witness::{Outline, Statement, Verdict, Witness};
use countersign_manifests_schema::notary::{LedgerHead, NotaryState};
use countersign_manifests_schema::warden::Application;
use countersign_shared::exit::Outcome;
use countersign_shared::journal::JournalError;
use countersign_shared::terminal::{Palette, Role, visible};
use serde_json::json;
use ssh_key::public::KeyData;
use std::error::Error;
use std::path::Path;

/// The `schema` of [`Report::json`].
pub const REPORT_SCHEMA: &str = "countersign/ledger-report/1";

/// Who is asked what they have seen. `Err` = they could not be asked, and why.
#[derive(Debug, Default)]
pub struct Witnesses {
    /// The notary's state.
    pub notary: Option<Result<NotaryState, String>>,
    /// The heads of the mirror's lines, in order; see [`super::mirror`].
    pub mirror: Option<Result<Vec<LedgerHead>, String>>,
    /// What each runner's warden remembers.
    pub wardens: Vec<(String, Result<Vec<Application>, String>)>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Entries in order, from the first on.
    pub entries: u64,
    /// The last of them.
    pub head: Option<LedgerHead>,
    /// The first line that is bad, and what is wrong with it.
    pub bad: Option<(u64, String)>,
    /// Whether an incomplete line follows.
    pub unfinished: bool,
    /// What the witnesses say.
    pub statements: Vec<Statement>,
}

/// Verifies the ledger. An error means that nothing could be verified; a bad line is no error, but a finding.
pub fn verify(path: &Path, key: &KeyData, witnesses: &Witnesses) -> Result<Report, LedgerError> {
    let mut outline = Outline::default();
    let mut head = None;
    let read = scan(path, key, &mut |entry, next, _| {
        outline.take(entry, next);
        head = Some(next.clone());
    });
    let (bad, unfinished) = match read {
        Ok(scan) => (None, scan.unfinished),
        Err(error) => match error.line() {
            Some(line) => (Some((line, finding(&error))), false),
            None => return Err(error),
        },
    };
    // What follows a bad line is not known, and neither is whether a witness has seen it.
    let statements = if bad.is_none() { compare(&outline, witnesses) } else { Vec::new() };
    Ok(Report { entries: outline.entries(), head, bad, unfinished, statements })
}

fn compare(outline: &Outline, witnesses: &Witnesses) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut say = |witness, verdict| statements.push(Statement { witness, verdict });
    if let Some(asked) = &witnesses.notary {
        let verdict = asked.as_ref().map(|state| outline.with_notary(state));
        say(Witness::Notary, verdict.unwrap_or_else(|why| Verdict::Silent(why.clone())));
    }
    if let Some(asked) = &witnesses.mirror {
        let verdict = asked.as_ref().map(|heads| outline.with_mirror(heads));
        say(Witness::Mirror, verdict.unwrap_or_else(|why| Verdict::Silent(why.clone())));
    }
    for (runner, asked) in &witnesses.wardens {
        let verdict = asked.as_ref().map(|started| outline.with_warden(runner, started));
        say(Witness::Warden(runner.clone()), verdict.unwrap_or_else(|why| Verdict::Silent(why.clone())));
    }
    statements
}

/// Without the path, which the line stands for.
fn finding(error: &LedgerError) -> String {
    let mut text = match error {
        LedgerError::Journal(JournalError::Line { source, .. }) => source.to_string(),
        LedgerError::Journal(JournalError::Damaged { .. }) => {
            "it is neither whole nor the beginning of a line".to_owned()
        }
        LedgerError::Journal(JournalError::TooLong { .. }) => "it is longer than any entry".to_owned(),
        other => other.to_string(),
    };
    if let LedgerError::Journal(JournalError::Line { source, .. }) = error
        && let Some(EntryError::Unreadable(why)) = source.downcast_ref()
    {
        text = format!("{text}: {why}");
        if let Some(cause) = why.source() {
            text = format!("{text}: {cause}");
        }
    }
    text
}

impl Report {
    /// Whether nothing contradicts it.
    pub fn is_sound(&self) -> bool {
        self.bad.is_none() && !self.statements.iter().any(|said| matches!(said.verdict, Verdict::Disagrees(_)))
    }

    /// The last entry that somebody else has seen too; 0 when nobody has.
    pub fn proven(&self) -> u64 {
        // A runner knows its own applications, and nothing of what stands between them.
        let seen = |said: &Statement| match (&said.witness, &said.verdict) {
            (Witness::Notary | Witness::Mirror, Verdict::Agrees(number)) => *number,
            _ => 0,
        };
        self.statements.iter().map(seen).max().unwrap_or(0)
    }

    /// Which entries could have been changed or made up by whoever holds the ledger's key; `None` = none of them.
    pub fn tail(&self) -> Option<String> {
        let (proven, entries) = (self.proven(), self.entries);
        let what = match entries.checked_sub(proven + 1)? {
            0 => format!("entry {entries}"),
            _ => format!("entries {} to {entries}", proven + 1),
        };
        let why = match proven {
            0 => "no witness has seen any entry",
            _ => "no witness has seen them, nor whether others followed",
        };
        Some(format!("tail not provable: {what}: {why}"))
    }

    /// The exit status.
    pub fn outcome(&self) -> Outcome {
        if self.is_sound() { Outcome::Clean } else { Outcome::Refused }
    }

    /// One document, with a newline.
    pub fn json(&self) -> String {
        let witnesses = self.statements.iter().map(|said| {
            let (status, number, messages) = match &said.verdict {
                Verdict::Agrees(number) => ("agrees", Some(*number), Vec::new()),
                Verdict::Disagrees(differences) => ("disagrees", None, differences.clone()),
                Verdict::Silent(why) => ("silent", None, vec![why.clone()]),
            };
            json!({"witness": name(&said.witness), "status": status, "entry": number, "messages": messages})
        });
        let bad = self.bad.as_ref().map(|(line, message)| json!({"line": line, "message": message}));
        let document = json!({
            "schema": REPORT_SCHEMA,
            "entries": self.entries,
            "head": self.head,
            "bad": bad,
            "unfinished": self.unfinished,
            "witnesses": witnesses.collect::<Vec<_>>(),
            "proven": self.proven(),
            "tail": self.tail(),
        });
        format!("{document}\n")
    }

    /// For people; several lines with a newline at the end.
    pub fn text(&self, palette: Palette) -> String {
        let mut lines = Vec::new();
        let entries = match self.entries {
            0 => "no entries".to_owned(),
            1 => "1 entry is in order".to_owned(),
            count => format!("{count} entries are in order"),
        };
        let head = self.head.as_ref().map(|head| format!(", up to {}", head.sha256)).unwrap_or_default();
        lines.push(format!("ledger    {entries}{head}"));
        if let Some((line, message)) = &self.bad {
            let text = format!("line {line} is bad: {}", visible(message));
            lines.push(format!("          {}", palette.paint(Role::Bad, &text)));
        }
        if self.unfinished {
            lines.push("          an incomplete line follows: it is being written, or a crash has torn it".to_owned());
        }
        for said in &self.statements {
            let name = name(&said.witness);
            match &said.verdict {
                Verdict::Agrees(0) => lines.push(format!("witness   {name}: has seen nothing of it")),
                Verdict::Agrees(number) => lines.push(format!("witness   {name}: agrees up to entry {number}")),
                Verdict::Silent(why) => lines.push(format!("witness   {name}: could not be asked: {}", visible(why))),
                Verdict::Disagrees(differences) => lines.extend(differences.iter().map(|difference| {
                    let text = format!("{name}: {}", visible(difference));
                    format!("witness   {}", palette.paint(Role::Bad, &text))
                })),
            }
        }
        if self.bad.is_none()
            && let Some(tail) = self.tail()
        {
            lines.push(format!("          {}", palette.paint(Role::Warn, &tail)));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

fn name(witness: &Witness) -> String {
    match witness {
        Witness::Notary => "notary".to_owned(),
        Witness::Mirror => "mirror".to_owned(),
        Witness::Warden(runner) => format!("warden of {runner}"),
    }
}
