//! From what waits for its confirmation to its end: we look ourselves, then it is kept or undone.

use super::bounded;
use super::chase::{Found, chase};
use super::run::Run;
use super::step::Step;
use super::verdict::{Foretold, judge};
use super::warden::{STAGE_LIMIT, Warden};
use countersign_manifests_schema::ledger::CommandRecord;
use countersign_manifests_schema::notary::Outcome;
use countersign_manifests_schema::warden::{Application, Stage, WardenAnswer, WardenRequest};
use countersign_shared::observation::{Failure, Observation};
use countersign_shared::warden::record;
use jiff::Timestamp;

/// Rounds of looking and confirming; each new one begins with a lost connection.
const ROUNDS: usize = 5;

/// How it ended.
#[derive(Debug)]
pub(super) enum Settled {
    /// In a way that is known.
    Ended { outcome: Outcome, after: Option<String>, commands: Vec<CommandRecord>, detail: Option<String> },
    /// Nobody knows.
    Unknown(String),
}

/// Why a look showed nothing good.
enum Look {
    /// It is not as foretold.
    Differs(String),
    /// Nothing was seen.
    Lost,
}

impl Run<'_, '_> {
    /// Brings an application to its end. `against` = why it must not be kept, whatever it looks like.
    pub(super) async fn settle(
        &self,
        warden: &Warden<'_>,
        mut application: Application,
        foretold: &Foretold,
        listed: Vec<String>,
        mut against: Option<String>,
    ) -> Settled {
        let proposal = application.proposal.clone();
        for _ in 0..ROUNDS {
            let lost = match application.stage {
                Stage::Confirmed => return ended(Outcome::Applied, application, against),
                Stage::Undone => return ended(Outcome::Undone, application, against),
                Stage::Failed => return ended(Outcome::Failed, application, against),
                Stage::Started => true,
                Stage::Unconfirmed => {
                    match self.look(warden, &application, foretold, listed.clone()).await {
                        Ok(()) => {}
                        Err(Look::Differs(why)) => {
                            against.get_or_insert(why);
                        }
                        Err(Look::Lost) => {}
                    }
                    warden.at(Step::Looked);
                    match warden.is_lost() {
                        true => true,
                        false => match self.confirm(warden, &proposal, against.is_none()).await {
                            Some(answer) => {
                                application = answer;
                                warden.at(Step::Settled);
                                false
                            }
                            None => true,
                        },
                    }
                }
            };
            if lost {
                match chase(warden, &proposal, self.brake).await {
                    Found::Begun(found) => application = *found,
                    Found::Never => return Settled::Unknown("the runner does not remember what it began".to_owned()),
                    Found::Unknown(why) => return Settled::Unknown(why),
                }
            }
        }
        Settled::Unknown("the connection was lost again and again".to_owned())
    }

    async fn confirm(&self, warden: &Warden<'_>, proposal: &str, keep: bool) -> Option<Application> {
        let request = WardenRequest::Confirm { proposal: proposal.to_owned(), keep };
        match warden.ask(&request, STAGE_LIMIT).await {
            Ok(WardenAnswer::Outcome(application)) if application.proposal == proposal => Some(application),
            Ok(_) | Err(_) => None,
        }
    }

    /// Our own look at the runner.
    async fn look(
        &self,
        warden: &Warden<'_>,
        application: &Application,
        foretold: &Foretold,
        listed: Vec<String>,
    ) -> Result<(), Look> {
        let inspection = match warden.inspect(listed).await {
            Ok(inspection) => inspection,
            Err(_) if warden.is_lost() => return Err(Look::Lost),
            Err(Failure { message, .. }) => return Err(Look::Differs(message)),
        };
        let record = record(&inspection).map_err(|failure| Look::Differs(failure.message))?;
        let seen = Observation::parse(&record, Timestamp::now().as_second())
            .map_err(|failure| Look::Differs(failure.message))?;
        judge(foretold, application, &seen).map_err(Look::Differs)
    }
}

fn ended(outcome: Outcome, application: Application, against: Option<String>) -> Settled {
    let Application { after, commands, detail, .. } = application;
    let detail = match (against.filter(|_| outcome != Outcome::Applied), detail) {
        (Some(ours), Some(theirs)) => Some(format!("{ours}; {theirs}")),
        (ours, theirs) => ours.or(theirs),
    };
    let detail = detail.map(bounded::sentence);
    Settled::Ended { outcome, after, commands, detail }
}
