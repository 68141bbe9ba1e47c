//! The gates in front of a mutation, in the order in which they decide. Each is one pure function over
//! [`Facts`] in a file of its own, and one row of [`GATES`]. A gate passes or refuses; it never warns.

mod breaker;
mod canonical_moved;
mod canonical_unsigned;
mod dnf_busy;
mod edited;
mod expired;
mod halted;
mod history_rewritten;
mod host_key;
mod insufficient_approvals;
mod irreversible;
mod misleading;
mod no_lease;
mod no_token;
mod not_human;
mod not_merged;
mod not_observer;
mod outside_window;
mod runner_busy;
mod runner_differs;
mod selinux;
mod spent;
mod state_moved;
mod superseded;
#[cfg(test)]
mod tests;
mod transaction_differs;
mod unjustified;
mod unreachable;
mod unsigned_repo;
mod withdrawn;

use crate::facts::{Candidate, Facts, Place, Reach, Staging};
use countersign_shared::manifest::policy::Policy;

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing against it; what was seen.
    Pass(String),
    /// Not now; why.
    Refuse(String),
    /// What it judges by is not known here; why.
    Skipped(String),
}

impl Verdict {
    fn pass(detail: impl Into<String>) -> Self {
        Verdict::Pass(detail.into())
    }

    fn refuse(detail: impl Into<String>) -> Self {
        Verdict::Refuse(detail.into())
    }
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Gate {
    /// Its code: in documents, in receipts, from the runner.
    pub code: &'static str,
    /// When it refuses, for people.
    pub refuses: &'static str,
    /// Its judgement.
    pub judge: fn(&Facts<'_>) -> Verdict,
}

const fn gate(code: &'static str, judge: fn(&Facts<'_>) -> Verdict, refuses: &'static str) -> Gate {
    Gate { code, refuses, judge }
}

/// Every gate. The first that refuses decides.
pub const GATES: [Gate; 29] = [
    gate("halted", halted::judge, "a halt is set, or cannot be read"),
    gate("no-lease", no_lease::judge, "no person's signed lease covers this proposal now"),
    gate("history-rewritten", history_rewritten::judge, "a tip does not descend from the last one seen"),
    gate("canonical-unsigned", canonical_unsigned::judge, "canonical's history since the anchor is not all by people"),
    gate("not-merged", not_merged::judge, "it is not on main's first-parent way"),
    gate("withdrawn", withdrawn::judge, "it was taken back from main, or a person has signed a rejection"),
    gate("not-observer", not_observer::judge, "its commit is not signed by the declared observer key"),
    gate("not-human", not_human::judge, "no listed person has approved it"),
    gate("insufficient-approvals", insufficient_approvals::judge, "too few distinct people have approved it"),
    gate("edited", edited::judge, "its bytes are not those that its sha256 names"),
    gate("misleading", misleading::judge, "its README is not what it renders to"),
    gate("expired", expired::judge, "its time is over by our clock"),
    gate("superseded", superseded::judge, "a newer approved one exists for the runner"),
    gate("spent", spent::judge, "it was started before"),
    gate("canonical-moved", canonical_moved::judge, "the manifest in force has changed since"),
    gate(
        "unjustified",
        unjustified::judge,
        "on the runner as it is now it would not remove the drift, or would make new",
    ),
    gate("breaker", breaker::judge, "a budget is used up, or the breaker has tripped and was not reset"),
    gate("outside-window", outside_window::judge, "no maintenance window is open for long enough"),
    gate("unreachable", unreachable::judge, "the runner or its warden does not answer"),
    gate("host-key", host_key::judge, "the runner's host key is not the one in fleet.toml"),
    gate("runner-differs", runner_differs::judge, "the warden's binary, approvers or policy is not the expected one"),
    gate("selinux", selinux::judge, "SELinux is not as the manifest says"),
    gate("runner-busy", runner_busy::judge, "the runner is in use, or an application on it is not finished"),
    gate("dnf-busy", dnf_busy::judge, "dnf or rpm is at work on the runner"),
    gate("state-moved", state_moved::judge, "a package or the configuration that it builds on has changed since"),
    gate("transaction-differs", transaction_differs::judge, "the runner resolves anything else than the approved set"),
    gate("unsigned-repo", unsigned_repo::judge, "a package comes without a checked signature"),
    gate("irreversible", irreversible::judge, "there is no proven way back"),
    gate("no-token", no_token::judge, "the notary gave no token for it"),
];

/// What every gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// In the order of [`GATES`].
    pub rows: Vec<(&'static str, Verdict)>,
}

impl Judgement {
    /// The first gate that refuses.
    pub fn refusal(&self) -> Option<&'static str> {
        self.rows.iter().find(|(_, verdict)| matches!(verdict, Verdict::Refuse(_))).map(|(code, _)| *code)
    }

    /// What one gate says.
    pub fn of(&self, code: &str) -> Option<&Verdict> {
        self.rows.iter().find(|(own, _)| *own == code).map(|(_, verdict)| verdict)
    }
}

/// Asks every gate.
pub fn judge(facts: &Facts<'_>) -> Judgement {
    let said = refused_by_runner(facts);
    let row = |gate: &Gate| {
        let verdict = match said {
            Some((code, message)) if code == gate.code => Verdict::Refuse(format!("the runner refuses: {message}")),
            _ => (gate.judge)(facts),
        };
        (gate.code, verdict)
    };
    Judgement { rows: GATES.iter().map(row).collect() }
}

/// What the warden refused with: a gate's code, whatever it said.
fn refused_by_runner<'f>(facts: &Facts<'f>) -> Option<(&'f str, &'f str)> {
    let Reach::Answered(answered) = facts.reach else { return None };
    let Staging::Refused { code, message } = &answered.staging else { return None };
    let known = GATES.iter().any(|gate| gate.code == code);
    // A refusal that nobody here knows is a warden that nobody here knows.
    Some((if known { code } else { "runner-differs" }, message))
}

/// For what only the runner can say, once it has staged.
fn staged(facts: &Facts<'_>, pass: &str) -> Verdict {
    match facts.answered().map(|answered| &answered.staging) {
        Err(why) => Verdict::Skipped(why),
        Ok(Staging::Done) => Verdict::pass(pass),
        Ok(Staging::Unasked) => Verdict::Skipped("the runner has not staged it".to_owned()),
        Ok(Staging::Refused { code, .. }) => Verdict::Skipped(format!("the runner refused to stage it ({code})")),
    }
}

/// Whether people have approved it, by the gates that ask about nothing else: what supersedes another must be so.
pub fn is_approved(candidate: &Candidate, policy: &Policy) -> bool {
    let stands =
        matches!(candidate.place, Place::Main(_)) && candidate.gone.is_none() && candidate.rejected_by.is_empty();
    let (needed, _) = insufficient_approvals::needed(policy, candidate);
    let whole = candidate.sealed.is_ok() && candidate.readme.is_ok();
    stands && candidate.made.is_ok() && candidate.people.len() >= needed as usize && whole
}
