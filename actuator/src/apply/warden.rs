//! Asking a runner's warden: one frame each way, over a connection that is ours alone.

use super::reach;
use super::step::{Fate, Step, at, begun};
use crate::config::Config;
use crate::gather::notary_chain as chain;
use countersign_manifests_schema::report::Notice;
use countersign_manifests_schema::warden::{Application, Inspection, WardenAnswer, WardenRequest};
use countersign_shared::manifest::fleet::{Fleet, Runner};
use countersign_shared::observation::Failure;
use countersign_shared::ssh::{Connector, ConnectorConfig, Identity, Limits, Session, SshError, Targets};
use countersign_shared::warden::{ANSWER_MAX, HEADER_MAX, open_answer, request};
use std::cell::{Cell, RefCell};
use std::time::Duration;
use tokio::time::Instant;

/// For downloads and checks.
pub(super) const STAGE_LIMIT: Duration = Duration::from_secs(15 * 60);
/// For draining, a snapshot, dnf and what it runs.
pub(super) const APPLY_LIMIT: Duration = Duration::from_secs(60 * 60);

/// The ways to all wardens.
pub(super) struct Wardens<'c> {
    config: &'c Config,
    connector: Connector,
    targets: Targets,
}

/// What was asked and could not be answered: nobody knows whether it was done.
pub(super) type Asked<T> = Result<T, Failure>;

impl<'c> Wardens<'c> {
    /// Nothing is connected yet.
    pub(super) fn new(config: &'c Config, identity: Identity, fleet: &Fleet) -> Result<Self, Failure> {
        let known_hosts = match &config.ssh.known_hosts {
            None => None,
            Some(path) => Some(
                std::fs::read(path)
                    .map_err(|error| Failure::new("host-key", format!("{}: {error}", path.display())))?,
            ),
        };
        let connect = config.ssh.connect_timeout.as_duration();
        let connector = Connector::new(ConnectorConfig {
            per_server: config.ssh.per_server,
            connect_timeout: connect,
            authentication_timeout: connect,
            channel_timeout: connect,
            ..ConnectorConfig::new(identity)
        });
        Ok(Self { config, connector, targets: Targets::new(fleet, known_hosts.as_deref())? })
    }

    /// A connection to one of them.
    pub(super) async fn connect<'w>(&'w self, runner: &'w Runner) -> Asked<Warden<'w>> {
        let session = self.session(runner).await?;
        Ok(Warden { wardens: self, runner, session: RefCell::new(Some(session)), until: Cell::new(None) })
    }

    async fn session(&self, runner: &Runner) -> Asked<Session> {
        let target = self.targets.target(runner, &runner.actuator_user)?;
        self.connector.connect(&target).await.map_err(|error| failure(&error))
    }
}

/// One of them.
pub(super) struct Warden<'w> {
    wardens: &'w Wardens<'w>,
    runner: &'w Runner,
    /// Taken while it is used; gone when it was lost.
    session: RefCell<Option<Session>>,
    /// Until when it is asked what it did.
    until: Cell<Option<Instant>>,
}

impl Warden<'_> {
    /// What our key gets besides it.
    pub(super) async fn prove_bounds(&self) -> Asked<Vec<Notice>> {
        let session = self.take()?;
        let config = self.wardens.config;
        let timeout = config.ssh.connect_timeout.as_duration();
        let proven = reach::prove(&session, self.runner.port, timeout, &config.trust).await;
        self.session.replace(Some(session));
        proven
    }

    /// What the runner is.
    pub(super) async fn inspect(&self, listed: Vec<String>) -> Asked<Box<Inspection>> {
        let limit = self.wardens.config.ssh.run_timeout.as_duration();
        match self.ask(&WardenRequest::Inspect { listed }, limit).await? {
            WardenAnswer::Inspection(inspection) => Ok(inspection),
            WardenAnswer::Refused { code, message } => Err(Failure { code, message }),
            _ => Err(something_else()),
        }
    }

    /// Everything that was ever started there.
    pub(super) async fn status(&self) -> Asked<Vec<Application>> {
        let limit = self.wardens.config.ssh.run_timeout.as_duration();
        match self.ask(&WardenRequest::Status {}, limit).await? {
            WardenAnswer::Status { started } => Ok(started),
            WardenAnswer::Refused { code, message } => Err(Failure { code, message }),
            _ => Err(something_else()),
        }
    }

    /// Asks once. After an error nobody knows whether it was heard.
    pub(super) async fn ask(&self, content: &WardenRequest, limit: Duration) -> Asked<WardenAnswer> {
        let session = self.take()?;
        let most = (ANSWER_MAX + HEADER_MAX) as u64;
        let limits = Limits { bytes: most, lines: 16, line_bytes: most, deadline: limit };
        let begun = async {
            match content {
                WardenRequest::Apply { .. } => begun().await,
                _ => std::future::pending().await,
            }
        };
        let bytes = request(content);
        let output = tokio::select! {
            output = session.exec("countersign-warden", &bytes, limits) => output.map_err(|error| failure(&error))?,
            () = begun => return Err(lost()),
        };
        self.session.replace(Some(session));
        open_answer(&output.stdout).map_err(|error| {
            let said = countersign_shared::ssh::RemoteText::from_bytes(&output.ended.stderr);
            Failure::new("garbage", format!("its answer cannot be read: {}: {said}", chain(&error)))
        })
    }

    /// Until when it is asked what it did: so long from the first time that this is asked for.
    pub(super) fn patience(&self, limit: Duration) -> Instant {
        let until = self.until.get().unwrap_or_else(|| Instant::now() + limit);
        self.until.set(Some(until));
        until
    }

    /// Connects again.
    pub(super) async fn again(&self) -> Asked<()> {
        let session = self.wardens.session(self.runner).await?;
        self.session.replace(Some(session));
        Ok(())
    }

    /// A boundary between two steps: in a test build the connection may be lost here.
    pub(super) fn at(&self, step: Step) {
        if at(step) == Fate::Lost {
            self.session.replace(None);
        }
    }

    /// Whether the connection is gone.
    pub(super) fn is_lost(&self) -> bool {
        self.session.borrow().is_none()
    }

    /// An orderly end.
    pub(super) async fn close(self) {
        if let Some(session) = self.session.into_inner() {
            session.close().await;
        }
    }

    fn take(&self) -> Asked<Session> {
        self.session.take().ok_or_else(lost)
    }
}

fn lost() -> Failure {
    Failure::new("closed", "the connection was lost")
}

fn something_else() -> Failure {
    Failure::new("garbage", "it answered something else than what it was asked")
}

fn failure(error: &SshError) -> Failure {
    Failure::new(error.code(), chain(error))
}
