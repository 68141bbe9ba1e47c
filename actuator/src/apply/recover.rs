//! What an earlier run began and did not end: its runner is asked, and it is finished or undone. Nothing is begun again.

use super::bounded;
use super::case::Case;
use super::chase::{Found, chase};
use super::run::{Ending, Run};
use super::settle::Settled;
use super::standing::{End, Start};
use super::verdict::Foretold;
use super::warden::Warden;
use crate::facts::{Reach, TokenFact};
use crate::gates::{Judgement, Verdict};
use crate::gather::{self, From, Gathered};
use crate::stop::Stop;
use countersign_manifests_schema::bundle::Bundle;
use countersign_manifests_schema::ledger::Event;
use countersign_manifests_schema::notary::Outcome;
use countersign_manifests_schema::plan::{ApplyResult, PlanVerdict, PlannedProposal};
use countersign_manifests_schema::proposal::Proposal;
use countersign_manifests_schema::warden::Application;
use jiff::Timestamp;

/// What must still be true for something to be kept that nobody watched. The others are about beginning.
const STILL: [&str; 11] = [
    "halted",
    "history-rewritten",
    "canonical-unsigned",
    "not-merged",
    "withdrawn",
    "not-observer",
    "not-human",
    "insufficient-approvals",
    "edited",
    "misleading",
    "canonical-moved",
];

impl Run<'_, '_> {
    /// Brings one start to its end.
    pub(super) async fn recover(&self, fleet: &Gathered, start: &Start) -> Result<PlannedProposal, Stop> {
        let End::Open(bundle) = &start.end else { return Ok(self.open(start, "it has ended".to_owned())) };
        let spent = match self.book.borrow().is_burned(&start.proposal) {
            Ok(spent) => spent,
            Err(why) => return Ok(self.open(start, why)),
        };
        let Some(runner) = fleet.spec.canonical.fleet.runner(&start.runner) else {
            return self.silent(start, spent, "the runner is no longer in fleet.toml".to_owned());
        };
        self.progress.runner(&start.runner, "an earlier run began here; asking what came of it");
        let warden = match self.wardens.connect(runner).await {
            Ok(warden) => warden,
            Err(failure) => return self.silent(start, spent, failure.message),
        };
        let row = self.bring_to_end(&warden, start, bundle, spent).await;
        warden.close().await;
        row
    }

    async fn bring_to_end(
        &self,
        warden: &Warden<'_>,
        start: &Start,
        bundle: &Bundle,
        spent: bool,
    ) -> Result<PlannedProposal, Stop> {
        match chase(warden, &start.proposal, self.brake).await {
            Found::Unknown(why) => self.silent(start, spent, why),
            Found::Begun(application) => self.finish(warden, start, bundle, *application).await,
            Found::Never if spent => {
                let detail = "an earlier run ended between the token and the runner, which never began".to_owned();
                self.close(warden, start, Outcome::Undone, Some(start.before.clone()), Vec::new(), Some(detail))
            }
            // Neither the notary nor the runner has spent it: it may be started another time.
            Found::Never => self.never_permitted(start),
        }
    }

    fn never_permitted(&self, start: &Start) -> Result<PlannedProposal, Stop> {
        let detail = "an earlier run ended before a token was drawn".to_owned();
        self.book.borrow_mut().append(Event::Refused {
            proposal: start.proposal.clone(),
            runner: start.runner.clone(),
            code: "interrupted".to_owned(),
            detail: detail.clone(),
        })?;
        self.progress.runner(&start.runner, &detail);
        Ok(row(start, ApplyResult::Refused, None, Some(detail)))
    }

    /// The runner says nothing. It holds back itself, not the others, and counts as a failure; until a person who knows
    /// of it has reset the breaker, and then it is written down as what it is.
    fn silent(&self, start: &Start, spent: bool, why: String) -> Result<PlannedProposal, Stop> {
        // Without a token nothing can have begun.
        if start.written_off && !spent {
            return self.never_permitted(start);
        }
        let mut book = self.book.borrow_mut();
        if start.written_off {
            let detail = bounded::sentence(format!("never heard of, and a person has reset the breaker since: {why}"));
            let event = Event::Ended {
                proposal: start.proposal.clone(),
                runner: start.runner.clone(),
                outcome: Outcome::Failed,
                after: None,
                commands: Vec::new(),
                detail: Some(detail.clone()),
            };
            let receipt = book.append(event)?.sha256;
            self.progress.runner(&start.runner, &detail);
            return Ok(row(start, ApplyResult::Failed, Some(receipt), Some(detail)));
        }
        book.unheard(&start.proposal);
        if let Some(why) = book.trip(self.breaker)? {
            self.progress.note(&format!("the breaker has tripped: {why}"));
        }
        Ok(self.open(start, why))
    }

    async fn finish(
        &self,
        warden: &Warden<'_>,
        start: &Start,
        bundle: &Bundle,
        application: Application,
    ) -> Result<PlannedProposal, Stop> {
        let (against, listed) = self.still_valid(start)?;
        let foretold = match serde_json::from_str::<Proposal>(&bundle.proposal) {
            Ok(proposal) => Foretold::recorded(&start.before, &proposal),
            Err(_) => Foretold::ByTheWarden,
        };
        match self.settle(warden, application, &foretold, listed, against).await {
            Settled::Ended { outcome, after, commands, detail } => {
                self.close(warden, start, outcome, after, commands, detail)
            }
            Settled::Unknown(why) => self.silent(start, true, why),
        }
    }

    /// Why it must not be kept, by what is true now, and what to ask the runner about.
    fn still_valid(&self, start: &Start) -> Result<(Option<String>, Vec<String>), Stop> {
        let now = Timestamp::now().as_second();
        let past = self.book.borrow().standing().past();
        let ids = std::slice::from_ref(&start.proposal);
        let fresh = match gather::gather_with(self.config, From::Remotes, ids, now, Some(past)) {
            Ok(fresh) => fresh,
            Err(stop) => {
                let why = format!("whether it is still approved is not known: {}", stop.words());
                return Ok((Some(why), Vec::new()));
            }
        };
        let Some(candidate) = fresh.candidates.first() else {
            return Ok((Some("the proposal is gone".to_owned()), Vec::new()));
        };
        let case = Case::new(&fresh, candidate)?;
        let judgement = case.judge(&Reach::Unasked("it was begun before".to_owned()), &TokenFact::NotYet);
        Ok((refusal(&judgement), case.listed()))
    }

    fn close(
        &self,
        warden: &Warden<'_>,
        start: &Start,
        outcome: Outcome,
        after: Option<String>,
        commands: Vec<countersign_manifests_schema::ledger::CommandRecord>,
        detail: Option<String>,
    ) -> Result<PlannedProposal, Stop> {
        let (proposal, runner) = (start.proposal.as_str(), start.runner.as_str());
        let ending = Ending { proposal, runner, outcome, after, commands, detail: detail.clone() };
        let (result, receipt) = self.end(warden, ending)?;
        Ok(row(start, result, Some(receipt), detail))
    }

    /// Nobody knows yet; nothing new is started there meanwhile.
    fn open(&self, start: &Start, why: String) -> PlannedProposal {
        let detail = format!("it was started, and how it ended is not known yet: {why}");
        self.progress.runner(&start.runner, &detail);
        row(start, ApplyResult::Failed, None, Some(detail))
    }
}

fn refusal(judgement: &Judgement) -> Option<String> {
    STILL.iter().find_map(|code| match judgement.of(code) {
        Some(Verdict::Refuse(why)) => Some(format!("{code}: {why}")),
        _ => None,
    })
}

fn row(start: &Start, result: ApplyResult, receipt: Option<String>, detail: Option<String>) -> PlannedProposal {
    PlannedProposal {
        id: start.proposal.clone(),
        runner: start.runner.clone(),
        approved_by: Vec::new(),
        gates: Vec::new(),
        verdict: PlanVerdict::Refused,
        refusal: Some("spent".to_owned()),
        result: Some(result),
        receipt,
        detail,
    }
}

/// How a row ends a run.
pub(super) fn outcome(row: &PlannedProposal) -> countersign_shared::exit::Outcome {
    use countersign_shared::exit::Outcome;
    match (row.result, row.refusal.as_deref()) {
        (Some(ApplyResult::Applied), _) => Outcome::Clean,
        (Some(ApplyResult::Undone | ApplyResult::Failed), _) => Outcome::Failed,
        (_, Some("halted")) => Outcome::Halted,
        _ => Outcome::Refused,
    }
}
