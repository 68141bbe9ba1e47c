//! Vouching for a commit of canonical that nobody has signed, after having seen what it does.

use super::{Act, statement};
use crate::ask::Asker;
use crate::desk::Desk;
use crate::git::{Pushed, Repository};
use crate::stop::{Done, Result, Stop};
use countersign_shared::git::CommitId;
use countersign_shared::terminal::{Role, Screen, visible};
use std::io::Write as _;

/// How often it is tried again when main has moved.
const ROUNDS: usize = 3;
/// Lines that a person can be shown.
const LINES: usize = 20_000;
/// First parents among which the commit is looked for.
const LONGEST: usize = 20_000;

/// Vouches for one commit.
pub(crate) fn endorse(desk: &Desk, text: &str, asker: Asker, screen: Screen) -> Result<Done> {
    let spec = desk.spec()?;
    let canonical = &desk.canonical;
    let commit = resolve(canonical, text)?;
    let is_on_main = |tip| canonical.mirror.first_parents(tip).take(LONGEST).any(|c| c.is_ok_and(|c| c.id == commit));
    if !is_on_main(canonical.tip()?) {
        return Err(Stop::refused(
            "not-merged",
            format!("{commit} is not on the way of {} of canonical", canonical.branch),
        )
        .hint("only what main leads over is judged; a merge is endorsed by its own id"));
    }
    let shown = diff(canonical, commit, screen)?;
    let _ = std::io::stderr().write_all(shown.as_bytes());
    let signer_key = statement::signer(&desk.shell, canonical, &spec)?;
    drop(signer_key);
    let to = format!("{} {}", canonical.remote, canonical.branch);
    asker.confirm(&format!(
        "Vouch for {commit}? Your key signs an empty commit, and it is PUSHED TO {to} OF CANONICAL. Touch your key if it \
         wants that."
    ))?;
    let message = format!("Endorse {commit}\n\nCountersign-Endorses: {commit}\n");
    for _ in 0..ROUNDS {
        canonical.fetch(&desk.shell, false)?;
        let tip = canonical.tip()?;
        if !is_on_main(tip) {
            return Err(Stop::refused("moved", format!("{commit} is no longer on the way of {to}")));
        }
        let tree = canonical.tree(tip)?.id().to_string();
        let made = canonical.signed_commit(&desk.shell, &[tip], &tree, &message)?;
        statement::judge_commit(canonical, &desk.spec()?, made)?;
        if canonical.push(&desk.shell, &canonical.branch, made, Some(tip))? == Pushed::Done {
            return Act {
                act: "endorse",
                proposals: Vec::new(),
                commits: vec![made],
                pushed: Some(to.clone()),
                until: None,
                text: format!("Vouched for {commit} with {made}, and pushed to {to} of canonical.\n"),
                shell: &desk.shell,
            }
            .done();
        }
    }
    Err(Stop::failed("moved", format!("{to} moved again and again while this was made")).hint("nothing was pushed"))
}

fn resolve(canonical: &Repository, text: &str) -> Result<CommitId> {
    let hex = text.len() >= 7 && text.len() <= 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let usage = |message: String| Stop::invalid("usage", message).hint("`git log` of canonical shows the ids");
    if !hex {
        return Err(usage(format!("{text:?} is not the id of a commit, of 7 to 40 hex digits")));
    }
    match canonical.store.find_commit_by_prefix(text) {
        Ok(commit) => Ok(CommitId::parse(&commit.id().to_string())?),
        Err(error) if error.code() == git2::ErrorCode::Ambiguous => {
            Err(usage(format!("{text} is the beginning of several ids")))
        }
        Err(_) => Err(usage(format!("there is no commit {text} in canonical"))),
    }
}

/// What the commit does to its first parent, whatever the person's configuration says about diffs.
fn diff(canonical: &Repository, commit: CommitId, screen: Screen) -> Result<String> {
    let own = canonical.mirror.commit(commit)?;
    let before = own.parents.first().map(|parent| canonical.tree(*parent)).transpose()?;
    let after = canonical.tree(commit)?;
    let diff = canonical.store.diff_tree_to_tree(before.as_ref(), Some(&after), None)?;
    let mut out = String::new();
    let message = canonical.mirror.message(commit)?;
    for line in message.lines() {
        out.push_str(&format!("    {}\n", visible(line)));
    }
    let mut lines = 0;
    diff.print(git2::DiffFormat::Patch, |_, _, line| {
        lines += 1;
        let text = String::from_utf8_lossy(line.content());
        for part in text.lines() {
            let (sign, role) = match line.origin() {
                '+' => ("+", Role::Good),
                '-' => ("-", Role::Bad),
                ' ' => (" ", Role::Plain),
                _ => ("", Role::Dim),
            };
            out.push_str(&screen.palette.paint(role, &format!("{sign}{}", visible(part))));
            out.push('\n');
        }
        lines <= LINES
    })
    .map_err(|_| {
        Stop::refused("too-large", format!("{commit} changes more than {LINES} lines, which nobody looks at"))
            .hint("make smaller commits of it")
    })?;
    Ok(out)
}
