//! Asks every runner once, concurrently and within bounds. A runner that cannot be asked costs its own row, never the
//! run.

mod bounds;
mod targets;

pub use targets::Targets;

use crate::config::Config;
use crate::history::{Answer, HistoryError, Outcome, Run, Store};
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
                asked.push(async move { (question.runner, self.ask(&question, hint).await) });
            }
            tally.running = asked.len();
            progress(tally);
            let Some((runner, mut outcome)) = asked.next().await else { break };
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
    fn hint(&self, store: &Store, question: &Question<'_>) -> Result<Option<Answer>, HistoryError> {
        let oldest = Timestamp::now().as_second() - self.config.ssh.full_every.as_secs() as i64;
        match store.hint(&question.runner.name)? {
            Some(hint) if hint.full_at > oldest => {
                Ok(store.outcome(hint.run, &question.runner.name)?.and_then(|stored| stored.answer.ok()))
            }
            _ => Ok(None),
        }
    }

    async fn ask(&self, question: &Question<'_>, hint: Option<Answer>) -> Outcome {
        let answer = self.answer(question, hint).await;
        Outcome { runner: question.runner.name.clone(), at: Timestamp::now().as_second(), answer }
    }

    async fn answer(&self, question: &Question<'_>, hint: Option<Answer>) -> Result<Answer, Failure> {
        let session = self.connect(question.runner).await?;
        let tokens = hint.as_ref().map(|answer| observation::tokens(&answer.record)).unwrap_or_default();
        let result = self.converse(&session, question, &tokens, hint).await;
        session.close().await;
        result
    }

    async fn converse(
        &self,
        session: &Session,
        question: &Question<'_>,
        tokens: &Tokens,
        hint: Option<Answer>,
    ) -> Result<Answer, Failure> {
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
        let now = Timestamp::now().as_second();
        let left_out = observation::left_out(&record);
        let list_is_warm = left_out.contains(&"packages");
        let nothing = left_out.is_empty();
        let record = match &hint {
            _ if nothing => record,
            Some(stored) => observation::merge(&stored.record, &record)?,
            None => return Err(Failure::new("garbage", "the runner left out what it was not asked to leave out")),
        };
        match hint {
            Some(stored) if list_is_warm => {
                Ok(Answer { record, warm: true, full_at: stored.full_at, accepted: stored.accepted })
            }
            _ => {
                let accepted = self.bounds(session, question.runner.port).await?;
                Ok(Answer { record, warm: false, full_at: now, accepted })
            }
        }
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

fn unreached(error: &SshError) -> Failure {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let message = causes.fold(error.to_string(), |message, cause| format!("{message}: {cause}"));
    Failure::new(error.code(), message)
}
