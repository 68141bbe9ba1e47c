//! No: a signed rejection in the main branch of proposed. It withdraws an approved proposal, too.

use super::statement::{self, Word};
use super::{Act, show, where_to};
use crate::ask::Asker;
use crate::desk::Desk;
use crate::examine;
use crate::git::{Files, Pushed};
use crate::shelf::Shelf;
use crate::stop::{Done, Result, Stop};
use countersign_shared::terminal::Screen;
use std::io::Write as _;

/// How often it is tried again when main has moved.
const ROUNDS: usize = 3;

/// Rejects one proposal. One whose README lies or that has ended can be rejected like any other.
pub(crate) fn reject(desk: &Desk, text: &str, reason: &str, asker: Asker, screen: Screen) -> Result<Done> {
    let spec = desk.spec()?;
    let mut shelf = Shelf::read(desk, &spec)?;
    let keys = shelf.resolve(text)?;
    let made = examine::made(desk, &shelf);
    let mut files = Files::new();
    let signer = statement::signer(&desk.shell, &desk.proposed, &spec)?;
    let mut proposals = Vec::new();
    for key in &keys {
        let one = examine::examine(desk, &spec, &shelf, &made, key)?;
        let _ = std::io::stderr().write_all(show::summary(&one, screen).as_bytes());
        let Some(sealed) = one.sealed else {
            return Err(Stop::refused("edited", format!("{} is no proposal, so there is nothing to reject", key.1))
                .hint("close its pull request or delete its branch"));
        };
        proposals.push(sealed);
    }
    asker.confirm(&format!(
        "Reject {}? Your key signs the rejection, and it is pushed to {} of proposed.",
        if keys.len() == 1 { "this proposal".to_owned() } else { format!("these {} proposals", keys.len()) },
        where_to(desk)
    ))?;
    for sealed in &proposals {
        let (path, signature) = statement::detached(desk, &spec, &signer, Word::No, sealed)?;
        files.insert(path, signature);
    }
    let names: Vec<String> = keys.iter().map(|(runner, id)| format!("{runner} {id}\n")).collect();
    let message = format!("Reject {} proposal(s)\n\n{reason}\n\n{}", keys.len(), names.concat());
    for _ in 0..ROUNDS {
        let new = statement::not_there_yet(desk, shelf.main, &files)?;
        if new.is_empty() {
            return Err(Stop::failed("done-already", "you have rejected it already"));
        }
        let tree = desk.proposed.with_files(shelf.main, &new)?;
        let commit = desk.proposed.signed_commit(&desk.shell, &[shelf.main], &tree, &message)?;
        statement::judge_commit(&desk.proposed, &spec, commit)?;
        match desk.proposed.push(&desk.shell, &desk.proposed.branch, commit, Some(shelf.main))? {
            Pushed::Done => {
                return Act {
                    act: "reject",
                    proposals: keys.into_iter().map(|(_, id)| id).collect(),
                    commits: vec![commit],
                    pushed: Some(where_to(desk)),
                    until: None,
                    text: format!("Rejected, and pushed to {}.\n", where_to(desk)),
                    shell: &desk.shell,
                }
                .done();
            }
            Pushed::Moved => {
                desk.fetch()?;
                shelf = Shelf::read(desk, &spec)?;
            }
        }
    }
    Err(Stop::failed("moved", format!("{} moved again and again while this was made", where_to(desk)))
        .hint("nothing was pushed; try again"))
}
