//! `irreversible`: no proven way back.

use super::Verdict;
use crate::facts::Facts;
use countersign_manifests_schema::proposal::WayBackKind;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    match facts.sealed().map(|sealed| &sealed.proposal().way_back) {
        Some(way) if way.kind == WayBackKind::None => {
            Verdict::refuse(format!("nothing could bring back {}", way.missing.join(", ")))
        }
        _ => super::staged(facts, "the runner holds everything that it needs to go back"),
    }
}
