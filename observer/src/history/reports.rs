//! What was said: reports, drift over time.

use super::{HistoryError, Run, Store};
use crate::guard::{Footprint, Found};
use countersign_manifests_schema::report::{DriftItem, DriftReport, Status};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};
use std::collections::BTreeMap;

/// Drift of a runner in the last run that reported on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    /// That run.
    pub run: i64,
    /// Its items.
    pub items: Vec<DriftItem>,
    /// The commit of canonical that it was judged by.
    pub canonical_commit: String,
    /// Committer time of that commit, Unix seconds.
    pub canonical_at: i64,
}

/// What is stored beside a report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extras {
    /// Committer time of canonical's commit, Unix seconds.
    pub canonical_at: i64,
    /// What is kept of each runner for the sequence guard.
    pub footprints: BTreeMap<String, Footprint>,
}

/// One run in the trend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrendPoint {
    /// The run's name.
    pub run: String,
    /// Unix seconds of its start.
    pub at: i64,
    /// Unwaived items by code.
    pub drift_by_code: BTreeMap<String, u64>,
    /// Runners observed.
    pub observed: u64,
    /// Runners that failed.
    pub failed: u64,
}

/// Codes under which the counts of runners are stored beside those of items.
const OBSERVED: &str = "=observed";
const FAILED: &str = "=failed";

impl Store {
    /// Stores the report of a run; a second one for the same run replaces the first.
    pub fn save_report(
        &mut self,
        run: &Run,
        report: &DriftReport,
        extras: &Extras,
        now: Timestamp,
    ) -> Result<(), HistoryError> {
        let failed = |e| HistoryError::Query("written", e);
        let json = |e: serde_json::Error| HistoryError::Damaged(e.to_string());
        let lz4 = lz4_flex::block::compress_prepend_size(&serde_json::to_vec(report).map_err(json)?);
        let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
        let tx = self.db.transaction().map_err(failed)?;
        tx.execute("DELETE FROM drift WHERE run = ?1", [run.id]).map_err(failed)?;
        tx.execute("DELETE FROM count WHERE run = ?1", [run.id]).map_err(failed)?;
        {
            let mut insert = tx.prepare_cached("INSERT INTO drift VALUES (?1, ?2, ?3, ?4)").map_err(failed)?;
            for runner in &report.runners {
                if runner.status == Status::Failed {
                    *counts.entry(FAILED).or_default() += 1;
                    continue;
                }
                *counts.entry(OBSERVED).or_default() += 1;
                let items = serde_json::to_string(&runner.drift).map_err(json)?;
                let footprint =
                    extras.footprints.get(&runner.name).map(serde_json::to_string).transpose().map_err(json)?;
                insert.execute(params![run.id, runner.name, items, footprint]).map_err(failed)?;
                for item in runner.drift.iter().filter(|item| item.waived.is_none()) {
                    *counts.entry(&item.code).or_default() += 1;
                }
            }
            let mut count = tx.prepare_cached("INSERT INTO count VALUES (?1, ?2, ?3)").map_err(failed)?;
            for (code, items) in counts {
                count.execute(params![run.id, code, items]).map_err(failed)?;
            }
        }
        tx.execute(
            "UPDATE run SET reported = ?2, canonical_commit = ?3, canonical_at = ?4, report = ?5 WHERE id = ?1",
            params![run.id, now.as_second(), report.canonical_commit, extras.canonical_at, lz4],
        )
        .map_err(failed)?;
        tx.commit().map_err(failed)
    }

    /// Puts what was found out after the comparison (`proposal`, `blocked`) into the stored report of a run.
    pub fn amend_report(&mut self, run: &Run, report: &DriftReport) -> Result<(), HistoryError> {
        let json = serde_json::to_vec(report).map_err(|e| HistoryError::Damaged(e.to_string()))?;
        let lz4 = lz4_flex::block::compress_prepend_size(&json);
        self.db
            .execute("UPDATE run SET report = ?2 WHERE id = ?1 AND reported IS NOT NULL", params![run.id, lz4])
            .map(|_| ())
            .map_err(|e| HistoryError::Query("written", e))
    }

    /// The stored report of a run.
    pub fn report(&self, run: &Run) -> Result<Option<DriftReport>, HistoryError> {
        self.stored(run)
    }

    /// What the last report before `run` found, without its rows.
    pub fn found_before(&self, run: &Run) -> Result<Option<Found>, HistoryError> {
        self.reported_before(run)?.map_or(Ok(None), |earlier| self.stored(&earlier))
    }

    fn stored<T: serde::de::DeserializeOwned>(&self, run: &Run) -> Result<Option<T>, HistoryError> {
        let lz4: Option<Vec<u8>> = self
            .db
            .query_row("SELECT report FROM run WHERE id = ?1", [run.id], |row| row.get(0))
            .optional()
            .map_err(|e| HistoryError::Query("read", e))?
            .flatten();
        let damaged = |e: &dyn std::fmt::Display| HistoryError::Damaged(format!("report of {}: {e}", run.name));
        lz4.map(|lz4| {
            let json = lz4_flex::block::decompress_size_prepended(&lz4).map_err(|e| damaged(&e))?;
            serde_json::from_slice(&json).map_err(|e| damaged(&e))
        })
        .transpose()
    }

    /// The report of the last run before `run` that has one.
    pub fn report_before(&self, run: &Run) -> Result<Option<DriftReport>, HistoryError> {
        self.reported_before(run)?.map_or(Ok(None), |earlier| self.report(&earlier))
    }

    fn reported_before(&self, run: &Run) -> Result<Option<Run>, HistoryError> {
        self.find_run(
            "SELECT id, name, started FROM run WHERE reported IS NOT NULL AND id < ?1 ORDER BY id DESC LIMIT 1",
            [run.id],
        )
    }

    /// What was said about a runner in the last run before `run` that observed it.
    pub fn previous(&self, run: &Run, runner: &str) -> Result<Option<Previous>, HistoryError> {
        let row: Option<(i64, String, String, i64)> = self
            .db
            .prepare_cached(
                "SELECT run, items, canonical_commit, canonical_at FROM drift JOIN run ON run.id = drift.run
                 WHERE runner = ?1 AND run < ?2 ORDER BY run DESC LIMIT 1",
            )
            .and_then(|mut find| {
                find.query_row(params![runner, run.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                    .optional()
            })
            .map_err(|e| HistoryError::Query("read", e))?;
        row.map(|(run, items, canonical_commit, canonical_at)| {
            let items = serde_json::from_str(&items).map_err(|e| HistoryError::Damaged(e.to_string()))?;
            Ok(Previous { run, items, canonical_commit, canonical_at })
        })
        .transpose()
    }

    /// What was kept of a runner in runs before `run` that began after `since` (Unix seconds), newest first.
    pub fn footprints(&self, run: &Run, runner: &str, since: i64) -> Result<Vec<Footprint>, HistoryError> {
        let failed = |e| HistoryError::Query("read", e);
        let rows: Vec<String> = self
            .db
            .prepare_cached(
                "SELECT footprint FROM drift JOIN run ON run.id = drift.run
                 WHERE runner = ?1 AND run < ?2 AND started > ?3 AND footprint IS NOT NULL ORDER BY run DESC LIMIT 64",
            )
            .and_then(|mut find| find.query_map(params![runner, run.id, since], |row| row.get(0))?.collect())
            .map_err(failed)?;
        let parse = |json: &String| serde_json::from_str(json).map_err(|e| HistoryError::Damaged(e.to_string()));
        rows.iter().map(parse).collect()
    }

    /// The newest `limit` runs with a report, oldest first.
    pub fn trend(&self, limit: u32) -> Result<Vec<TrendPoint>, HistoryError> {
        let failed = |e| HistoryError::Query("read", e);
        let mut runs = self
            .db
            .prepare_cached("SELECT id, name, started FROM run WHERE reported IS NOT NULL ORDER BY id DESC LIMIT ?1")
            .map_err(failed)?;
        let mut counts = self.db.prepare_cached("SELECT code, items FROM count WHERE run = ?1").map_err(failed)?;
        let runs = runs
            .query_map([limit], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?)))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(failed)?;
        let mut points = Vec::with_capacity(runs.len());
        for (id, run, at) in runs.into_iter().rev() {
            let mut drift_by_code: BTreeMap<String, u64> = counts
                .query_map([id], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))
                .and_then(Iterator::collect)
                .map_err(failed)?;
            let observed = drift_by_code.remove(OBSERVED).unwrap_or(0);
            let failed = drift_by_code.remove(FAILED).unwrap_or(0);
            points.push(TrendPoint { run, at, drift_by_code, observed, failed });
        }
        Ok(points)
    }
}
