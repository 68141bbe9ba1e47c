//! The ledger and the notary, always in one breath: what is recorded is what the notary is told next.

use super::bounded;
use super::standing::{End, Standing};
use crate::breaker::Usage;
use crate::config::Config;
use crate::gather::{Reset, notary_chain as chain, notary_state};
use crate::ledger::{self, Ledger, LedgerError};
use crate::stop::Stop;
use countersign_manifests_schema::bundle::SignedText;
use countersign_manifests_schema::ledger::Event;
use countersign_manifests_schema::notary::{LedgerHead, NotaryAnswer, NotaryRequest, Outcome};
use countersign_manifests_schema::policy::BreakerTable;
use countersign_shared::canonical_json::sha256;
use countersign_shared::exit;
use countersign_shared::journal::Watch;
use countersign_shared::notary;
use countersign_shared::signing_key::SigningKey;
use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;

/// For one answer of the notary.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The one writer of the ledger, who also speaks with the notary.
pub(super) struct Book<'c> {
    ledger: Ledger,
    standing: Standing,
    socket: &'c Path,
}

/// What the notary gave: its permission, and the lease under which it was drawn.
#[derive(Debug)]
pub(super) struct Permission {
    pub(super) token: SignedText,
    pub(super) lease: SignedText,
}

/// What is drawn a token for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw<'d> {
    pub(super) proposal: &'d str,
    pub(super) runner: &'d str,
    pub(super) nonce: &'d str,
    pub(super) staged: &'d str,
    pub(super) removals: u32,
}

/// Why there is no permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoPermission {
    /// The notary refused: its code, and one sentence. Nothing is spent.
    Refused(String, String),
    /// It did not answer. It may be spent.
    Unknown(String),
}

impl<'c> Book<'c> {
    /// Opens the ledger and reads all of it. `now` is the begin of this run, Unix seconds.
    pub(super) fn open(config: &'c Config, now: i64) -> Result<Self, Stop> {
        let key = SigningKey::load(&config.ledger.signing_key)
            .map_err(|error| Stop::of(exit::Outcome::Failed, "ledger", &error).hint(error.hint()))?;
        let mut standing = Standing::new(now, now);
        let path = config.state_dir.join(ledger::FILE);
        let ledger = Ledger::open(&path, key, Watch::default(), &mut |entry, head| standing.take(entry, head))
            .map_err(|error| stop(&error))?;
        Ok(Self { ledger, standing, socket: &config.notary.socket })
    }

    /// What it says.
    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// What was used of the budgets.
    pub(super) fn usage(&self) -> Usage {
        self.standing.usage()
    }

    /// Writes an entry. It is on the disk when this returns.
    pub(super) fn append(&mut self, event: Event) -> Result<LedgerHead, Stop> {
        let at = Timestamp::now().as_second();
        let event = bounded::event(event);
        let head = self.ledger.append(at, event.clone()).map_err(|error| stop(&error))?;
        self.standing.happened(at, event, &head);
        Ok(head)
    }

    /// Draws a token for a start that was just recorded. `between` is called right before it is asked for.
    pub(super) fn draw(&mut self, draw: Draw<'_>, between: impl FnOnce()) -> Result<Permission, NoPermission> {
        let unknown = |why: String| NoPermission::Unknown(why);
        let Some(head) = self.ledger.head().cloned() else {
            return Err(NoPermission::Refused("ledger".to_owned(), "nothing is recorded".to_owned()));
        };
        // A lease that this token uses up is not in force afterwards, so its text is kept from before.
        let leases = notary_state(self.socket).map_err(|why| NoPermission::Refused("no-token".to_owned(), why))?.leases;
        let request = NotaryRequest::Token {
            proposal: draw.proposal.to_owned(),
            runner: draw.runner.to_owned(),
            nonce: draw.nonce.to_owned(),
            staged: draw.staged.to_owned(),
            removals: draw.removals,
            head,
        };
        between();
        let token = match notary::ask(self.socket, &request, TIMEOUT) {
            Ok(NotaryAnswer::Token { token }) => token,
            Ok(NotaryAnswer::Refused { code, message }) => return Err(NoPermission::Refused(code, message)),
            Ok(_) => return Err(unknown("the notary answered something else".to_owned())),
            Err(error) => return Err(unknown(chain(&error))),
        };
        let text: countersign_manifests_schema::token::Token =
            serde_json::from_str(&token.text).map_err(|error| unknown(error.to_string()))?;
        let lease = leases.into_iter().map(|held| held.lease).find(|lease| sha256(lease.text.as_bytes()) == text.lease);
        match lease {
            Some(lease) => Ok(Permission { token, lease }),
            None => Err(unknown("the notary drew the token under a lease that it had not listed".to_owned())),
        }
    }

    /// Whether the notary has ever burned it.
    pub(super) fn is_burned(&self, proposal: &str) -> Result<bool, String> {
        Ok(notary_state(self.socket)?.burned.iter().any(|burned| burned == proposal))
    }

    /// Records an end and tells the notary. `between` is called when the end is recorded and not yet told.
    pub(super) fn end(&mut self, event: Event, between: impl FnOnce()) -> Result<LedgerHead, Stop> {
        let (proposal, outcome) = match &event {
            Event::Ended { proposal, outcome, .. } => (proposal.clone(), *outcome),
            _ => return self.append(event),
        };
        let head = self.append(event)?;
        between();
        self.tell(&proposal, outcome, head.clone());
        Ok(head)
    }

    /// Tells the notary how something ended. What it did not hear is told again by the next run.
    fn tell(&self, proposal: &str, outcome: Outcome, head: LedgerHead) {
        let request = NotaryRequest::Outcome { proposal: proposal.to_owned(), outcome, head };
        let why = match notary::ask(self.socket, &request, TIMEOUT) {
            Ok(NotaryAnswer::Done {}) => return,
            Ok(NotaryAnswer::Refused { code, message }) => format!("{message} ({code})"),
            Ok(_) => "it answered something else".to_owned(),
            Err(error) => chain(&error),
        };
        tracing::warn!(proposal, "the notary was not told how it ended: {why}");
    }

    /// Tells the notary what an earlier run recorded and could not tell.
    pub(super) fn tell_again(&self) -> Result<(), String> {
        let state = notary_state(self.socket)?;
        for proposal in &state.under_way {
            let Some(start) = self.standing.started(proposal) else { continue };
            if let End::Ended { outcome, .. } = &start.end
                && let Some(head) = self.ledger.head()
            {
                self.tell(proposal, *outcome, head.clone());
            }
        }
        Ok(())
    }

    /// Nobody can ask what came of a start of an earlier run: it counts as failed from now on.
    pub(super) fn unheard(&mut self, proposal: &str) {
        self.standing.unheard(proposal);
    }

    /// Records that a person reset the breaker, when the notary says so and it is not recorded. Whether it did.
    pub(super) fn record_reset(&mut self, reset: Option<&Reset>) -> Result<bool, Stop> {
        match reset.filter(|reset| !self.standing.knows_reset(&reset.order.order.text)) {
            None => Ok(false),
            Some(Reset { order, .. }) => {
                self.append(Event::Reset { order: order.order.clone(), by: order.by.clone() }).map(|_| true)
            }
        }
    }

    /// Trips the breaker when the ledger says that it must.
    pub(super) fn trip(&mut self, rules: &BreakerTable) -> Result<Option<String>, Stop> {
        let Some(reason) = self.usage().must_trip(rules) else { return Ok(None) };
        self.append(Event::Tripped { reason: reason.clone() })?;
        Ok(Some(reason))
    }
}

fn stop(error: &LedgerError) -> Stop {
    Stop::of(exit::Outcome::Failed, "ledger", error)
        .hint("`countersign-actuator ledger verify` says what is wrong; nothing is started without the ledger")
}
