//! Runs: begun, observed, reported.

use super::{HistoryError, Store};
use jiff::Timestamp;
use rusqlite::OptionalExtension as _;

/// One run over the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Key in the history.
    pub id: i64,
    /// Shown to people: its start in UTC, `20261120T033000Z`.
    pub name: String,
    /// Unix seconds of its start.
    pub started: i64,
}

impl Store {
    /// Begins a run. Two in one second are told apart by `-2`, `-3`, ...
    pub fn begin_run(&mut self, now: Timestamp) -> Result<Run, HistoryError> {
        let failed = |e| HistoryError::Query("written", e);
        let base = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let tx = self.db.transaction().map_err(failed)?;
        let mut name = base.clone();
        for n in 2.. {
            let taken = tx
                .prepare_cached("SELECT 1 FROM run WHERE name = ?1")
                .and_then(|mut find| find.exists([&name]))
                .map_err(failed)?;
            if !taken {
                break;
            }
            name = format!("{base}-{n}");
        }
        tx.execute("INSERT INTO run (name, started) VALUES (?1, ?2)", (&name, now.as_second())).map_err(failed)?;
        let id = tx.last_insert_rowid();
        tx.commit().map_err(failed)?;
        Ok(Run { id, name, started: now.as_second() })
    }

    /// Marks a run as observed: every runner has its row.
    pub fn finish_observing(&mut self, run: &Run, now: Timestamp) -> Result<(), HistoryError> {
        self.db
            .execute("UPDATE run SET observed = ?2 WHERE id = ?1", (run.id, now.as_second()))
            .map(|_| ())
            .map_err(|e| HistoryError::Query("written", e))
    }

    /// The newest run whose observing ended.
    pub fn newest_observed(&self) -> Result<Option<Run>, HistoryError> {
        self.find_run("SELECT id, name, started FROM run WHERE observed IS NOT NULL ORDER BY id DESC LIMIT 1", [])
    }

    /// The newest run that has a report.
    pub fn newest_reported(&self) -> Result<Option<Run>, HistoryError> {
        self.find_run("SELECT id, name, started FROM run WHERE reported IS NOT NULL ORDER BY id DESC LIMIT 1", [])
    }

    pub(super) fn find_run(&self, sql: &str, params: impl rusqlite::Params) -> Result<Option<Run>, HistoryError> {
        self.db
            .query_row(sql, params, |row| Ok(Run { id: row.get(0)?, name: row.get(1)?, started: row.get(2)? }))
            .optional()
            .map_err(|e| HistoryError::Query("read", e))
    }
}
