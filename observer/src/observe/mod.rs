//! Asks every runner once, concurrently and within bounds. A runner that cannot be asked costs its own row, never the
//! run.

mod bounds;

pub use countersign_shared::ssh::Targets;

use crate::config::Config;
use crate::history::{Answer, Hint, HistoryError, Outcome, Run, Store};
use crate::privilege::{self, Violation};
use crate::probe::{self, Place, Places};
use countersign_manifests_schema::report::Notice;
use countersign_shared::manifest::fleet::Runner;
use countersign_shared::observation::{self, Failure, Tokens};
use countersign_shared::ssh::{Connector, ConnectorConfig, Identity, Limits, Session, SshError};
use futures_util::StreamExt as _;
use futures_util::future::Either;
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
    places: Places,
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
        Self { config, connector, targets, places: Places::default() }
    }

    /// A connection to one runner, for questions about a plan.
    pub async fn connect(&self, runner: &Runner) -> Result<Session, Failure> {
        let target = self.targets.target(runner, &runner.user)?;
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
                asked.push(Either::Left(async move {
                    let tokens = hint.as_ref().map(|hint| &hint.tokens);
                    let (session, said) = self.ask(&question, tokens).await;
                    Some(Asked { runner: question.runner, hint, at: Timestamp::now().as_second(), session, said })
                }));
            }
            tally.running = asked.len();
            progress(tally);
            let Asked { runner, hint, at, session, said } = match asked.next().await {
                Some(Some(asked)) => asked,
                // A connection has ended.
                Some(None) => continue,
                None => break,
            };
            // The answer is read while the server says good-bye, and does not wait in memory for that.
            if let Some(session) = session {
                asked.push(Either::Right(async {
                    session.close().await;
                    None
                }));
            }
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

    async fn ask(
        &self,
        question: &Question<'_>,
        tokens: Option<&Tokens>,
    ) -> (Option<Session>, Result<Said<'_>, Failure>) {
        let session = match self.connect(question.runner).await {
            Ok(session) => session,
            Err(failure) => return (None, Err(failure)),
        };
        let nothing = Tokens::default();
        let said = self.converse(&session, question, tokens.unwrap_or(&nothing)).await;
        (Some(session), said)
    }

    async fn converse(&self, session: &Session, question: &Question<'_>, tokens: &Tokens) -> Result<Said<'_>, Failure> {
        let plain_exec = self.config.trust.accepts(crate::config::Accept::PlainExec);
        let limits = Limits { deadline: self.config.ssh.run_timeout.as_duration(), ..Limits::default() };
        let port = question.runner.port;
        // Before the answer where it will be a long one, so that none waits in memory for this.
        let before = if tokens.packages.is_none() { Some(self.bounds(session, port).await) } else { None };
        let asked = probe::run(session, plain_exec, &question.names, tokens, limits, &self.places).await;
        let (record, place) = match asked {
            // A key that runs what it is asked for is bound to nothing: that is what is wrong, not the missing command.
            Err(failure) if failure.code == "no-probe" && !plain_exec && self.runs_anything(session).await => {
                match before {
                    Some(bounds) => bounds?,
                    None => self.bounds(session, port).await?,
                };
                return Err(failure);
            }
            answer => answer?,
        };
        let left_out = observation::left_out(&record);
        let (warm, whole) = (left_out.contains(&"packages"), left_out.is_empty());
        let accepted = match before {
            _ if warm => None,
            Some(bounds) => Some(bounds?),
            None => Some(self.bounds(session, port).await?),
        };
        Ok(Said { record, whole, accepted, _place: place })
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

/// A runner that has answered, or will not.
struct Asked<'q, 'p> {
    runner: &'q Runner,
    hint: Option<Hint>,
    at: i64,
    /// Still open, if there was one.
    session: Option<Session>,
    said: Result<Said<'p>, Failure>,
}

/// What a runner said, with what it left out still missing.
struct Said<'p> {
    record: String,
    whole: bool,
    /// Violated proofs that are let pass; `None` when its package list has not moved, and so nothing was tried.
    accepted: Option<Vec<Notice>>,
    _place: Option<Place<'p>>,
}

/// Puts what a runner left out back in. The stored answer is read only now, so that none waits in memory.
fn complete(
    store: &Store,
    runner: &Runner,
    hint: Option<Hint>,
    at: i64,
    said: Said<'_>,
) -> Result<Result<Answer, Failure>, HistoryError> {
    let Said { record, whole, accepted, _place } = said;
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
