//! One application, step by step. Up to the token nothing is touched; from there on it ends applied or undone.

use super::book::{Draw, NoPermission, Permission};
use super::bounded;
use super::case::{Case, text};
use super::chase::{Found, chase};
use super::run::{Ending, Run};
use super::settle::Settled;
use super::step::Step;
use super::verdict::Foretold;
use super::warden::{APPLY_LIMIT, STAGE_LIMIT, Warden};
use crate::facts::{Answered, Reach, Staging, TokenFact};
use crate::flow;
use crate::gates::Judgement;
use crate::gather::{self, From, is_digest};
use crate::stop::Stop;
use countersign_manifests_schema::bundle::Bundle;
use countersign_manifests_schema::ledger::{CommandRecord, Event};
use countersign_manifests_schema::notary::Outcome;
use countersign_manifests_schema::plan::{ApplyResult, PlannedProposal};
use countersign_manifests_schema::warden::{Inspection, WardenAnswer, WardenRequest};
use countersign_shared::observation::{Failure, Observation, set_digest};
use countersign_shared::warden::record;
use jiff::Timestamp;

/// What is said of an answer that never came.
const LOST: &str = "the connection was lost";

/// What a runner has staged.
struct Staged {
    bundle: Bundle,
    nonce: String,
    digest: String,
    commands: Vec<CommandRecord>,
    /// sha256 of the package set right before.
    before: String,
}

/// What came of asking for permission.
enum Asked {
    Given(Box<Permission>, Judgement),
    /// Nothing is spent.
    NotGiven(Box<PlannedProposal>),
    /// It is spent, and there is no token: one sentence.
    Lost(String, Judgement),
    /// Nobody knows whether it is spent: one sentence.
    Unknown(String, Judgement),
}

impl Run<'_, '_> {
    /// Applies one proposal, or says why not.
    pub(super) async fn apply(&self, case: &Case<'_>) -> Result<PlannedProposal, Stop> {
        let unasked = Reach::Unasked("the run was stopped before".to_owned());
        let (Some(runner), None) = (case.runner(), self.brake.why()) else {
            let judgement = case.judge(&unasked, &TokenFact::NotYet);
            return Ok(self.refused(case.candidate, &judgement, self.brake.why()));
        };
        self.progress.runner(&runner.name, "connecting");
        let warden = match self.wardens.connect(runner).await {
            Ok(warden) => warden,
            Err(failure) => return Ok(self.unreached(case, failure)),
        };
        let row = self.over(&warden, case).await;
        warden.close().await;
        row
    }

    async fn over(&self, warden: &Warden<'_>, case: &Case<'_>) -> Result<PlannedProposal, Stop> {
        warden.at(Step::Connected);
        match warden.prove_bounds().await {
            Ok(notices) => self.notices.borrow_mut().extend(notices),
            Err(failure) => return Ok(self.unreached(case, failure)),
        }
        warden.at(Step::Bounded);
        let inspection = match warden.inspect(case.listed()).await {
            Ok(inspection) => inspection,
            Err(failure) => return Ok(self.unreached(case, failure)),
        };
        warden.at(Step::Inspected);
        let record = record(&inspection);
        let now = Timestamp::now().as_second();
        let observation = record.as_ref().map_err(Failure::clone).and_then(|record| Observation::parse(record, now));
        let answered = |staging| self.answered(&inspection, &observation, staging);
        let judgement = case.judge(&answered(Staging::Unasked), &TokenFact::NotYet);
        let (None, Some(bundle), Ok(observation)) = (judgement.refusal(), case.bundle(), &observation) else {
            return Ok(self.refused(case.candidate, &judgement, None));
        };
        self.progress.runner(&case.candidate.runner, "staging");
        let request = WardenRequest::Stage { bundle: text(&bundle)? };
        let (nonce, digest, commands) = match warden.ask(&request, STAGE_LIMIT).await {
            Ok(WardenAnswer::Staged { nonce, staged, commands, .. }) if is_digest(&nonce) && is_digest(&staged) => {
                (nonce, staged, commands)
            }
            Ok(WardenAnswer::Refused { code, message }) => {
                let reach = answered(Staging::Refused { code, message });
                return Ok(self.refused(case.candidate, &case.judge(&reach, &TokenFact::NotYet), None));
            }
            Ok(_) => return Ok(self.unreached(case, Failure::new("garbage", "it answered something else"))),
            Err(failure) => return Ok(self.unreached(case, failure)),
        };
        warden.at(Step::Staged);
        let reach = answered(Staging::Done);
        let judgement = case.judge(&reach, &TokenFact::NotYet);
        let sealed = case.candidate.sealed.as_ref().ok().filter(|_| judgement.refusal().is_none());
        let Some(sealed) = sealed else {
            return Ok(self.refused(case.candidate, &judgement, None));
        };
        let foretold = match Foretold::from(observation, sealed.proposal()) {
            Ok(foretold) => foretold,
            Err(why) => return Ok(self.refused(case.candidate, &judgement, Some(why))),
        };
        if let Some(why) = self.brake.why() {
            return Ok(self.refused(case.candidate, &judgement, Some(why)));
        }
        if warden.is_lost() {
            return Ok(self.unreached(case, Failure::new("closed", "the connection was lost")));
        }
        let before = observation.packages.seen().map(|packages| set_digest(&packages.list)).unwrap_or_default();
        let staged = Staged { bundle, nonce, digest, commands, before };
        // From here to the token nothing else runs: what is recorded is what the notary hears of next.
        match self.permit(warden, case, &reach, &staged)? {
            Asked::NotGiven(row) => Ok(*row),
            Asked::Lost(why, judgement) => {
                tracing::warn!(runner = case.candidate.runner, "no token came: {why}");
                self.after_loss(warden, case, &staged, &foretold, judgement, LOST).await
            }
            // The start stays open: the next run finds out whether it may be started another time.
            Asked::Unknown(why, judgement) => Ok(self.unknown(case, &judgement, why)),
            Asked::Given(permission, judgement) => {
                warden.at(Step::Permitted);
                self.carry_out(warden, case, staged, *permission, &foretold, judgement).await
            }
        }
    }

    /// Records the start, asks every gate again by what is true now, and draws a token.
    fn permit(&self, warden: &Warden<'_>, case: &Case<'_>, reach: &Reach<'_>, staged: &Staged) -> Result<Asked, Stop> {
        let candidate = case.candidate;
        let mut book = self.book.borrow_mut();
        let earlier = book.standing().past();
        book.append(Event::Started {
            proposal: candidate.id.clone(),
            runner: candidate.runner.clone(),
            approved_by: candidate.people.clone(),
            bundle: staged.bundle.clone(),
            before: staged.before.clone(),
            staged: staged.digest.clone(),
            commands: staged.commands.clone(),
        })?;
        warden.at(Step::Recorded);
        let not_given = |book: &mut super::book::Book<'_>, row: PlannedProposal, code: &str, detail: &str| {
            book.append(Event::Refused {
                proposal: candidate.id.clone(),
                runner: candidate.runner.clone(),
                code: code.to_owned(),
                detail: detail.to_owned(),
            })?;
            Ok(Asked::NotGiven(Box::new(row)))
        };
        let now = Timestamp::now().as_second();
        let ids = std::slice::from_ref(&candidate.id);
        let fresh = gather::gather_with(self.config, From::Remotes, ids, now, Some(earlier));
        let fresh = match &fresh {
            Ok(fresh) => fresh,
            Err(stop) => {
                let why = format!("whether a halt is set is not known: {}", stop.words());
                let row = self.refused(candidate, &case.judge(reach, &TokenFact::None(why.clone())), None);
                return not_given(&mut book, row, "halted", &why);
            }
        };
        let again = fresh.candidates.first().map(|candidate| Case::new(fresh, candidate)).transpose()?;
        let again = again.as_ref().unwrap_or(case);
        let judgement = again.judge(reach, &TokenFact::NotYet);
        if let Some(code) = judgement.refusal() {
            let row = self.refused(again.candidate, &judgement, None);
            let detail = row.gates.iter().find(|row| row.gate == code).map(|row| row.detail.clone());
            return not_given(&mut book, row, code, &detail.unwrap_or_default());
        }
        warden.at(Step::Checked);
        let removals = candidate.sealed.as_ref().map_or(0, |sealed| sealed.proposal().risk.removals);
        let draw = Draw {
            proposal: &candidate.id,
            runner: &candidate.runner,
            nonce: &staged.nonce,
            staged: &staged.digest,
            removals,
        };
        match book.draw(draw, || warden.at(Step::OnDuty)) {
            Ok(permission) => Ok(Asked::Given(Box::new(permission), again.judge(reach, &TokenFact::Held))),
            Err(NoPermission::Refused(code, message)) => {
                let why = format!("the notary refuses: {message} ({code})");
                let row = self.refused(again.candidate, &again.judge(reach, &TokenFact::None(why)), None);
                not_given(&mut book, row, &code, &message)
            }
            Err(NoPermission::Unknown(why)) => match book.is_burned(&candidate.id) {
                Ok(false) => {
                    let row = self.refused(again.candidate, &again.judge(reach, &TokenFact::None(why.clone())), None);
                    not_given(&mut book, row, "no-token", &why)
                }
                Ok(true) => Ok(Asked::Lost(why.clone(), again.judge(reach, &TokenFact::None(why)))),
                Err(_) => Ok(Asked::Unknown(why.clone(), again.judge(reach, &TokenFact::None(why)))),
            },
        }
    }

    async fn carry_out(
        &self,
        warden: &Warden<'_>,
        case: &Case<'_>,
        staged: Staged,
        permission: Permission,
        foretold: &Foretold,
        judgement: Judgement,
    ) -> Result<PlannedProposal, Stop> {
        let candidate = case.candidate;
        self.progress.runner(&candidate.runner, "applying");
        let Permission { token, lease } = permission;
        let whole = Bundle { token: Some(token), lease: Some(lease), ..staged.bundle.clone() };
        let answer = warden.ask(&WardenRequest::Apply { bundle: text(&whole)? }, APPLY_LIMIT).await;
        let application = match answer {
            Ok(WardenAnswer::Outcome(application)) if application.proposal == candidate.id => application,
            // A refusal is believed no more than silence: whoever began it may have died, and another one says this.
            Ok(WardenAnswer::Refused { code, message }) => {
                let said = bounded::sentence(format!("the runner refused: {message} ({code})"));
                return self.after_loss(warden, case, &staged, foretold, judgement, &said).await;
            }
            Ok(_) | Err(_) => return self.after_loss(warden, case, &staged, foretold, judgement, LOST).await,
        };
        warden.at(Step::Applied);
        let settled = self.settle(warden, application, foretold, case.listed(), None).await;
        self.settled(warden, case, &judgement, settled)
    }

    /// The answer was lost, or the token, or is no outcome: finds out, and brings it to its end. `loss` says which.
    async fn after_loss(
        &self,
        warden: &Warden<'_>,
        case: &Case<'_>,
        staged: &Staged,
        foretold: &Foretold,
        judgement: Judgement,
        loss: &str,
    ) -> Result<PlannedProposal, Stop> {
        let candidate = case.candidate;
        self.progress.runner(&candidate.runner, &format!("{loss}; asking what it did"));
        match chase(warden, &candidate.id, self.brake).await {
            Found::Begun(application) => {
                let settled = self.settle(warden, *application, foretold, case.listed(), None).await;
                self.settled(warden, case, &judgement, settled)
            }
            Found::Never => {
                let detail = Some(format!("{loss}; it never began, and nothing was changed"));
                let before = Some(staged.before.clone());
                self.ended(warden, case, &judgement, Outcome::Undone, before, Vec::new(), detail)
            }
            Found::Unknown(why) => Ok(self.unknown(case, &judgement, why)),
        }
    }

    fn settled(
        &self,
        warden: &Warden<'_>,
        case: &Case<'_>,
        judgement: &Judgement,
        settled: Settled,
    ) -> Result<PlannedProposal, Stop> {
        match settled {
            Settled::Ended { outcome, after, commands, detail } => {
                self.ended(warden, case, judgement, outcome, after, commands, detail)
            }
            Settled::Unknown(why) => Ok(self.unknown(case, judgement, why)),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "each is one field of the entry")]
    fn ended(
        &self,
        warden: &Warden<'_>,
        case: &Case<'_>,
        judgement: &Judgement,
        outcome: Outcome,
        after: Option<String>,
        commands: Vec<CommandRecord>,
        detail: Option<String>,
    ) -> Result<PlannedProposal, Stop> {
        let (proposal, runner) = (case.candidate.id.as_str(), case.candidate.runner.as_str());
        let ending = Ending { proposal, runner, outcome, after, commands, detail: detail.clone() };
        let (result, receipt) = self.end(warden, ending)?;
        let mut row = flow::planned(case.candidate, judgement);
        (row.result, row.receipt, row.detail) = (Some(result), Some(receipt), detail);
        Ok(row)
    }

    /// It was started, and nobody knows how it ended: the next run asks again.
    fn unknown(&self, case: &Case<'_>, judgement: &Judgement, why: String) -> PlannedProposal {
        let mut row = flow::planned(case.candidate, judgement);
        let detail = format!("it was started, and how it ended is not known yet: {why}");
        self.brake.stop(format!("how it ended on {} is not known", row.runner));
        self.progress.runner(&row.runner, &detail);
        (row.result, row.detail) = (Some(ApplyResult::Failed), Some(detail));
        row
    }

    fn unreached(&self, case: &Case<'_>, failure: Failure) -> PlannedProposal {
        self.refused(case.candidate, &case.judge(&Reach::Failed(failure), &TokenFact::NotYet), None)
    }

    fn answered<'a>(
        &'a self,
        inspection: &'a Inspection,
        observation: &Result<Observation<'a>, Failure>,
        staging: Staging,
    ) -> Reach<'a> {
        let observation = observation.clone();
        Reach::Answered(Box::new(Answered { inspection, observation, expected: self.expected, staging }))
    }
}
