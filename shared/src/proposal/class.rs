//! Which runners are alike: one group, the same drift, the same transaction.

use crate::canonical_json;
use countersign_manifests_schema::proposal::Proposal;
use serde_json::json;

/// 64 hex digits that two proposals share when one text and one merge will do for both. When and by whom it came to be
/// so may differ.
pub fn class_digest(group: Option<&str>, proposal: &Proposal) -> String {
    let drift: Vec<_> = proposal
        .drift
        .iter()
        .map(|item| {
            json!({
                "code": item.code, "package": item.package, "arch": item.arch, "wanted": item.wanted,
                "seen": item.seen,
            })
        })
        .collect();
    let mut text = String::new();
    canonical_json::write(&json!({ "group": group, "drift": drift, "transaction": proposal.transaction }), &mut text);
    canonical_json::sha256(text.as_bytes())
}
