//! Which runners are alike: one group, the same drift, the same transaction.

use crate::manifest::digest::write_sorted;
use countersign_manifests_schema::proposal::Proposal;
use serde_json::json;
use sha2::{Digest, Sha256};

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
    write_sorted(&json!({ "group": group, "drift": drift, "transaction": proposal.transaction }), &mut text);
    super::hex(&Sha256::digest(text))
}
