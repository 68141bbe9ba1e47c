//! Which commit of canonical made an item drift.

use countersign_shared::drift::{Code, Compiled, Drift, Item, drift};
use countersign_shared::observation::Observation;
use std::sync::Arc;

/// A commit of canonical that made something drift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecChange {
    /// Full commit id.
    pub commit: String,
    /// Its committer time, Unix seconds.
    pub at: i64,
}

/// The manifest in force for a runner from one commit on, until the next version.
#[derive(Debug, Clone)]
pub struct Version {
    /// The commit that brought it.
    pub change: SpecChange,
    /// The manifest; `None` when the runner was not in canonical, or canonical could not be read there.
    pub manifest: Option<Arc<Compiled>>,
}

/// The versions of one runner's manifest along canonical's first parents, newest first; the first is in force.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    /// Each differs from the one after it in what it demands.
    pub list: Vec<Version>,
    /// Whether the last is the oldest that there is, and not only the oldest that was looked at.
    pub complete: bool,
}

/// For each item of `items`, the drift under the manifest in force, the commit since which every version has had it.
///
/// `None` when no manifest decides over it, when it was drift already as it came to be on the runner, or when the
/// versions do not reach back far enough to tell. What the runner does not date counts as being so since `undated`, Unix seconds. The observation is judged
/// once per version, and no further back than an item is open.
pub fn changes(
    items: &[Item],
    observation: &Observation<'_>,
    versions: &Versions,
    undated: i64,
) -> Vec<Option<SpecChange>> {
    let mut found: Vec<Option<SpecChange>> = vec![None; items.len()];
    let mut open: Vec<usize> = (0..items.len()).filter(|&index| items[index].code.is_of_manifest()).collect();
    for (age, version) in versions.list.iter().enumerate() {
        if open.is_empty() {
            return found;
        }
        // The items are those of the first version.
        let judged = (age > 0).then(|| judge(version, observation));
        open.retain(|&index| {
            let item = &items[index];
            let drifts = judged.as_ref().is_none_or(|drift| drift.as_ref().is_some_and(|d| has(d, item)));
            if !drifts {
                return false;
            }
            let was_in_force = version.change.at <= item.since.unwrap_or(undated);
            found[index] = (!was_in_force).then(|| version.change.clone());
            !was_in_force
        });
    }
    if !versions.complete {
        for index in open {
            found[index] = None;
        }
    }
    found
}

fn judge(version: &Version, observation: &Observation<'_>) -> Option<Drift> {
    drift(version.manifest.as_deref()?, observation).ok()
}

/// Whether the same thing is drift there: the same package and arch in whatever way, or the same host item.
fn has(drift: &Drift, item: &Item) -> bool {
    drift.items.iter().any(|other| {
        let same_arch = other.arch == item.arch || other.arch.is_none() || item.arch.is_none();
        let same_kind = if item.code.is_package_code() {
            other.code.is_package_code() && same_arch
        } else {
            other.code == item.code && other.arch == item.arch
        };
        // A repository that should be enabled is told by what is wanted alone.
        let same_wanted = item.code != Code::RepoDisabled || other.wanted == item.wanted;
        let same_host_item = item.package.is_some() || (other.seen == item.seen && same_wanted);
        other.package == item.package && same_kind && same_host_item
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::tests::{item, manifest, observation};

    #[test]
    fn canonical_is_not_blamed_for_what_no_manifest_wants() {
        // All of it came before the runner was in canonical.
        let change = SpecChange { commit: "c1".to_owned(), at: 200 };
        let list = vec![Version { change, manifest: Some(manifest(&[("a", "= 1")])) }];
        let versions = Versions { list, complete: true };
        for code in Code::ALL {
            let package = code.is_package_code().then_some("a");
            let items = [item(code, package, None, Some(50))];
            let blamed = changes(&items, &observation(100), &versions, 100)[0].is_some();
            let expected = !matches!(code, Code::Interrupted | Code::StuckLock | Code::OutOfBand);
            assert_eq!(blamed, expected, "{code}");
        }
        let package = [item(Code::OutOfBand, Some("a"), Some("x86_64"), Some(50))];
        assert_eq!(changes(&package, &observation(100), &versions, 100), [None], "a package behind dnf's back");
    }
}
