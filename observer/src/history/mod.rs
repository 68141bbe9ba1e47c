//! What was seen and said before: runs, observations and drift over time, in one SQLite file.
//!
//! Everything is written in transactions, so a kill at any moment leaves the last complete state. Observations are kept
//! by content: what did not change between two runs, or between two runners, is stored once.

mod content;
mod halves;
mod observations;
mod reports;
mod retention;
mod runs;
mod texts;

pub use countersign_shared::state_lock::{LockError, StateLock};
pub use observations::{Answer, Hint, Outcome, Stored};
pub use reports::{Extras, Previous, TrendPoint};
pub use runs::Run;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// The file in `state_dir`.
pub const FILE: &str = "history.sqlite";

/// Raised with every change of the tables or of what is in them.
const FORMAT: i64 = 2;
/// The oldest that is read: it has no lists in halves, and all else is as it is now.
const OLDEST: i64 = 1;

// Tables with long values have row ids: without, SQLite reads whole rows to compare keys on the way through the tree.
const TABLES: &str = "
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    started INTEGER NOT NULL,
    observed INTEGER,
    reported INTEGER,
    canonical_commit TEXT,
    canonical_at INTEGER,
    report BLOB
) STRICT;
CREATE TABLE content (
    digest BLOB NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    lz4 BLOB NOT NULL
) STRICT;
CREATE TABLE observation (
    run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    runner TEXT NOT NULL,
    at INTEGER NOT NULL,
    full_at INTEGER,
    warm INTEGER NOT NULL,
    accepted TEXT,
    packages_token TEXT,
    history_token TEXT,
    error_code TEXT,
    error_message TEXT,
    recipe BLOB,
    PRIMARY KEY (runner, run)
) STRICT;
CREATE INDEX observation_run ON observation(run);
CREATE TABLE part (
    runner TEXT NOT NULL,
    run INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (digest, runner, run),
    FOREIGN KEY (runner, run) REFERENCES observation(runner, run) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX part_observation ON part(runner, run);
CREATE TABLE drift (
    run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    runner TEXT NOT NULL,
    items TEXT NOT NULL,
    footprint TEXT,
    PRIMARY KEY (runner, run)
) STRICT;
CREATE INDEX drift_run ON drift(run);
CREATE TABLE count (
    run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    code TEXT NOT NULL,
    items INTEGER NOT NULL,
    PRIMARY KEY (run, code)
) STRICT, WITHOUT ROWID;
CREATE TABLE tip (
    repository TEXT PRIMARY KEY,
    commit_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Why the history could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// SQLite says no.
    #[error("{what} {}", path.display())]
    Sqlite {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// SQLite's own error.
        source: rusqlite::Error,
    },
    /// Written by a newer version.
    #[error("{} has format {found}, and this version reads up to {FORMAT}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
    /// The state directory cannot be made or read.
    #[error("cannot use {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A query failed.
    #[error("the history cannot be {0}")]
    Query(&'static str, #[source] rusqlite::Error),
    /// What is stored does not read back.
    #[error("the history is damaged: {0}")]
    Damaged(String),
}

/// The open history.
pub struct Store {
    db: Connection,
    texts: RefCell<texts::Texts>,
}

impl Store {
    /// Opens the history in `state_dir`, making both if need be.
    pub fn open(state_dir: &Path) -> Result<Self, HistoryError> {
        std::fs::create_dir_all(state_dir)
            .map_err(|source| HistoryError::Directory { path: state_dir.to_path_buf(), source })?;
        let path = state_dir.join(FILE);
        let sqlite = |what| {
            let path = path.clone();
            move |source| HistoryError::Sqlite { what, path, source }
        };
        let db = Connection::open(&path).map_err(sqlite("cannot open"))?;
        db.execute_batch(
            "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;
             PRAGMA cache_size = -4096; PRAGMA journal_size_limit = 16777216;",
        )
        .map_err(sqlite("cannot set up"))?;
        // Otherwise a statement is prepared anew for each runner, in case another name wants another plan.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(sqlite("cannot set up"))?;
        let found: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sqlite("cannot read"))?;
        match found {
            0 => db
                .execute_batch(&format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT;"))
                .map_err(sqlite("cannot make tables in"))?,
            FORMAT => {}
            OLDEST..FORMAT => {
                db.execute_batch(&format!("PRAGMA user_version = {FORMAT}")).map_err(sqlite("cannot write"))?
            }
            found => return Err(HistoryError::Newer { path, found }),
        }
        Ok(Self { db, texts: RefCell::default() })
    }

    /// The last tip seen of a repository (`canonical`, `proposed`).
    pub fn tip(&self, repository: &str) -> Result<Option<String>, HistoryError> {
        use rusqlite::OptionalExtension as _;
        self.db
            .query_row("SELECT commit_id FROM tip WHERE repository = ?1", [repository], |row| row.get(0))
            .optional()
            .map_err(|e| HistoryError::Query("read", e))
    }

    /// Remembers the tip of a repository.
    pub fn set_tip(&self, repository: &str, commit: &str) -> Result<(), HistoryError> {
        self.db
            .execute(
                "INSERT INTO tip VALUES (?1, ?2) ON CONFLICT(repository) DO UPDATE SET commit_id = excluded.commit_id",
                [repository, commit],
            )
            .map(|_| ())
            .map_err(|e| HistoryError::Query("written", e))
    }
}

#[cfg(test)]
mod tests;
