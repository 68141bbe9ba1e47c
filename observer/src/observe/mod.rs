//! Asks every runner once, concurrently and within bounds. A runner that cannot be asked costs its own row, never the
//! run.

mod bounds;
mod targets;

pub use targets::Targets;

use crate::config::Config;
use crate::history::{Answer, Hint, HistoryError, Outcome, Run, Store};
use crate::privilege::{self, Violation};
use crate::probe;
use countersign_manifests_schema::report::Notice;
use countersign_shared::manifest::fleet::Runner;
use countersign_shared::observation::{self, Failure, Tokens};
use countersign_shared::ssh::{Connector, ConnectorConfig, Identity, Limits, Session, SshError};
use futures_util::StreamExt as _;
use jiff::Timestamp;

/// What is asked of one runner.
pub struct Question<'a> {
    /// The runner.
    pub runner: &'a Runner,
    /// Packages that its manifest lists.
    pub names: Vec<&'a str>,
}

/// How far an observation of the fleet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Runners with an answer or a failure.
    pub done: usize,
    /// Runners with a failure.
    pub failed: usize,
    /// Runners being asked.
    pub running: usize,
}

/// Rows in one transaction: each transaction writes the same inner pages again.
const SAVED_TOGETHER: usize = 4;

/// What asking needs: who we are, and how patient.
pub struct Asker<'c> {
    config: &'c Config,
    connector: Connector,
    targets: Targets,
}

impl<'c> Asker<'c> {
    /// Nothing is connected yet.
    pub fn new(config: &'c Config, identity: Identity, targets: Targets) -> Self {
        let connect = config.ssh.connect_timeout.as_duration();
        let connector = Connector::new(ConnectorConfig {
            per_server: config.ssh.per_server,
            connect_timeout: connect,
            authentication_timeout: connect,
            channel_timeout: connect,
            ..ConnectorConfig::new(identity)
        });
        Self { config, connector, targets }
    }

    /// A connection to one runner, for questions about a plan.
    pub async fn connect(&self, runner: &Runner) -> Result<Session, Failure> {
        let target = self.targets.target(runner)?;
        self.connector.connect(&target).await.map_err(|error| unreached(&error))
    }

    /// Asks every runner and stores the rows as they come, some at a time. `look` sees each row before it is stored,
    /// and may turn an answer into a failure.
    pub async fn fleet<'q>(
        &self,
        store: &mut Store,
        run: &Run,
        questions: impl IntoIterator<Item = Question<'q>>,
        mut look: impl FnMut(&Store, &Runner, &mut Outcome) -> Result<(), HistoryError>,
        mut progress: impl FnMut(Tally),
    ) -> Result<Tally, HistoryError> {
        let mut tally = Tally::default();
        let mut waiting = questions.into_iter();
        let mut asked = futures_util::stream::FuturesUnordered::new();
        let mut unsaved = Vec::with_capacity(SAVED_TOGETHER);
        loop {
            while asked.len() < self.config.ssh.parallel
                && let Some(question) = waiting.next()
            {
                let hint = self.hint(store, &question)?;
                asked.push(async move {
                    let tokens = hint.as_ref().map(|hint| &hint.tokens);
                    let said = self.ask(&question, tokens).await;
                    (question.runner, hint, Timestamp::now().as_second(), said)
                });
            }
            tally.running = asked.len();
            progress(tally);
            let Some((runner, hint, at, said)) = asked.next().await else { break };
            let answer = match said {
                Ok(said) => complete(store, runner, hint, at, said)?,
                Err(failure) => Err(failure),
            };
            let mut outcome = Outcome { runner: runner.name.clone(), at, answer };
            look(store, runner, &mut outcome)?;
            tally.done += 1;
            if let Err(failure) = &outcome.answer {
                tally.failed += 1;
                tracing::info!(runner = runner.name, code = failure.code, "not observed: {}", failure.message);
            } else {
                tracing::info!(runner = runner.name, "observed");
            }
            unsaved.push(outcome);
            if unsaved.len() == SAVED_TOGETHER {
                store.save(run, &unsaved)?;
                unsaved.clear();
            }
        }
        store.save(run, &unsaved)?;
        Ok(tally)
    }

    /// What allows a warm answer: the last answer, unless its package list is too old.
    fn hint(&self, store: &Store, question: &Question<'_>) -> Result<Option<Hint>, HistoryError> {
        let oldest = Timestamp::now().as_second() - self.config.ssh.full_every.as_secs() as i64;
        Ok(store.hint(&question.runner.name)?.filter(|hint| hint.full_at > oldest))
    }

    async fn ask(&self, question: &Question<'_>, tokens: Option<&Tokens>) -> Result<Said, Failure> {
        let session = self.connect(question.runner).await?;
        let nothing = Tokens::default();
        let result = self.converse(&session, question, tokens.unwrap_or(&nothing)).await;
        session.close().await;
        result
    }

    async fn converse(&self, session: &Session, question: &Question<'_>, tokens: &Tokens) -> Result<Said, Failure> {
        let plain_exec = self.config.trust.accepts(crate::config::Accept::PlainExec);
        let limits = Limits { deadline: self.config.ssh.run_timeout.as_duration(), ..Limits::default() };
        let record = match probe::run(session, plain_exec, &question.names, tokens, limits).await {
            // A key that runs what it is asked for is bound to nothing: that is what is wrong, not the missing command.
            Err(failure) if failure.code == "no-probe" && !plain_exec && self.runs_anything(session).await => {
                self.bounds(session, question.runner.port).await?;
                return Err(failure);
            }
            answer => answer?,
        };
        let left_out = observation::left_out(&record);
        let (warm, whole) = (left_out.contains(&"packages"), left_out.is_empty());
        let accepted = if warm { None } else { Some(self.bounds(session, question.runner.port).await?) };
        Ok(Said { record, whole, accepted })
    }

    async fn runs_anything(&self, session: &Session) -> bool {
        bounds::runs_anything(session, self.config.ssh.connect_timeout.as_duration()).await
    }

    /// What the key reaches besides the probe: tried at every full reading.
    async fn bounds(&self, session: &Session, port: u16) -> Result<Vec<Notice>, Failure> {
        let reach = bounds::try_all(session, port, self.config.ssh.connect_timeout.as_duration()).await;
        let settled = privilege::settle(privilege::reach::judge(&reach), &self.config.trust);
        match settled.refused.first() {
            Some(violation) => Err(violation.failure()),
            None => Ok(settled.accepted.iter().map(Violation::notice).collect()),
        }
    }
}

/// What a runner said, with what it left out still missing.
struct Said {
    record: String,
    whole: bool,
    /// Violated proofs that are let pass; `None` when its package list has not moved, and so nothing was tried.
    accepted: Option<Vec<Notice>>,
}

/// Puts what a runner left out back in. The stored answer is read only now, so that none waits in memory.
fn complete(
    store: &Store,
    runner: &Runner,
    hint: Option<Hint>,
    at: i64,
    said: Said,
) -> Result<Result<Answer, Failure>, HistoryError> {
    let Said { record, whole, accepted } = said;
    if let (true, Some(accepted)) = (whole, &accepted) {
        return Ok(Ok(Answer { record, warm: false, full_at: at, accepted: accepted.clone() }));
    }
    let stored = match hint {
        Some(hint) => store.outcome(hint.run, &runner.name)?.and_then(|stored| stored.answer.ok()),
        None => None,
    };
    let Some(stored) = stored else {
        return Ok(Err(Failure::new("garbage", "the runner left out what it was not asked to leave out")));
    };
    let record = match observation::merge(&stored.record, &record) {
        Ok(record) => record,
        Err(failure) => return Ok(Err(failure)),
    };
    Ok(Ok(match accepted {
        None => Answer { record, warm: true, full_at: stored.full_at, accepted: stored.accepted },
        Some(accepted) => Answer { record, warm: false, full_at: at, accepted },
    }))
}

fn unreached(error: &SshError) -> Failure {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let message = causes.fold(error.to_string(), |message, cause| format!("{message}: {cause}"));
    Failure::new(error.code(), message)
}
