//! `ledger show` and `ledger verify`: the record itself, and whether it is whole.

use super::review::moment;
use crate::apply::remembered;
use crate::config::Config;
use crate::gather::{notary_chain, notary_state};
use crate::ledger::listing::{self, Listing, Selection};
use crate::ledger::mirror::LedgerMirror;
use crate::ledger::read::scan;
use crate::ledger::report::{self, Witnesses};
use crate::ledger::{FILE, LedgerError};
use crate::stop::{Done, Stop};
use countersign_manifests_schema::ledger::Event;
use countersign_shared::exit::Outcome;
use countersign_shared::signing_key::SigningKey;
use countersign_shared::terminal::Screen;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Shows entries, all or those of one proposal, or since some time.
pub fn show(config: &Config, proposal: Option<&str>, since: Option<&str>, screen: Screen) -> Result<Done, Stop> {
    let since = since.map(|since| moment(since, Timestamp::now())).transpose()?.map(Timestamp::as_second);
    let listing = list(config, Selection { since, proposal })?;
    Ok(Done { outcome: Outcome::Clean, text: listing.text(screen.palette), json: listing.json() })
}

/// Recomputes the chain and its signatures, and compares with the notary, the mirror, and the wardens of all
/// runners on which something was started.
pub fn verify(config: &Config, screen: Screen) -> Result<Done, Stop> {
    let key = key(config)?;
    let mirror = LedgerMirror::configured(config)
        .map(|mirror| mirror.and_then(|mirror| mirror.heads(key.public())).map_err(|error| notary_chain(&error)));
    let notary = Some(notary_state(&config.notary.socket));
    let path = config.state_dir.join(FILE);
    let mut runners = BTreeSet::new();
    // Up to the first bad line, which the report names.
    let _ = scan(&path, key.public(), &mut |entry, _, _| {
        if let Event::Started { runner, .. } = &entry.event {
            runners.insert(runner.clone());
        }
    });
    let witnesses = Witnesses { notary, mirror, wardens: remembered(config, runners) };
    let report = report::verify(&path, key.public(), &witnesses).map_err(|error| stop(&error))?;
    Ok(Done { outcome: report.outcome(), text: report.text(screen.palette), json: report.json() })
}

pub(super) fn list(config: &Config, selection: Selection<'_>) -> Result<Listing, Stop> {
    listing::show(&config.state_dir.join(FILE), key(config)?.public(), selection).map_err(|error| stop(&error))
}

pub(super) fn key(config: &Config) -> Result<SigningKey, Stop> {
    SigningKey::load(&config.ledger.signing_key)
        .map_err(|error| Stop::of(Outcome::Invalid, "ledger-key", &error).hint(error.hint()))
}

fn stop(error: &LedgerError) -> Stop {
    Stop::of(Outcome::Failed, "ledger", error).hint("`ledger verify` names the first bad line")
}
