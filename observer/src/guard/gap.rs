//! *history-gap*: dnf's history no longer continues the one that was seen before, so `since` and `by` may lie.

use super::Watched;

pub(super) fn find(watched: &Watched<'_>) -> Option<String> {
    // A history that could not be read is said elsewhere.
    let history = watched.observation.history.seen()?;
    let before = watched.earlier.iter().find_map(|footprint| footprint.history)?;
    let Some(now) = watched.now.history else {
        return Some("dnf's history is empty, and it was not before".to_owned());
    };
    let known = before.newest;
    if now.newest.begin < known.begin {
        return Some(format!("dnf's history ends before its transaction {}, which was there before", known.id));
    }
    if now.oldest.begin > known.begin {
        return Some(format!("what dnf did between its transactions {} and {} is not known", known.id, now.oldest.id));
    }
    let still_there = history.entries.iter().any(|entry| entry.id == known.id && entry.begin == known.begin);
    (!still_there).then(|| format!("dnf's transaction {} was there before and is not any more", known.id))
}
