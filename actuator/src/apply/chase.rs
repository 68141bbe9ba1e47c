//! After an answer was lost: what did the runner do? It is asked until it says so, and what was never begun there is made
//! impossible before it is called so.

use super::bounded;
use super::brake::Brake;
use super::step::patience;
use super::warden::{APPLY_LIMIT, Asked, STAGE_LIMIT, Warden};
use crate::facts::CONFIRM_WITHIN;
use countersign_manifests_schema::warden::{Application, NEVER_STARTED, Stage, WardenAnswer, WardenRequest};
use countersign_shared::observation::Failure;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a silent runner is asked: by then it has undone what nobody confirmed.
const PATIENCE: Duration = Duration::from_secs(CONFIRM_WITHIN.unsigned_abs() + 5 * 60);
/// How long one that says that it is at work is asked, in all: what takes longer is asked for by the next run.
const LONGEST: Duration = APPLY_LIMIT;
/// Between two questions, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    /// It was begun there, and waits or has ended.
    Begun(Box<Application>),
    /// It never was, and can no longer be.
    Never,
    /// Nobody knows.
    Unknown(String),
}

/// Asks until it is known.
pub(super) async fn chase(warden: &Warden<'_>, proposal: &str, brake: &Brake) -> Found {
    let until = warden.patience(patience(LONGEST));
    let mut heard = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        let why = match timeout_at(until, ask(warden, proposal)).await {
            Ok(Ok(Some(found))) => return found,
            Ok(Ok(None)) => {
                heard = Instant::now();
                "it is still at work".to_owned()
            }
            Ok(Err(failure)) => bounded::sentence(failure.message),
            Err(_) => "it did not answer in time".to_owned(),
        };
        if heard.elapsed() >= PATIENCE || Instant::now() >= until || brake.is_impatient() {
            return Found::Unknown(why);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One round; `None` = it is at work.
async fn ask(warden: &Warden<'_>, proposal: &str) -> Asked<Option<Found>> {
    if warden.is_lost() {
        warden.again().await?;
    }
    let mine = |started: Vec<Application>| started.into_iter().find(|application| application.proposal == proposal);
    match mine(warden.status().await?) {
        Some(application) if application.stage != Stage::Started => Ok(Some(Found::Begun(Box::new(application)))),
        Some(_) => {
            // A warden that died in the middle is brought to its end by whoever comes by.
            let _ = warden.inspect(Vec::new()).await?;
            Ok(None)
        }
        None => void(warden, proposal).await.map(Some),
    }
}

/// Nothing is remembered of it. A request that is still on its way there must find nothing staged: taking back what never
/// began ends its staging, under the warden's lock.
async fn void(warden: &Warden<'_>, proposal: &str) -> Asked<Found> {
    let request = WardenRequest::Confirm { proposal: proposal.to_owned(), keep: false };
    match warden.ask(&request, STAGE_LIMIT).await? {
        WardenAnswer::Outcome(application) => Ok(Found::Begun(Box::new(application))),
        WardenAnswer::Refused { code, .. } if code == NEVER_STARTED => Ok(Found::Never),
        WardenAnswer::Refused { code, message } => Err(Failure { code, message }),
        _ => Err(Failure::new("garbage", "it answered something else than what it was asked")),
    }
}
