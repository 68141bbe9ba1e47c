//! One runner: wishes, the runner's answer, judgement; and again without what does not stand.

use super::case::{Case, Proposed};
use crate::plan::{self, Ask, Plan, Rules};
use countersign_manifests_schema::report::DriftItem;
use countersign_shared::drift::Item;
use countersign_shared::observation::{Failure, Want};
use countersign_shared::proposal::{
    Block, Blocked, Justified, Refusal, Remedy, Situation, build, configuration_digest, justify, wish,
};
use countersign_shared::solver;
use std::collections::BTreeSet;

/// Items that are tried one by one when they do not stand together.
const ALONE_MAX: usize = 16;

/// An item by its index, and what removes it.
type Wished = (usize, Vec<Want>);

/// A transaction that stands, and the items that it removes.
struct Stands {
    claimed: Vec<usize>,
    justified: Justified,
    plan: Plan,
}

/// Makes the proposal of one runner, as far as there is one.
pub async fn propose(ask: &impl Ask, case: &Case<'_>) -> Proposed {
    let mut proposed = Proposed::default();
    let mut open: Vec<(usize, Remedy)> = Vec::new();
    let effective = case.compiled.effective();
    for (index, member) in case.members.iter().enumerate().filter(|(_, member)| case.is_asked_for(&member.item)) {
        let (item, standing) = (&member.item, member.standing);
        match (wish(effective, case.observation, item, standing, case.policy.settle), case.barred) {
            (None, _) => {}
            (Some(_), Some(barred)) => proposed.blocked.push((index, barred.clone())),
            (Some(Err(blocked)), None) => proposed.blocked.push((index, blocked)),
            (Some(Ok(remedy)), None) => open.push((index, remedy)),
        }
    }
    if open.is_empty() {
        return proposed;
    }
    let waiting: Vec<usize> = open.iter().map(|(index, _)| *index).collect();
    if let Err(failure) = ask_and_build(ask, case, open, &mut proposed).await {
        // What the runner did not answer says nothing about what is possible there.
        let code = if failure.code == "no-metadata" { Block::NoMetadata } else { Block::Busy };
        let blocked = Blocked::new(code, format!("{} ({})", failure.message, failure.code));
        proposed.blocked.retain(|(index, _)| !waiting.contains(index));
        proposed.blocked.extend(waiting.into_iter().map(|index| (index, blocked.clone())));
        proposed.unasked = true;
    }
    proposed.blocked.sort_by_key(|(index, _)| *index);
    proposed
}

async fn ask_and_build(
    ask: &impl Ask,
    case: &Case<'_>,
    open: Vec<(usize, Remedy)>,
    proposed: &mut Proposed,
) -> Result<(), Failure> {
    let rules = rules(case)?;
    let wished = choose(ask, &rules, open, proposed).await?;
    let Some(stands) = standing(ask, case, &rules, wished, proposed).await? else { return Ok(()) };
    let items: Vec<DriftItem> = stands.claimed.iter().map(|index| case.members[*index].reported.clone()).collect();
    let lost = stands.plan.outgoing.iter().filter(|out| out.repos.is_empty() && !out.kept);
    let unobtainable: BTreeSet<String> = lost.map(|out| out.nevra.clone()).collect();
    let configuration = configuration_digest(case.observation)
        .map_err(|section| Failure::new("incomplete", format!("{section} was not read")))?;
    let built = build(&Situation {
        runner: case.runner,
        version: env!("CARGO_PKG_VERSION"),
        commit: case.commit,
        effective: case.compiled.effective(),
        observation: case.observation,
        configuration: &configuration,
        claimed: &items,
        justified: &stands.justified,
        unobtainable: &unobtainable,
        snapshots: stands.plan.snapper,
        tried: &super::tried::tried(case.stored, case.observation, &items),
        now: case.now,
        ttl: case.policy.approval.proposal_ttl,
    });
    match built {
        Ok(sealed) => proposed.sealed = Some(sealed),
        Err(Refusal::Blocked(blocked)) => {
            proposed.blocked.extend(stands.claimed.into_iter().map(|index| (index, blocked.clone())));
        }
        Err(Refusal::Seal(error)) => return Err(Failure::new("garbage", format!("no proposal can hold it: {error}"))),
    }
    Ok(())
}

pub(super) fn rules(case: &Case<'_>) -> Result<Rules, Failure> {
    let packages = case.observation.packages.seen();
    let packages = packages.ok_or_else(|| Failure::new("incomplete", "the packages were not read"))?;
    let oldest = i64::try_from(case.policy.metadata_max_age.as_secs()).unwrap_or(i64::MAX);
    Ok(Rules {
        erasing: false,
        metadata_not_before: case.now.as_second().saturating_sub(oldest),
        base: solver::base_digest(packages),
        listed: case.compiled.listed().into_iter().map(str::to_owned).collect(),
    })
}

/// Turns remedies into full NEVRAs, by what the repositories offer.
async fn choose(
    ask: &impl Ask,
    rules: &Rules,
    open: Vec<(usize, Remedy)>,
    proposed: &mut Proposed,
) -> Result<Vec<Wished>, Failure> {
    let names: BTreeSet<&str> = open.iter().filter_map(|(_, remedy)| remedy.asks_for()).collect();
    let offers = plan::candidates(ask, &names, rules).await?;
    let mut wished = Vec::new();
    for (index, remedy) in &open {
        let chosen = match (&offers, remedy) {
            (Err(blocked), Remedy::Bring(_)) => Err(shown(blocked)),
            (Err(_), Remedy::Remove(_)) => remedy.wants(&[]),
            (Ok(offers), _) => remedy.wants(offers),
        };
        let wants = chosen.and_then(|wants| wants.iter().map(in_words).collect::<Result<Vec<_>, _>>());
        match wants {
            Ok(wants) => wished.push((*index, wants)),
            Err(blocked) => proposed.blocked.push((*index, blocked)),
        }
    }
    Ok(wished)
}

fn in_words(want: &countersign_shared::proposal::Want) -> Result<Want, Blocked> {
    use countersign_manifests_schema::transaction::Action;
    use countersign_shared::observation::Verb;
    let verb = match want.action {
        Action::Upgrade => Verb::Upgrade,
        Action::Downgrade => Verb::Downgrade,
        Action::Remove | Action::Replaced => Verb::Remove,
        Action::Install | Action::Reinstall | Action::ReasonChange => Verb::Install,
    };
    Want::new(verb, &want.nevra).map_err(|error| Blocked::new(Block::Conflict, error.to_string()))
}

/// The largest part of what is wished that stands: all of it, or what stands alone and then together.
async fn standing(
    ask: &impl Ask,
    case: &Case<'_>,
    rules: &Rules,
    wished: Vec<Wished>,
    proposed: &mut Proposed,
) -> Result<Option<Stands>, Failure> {
    let first = match judged(ask, case, rules, &wished, &mut proposed.blocked).await? {
        Ok(stands) => return Ok(stands),
        Err(refused) => refused,
    };
    let done = |index: &usize| proposed.blocked.iter().any(|(other, _)| other == index);
    let open: Vec<Wished> = wished.into_iter().filter(|(index, _)| !done(index)).collect();
    if open.len() == 1 || open.len() > ALONE_MAX {
        proposed.blocked.extend(open.into_iter().map(|(index, _)| (index, first.clone())));
        return Ok(None);
    }
    let mut alone = Vec::new();
    let tried = open.len();
    for (index, wants) in open {
        let one = [(index, wants)];
        match judged(ask, case, rules, &one, &mut proposed.blocked).await? {
            Ok(Some(_)) => alone.extend(one),
            Ok(None) => {}
            Err(refused) => proposed.blocked.push((index, refused)),
        }
    }
    if alone.is_empty() {
        return Ok(None);
    }
    let again =
        if alone.len() == tried { Err(first) } else { judged(ask, case, rules, &alone, &mut proposed.blocked).await? };
    Ok(again.unwrap_or_else(|refused| {
        proposed.blocked.extend(alone.into_iter().map(|(index, _)| (index, refused.clone())));
        None
    }))
}

/// Asks for one transaction and judges it. What the solver itself leaves out goes to `blocked`; the inner error is about
/// all of the rest.
async fn judged(
    ask: &impl Ask,
    case: &Case<'_>,
    rules: &Rules,
    wished: &[Wished],
    blocked: &mut Vec<(usize, Blocked)>,
) -> Result<Result<Option<Stands>, Blocked>, Failure> {
    let mut open: Vec<&Wished> = wished.iter().collect();
    loop {
        let wants: Vec<Want> = open.iter().flat_map(|(_, wants)| wants).cloned().collect();
        if wants.is_empty() {
            return Ok(Ok(None));
        }
        let plan = plan::plan(ask, &wants, rules).await?;
        let (stand, fall): (Vec<&Wished>, Vec<&Wished>) =
            open.iter().partition(|(_, wants)| wants.iter().all(|want| plan.stands.contains(want)));
        for (index, wants) in &fall {
            let why = plan.blocked.iter().find(|(want, _)| wants.contains(want));
            let why = why.map_or_else(|| Blocked::new(Block::Conflict, "dnf leaves it out"), |(_, why)| shown(why));
            blocked.push((*index, why));
        }
        if stand.is_empty() {
            return Ok(Ok(None));
        }
        // Half of a remedy is none: what is in the transaction for an item that falls must go out of it.
        if fall.iter().any(|(_, wants)| wants.iter().any(|want| plan.stands.contains(want))) {
            open = stand;
            continue;
        }
        if let Some(blocked) = irreversible(&plan) {
            return Ok(Err(blocked));
        }
        let claimed: Vec<usize> = stand.iter().map(|(index, _)| *index).collect();
        let items: Vec<&Item> = claimed.iter().map(|index| &case.members[*index].item).collect();
        let waived: Vec<&Item> = case.members.iter().filter(|m| m.standing.waived).map(|m| &m.item).collect();
        let justified = justify(case.compiled, case.observation, &items, &waived, case.policy, &plan.transaction);
        return Ok(justified.map(|justified| Some(Stands { claimed, justified, plan })));
    }
}

/// What leaves must be obtainable again, or the runner must keep snapshots.
fn irreversible(plan: &Plan) -> Option<Blocked> {
    let lost = plan.outgoing.iter().find(|out| out.repos.is_empty() && !out.kept)?;
    let message = format!("{} could not be had again, and the runner keeps no snapshots", lost.nevra);
    (!plan.snapper).then(|| Blocked::new(Block::Irreversible, message))
}

/// A reason of the plan, as the report has it.
fn shown(blocked: &plan::Blocked) -> Blocked {
    let code = match blocked.code {
        "unreachable-pin" => Block::UnreachablePin,
        "no-metadata" => Block::NoMetadata,
        "policy" => Block::Policy,
        "protected" => Block::Protected,
        "busy" => Block::Busy,
        _ => Block::Conflict,
    };
    Blocked::new(code, &blocked.message)
}
