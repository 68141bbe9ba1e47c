//! What a person can want, one file each.

mod adopt;
mod approve;
mod duty;
mod endorse;
mod reject;
mod review;
mod show;
mod statement;

pub(crate) use adopt::{Adoption, adopt};
pub(crate) use approve::{How, approve};
pub(crate) use duty::{Duty, lease, order};
pub(crate) use endorse::endorse;
pub(crate) use reject::reject;
pub(crate) use review::review;
pub(crate) use show::show;

use crate::desk::Desk;
use crate::examine::Examined;
use crate::stop::{Done, Result, Stop};
use countersign_manifests_schema::person::{ACT_SCHEMA, ActDocument};
use countersign_shared::exit::Outcome;
use countersign_shared::git::CommitId;

/// Digits of an id that are shown; every one of them is in `show` and in JSON.
const DIGITS: usize = 12;

fn short(id: &str) -> &str {
    id.get(..DIGITS).unwrap_or(id)
}

/// Something that was done, as people and programs are told.
struct Act<'a> {
    act: &'static str,
    proposals: Vec<String>,
    commits: Vec<CommitId>,
    pushed: Option<String>,
    until: Option<String>,
    text: String,
    shell: &'a crate::shell::Shell,
}

impl Act<'_> {
    fn done(self) -> Result<Done> {
        let mut proposals = self.proposals;
        proposals.sort();
        proposals.dedup();
        let document = ActDocument {
            schema: ACT_SCHEMA.to_owned(),
            act: self.act.to_owned(),
            proposals,
            commits: self.commits.iter().map(ToString::to_string).collect(),
            pushed: self.pushed,
            until: self.until,
            commands: self.shell.ran(),
        };
        Ok(Done { text: self.text, json: line(&document)?, outcome: Outcome::Clean })
    }
}

fn line<T: serde::Serialize>(document: &T) -> Result<String> {
    Ok(serde_json::to_string(document)? + "\n")
}

/// Stops at the first thing that refuses.
fn refuse(examined: &[Examined]) -> Result<()> {
    for one in examined {
        if let Some(row) = one.refusal() {
            let (runner, id) = &one.found.key;
            return Err(Stop::refused(&row.gate, format!("{id} ({runner}): {}", row.detail))
                .hint("nothing was signed; `countersign show` has all of it"));
        }
    }
    Ok(())
}

fn where_to(desk: &Desk) -> String {
    format!("{} {}", desk.proposed.remote, desk.proposed.branch)
}
