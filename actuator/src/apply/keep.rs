//! The copy of the ledger on another machine, brought up to date at the end of a run.

use crate::config::Config;
use crate::gather::notary_chain as chain;
use crate::ledger::FILE;
use crate::ledger::mirror::LedgerMirror;
use countersign_manifests_schema::report::Notice;
use countersign_shared::signing_key::SigningKey;
use jiff::Timestamp;

/// Does it, where `[ledger] mirror` names one. What could not be copied is told, is no failure of what was applied, and
/// is copied by the next run.
pub(super) fn keep(config: &Config) -> Option<Notice> {
    let mirror = LedgerMirror::configured(config)?;
    let kept = SigningKey::load(&config.ledger.signing_key).map_err(|error| chain(&error)).and_then(|key| {
        let at = Timestamp::now().as_second();
        let pushed = mirror.and_then(|mirror| mirror.push(&config.state_dir.join(FILE), key.public(), at));
        pushed.map_err(|error| format!("{}; {}", chain(&error), error.hint()))
    });
    let message = kept.err().map(|why| format!("the ledger was not copied to its mirror: {why}"))?;
    tracing::warn!("{message}");
    Some(Notice { code: "ledger-mirror".to_owned(), message })
}
