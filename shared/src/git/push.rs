//! The one way in which anything is written to a remote: branches `proposals/*` of the sibling repository.
//!
//! Only the observer is built with it (feature `push`). What can be named is a [`ProposalRef`], and that is a branch
//! `proposals/NAME` or `proposals/@NAME` and nothing else: no `main`, no tag, no pattern. Each update says which tip it
//! expects, so that of two observers that push at once one is told so and neither undoes the other's work unseen.

use super::error::GitError;
use super::history::CommitId;
use super::mirror::{Mirror, classify};
use super::proposals::ProposalRef;
use super::remote::{Reference, Remote};
use super::transport::{self, Ended, Verb};
use std::collections::BTreeMap;

/// Updates in one `git push`: its answer stays within what is kept of an output.
const AT_ONCE: usize = 50;

/// One change of one branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Which branch.
    pub branch: ProposalRef,
    /// The tip that the remote must have now; `None` = there must be no such branch.
    pub expected: Option<CommitId>,
    /// The new tip, a commit of the mirror; `None` = take the branch away.
    pub new: Option<CommitId>,
}

/// What the remote did with one update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// Done, or there already.
    Done,
    /// The branch is no longer where it was expected to be: somebody was faster.
    Moved,
    /// The remote refuses it; its own words, escaped.
    Refused(String),
    /// The answer does not speak of it.
    Unanswered,
}

impl Mirror {
    /// Pushes; answers for each update, in its order. An error means that nothing is known of those not yet done.
    pub fn push_proposals(&self, remote: &Remote, updates: &[Update]) -> Result<Vec<Pushed>, GitError> {
        let mut answers = Vec::with_capacity(updates.len());
        for chunk in updates.chunks(AT_ONCE) {
            let ended = transport::run(self.path(), remote, Verb::PushProposals { updates: chunk })?;
            let said = answers_of(remote, &ended);
            if said.is_empty() && !ended.success {
                return Err(classify(remote, None, &ended));
            }
            for update in chunk {
                let answer = said.get(update.branch.as_str()).cloned().unwrap_or(Pushed::Unanswered);
                if answer == Pushed::Done {
                    self.remember(update)?;
                }
                answers.push(answer);
            }
        }
        Ok(answers)
    }

    /// Keeps what the remote has now, so that it is known without a connection.
    fn remember(&self, update: &Update) -> Result<(), GitError> {
        let name = update.branch.local();
        let kept = match update.new {
            Some(tip) => self.repository().reference(&name, tip.oid(), true, "pushed").map(drop),
            None => match self.repository().find_reference(&name) {
                Ok(mut reference) => reference.delete(),
                Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(()),
                Err(error) => Err(error),
            },
        };
        kept.map_err(|error| self.failed(error))
    }

    /// The branch of proposals as a reference, to fetch it alone.
    pub fn proposal_tip(&self, branch: &ProposalRef) -> Result<CommitId, GitError> {
        self.tip(&Reference::parse(branch.as_str())?)
    }
}

/// git-push(1), "OUTPUT", with `--porcelain`: `FLAG\tFROM:TO\tSUMMARY (REASON)`.
fn answers_of(remote: &Remote, ended: &Ended) -> BTreeMap<String, Pushed> {
    let stdout = String::from_utf8_lossy(&ended.stdout);
    let mut answers = BTreeMap::new();
    for line in stdout.lines() {
        let mut columns = line.splitn(3, '\t');
        let (Some(flag), Some(names), Some(summary)) = (columns.next(), columns.next(), columns.next()) else {
            continue;
        };
        let Some((_, to)) = names.rsplit_once(':') else {
            continue;
        };
        let answer = match flag {
            " " | "+" | "-" | "*" | "=" => Pushed::Done,
            "!" if summary.contains("(stale info)") || summary.contains("(fetch first)") => Pushed::Moved,
            // Two pushes met on the server: the one that came second could not take the lock, or found another tip.
            "!" if summary.contains("failed to update ref")
                || summary.contains("cannot lock ref")
                || summary.contains("incorrect old value") =>
            {
                Pushed::Moved
            }
            "!" => Pushed::Refused(transport::shown(&format!("{summary}\n{}", words(&ended.stderr)), remote)),
            _ => continue,
        };
        answers.insert(to.to_owned(), answer);
    }
    answers
}

/// What the server itself said (its hooks), without git's own summary.
fn words(stderr: &str) -> String {
    stderr.lines().filter(|line| line.starts_with("remote:")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::proposals::PREFIX;
    use crate::git::remote::{RemoteUrl, SshAccess};

    #[test]
    fn nothing_but_a_branch_of_proposals_can_be_named() {
        for full in [
            "refs/heads/main",
            "refs/heads/proposals",
            "refs/heads/proposals/",
            "refs/heads/proposals/@",
            "refs/heads/proposals/a/b",
            "refs/heads/proposals/*",
            "refs/heads/proposals/../main",
            "refs/heads/proposals/a..b",
            "refs/heads/proposals/a.lock",
            "refs/heads/proposals/a.",
            "refs/heads/proposals/-a",
            "refs/heads/proposals/+a",
            "refs/heads/proposals/a:refs/heads/main",
            "refs/heads/proposals/a b",
            "refs/heads/proposals/A",
            "refs/heads/proposals/a\n",
            "refs/heads/proposals/@{u}",
            "refs/heads/proposals/@@a",
            "refs/tags/proposals/a",
            "proposals/a",
            "",
        ] {
            assert!(ProposalRef::parse(full).is_err(), "{full:?} was accepted");
        }
        assert_eq!(ProposalRef::runner("runner-04.example").unwrap().short(), "proposals/runner-04.example");
        assert_eq!(ProposalRef::class("builders-0a1b").unwrap().as_str(), "refs/heads/proposals/@builders-0a1b");
        assert!(ProposalRef::runner("@builders").is_err());
    }

    #[test]
    fn every_answer_of_a_push_is_told_apart() {
        let remote = Remote::new(RemoteUrl::parse("/srv/proposed.git").unwrap(), SshAccess::default());
        let line =
            |flag: &str, name: &str, summary: &str| format!("{flag}\tabc:refs/heads/proposals/{name}\t{summary}\n");
        let stdout = [
            "To /srv/proposed.git\n".to_owned(),
            line("*", "new", "[new branch]"),
            line("+", "forced", "1..2 (forced update)"),
            line("=", "same", "[up to date]"),
            line("-", "gone", "[deleted]"),
            line("!", "raced", "[rejected] (stale info)"),
            line("!", "met", "[remote rejected] (cannot lock ref 'x': is at 1 but expected 2)"),
            line("!", "hook", "[remote rejected] (pre-receive hook declined)"),
            "Done\n".to_owned(),
        ]
        .concat();
        let stderr = "remote: no \u{1b}[31mway\nerror: failed to push some refs".to_owned();
        let said = answers_of(&remote, &Ended { success: false, stdout: stdout.into_bytes(), stderr });
        let of = |name: &str| said.get(&format!("{PREFIX}{name}")).cloned();
        for name in ["new", "forced", "same", "gone"] {
            assert_eq!(of(name), Some(Pushed::Done), "{name}");
        }
        for name in ["raced", "met"] {
            assert_eq!(of(name), Some(Pushed::Moved), "{name}");
        }
        let Some(Pushed::Refused(words)) = of("hook") else { panic!("{said:?}") };
        assert_eq!(words, "[remote rejected] (pre-receive hook declined); remote: no \\u{1b}[31mway");
        assert_eq!(of("other"), None);
    }
}
