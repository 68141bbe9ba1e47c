//! What the runner's warden has done with what was proposed before: a proposal that it started is spent, however that
//! ended, and one that was not kept is told to whoever approves the next.
//!
//! The runner's word is believed only in this direction. It makes a proposal anew, it never keeps one.

use countersign_manifests_schema::proposal::{ClaimedItem, Tried, TriedEnd};
use countersign_manifests_schema::report::DriftItem;
use countersign_manifests_schema::warden::Stage;
use countersign_shared::observation::{Applied, Observation};
use countersign_shared::proposal::Sealed;

fn applications<'o>(observation: &'o Observation<'_>) -> &'o [Applied<'o>] {
    observation.history.seen().map_or(&[], |history| &history.applications)
}

/// Whether the runner says that this proposal was started there.
pub fn is_spent(stored: &Sealed, observation: &Observation<'_>) -> bool {
    applications(observation).iter().any(|applied| applied.proposal == stored.id())
}

/// The applications against any of the `claimed` items that were not kept, oldest first: that of the proposal before,
/// and those that it names.
pub(super) fn tried(stored: Option<&Sealed>, observation: &Observation<'_>, claimed: &[DriftItem]) -> Vec<Tried> {
    let same = |old: &ClaimedItem, new: &DriftItem| {
        (&old.code, Some(&old.package), &old.arch) == (&new.code, new.package.as_ref(), &new.arch)
    };
    let is_about =
        |stored: &&Sealed| stored.proposal().drift.iter().any(|old| claimed.iter().any(|new| same(old, new)));
    let Some(stored) = stored.filter(is_about) else { return Vec::new() };
    let mut tried = stored.proposal().tried.clone();
    tried.extend(
        applications(observation).iter().filter(|applied| applied.proposal == stored.id()).filter_map(not_kept),
    );
    tried.sort_by(|a, b| (&a.at, &a.proposal).cmp(&(&b.at, &b.proposal)));
    tried.dedup_by(|a, b| a.proposal == b.proposal);
    tried
}

fn not_kept(applied: &Applied<'_>) -> Option<Tried> {
    let end = match applied.stage {
        Stage::Undone => TriedEnd::Undone,
        Stage::Failed => TriedEnd::Failed,
        Stage::Started | Stage::Unconfirmed | Stage::Confirmed => return None,
    };
    Some(Tried { proposal: applied.proposal.to_owned(), end, at: crate::assess::rfc3339(applied.at)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propose::tests::{RULES, observation, run, world};
    use countersign_manifests_schema::proposal::Proposal;
    use countersign_shared::observation::{History, Section};

    fn before(change: impl Fn(&mut Proposal)) -> Sealed {
        let mut proposal = run(&world(), RULES, &[], None).sealed.unwrap().proposal().clone();
        change(&mut proposal);
        Sealed::new(proposal).unwrap()
    }

    fn claimed(code: &str, package: &str, arch: Option<&str>) -> DriftItem {
        DriftItem {
            code: code.to_owned(),
            package: Some(package.to_owned()),
            arch: arch.map(str::to_owned),
            wanted: None,
            seen: Vec::new(),
            since: None,
            by: None,
            spec_changed: None,
            waived: None,
            new: false,
            remediable: true,
            blocked: None,
        }
    }

    fn seen<'o>(applications: &[Applied<'o>]) -> Observation<'o> {
        let history = History { applications: applications.to_vec(), ..History::default() };
        Observation { history: Section::Seen(history), ..observation() }
    }

    const AT: i64 = 1_763_500_000;
    const THEN: &str = "2025-11-18T21:06:40Z";

    #[test]
    fn a_proposal_that_was_started_is_spent_however_it_ended() {
        let stored = before(|_| {});
        let other = "ab".repeat(32);
        let applied = |proposal, stage| Applied { proposal, stage, started: AT - 60, at: AT };
        for stage in [Stage::Started, Stage::Unconfirmed, Stage::Confirmed, Stage::Undone, Stage::Failed] {
            assert!(is_spent(&stored, &seen(&[applied(&other, stage), applied(stored.id(), stage)])), "{stage:?}");
            assert!(!is_spent(&stored, &seen(&[applied(&other, stage)])), "{stage:?}");
        }
        assert!(!is_spent(&stored, &observation()));
    }

    #[test]
    fn what_was_not_kept_is_told_as_long_as_the_drift_lasts() {
        let again = claimed("ahead", "llvm", Some("x86_64"));
        let older = Tried { proposal: "ab".repeat(32), end: TriedEnd::Undone, at: "2025-11-01T00:00:00Z".to_owned() };
        let stored = before(|proposal| proposal.tried = vec![older.clone()]);
        let own = |end| Tried { proposal: stored.id().to_owned(), end, at: THEN.to_owned() };
        let told = |applications: &[Applied<'_>], now: &[DriftItem]| tried(Some(&stored), &seen(applications), now);
        let applied = |stage| [Applied { proposal: stored.id(), stage, started: AT - 60, at: AT }];
        for (stage, end) in [
            (Stage::Undone, Some(TriedEnd::Undone)),
            (Stage::Failed, Some(TriedEnd::Failed)),
            (Stage::Confirmed, None),
            (Stage::Started, None),
            (Stage::Unconfirmed, None),
        ] {
            let expected: Vec<Tried> = [older.clone()].into_iter().chain(end.map(own)).collect();
            assert_eq!(told(&applied(stage), std::slice::from_ref(&again)), expected, "{stage:?}");
        }
        let undone = applied(Stage::Undone);
        for other in [
            claimed("behind", "llvm", Some("x86_64")),
            claimed("ahead", "bash", Some("x86_64")),
            claimed("ahead", "llvm", Some("i686")),
        ] {
            assert_eq!(told(&undone, std::slice::from_ref(&other)), [], "{other:?}");
            assert_eq!(told(&undone, &[other, again.clone()]).len(), 2);
        }
        // What the runner has forgotten stays told; what it says of others is not about this.
        assert_eq!(told(&[], std::slice::from_ref(&again)), vec![older.clone()]);
        let foreign = "cd".repeat(32);
        let others = [Applied { proposal: &foreign, ..undone[0] }];
        assert_eq!(told(&others, std::slice::from_ref(&again)), [older]);
        assert_eq!(tried(None, &seen(&undone), &[again]), []);
    }
}
