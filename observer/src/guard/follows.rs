//! *spec-follows-drift*: a rule changed so that what a runner had drifted to is right now. The incident in one line.

use super::{RuleChange, Watched};
use crate::assess::Key;
use countersign_shared::drift::adoption::digest_of_all;
use countersign_shared::observation::{Observation, Package};

pub(super) fn find(watched: &Watched<'_>) -> Vec<String> {
    let Some(before) = watched.earlier.first() else {
        return Vec::new();
    };
    let adopted_whole = adopted_whole(watched);
    before
        .items
        .iter()
        .filter(|key| watched.now.judged(&key.code))
        .filter(|key| !watched.assessment.items.iter().any(|item| same_subject(key, &Key::of(item))))
        .filter(|key| is_still_so(watched.observation, key))
        .filter_map(|key| {
            let adoption = key.adopted(watched.runner).digest();
            let is_adopted = |change: &RuleChange| {
                let wholly =
                    |(digest, items): &(String, &[Key])| change.adoptions.contains(digest) && items.contains(key);
                change.adoptions.contains(&adoption) || adopted_whole.iter().any(wholly)
            };
            let changes = || watched.now.rules.iter().filter(|change| change.is_about(key));
            if changes().any(is_adopted) {
                return None;
            }
            let change = changes().next_back()?;
            let seen = if key.seen.is_empty() { "nothing".to_owned() } else { key.seen.join(", ") };
            Some(format!(
                "canonical came to say what was drift ({} {}: {seen}) in commit {}, and nobody has adopted it",
                key.code,
                key.subject(),
                change.commit
            ))
        })
        .collect()
}

/// Reports that a commit may have adopted as a whole, by the digest of all that they have: not only the last, as a run
/// may have come between the looking and the commit.
fn adopted_whole<'w>(watched: &Watched<'w>) -> Vec<(String, &'w [Key])> {
    if watched.now.rules.iter().all(|change| change.adoptions.is_empty()) {
        return Vec::new();
    }
    let digest = |items: &[Key]| digest_of_all(items.iter().map(|key| key.adopted(watched.runner)));
    watched.earlier.iter().map(|footprint| (digest(&footprint.items), &footprint.items[..])).collect()
}

/// Whether two items are about the same package and arch, or the same host item.
fn same_subject(a: &Key, b: &Key) -> bool {
    let arch = a.arch == b.arch || a.arch.is_none() || b.arch.is_none();
    let host = a.package.is_some() || (a.code == b.code && a.seen == b.seen && a.wanted == b.wanted);
    a.package == b.package && arch && host
}

/// Whether the runner still is as it had drifted to be.
fn is_still_so(observation: &Observation<'_>, key: &Key) -> bool {
    let seen = |text: &str| key.seen.iter().any(|seen| seen == text);
    match (key.code.as_str(), &key.package) {
        ("repo-enabled", _) => observation.repos.seen().is_some_and(|r| r.iter().any(|r| r.enabled && seen(r.id))),
        ("repo-disabled", _) => observation
            .repos
            .seen()
            .is_some_and(|repos| !repos.iter().any(|r| r.enabled && Some(r.id) == key.wanted.as_deref())),
        ("selinux", _) => observation.selinux.seen().is_some_and(|mode| seen(mode)),
        // No rule is for these.
        ("out-of-band" | "interrupted" | "stuck-lock", _) | (_, None) => false,
        ("kernel-mismatch", Some(name)) => {
            let same_kernel = observation.kernel.seen().is_some_and(|k| Some(k.release) == key.wanted.as_deref());
            same_kernel && all_seen(observation, name, key)
        }
        ("wrong-origin", Some(name)) => {
            instances(observation, name, key).any(|p| seen(p.from_repo) || seen(p.vendor) || seen(p.key))
        }
        (_, Some(name)) => all_seen(observation, name, key),
    }
}

fn all_seen(observation: &Observation<'_>, name: &str, key: &Key) -> bool {
    if key.seen.is_empty() {
        return observation.packages.seen().is_some() && instances(observation, name, key).next().is_none();
    }
    key.seen.iter().all(|seen| instances(observation, name, key).any(|p| p.nevra.evr.to_string() == *seen))
}

fn instances<'o>(observation: &'o Observation<'o>, name: &str, key: &Key) -> impl Iterator<Item = &'o Package<'o>> {
    let list = observation.packages.seen().map_or(&[][..], |packages| &packages.list);
    list.iter().filter(move |p| p.nevra.name == name && key.arch.as_deref().is_none_or(|arch| p.nevra.arch == arch))
}
