//! Pins that are in sync, and that no repository offers any more: once such a package is gone, nothing brings it back.

use super::attempt::rules;
use super::case::Case;
use crate::plan::{self, Ask};
use countersign_manifests_schema::report::Notice;
use countersign_shared::manifest::effective::{PackageKey, Rule};
use countersign_shared::manifest::version::{Operator, VersionSpec};
use countersign_shared::nevra::Nevra;
use countersign_shared::observation::{Failure, PLAN_MAX};
use std::collections::BTreeSet;

/// Pins that are named one by one; the rest is counted.
const NAMED: usize = 20;

/// The risks of a group, as one of its runners sees the repositories; a runner that cannot say is a risk, too. Nothing is
/// asked where nothing is pinned.
pub async fn risks(ask: &impl Ask, case: &Case<'_>, group: &str) -> Vec<Notice> {
    let pins = pins(case);
    if pins.is_empty() {
        return Vec::new();
    }
    match unreachable(ask, case, &pins).await {
        Ok(lost) => lost_pins(group, case.runner, &lost),
        Err(failure) => vec![unknown(group, case.runner, &failure)],
    }
}

/// That nothing is known of the pins of a group.
pub fn unknown(group: &str, runner: &str, failure: &Failure) -> Notice {
    let Failure { code, message, .. } = failure;
    Notice {
        code: code.clone(),
        message: format!("{group}: whether its pins are still offered is not known: {runner}: {message}"),
    }
}

type Pin<'c> = (&'c PackageKey, &'c VersionSpec);

/// Rules with `=` that something installed satisfies.
fn pins<'c>(case: &Case<'c>) -> Vec<Pin<'c>> {
    let installed = case.observation.packages.seen().map_or(&[][..], |packages| &packages.list);
    let is_pin = |spec: &VersionSpec| spec.bounds.iter().any(|bound| bound.operator == Operator::Equal);
    let in_sync =
        |key: &PackageKey, spec: &VersionSpec| installed.iter().any(|package| fits(key, spec, &package.nevra));
    let rules = case.compiled.effective().packages.iter();
    let present = rules.filter_map(|(key, ruling)| match &ruling.rule {
        Rule::Present(spec) if is_pin(spec) => Some((key, spec)),
        _ => None,
    });
    present.filter(|(key, spec)| in_sync(key, spec)).collect()
}

fn fits(key: &PackageKey, spec: &VersionSpec, nevra: &Nevra<'_>) -> bool {
    let arch = key.arch.as_deref().is_none_or(|arch| nevra.arch == arch);
    nevra.name == key.name && arch && spec.matches(&nevra.evr)
}

async fn unreachable<'c>(ask: &impl Ask, case: &Case<'c>, pins: &[Pin<'c>]) -> Result<Vec<Pin<'c>>, Failure> {
    let rules = rules(case)?;
    let mut lost = Vec::new();
    for part in pins.chunks(PLAN_MAX) {
        let names: BTreeSet<&str> = part.iter().map(|(key, _)| key.name.as_str()).collect();
        let offers = plan::candidates(ask, &names, &rules).await?;
        let offers = offers.map_err(|blocked| Failure::new(blocked.code, blocked.message))?;
        let offered: Vec<Nevra<'_>> = offers.iter().filter_map(|offer| Nevra::parse(&offer.nevra).ok()).collect();
        lost.extend(part.iter().filter(|(key, spec)| !offered.iter().any(|nevra| fits(key, spec, nevra))).copied());
    }
    Ok(lost)
}

fn lost_pins(group: &str, runner: &str, lost: &[Pin<'_>]) -> Vec<Notice> {
    let notice = |message| Notice { code: "unreachable-pin".to_owned(), message };
    let told = lost.iter().take(NAMED).map(|(key, spec)| {
        notice(format!("{group}: no enabled repository of {runner} offers {key} {spec} any more; it is installed"))
    });
    let more = lost.len().saturating_sub(NAMED);
    told.chain((more > 0).then(|| notice(format!("{group}: {more} more pins are no longer offered")))).collect()
}
