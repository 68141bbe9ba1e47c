//! One run: what all its applications share, and how each ends in the ledger.

use super::book::Book;
use super::brake::Brake;
use super::progress::Progress;
use super::standing::word;
use super::step::Step;
use super::warden::{Warden, Wardens};
use crate::config::Config;
use crate::facts::{Candidate, Expected};
use crate::flow;
use crate::gates::Judgement;
use crate::stop::Stop;
use countersign_manifests_schema::ledger::{CommandRecord, Event};
use countersign_manifests_schema::notary::Outcome;
use countersign_manifests_schema::plan::{ApplyResult, PlannedProposal};
use countersign_manifests_schema::policy::BreakerTable;
use countersign_manifests_schema::report::Notice;
use std::cell::RefCell;

/// What all applications of a run share.
pub(super) struct Run<'r, 'c> {
    pub(super) config: &'r Config,
    pub(super) wardens: &'r Wardens<'r>,
    pub(super) book: &'r RefCell<Book<'c>>,
    pub(super) brake: &'r Brake,
    pub(super) progress: Progress,
    pub(super) expected: &'r Expected,
    pub(super) breaker: &'r BreakerTable,
    /// What is let pass although it should not be.
    pub(super) notices: RefCell<Vec<Notice>>,
}

/// How an application ended.
#[derive(Debug)]
pub(super) struct Ending<'e> {
    pub(super) proposal: &'e str,
    pub(super) runner: &'e str,
    pub(super) outcome: Outcome,
    pub(super) after: Option<String>,
    pub(super) commands: Vec<CommandRecord>,
    pub(super) detail: Option<String>,
}

impl Run<'_, '_> {
    /// Records an end, tells the notary, and stops the run where it was not a good one. Answers with result and receipt.
    pub(super) fn end(&self, warden: &Warden<'_>, ending: Ending<'_>) -> Result<(ApplyResult, String), Stop> {
        let Ending { proposal, runner, outcome, after, commands, detail } = ending;
        let said = detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default();
        let event = Event::Ended {
            proposal: proposal.to_owned(),
            runner: runner.to_owned(),
            outcome,
            after,
            commands,
            detail: detail.clone(),
        };
        let mut book = self.book.borrow_mut();
        let head = book.end(event, || warden.at(Step::Ended))?;
        warden.at(Step::Reported);
        self.progress.runner(runner, &format!("{}{said}", word(outcome)));
        if outcome != Outcome::Applied {
            self.brake.stop(format!("{runner} was {}", word(outcome)));
            if let Some(why) = book.trip(self.breaker)? {
                self.progress.note(&format!("the breaker has tripped: {why}"));
            }
        }
        Ok((result_of(outcome), head.sha256))
    }

    /// A row about what was not started.
    pub(super) fn refused(&self, candidate: &Candidate, judgement: &Judgement, why: Option<String>) -> PlannedProposal {
        let mut row = flow::planned(candidate, judgement);
        let said = why.clone().or_else(|| row.refusal.clone()).unwrap_or_default();
        self.progress.runner(&candidate.runner, &format!("not started: {said}"));
        row.result = Some(ApplyResult::Refused);
        row.detail = why;
        row
    }
}

/// As documents say it.
pub(crate) fn result_of(outcome: Outcome) -> ApplyResult {
    match outcome {
        Outcome::Applied => ApplyResult::Applied,
        Outcome::Undone => ApplyResult::Undone,
        Outcome::Failed => ApplyResult::Failed,
    }
}
