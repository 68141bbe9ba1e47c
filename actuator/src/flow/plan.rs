//! `plan`: what every gate says of each merged proposal. Nothing is changed.

use super::show;
use crate::bounds;
use crate::config::Config;
use crate::facts::{Candidate, Facts, Reach, TokenFact, Wanted};
use crate::gates::{self, Judgement, Verdict};
use crate::gather::{self, From, Gathered};
use crate::halt::Halt;
use crate::stop::{Done, Stop};
use countersign_manifests_schema::plan::{
    GateRow, GateVerdict, HaltedAt, PLAN_SCHEMA, PlanDocument, PlanVerdict, PlannedProposal,
};
use countersign_shared::drift::Compiled;
use countersign_shared::exit::Outcome;
use countersign_shared::state_lock::StateLock;
use countersign_shared::terminal::Screen;
use jiff::Timestamp;

/// Gates whose refusal is the end of a proposal, and no news.
pub(super) const SETTLED: [&str; 4] = ["withdrawn", "expired", "superseded", "spent"];

/// Judges every merged proposal, or those that are named.
pub fn plan(config: &Config, ids: &[String], screen: Screen) -> Result<Done, Stop> {
    let mut notices = bounds::settle(bounds::of_files(config), &config.trust)?;
    let _lock = StateLock::take(&config.state_dir)?;
    let now = Timestamp::now().as_second();
    let gathered = gather::gather(config, From::Remotes, ids, now)?;
    notices.extend(bounds::settle(bounds::of_credentials(config, &gathered)?, &config.trust)?);
    notices.extend(gathered.trust.iter().cloned());
    let judged = judge_all(&gathered)?;
    let halted = halted(&gathered.world.halts);
    let outcome = outcome(&judged, !ids.is_empty()).max(halt_outcome(&halted));
    let document = PlanDocument {
        schema: PLAN_SCHEMA.to_owned(),
        halted,
        proposals: judged.iter().map(|(candidate, judgement)| planned(candidate, judgement)).collect(),
        trust: notices,
        left_out: gathered.left_out,
    };
    Ok(Done { outcome, text: show::plan(&document, screen), json: show::json(&document)? })
}

/// Asks every gate about every candidate. No runner is asked, and no token is drawn.
pub(super) fn judge_all(gathered: &Gathered) -> Result<Vec<(&Candidate, Judgement)>, Stop> {
    let canonical = &gathered.spec.canonical;
    let reach = Reach::Unasked("the runner is asked by `apply`".to_owned());
    let mut judged = Vec::with_capacity(gathered.candidates.len());
    for candidate in &gathered.candidates {
        let runner = canonical.fleet.runner(&candidate.runner);
        let compiled = match runner.map(|runner| Compiled::new(canonical.effective(runner))).transpose() {
            Ok(compiled) => compiled,
            Err(error) => return Err(Stop::of(Outcome::Invalid, "lint", &error)),
        };
        let waivers = runner.map(|runner| canonical.waivers_for(runner)).unwrap_or_default();
        let wanted =
            runner.zip(compiled.as_ref()).map(|(runner, compiled)| Wanted { runner, compiled, waivers: &waivers });
        let facts = Facts { world: &gathered.world, candidate, wanted, reach: &reach, token: &TokenFact::NotYet };
        judged.push((candidate, gates::judge(&facts)));
    }
    Ok(judged)
}

/// How it ends: a halt says so; a refusal counts for what was asked for, and else for what could still be applied.
fn outcome(judged: &[(&Candidate, Judgement)], asked: bool) -> Outcome {
    let one = |(_, judgement): &(&Candidate, Judgement)| match judgement.refusal() {
        None => Outcome::Clean,
        Some("halted") => Outcome::Halted,
        Some(_) if asked => Outcome::Refused,
        Some(_) if is_settled(judgement) => Outcome::Clean,
        Some(_) => Outcome::Refused,
    };
    judged.iter().map(one).collect()
}

/// The halts that stop, in the order in which they are asked for.
pub(crate) fn halted(halts: &[(String, Halt)]) -> Vec<HaltedAt> {
    let stops = |(place, halt): &(String, Halt)| {
        let reason = match halt {
            Halt::Clear => return None,
            Halt::Set(reason) if reason.is_empty() => "a halt without a reason".to_owned(),
            Halt::Set(reason) => reason.clone(),
            Halt::Unreadable(error) => format!("whether a halt is set is not known: {error}"),
        };
        Some(HaltedAt { place: place.clone(), reason })
    };
    halts.iter().filter_map(stops).collect()
}

/// A halt is told also where there is nothing that it stops.
pub(crate) fn halt_outcome(halted: &[HaltedAt]) -> Outcome {
    if halted.is_empty() { Outcome::Clean } else { Outcome::Halted }
}

/// Whether it can never be applied any more, whatever else is refused now.
pub(crate) fn is_settled(judgement: &Judgement) -> bool {
    SETTLED.iter().any(|code| matches!(judgement.of(code), Some(Verdict::Refuse(_))))
}

pub(crate) fn planned(candidate: &Candidate, judgement: &Judgement) -> PlannedProposal {
    let refusal = judgement.refusal();
    PlannedProposal {
        id: candidate.id.clone(),
        runner: candidate.runner.clone(),
        approved_by: candidate.people.clone(),
        gates: judgement.rows.iter().map(|(code, verdict)| row(code, verdict)).collect(),
        verdict: if refusal.is_some() { PlanVerdict::Refused } else { PlanVerdict::Ready },
        refusal: refusal.map(str::to_owned),
        result: None,
        receipt: None,
        detail: None,
    }
}

fn row(code: &str, verdict: &Verdict) -> GateRow {
    let (verdict, detail) = match verdict {
        Verdict::Pass(detail) => (GateVerdict::Pass, detail),
        Verdict::Refuse(detail) => (GateVerdict::Refuse, detail),
        Verdict::Skipped(detail) => (GateVerdict::Skipped, detail),
    };
    GateRow { gate: code.to_owned(), verdict, detail: detail.clone() }
}
