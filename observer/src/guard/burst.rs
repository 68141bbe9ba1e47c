//! *burst*: too many manifests changed in a day.

use super::{Code, Finding};
use std::collections::BTreeSet;

/// A manifest that a commit of canonical changed. The commit with which canonical began changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestChange {
    /// Its path, `manifests/...`.
    pub file: String,
    /// Committer time of the commit, or when it was first seen, Unix seconds.
    pub at: i64,
}

/// Seconds that are looked at.
const DAY: i64 = 24 * 60 * 60;

/// Whether more than `limit` manifests changed in the 24 hours before `now`, or after it by a clock that is ahead.
pub fn burst(changes: &[ManifestChange], now: i64, limit: u32) -> Option<Finding> {
    let changed: BTreeSet<&str> =
        changes.iter().filter(|change| change.at > now - DAY).map(|change| change.file.as_str()).collect();
    (changed.len() > limit as usize).then(|| Finding {
        code: Code::Burst,
        message: format!(
            "{} manifests changed within 24 hours or since the last report, and at most {limit} are usual",
            changed.len()
        ),
        runners: Vec::new(),
    })
}
