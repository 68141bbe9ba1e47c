//! From wanted changes to the closed transaction that the runner's own solver would make of them.
//!
//! Nothing is changed and nothing is downloaded: the probe asks dnf, unprivileged, from root's metadata. What cannot be
//! solved is blocked in the solver's own words, and the rest is solved without it.

mod ask;
mod settle;

pub use ask::{Ask, Runner};

use std::collections::BTreeSet;

use countersign_manifests_schema::transaction::Transaction;
use countersign_shared::observation::{EACH_MAX, Failure, Nonce, PlanRequest, RequestError, Want};
use countersign_shared::proposal::Offer as Candidate;
use countersign_shared::solver::{PlanAnswer, Repo, Step, Verdict};

/// What the plan must hold to.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Whether the solver may remove what is in the way (policy).
    pub erasing: bool,
    /// Unix seconds before which metadata is too old.
    pub metadata_not_before: i64,
    /// Digest of the installed instances that were observed: `solver::base_digest`.
    pub base: String,
    /// Names of packages that the manifest lists: only their reasons may change.
    pub listed: BTreeSet<String>,
}

/// Why a wanted change is not in the transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// `unreachable-pin`, `no-metadata`, `conflict`, `policy`, `busy`.
    pub code: &'static str,
    /// The solver's own words, bounded; to be escaped where they are shown.
    pub message: String,
}

impl Blocked {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// A package that leaves, and from where it could come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// `name-[epoch:]version-release.arch`, epoch 0 left out.
    pub nevra: String,
    /// Repositories that still offer it, sorted.
    pub repos: Vec<String>,
    /// Whether the local plugin keeps a copy.
    pub kept: bool,
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Everything that dnf would do; empty when nothing stands.
    pub transaction: Transaction,
    /// Wants that the transaction does.
    pub stands: Vec<Want>,
    /// Wants that it does not, and why.
    pub blocked: Vec<(Want, Blocked)>,
    /// What leaves, sorted.
    pub outgoing: Vec<Outgoing>,
    /// Whether the runner has snapshots.
    pub snapper: bool,
}

/// Asks for one closed transaction. A failure says nothing about the wants: the runner was not asked to the end.
pub async fn plan(ask: &impl Ask, wants: &[Want], rules: &Rules) -> Result<Plan, Failure> {
    let mut wants: Vec<Want> = wants.to_vec();
    wants.sort();
    wants.dedup();
    let mut plan = Plan::default();
    if wants.is_empty() {
        return Ok(plan);
    }
    let open = reachable(ask, wants, rules, &mut plan).await?;
    let Some((steps, stands)) = solve(ask, open, rules, &mut plan).await? else {
        plan.blocked.sort_by(|a, b| a.0.cmp(&b.0));
        return Ok(plan);
    };
    settle(ask, steps, stands, rules, &mut plan).await?;
    plan.blocked.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(plan)
}

/// Which builds of some packages the repositories offer; the inner error is about metadata that cannot be planned from.
pub async fn candidates(
    ask: &impl Ask,
    names: &BTreeSet<&str>,
    rules: &Rules,
) -> Result<Result<Vec<Candidate>, Blocked>, Failure> {
    if names.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    put(
        ask,
        rules,
        |nonce| PlanRequest::candidates(nonce, names.iter().copied()),
        |answer| {
            if let Some(stale) = stale(&answer.repos, rules.metadata_not_before) {
                return Ok(Err(Blocked::new("no-metadata", stale)));
            }
            let offers = answer.offers.ok_or_else(|| Failure::new("garbage", "no offers in the answer"))?;
            let offered = offers.offers.into_iter().filter(|offer| settle::is_source(offer.repo_id));
            Ok(Ok(offered.map(|offer| Candidate { nevra: offer.nevra, repo_id: offer.repo_id.to_owned() }).collect()))
        },
    )
    .await
}

/// One question and its answer, for the set of packages that was observed.
async fn put<T>(
    ask: &impl Ask,
    rules: &Rules,
    request: impl Fn(Nonce) -> Result<PlanRequest, RequestError>,
    read: impl FnOnce(PlanAnswer<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let record = ask.put(request).await?;
    let answer = PlanAnswer::parse(&record)?;
    if answer.base != rules.base {
        return Err(Failure::new("changing", "packages came or went between the observation and the plan"));
    }
    read(answer)
}

/// Leaves the wants that the repositories can serve, or that need none.
async fn reachable(ask: &impl Ask, wants: Vec<Want>, rules: &Rules, plan: &mut Plan) -> Result<Vec<Want>, Failure> {
    let incoming: Vec<&str> = wants.iter().filter(|want| want.verb().is_incoming()).map(Want::nevra).collect();
    if incoming.is_empty() {
        return Ok(wants);
    }
    let (offered, stale) = put(
        ask,
        rules,
        |nonce| PlanRequest::offers(nonce, incoming.iter().copied(), false),
        |answer| {
            let stale = stale(&answer.repos, rules.metadata_not_before);
            let offers = answer.offers.ok_or_else(|| Failure::new("garbage", "no offers in the answer"))?;
            let offered = offers.offers.iter().filter(|offer| settle::is_source(offer.repo_id));
            Ok((offered.map(|offer| offer.nevra.clone()).collect::<BTreeSet<String>>(), stale))
        },
    )
    .await?;
    let mut open = Vec::new();
    for want in wants {
        if !want.verb().is_incoming() {
            open.push(want);
        } else if let Some(stale) = &stale {
            plan.blocked.push((want, Blocked::new("no-metadata", stale.as_str())));
        } else if !offered.contains(want.nevra()) {
            let message = format!("no enabled repository offers {}", want.nevra());
            plan.blocked.push((want, Blocked::new("unreachable-pin", message)));
        } else {
            open.push(want);
        }
    }
    Ok(open)
}

/// Says which repositories' metadata is missing or too old to plan from.
fn stale(repos: &[Repo<'_>], not_before: i64) -> Option<String> {
    if repos.is_empty() {
        return Some("no repository is enabled".to_owned());
    }
    let old = |repo: &&Repo<'_>| repo.cached_at.is_none_or(|at| at < not_before);
    let named: Vec<&str> = repos.iter().filter(old).map(|repo| repo.id).take(10).collect();
    (!named.is_empty()).then(|| format!("root's metadata is missing or too old: {}", named.join(", ")))
}

/// One resolution of everything; on conflict of each alone, and then of those that stand.
async fn solve(
    ask: &impl Ask,
    open: Vec<Want>,
    rules: &Rules,
    plan: &mut Plan,
) -> Result<Option<(Vec<Step>, Vec<Want>)>, Failure> {
    if open.is_empty() {
        return Ok(None);
    }
    let first = whole(ask, &open, rules).await?;
    let (words, open) = match judge(first, open) {
        Ok((steps, stands, lost)) if lost.is_empty() => return Ok(Some((steps, stands))),
        Ok((_, stands, lost)) => {
            plan.blocked.extend(lost);
            (None, stands)
        }
        Err((words, open)) => (Some(words), open),
    };
    let alone = match words {
        Some(words) if open.len() == 1 => {
            plan.blocked.extend(open.into_iter().map(|want| (want, Blocked::new("conflict", words.as_str()))));
            return Ok(None);
        }
        Some(_) => each(ask, open, rules, plan).await?,
        None => open,
    };
    if alone.is_empty() {
        return Ok(None);
    }
    let again = whole(ask, &alone, rules).await?;
    match judge(again, alone) {
        Ok((steps, stands, lost)) if lost.is_empty() => Ok(Some((steps, stands))),
        Ok((_, stands, lost)) => {
            let words = "what stands alone does not stand together";
            plan.blocked.extend(lost);
            plan.blocked.extend(stands.into_iter().map(|want| (want, Blocked::new("conflict", words))));
            Ok(None)
        }
        Err((words, alone)) => {
            plan.blocked.extend(alone.into_iter().map(|want| (want, Blocked::new("conflict", words.as_str()))));
            Ok(None)
        }
    }
}

async fn whole(ask: &impl Ask, wants: &[Want], rules: &Rules) -> Result<Verdict, Failure> {
    put(
        ask,
        rules,
        |nonce| PlanRequest::solve(nonce, wants, rules.erasing),
        |answer| verdicts(&answer, 1)?.pop().ok_or_else(unanswered),
    )
    .await
}

/// Those that stand alone; the others are blocked in the solver's words.
async fn each(ask: &impl Ask, wants: Vec<Want>, rules: &Rules, plan: &mut Plan) -> Result<Vec<Want>, Failure> {
    let mut alone = Vec::new();
    for part in wants.chunks(EACH_MAX) {
        let verdicts = put(
            ask,
            rules,
            |nonce| PlanRequest::each(nonce, part, rules.erasing),
            |answer| verdicts(&answer, part.len()),
        )
        .await?;
        for (want, verdict) in part.iter().zip(verdicts) {
            match judge(verdict, vec![want.clone()]) {
                Ok((_, stands, lost)) => {
                    alone.extend(stands);
                    plan.blocked.extend(lost);
                }
                Err((words, _)) => plan.blocked.push((want.clone(), Blocked::new("conflict", words))),
            }
        }
    }
    Ok(alone)
}

fn verdicts(answer: &PlanAnswer<'_>, expected: usize) -> Result<Vec<Verdict>, Failure> {
    if answer.attempts.len() != expected {
        return Err(unanswered());
    }
    answer.attempts.iter().map(|attempt| attempt.judge(answer.generation)).collect()
}

fn unanswered() -> Failure {
    Failure::new("garbage", "another number of answers than of questions")
}

type Stands = (Vec<Step>, Vec<Want>, Vec<(Want, Blocked)>);

/// Parts the wants that a resolution does from those that it does not. `Err` when there was none: words and wants.
fn judge(verdict: Verdict, wants: Vec<Want>) -> Result<Stands, (String, Vec<Want>)> {
    let (steps, said) = match verdict {
        Verdict::Resolved(steps) => (steps, String::new()),
        Verdict::Nothing(said) => (Vec::new(), said),
        Verdict::Refused(words) => return Err((words, wants)),
    };
    let mut stands = Vec::new();
    let mut lost = Vec::new();
    for want in wants {
        let done = steps.iter().any(|step| {
            step.nevra == want.nevra()
                && if want.verb().is_incoming() { step.action.is_incoming() } else { step.action.is_outgoing() }
        });
        if done {
            stands.push(want);
        } else {
            let words = if said.is_empty() { "dnf leaves it out".to_owned() } else { format!("dnf: {said}") };
            let message = format!("{} {}: {words}", want.verb().as_str(), want.nevra());
            lost.push((want, Blocked::new("conflict", message)));
        }
    }
    Ok((steps, stands, lost))
}

/// Completes the steps with what the repositories say of them, and holds them to the rules.
async fn settle(
    ask: &impl Ask,
    steps: Vec<Step>,
    stands: Vec<Want>,
    rules: &Rules,
    plan: &mut Plan,
) -> Result<(), Failure> {
    let names: Vec<&str> = steps.iter().map(|step| step.nevra.as_str()).collect();
    let wanted: BTreeSet<String> = stands.iter().map(|want| want.nevra().to_owned()).collect();
    let settled = put(
        ask,
        rules,
        |nonce| PlanRequest::offers(nonce, names.iter().copied(), true),
        |answer| settle::settle(&answer, &steps, &wanted, rules),
    )
    .await?;
    match settled {
        Ok(settled) => {
            plan.transaction = settled.transaction;
            plan.outgoing = settled.outgoing;
            plan.snapper = settled.snapper;
            plan.stands = stands;
        }
        Err(blocked) => plan.blocked.extend(stands.into_iter().map(|want| (want, blocked.clone()))),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
