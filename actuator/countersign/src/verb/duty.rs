//! On duty: a lease, and the orders that lift a stop. Each is a text over the notary's nonce that the person signs.

use super::statement;
use super::{Act, short};
use crate::ask::{Asker, reason};
use crate::config::Config;
use crate::desk::{Desk, place};
use crate::examine;
use crate::git::Repository;
use crate::notary::Door;
use crate::shelf::{Key, Shelf};
use crate::shell::Shell;
use crate::signer::Signer;
use crate::stop::{Done, Result, Stop};
use countersign_manifests_schema::bundle::SignedText;
use countersign_manifests_schema::lease::{
    LEASE_NAMESPACE, LEASE_SCHEMA, LEASE_SECONDS, Lease, ORDER_SCHEMA, Order, OrderKind, RESET_NAMESPACE,
    RESUME_NAMESPACE,
};
use countersign_manifests_schema::notary::NotaryRequest;
use countersign_shared::approval::signed::open_lease;
use countersign_shared::canonical_json;
use countersign_shared::exit::Outcome;
use countersign_shared::terminal::visible;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::io::Write as _;

/// What a lease is asked for.
#[derive(Debug)]
pub(crate) struct Duty {
    /// Texts that mean proposals; none = all that are approved and have not ended.
    pub(crate) proposals: Vec<String>,
    pub(crate) max: Option<u32>,
    pub(crate) minutes: u8,
    pub(crate) reason: Option<String>,
    pub(crate) asker: Asker,
}

/// Goes on duty.
pub(crate) fn lease(desk: &Desk, duty: Duty) -> Result<Done> {
    let mut spec = desk.spec()?;
    let shelf = Shelf::read(desk, &spec)?;
    let keys = covered(desk, &spec, &shelf, &duty.proposals)?;
    let proposals: Vec<String> = keys.iter().map(|(_, id)| id.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let all = u32::try_from(proposals.len()).unwrap_or(u32::MAX);
    let max = duty.max.unwrap_or(all);
    if max == 0 || max > all {
        return Err(Stop::invalid("usage", format!("--max {max} does not fit {all} proposals")));
    }
    for (runner, id) in &keys {
        let _ = writeln!(std::io::stderr(), "  {} {}", short(id), visible(runner));
    }
    let signer = statement::signer(&desk.shell, &desk.proposed, &spec)?;
    let reason = reason(duty.reason)?;
    duty.asker.confirm(&format!(
        "Go on duty for these {all} proposals, for {} minutes, with at most {max} started? Touch your key if it wants that.",
        duty.minutes
    ))?;
    let door = Door::open(&desk.shell, &desk.config.notary)?;
    let (nonce, issued) = door.nonce()?;
    let expires = later(&issued, duty.minutes)?;
    let lease = Lease {
        schema: LEASE_SCHEMA.to_owned(),
        nonce,
        proposals: proposals.clone(),
        max,
        reason,
        issued,
        expires: expires.clone(),
    };
    let signed = sign(&desk.shell, &signer, LEASE_NAMESPACE, &canonical_json::to_bytes(&lease)?)?;
    // The question and the key have taken their time.
    spec.now = Timestamp::now().as_second();
    let approver = spec.ask(|people| open_lease(&signed, people).map(|(_, approver)| approver)).map_err(|error| {
        Stop::of(Outcome::Refused, "no-lease", &error)
            .hint("nothing was sent; `git config user.signingkey` must be a key of canonical's `approvers`")
    })?;
    door.ask(&NotaryRequest::Lease { lease: signed })?;
    let by = visible(&approver.person.principal).into_owned();
    let text = format!("{by} is on duty until {expires}, for {all} proposals, with at most {max} started.\n");
    let until = Some(expires);
    Act { act: "lease", proposals, commits: Vec::new(), pushed: None, until, text, shell: &desk.shell }.done()
}

/// What the texts mean, or everything that people have approved and that still can be applied.
fn covered(desk: &Desk, spec: &crate::desk::Spec, shelf: &Shelf, texts: &[String]) -> Result<BTreeSet<Key>> {
    let mut keys = BTreeSet::new();
    for text in texts {
        keys.extend(shelf.resolve(text)?);
    }
    if !texts.is_empty() {
        return Ok(keys);
    }
    let made = examine::made(desk, shelf);
    for key in shelf.merged.iter().filter(|key| examine::has_time(&made, key, spec.now)) {
        let one = examine::examine(desk, spec, shelf, &made, key)?;
        if one.refusal().is_none() && one.has_enough() {
            keys.insert(key.clone());
        }
    }
    if keys.is_empty() {
        return Err(Stop::refused("not-merged", "no proposal is approved and can still be applied")
            .hint("`countersign review` lists what waits for a signature"));
    }
    Ok(keys)
}

/// Lifts a stop. Needs neither repository: the forge may be what is down.
pub(crate) fn order(
    shell: &Shell,
    config: &Config,
    kind: OrderKind,
    given: Option<String>,
    asker: Asker,
) -> Result<Done> {
    let repository = Repository::open(shell, "canonical", place("canonical", config.canonical.as_ref())?)?;
    let signer = Signer::of(shell, &repository)?;
    let (act, namespace, what) = match kind {
        OrderKind::ResetBreaker => ("reset-breaker", RESET_NAMESPACE, "Reset the breaker"),
        OrderKind::Resume => ("resume", RESUME_NAMESPACE, "Lift the notary's halt"),
    };
    let reason = reason(given)?;
    asker.confirm(&format!("{what}? Touch your key if it wants that."))?;
    let door = Door::open(shell, &config.notary)?;
    let (nonce, issued) = door.nonce()?;
    let order = Order { schema: ORDER_SCHEMA.to_owned(), kind, nonce, reason, issued };
    let signed = sign(shell, &signer, namespace, &canonical_json::to_bytes(&order)?)?;
    door.ask(&NotaryRequest::Order { order: signed })?;
    let text = format!("{what}: done.\n");
    Act { act, proposals: Vec::new(), commits: Vec::new(), pushed: None, until: None, text, shell }.done()
}

fn sign(shell: &Shell, signer: &Signer, namespace: &str, text: &[u8]) -> Result<SignedText> {
    let signature = signer.sign(shell, namespace, text)?;
    Ok(SignedText { text: String::from_utf8_lossy(text).into_owned(), signature })
}

fn later(issued: &str, minutes: u8) -> Result<String> {
    let seconds = i64::from(minutes) * 60;
    if seconds == 0 || seconds > LEASE_SECONDS {
        return Err(Stop::invalid("usage", format!("a lease lasts from 1 to {} minutes", LEASE_SECONDS / 60)));
    }
    let time =
        issued.parse::<Timestamp>().ok().and_then(|time| time.checked_add(SignedDuration::from_secs(seconds)).ok());
    time.map(|time| time.to_string()).ok_or_else(|| Stop::failed("notary", "the notary's time cannot be read"))
}
