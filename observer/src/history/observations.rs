//! Observations, as the runners' own answers.

use super::{HistoryError, Run, Store, content};
use countersign_manifests_schema::report::Notice;
use countersign_shared::observation::{self, Failure, Tokens};
use rusqlite::{OptionalExtension as _, params};

/// What came of observing one runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The runner's name.
    pub runner: String,
    /// Unix seconds at which it ended.
    pub at: i64,
    /// The answer, or why there is none.
    pub answer: Result<Answer, Failure>,
}

/// A complete answer of one runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The probe's record; for a warm run with the stored package list put back in.
    pub record: String,
    /// Whether the package list was taken from the last observation.
    pub warm: bool,
    /// Unix seconds of the last observation that moved the package list.
    pub full_at: i64,
    /// Violated proofs about this runner that `[trust] accept` let pass when they were last tried.
    pub accepted: Vec<Notice>,
}

/// Where the newest answer of a runner is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Unix seconds of the last observation that moved the package list.
    pub full_at: i64,
    /// The run that holds the answer.
    pub run: i64,
    /// With these the runner leaves out what has not moved.
    pub tokens: Tokens,
}

/// A stored row of a run.
pub type Stored = Outcome;

impl Store {
    /// Stores what came of some runners, in one transaction.
    pub fn save(&mut self, run: &Run, outcomes: &[Outcome]) -> Result<(), HistoryError> {
        let failed = |e| HistoryError::Query("written", e);
        let tx = self.db.transaction().map_err(failed)?;
        {
            let mut insert = tx
                .prepare_cached("INSERT OR REPLACE INTO observation (run, runner, at, full_at, warm, accepted, error_code, error_message,
                     recipe, packages_token, history_token) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")
                .map_err(failed)?;
            let mut part = tx.prepare_cached("INSERT OR IGNORE INTO part VALUES (?1, ?2, ?3)").map_err(failed)?;
            for outcome in outcomes {
                match &outcome.answer {
                    Err(failure) => insert.execute(params![
                        run.id,
                        outcome.runner,
                        outcome.at,
                        None::<i64>,
                        false,
                        None::<String>,
                        failure.code,
                        failure.message,
                        None::<Vec<u8>>,
                        None::<String>,
                        None::<String>
                    ]),
                    Ok(answer) => {
                        let (recipe, digests) = content::put(&tx, &mut self.texts.borrow_mut(), &answer.record)?;
                        let tokens = observation::tokens(&answer.record);
                        let accepted = serde_json::to_string(&answer.accepted)
                            .map_err(|e| HistoryError::Damaged(e.to_string()))?;
                        let done = insert.execute(params![
                            run.id,
                            outcome.runner,
                            outcome.at,
                            answer.full_at,
                            answer.warm,
                            accepted,
                            None::<String>,
                            None::<String>,
                            recipe,
                            tokens.packages,
                            tokens.history
                        ]);
                        for digest in digests {
                            part.execute(params![outcome.runner, run.id, &digest[..]]).map_err(failed)?;
                        }
                        done
                    }
                }
                .map_err(failed)?;
            }
        }
        tx.commit().map_err(failed)
    }

    /// Where the newest answer of a runner is; `None` when it has never answered.
    pub fn hint(&self, runner: &str) -> Result<Option<Hint>, HistoryError> {
        self.db
            .prepare_cached(
                "SELECT full_at, run, packages_token, history_token FROM observation
                 WHERE runner = ?1 AND recipe IS NOT NULL ORDER BY run DESC LIMIT 1",
            )
            .and_then(|mut find| {
                find.query_row([runner], |row| {
                    let tokens = Tokens { packages: row.get(2)?, history: row.get(3)? };
                    Ok(Hint { full_at: row.get(0)?, run: row.get(1)?, tokens })
                })
                .optional()
            })
            .map_err(|e| HistoryError::Query("read", e))
    }

    /// The stored record of a runner in a run.
    pub fn record(&self, run: i64, runner: &str) -> Result<Option<String>, HistoryError> {
        let recipe: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT recipe FROM observation WHERE runner = ?1 AND run = ?2")
            .and_then(|mut find| find.query_row(params![runner, run], |row| row.get(0)).optional())
            .map_err(|e| HistoryError::Query("read", e))?
            .flatten();
        recipe.map(|recipe| content::get(&self.db, &mut self.texts.borrow_mut(), &recipe)).transpose()
    }

    /// The row of a runner in a run.
    pub fn outcome(&self, run: i64, runner: &str) -> Result<Option<Stored>, HistoryError> {
        self.row(
            "SELECT at, full_at, warm, accepted, error_code, error_message, recipe
                  FROM observation WHERE runner = ?1 AND run = ?2",
            params![runner, run],
            runner,
        )
    }

    /// The newest answer of a runner in a run before this one.
    pub fn answer_before(&self, run: i64, runner: &str) -> Result<Option<Stored>, HistoryError> {
        self.row(
            "SELECT at, full_at, warm, accepted, error_code, error_message, recipe FROM observation
             WHERE runner = ?1 AND run < ?2 AND recipe IS NOT NULL ORDER BY run DESC LIMIT 1",
            params![runner, run],
            runner,
        )
    }

    /// The newest answer of a runner in any run.
    pub fn newest_answer(&self, runner: &str) -> Result<Option<Stored>, HistoryError> {
        self.row(
            "SELECT at, full_at, warm, accepted, error_code, error_message, recipe
                  FROM observation WHERE runner = ?1 AND recipe IS NOT NULL ORDER BY run DESC LIMIT 1",
            params![runner],
            runner,
        )
    }

    fn row(&self, sql: &str, params: &[&dyn rusqlite::ToSql], runner: &str) -> Result<Option<Stored>, HistoryError> {
        type Row = (i64, Option<i64>, bool, Option<String>, Option<String>, Option<String>, Option<Vec<u8>>);
        let row: Option<Row> = self
            .db
            .prepare_cached(sql)
            .and_then(|mut find| {
                find.query_row(params, |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
                })
                .optional()
            })
            .map_err(|e| HistoryError::Query("read", e))?;
        let Some((at, full_at, warm, accepted, code, message, recipe)) = row else { return Ok(None) };
        let accepted = accepted.map_or(Ok(Vec::new()), |json| serde_json::from_str(&json));
        let accepted = accepted.map_err(|e| HistoryError::Damaged(e.to_string()))?;
        let answer = match recipe {
            Some(recipe) => {
                let record = content::get(&self.db, &mut self.texts.borrow_mut(), &recipe)?;
                Ok(Answer { record, warm, full_at: full_at.unwrap_or(at), accepted })
            }
            None => Err(Failure { code: code.unwrap_or_default(), message: message.unwrap_or_default() }),
        };
        Ok(Some(Outcome { runner: runner.to_owned(), at, answer }))
    }
}
