//! What the running notary knows, for people and for programs.

use super::Stop;
use crate::config::Config;
use crate::memory::short;
use countersign_manifests_schema::lease::{Lease, Order};
use countersign_manifests_schema::notary::{LeaseState, NotaryAnswer, NotaryRequest, NotaryState};
use countersign_shared::exit::Outcome;
use countersign_shared::notary::ask;
use countersign_shared::terminal::{Failure, Palette, Role, Screen, visible};
use serde::Serialize;
use std::time::Duration;

/// The `schema` of `list --json`.
const STATE_SCHEMA: &str = "countersign/notary-state/1";
/// The notary answers at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// Proposals of a lease that are shown.
const SHOWN: usize = 8;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    #[serde(flatten)]
    state: &'a NotaryState,
}

pub(super) fn list(config: &Config, json: bool, screen: Screen) -> Result<(String, Outcome), Stop> {
    let failed = |failure: Failure| (Outcome::Failed, Box::new(failure));
    let answer = ask(&config.socket, &NotaryRequest::State {}, PATIENCE).map_err(|error| {
        failed(Failure::of("notary", &error).hint("systemctl status countersign-notary says whether it is running"))
    })?;
    let state = match answer {
        NotaryAnswer::State(state) => state,
        NotaryAnswer::Refused { code, message } => {
            let hint = "operators, the actuator, the notary's account and root may ask";
            return Err((Outcome::Refused, Box::new(Failure::new(code, message).hint(hint))));
        }
        _ => return Err(failed(Failure::new("notary", "the notary answered to something else"))),
    };
    let outcome = if state.halted.is_some() { Outcome::Halted } else { Outcome::Clean };
    if !json {
        return Ok((text(&state, screen.palette), outcome));
    }
    let document = Document { schema: STATE_SCHEMA, state: &state };
    let mut line = serde_json::to_string(&document).map_err(|error| failed(Failure::of("notary", &error)))?;
    line.push('\n');
    Ok((line, outcome))
}

/// Several lines with a newline at the end.
fn text(state: &NotaryState, palette: Palette) -> String {
    let mut lines = Vec::new();
    let mut say = |label: &str, text: String| lines.push(format!("{label:<10} {text}"));
    match &state.halted {
        Some(reason) => say("halt", palette.paint(Role::Bad, &format!("set: {}", visible(reason))).into_owned()),
        None => say("halt", "none".to_owned()),
    }
    match &state.tripped {
        Some(reason) => say("breaker", palette.paint(Role::Bad, &format!("tripped: {}", visible(reason))).into_owned()),
        None => say("breaker", "closed".to_owned()),
    }
    if let Some(reset) = &state.reset {
        let reason = serde_json::from_str::<Order>(&reset.order.text).map(|order| order.reason).unwrap_or_default();
        say("", format!("last reset {} by {}: {}", visible(&reset.at), visible(&reset.by), visible(&reason)));
    }
    match &state.head {
        Some(head) => say("ledger", format!("entry {} ({})", head.number, short(&head.sha256))),
        None => say("ledger", "none seen".to_owned()),
    }
    let (burned, under_way) = (state.burned.len(), state.under_way.len());
    say("tokens", format!("{burned} ever, {} in the last 24 hours, {under_way} under way", state.tokens_today));
    for proposal in &state.under_way {
        say("", format!("under way: {}", visible(proposal)));
    }
    if state.leases.is_empty() {
        say("leases", "none in force".to_owned());
    }
    for held in &state.leases {
        let (first, proposals) = lease(held);
        say("lease", first);
        for line in proposals {
            say("", line);
        }
    }
    lines.push(String::new());
    lines.join("\n").replace(" \n", "\n")
}

fn lease(held: &LeaseState) -> (String, Vec<String>) {
    let by = visible(&held.by);
    let Ok(lease) = serde_json::from_str::<Lease>(&held.lease.text) else {
        return (format!("by {by}, which cannot be read"), Vec::new());
    };
    let (drawn, max, reason) = (held.drawn, lease.max, visible(&lease.reason));
    let first = format!("by {by} until {}, {drawn} of {max} drawn: {reason}", visible(&lease.expires));
    let mut proposals: Vec<String> = lease.proposals.iter().take(SHOWN).map(|id| visible(id).into_owned()).collect();
    if let Some(more) = lease.proposals.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        proposals.push(format!("and {more} others"));
    }
    (first, proposals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_manifests_schema::bundle::SignedText;
    use countersign_manifests_schema::notary::{LedgerHead, OrderState};

    fn signed(text: &str) -> SignedText {
        SignedText { text: text.to_owned(), signature: String::new() }
    }

    fn busy() -> NotaryState {
        let proposals: Vec<String> = (0..10).map(|n| format!("{n:064}")).collect();
        let lease = Lease {
            schema: "countersign/lease/1".to_owned(),
            nonce: "a".repeat(64),
            proposals,
            max: 3,
            reason: "night \u{1b}[31mshift".to_owned(),
            issued: "2026-11-20T22:00:00Z".to_owned(),
            expires: "2026-11-20T22:30:00Z".to_owned(),
        };
        let order = r#"{"issued":"2026-11-20T21:00:00Z","kind":"reset-breaker","nonce":"b","reason":"llvm is fixed","schema":"countersign/order/1"}"#;
        NotaryState {
            halted: Some("llvm looks wrong (uid 1000, 2026-11-20T22:05:00Z)".to_owned()),
            tripped: Some("1 of the applications since the last reset failed".to_owned()),
            leases: vec![LeaseState {
                lease: signed(&serde_json::to_string(&lease).unwrap()),
                by: "alice@example.org".to_owned(),
                drawn: 2,
            }],
            burned: vec!["c".repeat(64), "d".repeat(64)],
            under_way: vec!["d".repeat(64)],
            tokens_today: 1,
            head: Some(LedgerHead { number: 7, sha256: "e".repeat(64) }),
            reset: Some(OrderState {
                order: signed(order),
                by: "bob@example.org".to_owned(),
                at: "2026-11-20T21:00:10Z".to_owned(),
            }),
        }
    }

    fn idle() -> NotaryState {
        NotaryState {
            halted: None,
            tripped: None,
            leases: Vec::new(),
            burned: Vec::new(),
            under_way: Vec::new(),
            tokens_today: 0,
            head: None,
            reset: None,
        }
    }

    #[test]
    fn people_see_what_stops_first() {
        insta::assert_snapshot!(text(&busy(), Palette::Plain));
        insta::assert_snapshot!(text(&idle(), Palette::Plain));
    }
}
