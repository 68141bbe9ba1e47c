//! How long the past is kept.

use super::{HistoryError, Store};
use countersign_shared::duration::Span;
use jiff::Timestamp;

impl Store {
    /// Drops runs that began longer than `keep` ago, and every text that nothing names any more. The newest answer and
    /// the newest drift of each runner stay, however old, and with them their run.
    pub fn prune(&mut self, keep: Span, now: Timestamp) -> Result<usize, HistoryError> {
        let failed = |e| HistoryError::Query("pruned", e);
        let before = now.as_second().saturating_sub(i64::try_from(keep.as_secs()).unwrap_or(i64::MAX));
        let tx = self.db.transaction().map_err(failed)?;
        let dropped = tx
            .execute(
                "DELETE FROM run WHERE started < ?1
                 AND id NOT IN (SELECT max(run) FROM observation WHERE recipe IS NOT NULL GROUP BY runner)
                 AND id NOT IN (SELECT max(run) FROM drift GROUP BY runner)",
                [before],
            )
            .map_err(failed)?;
        if dropped > 0 {
            tx.execute("DELETE FROM content WHERE digest NOT IN (SELECT digest FROM part)", []).map_err(failed)?;
        }
        tx.commit().map_err(failed)?;
        Ok(dropped)
    }
}
