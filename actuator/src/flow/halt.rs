//! `halt`: stops every new mutation. It needs nothing that could be broken: the file comes first, then the notary is told.

use super::show;
use crate::config::Config;
use crate::gather::notary_chain as chain;
use crate::halt;
use crate::ledger::{self, Ledger, LedgerError};
use crate::stop::{Done, Stop};
use countersign_manifests_schema::ledger::Event;
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest};
use countersign_shared::exit::Outcome;
use countersign_shared::journal::{JournalError, Watch};
use countersign_shared::notary;
use countersign_shared::signing_key::SigningKey;
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// For the notary's answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// `countersign/halt/1`
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    reason: String,
    places: Vec<Place>,
    /// Whether the ledger has an entry of it.
    recorded: bool,
}

/// A place that was told to stop.
#[derive(Debug, Serialize)]
struct Place {
    place: String,
    set: bool,
    /// Why it was not.
    error: Option<String>,
}

/// Sets the local halt and the notary's.
pub fn halt(config: &Config, reason: &str) -> Result<Done, Stop> {
    if reason.trim().is_empty() {
        return Err(Stop::invalid("usage", "a halt needs a reason for whoever finds it"));
    }
    let file = config.halt_file();
    let local =
        std::fs::create_dir_all(&config.state_dir).and_then(|()| halt::set(&file, reason)).map_err(|e| e.to_string());
    let told = match notary::ask(&config.notary.socket, &NotaryRequest::Halt { reason: reason.to_owned() }, TIMEOUT) {
        Ok(NotaryAnswer::Done {}) => Ok(()),
        Ok(NotaryAnswer::Refused { code, message }) => Err(format!("{message} ({code})")),
        Ok(_) => Err("it answered something else".to_owned()),
        Err(error) => Err(chain(&error)),
    };
    let place = |place: String, result: Result<(), String>| Place { place, set: result.is_ok(), error: result.err() };
    let places = vec![place(file.display().to_string(), local), place("the notary".to_owned(), told)];
    let all = places.iter().all(|place| place.set);
    let recorded = record(config, reason);
    let mut text = String::new();
    for place in &places {
        let name = countersign_shared::terminal::visible(&place.place).into_owned();
        text.push_str(&match &place.error {
            None => format!("halted: {name}\n"),
            Some(why) => format!("NOT halted: {name}: {}\n", countersign_shared::terminal::visible(why)),
        });
    }
    if places.iter().any(|place| place.set) {
        text.push_str(
            "Nothing new is started; undoing goes on. To go on: remove the file, and `countersign resume`.\n",
        );
    }
    if let Err(why) = &recorded {
        text.push_str(&format!(
            "not recorded in the ledger by this command: {}\n",
            countersign_shared::terminal::visible(why)
        ));
    }
    let document =
        Document { schema: "countersign/halt/1", reason: reason.to_owned(), places, recorded: recorded.is_ok() };
    let outcome = if all { Outcome::Clean } else { Outcome::Failed };
    Ok(Done { outcome, text, json: show::json(&document)? })
}

/// A record that fails is no halt that fails: whoever is applying holds the ledger, and stops by the file.
fn record(config: &Config, reason: &str) -> Result<(), String> {
    let key = SigningKey::load(&config.ledger.signing_key).map_err(|error| chain(&error))?;
    let path = config.state_dir.join(ledger::FILE);
    let mut ledger = Ledger::open(&path, key, Watch::default(), &mut |_, _| ()).map_err(|error| match error {
        LedgerError::Journal(JournalError::Locked { .. }) => {
            "a run is under way, which records it at its end".to_owned()
        }
        error => chain(&error),
    })?;
    let event = Event::Halted { reason: reason.to_owned() };
    ledger.append(Timestamp::now().as_second(), event).map(|_| ()).map_err(|error| chain(&error))
}
