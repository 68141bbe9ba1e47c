//! Proposals are offered: our signing key and the forge's token are measured first, then branches, then pull requests.

use super::Done;
use super::nightly::newest;
use super::prepare::{Desk, blocking};
use super::stop::Stop;
use crate::canonical::LoadedCanonical;
use crate::privilege::{self, Settled, Violation};
use crate::propose::Shelf;
use crate::publish::forge::{Forge, ForgeError, Ladder, sleep};
use crate::publish::{self, Door, Known, Night, Place, PublishError, Ready, summary};
use countersign_manifests_schema::policy::PullRequest;
use countersign_manifests_schema::report::{DriftReport, Notice};
use countersign_shared::exit::Outcome;
use countersign_shared::git::{CommitId, RemoteUrl};
use countersign_shared::terminal::{Failure, visible};
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Name of the sibling repository among the remembered tips.
const PROPOSED: &str = "proposed";

/// What was offered to people.
#[derive(Debug)]
pub struct Offer {
    /// Branches and pull requests.
    pub night: Night,
    /// Violated proofs that are let pass.
    pub trust: Vec<Notice>,
    /// What a person should look at; the next run tries again.
    pub problems: Vec<Notice>,
    /// For people.
    pub text: String,
}

/// Offers `ready`; what was offered before for runners in `unjudged` stays. Runs again without harm.
pub async fn offer(
    desk: &mut Desk,
    loaded: &LoadedCanonical,
    ready: Vec<Ready>,
    unjudged: BTreeSet<String>,
) -> Result<Offer, Stop> {
    let proposed = desk.config.proposed.clone().ok_or_else(|| {
        Stop::invalid("no-proposed", "there is no repository for proposals").hint("add [proposed] to the configuration")
    })?;
    let (config, url, branch) = (desk.config.clone(), proposed.url.clone(), proposed.branch.clone());
    let mut place = blocking(move || Place::new(&config, &proposed)).await?.map_err(|error| stop(&error))?;
    place.canonical = Some(loaded.commit);
    let settled = privilege::settle(signing_key(&place, loaded)?, &desk.config.trust);
    if let Some(stop) = Stop::refused(&settled) {
        return Err(stop);
    }
    let mut trust: Vec<Notice> = settled.accepted.iter().map(Violation::notice).collect();
    let mut problems = Vec::new();
    let forge = match open_forge(desk).await {
        Ok(None) => None,
        Ok(Some((forge, settled))) => {
            trust.extend(settled.accepted.iter().map(Violation::notice));
            problems.extend(settled.refused.iter().map(Violation::notice));
            Some(settled.refused.is_empty().then_some(forge))
        }
        Err(error) => {
            problems.push(notice(&error));
            Some(None)
        }
    };
    let door = match &forge {
        None => Door::None,
        Some(None) => Door::Shut,
        Some(Some(forge)) => Door::Open(forge),
    };
    let seen = desk.store.tip(PROPOSED)?.and_then(|tip| CommitId::parse(&tip).ok());
    let known = Known { unjudged, declared: loaded.canonical.fleet.keys.observer_sign.clone(), seen };
    let night =
        publish::publish(place, door, ready.clone(), known, ladder(loaded)).await.map_err(|error| stop(&error))?;
    desk.store.set_tip(PROPOSED, &night.synced.main.to_string())?;
    problems.extend(told(&night));
    let url = RemoteUrl::parse(&url).map_or_else(|_| String::new(), |url| url.to_string());
    let text = text(&night, &ready, (&url, &branch), &problems);
    Ok(Offer { night, trust, problems, text })
}

/// Offers what the newest run has proposed, and says so.
pub async fn publish(mut desk: Desk) -> Result<Done, Stop> {
    let run = newest(desk.store.newest_reported()?, "diff")?;
    let report = newest(desk.store.report(&run)?, "diff")?;
    let loaded = desk.canonical_at(&report.canonical_commit).await?;
    let offer = offer_report(&mut desk, &loaded, &report).await?;
    let outcome = if offer.problems.is_empty() { Outcome::Clean } else { Outcome::Failed };
    let branches: Vec<_> = offer.night.synced.branches.iter().map(|branch| {
        json!({"branch": branch.branch.short(), "commit": branch.tip.map(|tip| tip.to_string()), "proposals": branch.holds.len()})
    }).collect();
    let document = json!({
        "schema": "countersign/publish/1", "run": run.name, "branches": branches, "trust": offer.trust,
        "problems": offer.problems,
    });
    Ok(Done { outcome, json: format!("{document}\n"), text: offer.text })
}

/// Offers what is on the shelf for a report.
pub(super) async fn offer_report(
    desk: &mut Desk,
    loaded: &LoadedCanonical,
    report: &DriftReport,
) -> Result<Offer, Stop> {
    let shelf = Shelf::new(&desk.config.state_dir).all();
    let shelf = shelf.map_err(|error| Stop::of(Outcome::Failed, "proposals", &error))?;
    let (ready, unjudged) = publish::gather(report, &shelf, &loaded.canonical.fleet);
    offer(desk, loaded, ready, unjudged).await
}

/// The signing key is declared for its role, and for no other.
fn signing_key(place: &Place, loaded: &LoadedCanonical) -> Result<Vec<Violation>, Stop> {
    let keys = &loaded.canonical.fleet.keys;
    let texts = |keys: &[countersign_shared::manifest::ssh_key::PublicKey]| {
        keys.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (ssh, sign, actuator) = (texts(&keys.observer_ssh), texts(&keys.observer_sign), texts(&keys.actuator_ssh));
    let role = |name, keys| privilege::declared::Role { name, keys };
    let roles = [role("observer_ssh", &ssh[..]), role("observer_sign", &sign), role("actuator_ssh", &actuator)];
    let own = place.signer.public_key().to_openssh();
    let own = own.map_err(|error| Stop::of(Outcome::Failed, "signing-key", &error))?;
    Ok(privilege::declared::judge(&own, "observer_sign", &roles))
}

/// The forge, if there is one, with what its token can do.
async fn open_forge(desk: &Desk) -> Result<Option<(Forge, Settled)>, ForgeError> {
    let Some(config) = &desk.config.forge else {
        return Ok(None);
    };
    // systemd.exec(5): where LoadCredential= puts files.
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let forge = Forge::new(config, credentials.as_deref(), sleep())?;
    let facts = forge.power(&desk.config.canonical.url).await;
    let settled = privilege::settle(privilege::forge::judge(&facts), &desk.config.trust);
    Ok(Some((forge, settled)))
}

fn ladder(loaded: &LoadedCanonical) -> Ladder {
    let policy = &loaded.canonical.policy;
    Ladder {
        open: policy.pull_request != PullRequest::No,
        draft: policy.pull_request == PullRequest::Draft,
        max_open: usize::try_from(policy.max_open).unwrap_or(usize::MAX),
        close_resolved: policy.close_resolved,
    }
}

/// What of a night needs a person, or another night.
fn told(night: &Night) -> Vec<Notice> {
    let one = |code: &str, message: String| Notice { code: code.to_owned(), message };
    let mut notices = Vec::new();
    for branch in night.synced.problems() {
        notices.push(one("branch", format!("{}: {}", branch.branch, summary::problem(&branch.change))));
    }
    for (_, why) in &night.synced.unnamed {
        notices.push(one("branch", why.clone()));
    }
    for (branch, _) in &night.left {
        notices.push(one("branch", format!("{branch} should go and is still there")));
    }
    match &night.pulls {
        Some(Err(error)) => notices.push(notice(error)),
        Some(Ok(kept)) => {
            notices.extend(kept.failed.iter().map(|(branch, error)| one(error.code(), format!("{branch}: {error}"))));
        }
        None => {}
    }
    notices
}

fn notice(error: &ForgeError) -> Notice {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let _ = write!(message, ": {cause}");
        source = cause.source();
    }
    Notice { code: error.code().to_owned(), message: format!("{message} ({})", error.hint()) }
}

fn text(night: &Night, ready: &[Ready], (url, main): (&str, &str), problems: &[Notice]) -> String {
    let mut text = String::new();
    match &night.pulls {
        Some(Ok(kept)) => {
            let _ = writeln!(
                text,
                "Pull requests: {} opened, {} refreshed, {} unchanged, {} closed, {} stay closed, {} held back.",
                kept.opened.len(),
                kept.refreshed.len(),
                kept.unchanged,
                kept.closed.len(),
                kept.stay_closed.len(),
                kept.held_back,
            );
            for note in &kept.notes {
                let _ = writeln!(text, "  {}", visible(note));
            }
        }
        Some(Err(_)) => {}
        None => text.push_str(&summary::request_pull(&night.synced, ready, url, main)),
    }
    for problem in problems {
        let _ = writeln!(text, "{}: {}", problem.code, visible(&problem.message));
    }
    text
}

fn stop(error: &PublishError) -> Stop {
    let outcome = match error {
        PublishError::SameRepository | PublishError::OwnBranch | PublishError::NoSigningKey => Outcome::Invalid,
        PublishError::Rewritten(_) => Outcome::Refused,
        _ => Outcome::Failed,
    };
    let failure = Failure::of(error.code(), error);
    Stop::new(
        outcome,
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        },
    )
}
