//! What every command needs before it can look at the fleet: the lock, the history, canonical, and the proofs that hold
//! over the whole run.

use super::stop::Stop;
use crate::canonical::{self, LoadedCanonical, Source};
use crate::config::Config;
use crate::history::{StateLock, Store};
use crate::privilege::{self, Settled};
use countersign_manifests_schema::report::Notice;
use countersign_shared::exit::Outcome;
use countersign_shared::git::{CommitId, GitError, Mirror};
use countersign_shared::ssh::Identity;
use jiff::Timestamp;

/// Name of canonical among the remembered tips.
const CANONICAL: &str = "canonical";

/// A command with the history open.
pub struct Desk {
    /// The configuration.
    pub config: Config,
    /// The history.
    pub store: Store,
    _lock: Option<StateLock>,
}

impl Desk {
    /// Opens the history to read it.
    pub fn open(config: Config) -> Result<Self, Stop> {
        let store = Store::open(&config.state_dir)?;
        Ok(Self { config, store, _lock: None })
    }

    /// Takes the lock and opens the history to go on with it.
    pub fn open_to_write(config: Config) -> Result<Self, Stop> {
        let lock = StateLock::take(&config.state_dir)?;
        let store = Store::open(&config.state_dir)?;
        Ok(Self { config, store, _lock: Some(lock) })
    }

    /// The configured file of host keys.
    pub fn known_hosts(&self) -> Result<Option<Vec<u8>>, Stop> {
        let path = self.config.ssh.known_hosts.as_ref();
        path.map(std::fs::read)
            .transpose()
            .map_err(|error| Stop::of(Outcome::Invalid, "known-hosts", &error).hint("check [ssh] known_hosts"))
    }

    /// Where canonical is.
    pub fn source(&self) -> Result<Source, Stop> {
        Ok(Source::new(&self.config.canonical, &self.config.state_dir)?)
    }

    /// Fetches canonical, refuses a rewritten history, and proves that we could not write it.
    pub async fn canonical(&mut self) -> Result<(LoadedCanonical, Vec<Notice>), Stop> {
        let source = self.source()?;
        let seen = self.store.tip(CANONICAL)?.and_then(|tip| CommitId::parse(&tip).ok());
        let trust = self.config.trust.clone();
        // On this thread: the memory that reading takes at a large fleet is then there for what comes after it.
        let read = || {
            let mirror = Mirror::open_or_create(&source.mirror)?;
            let loaded = canonical::refresh(&mirror, &source, seen)?;
            let facts = privilege::canonical::gather(&mirror, &source.remote, loaded.commit)?;
            let bots: Vec<String> = loaded.canonical.policy.approval.bots.iter().map(ToString::to_string).collect();
            let now = Timestamp::now().as_second();
            let trusted =
                privilege::people::Trusted { pinned: &trust.approvers, revoked: trust.revoked.as_deref(), bots: &bots };
            let people = privilege::people::gather(&mirror, loaded.commit, source.anchor, &trusted, now);
            let violations = [privilege::canonical::judge(&facts), privilege::people::judge(&people)];
            Ok::<_, Stop>((loaded, violations.into_iter().flatten().collect::<Vec<_>>()))
        };
        let (loaded, violations) = read()?;
        let settled = privilege::settle(violations, &self.config.trust);
        if let Some(stop) = Stop::refused(&settled) {
            return Err(stop);
        }
        self.store.set_tip(CANONICAL, &loaded.commit.to_string())?;
        Ok((loaded, notices(&settled)))
    }

    /// Canonical as it was last fetched at a commit, without a connection.
    pub async fn canonical_at(&self, commit: &str) -> Result<LoadedCanonical, Stop> {
        let source = self.source()?;
        let commit = CommitId::parse(commit)?;
        let mirror = Mirror::open_or_create(&source.mirror)?;
        Ok(canonical::load(&mirror, commit)?)
    }

    /// The key for runners, proven to be declared for our role and for no other.
    pub async fn identity(&self, loaded: &LoadedCanonical) -> Result<Identity, Stop> {
        let keys = &loaded.canonical.fleet.keys;
        let texts = |keys: &[countersign_shared::manifest::ssh_key::PublicKey]| {
            keys.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let (ssh, sign, actuator) = (texts(&keys.observer_ssh), texts(&keys.observer_sign), texts(&keys.actuator_ssh));
        let identity = super::identity::load(&self.config.ssh, &ssh).await?;
        let own = identity.public_key().to_openssh().map_err(|e| Stop::of(Outcome::Failed, "auth", &e))?;
        let role = |name, keys| privilege::declared::Role { name, keys };
        let roles = [role("observer_ssh", &ssh[..]), role("observer_sign", &sign), role("actuator_ssh", &actuator)];
        let settled = privilege::settle(privilege::declared::judge(&own, "observer_ssh", &roles), &self.config.trust);
        match Stop::refused(&settled) {
            Some(stop) => Err(stop),
            None => Ok(identity),
        }
    }
}

impl From<GitError> for Stop {
    fn from(error: GitError) -> Self {
        canonical::CanonicalError::from(error).into()
    }
}

fn notices(settled: &Settled) -> Vec<Notice> {
    settled.accepted.iter().map(privilege::Violation::notice).collect()
}

/// Runs what blocks (git) away from the runtime.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stop> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Stop::of(Outcome::Failed, "internal", &error))
}
