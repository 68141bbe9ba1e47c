//! A forge for tests: the part of the API of Forgejo, Gitea and GitHub that has to do with pull requests, with its state
//! in memory and a real git repository behind it. Served over HTTP or TLS on a loopback port. It believes nothing of
//! what the observer believes: it answers as the forges' own descriptions say.

mod answer;
mod door;
mod state;

pub use answer::Flavour;
pub use state::{Fault, Label, Pull, Seen, State};

use anyhow::Context as _;
use door::{Door, Reply};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The token that it accepts.
pub const TOKEN: &str = "4f2c0ffee0ddba11fade";
/// Who the token belongs to.
pub const LOGIN: &str = "countersign-bot";
/// The repository of proposals.
pub const REPOSITORY: &str = "ops/proposed";

/// The forge. It ends when this is dropped.
pub struct FakeForge {
    state: Arc<Mutex<State>>,
    door: Door,
}

impl FakeForge {
    /// Serves `repository`, a bare git repository, as [`REPOSITORY`].
    pub async fn start(flavour: Flavour, repository: &Path) -> anyhow::Result<Self> {
        Self::open(flavour, repository, None).await
    }

    /// The same behind TLS, with a certificate for 127.0.0.1 of an authority that is written to `authority`.
    pub async fn start_tls(flavour: Flavour, repository: &Path, authority: &Path) -> anyhow::Result<Self> {
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        std::fs::write(authority, certified.cert.pem()).context("cannot write the certificate")?;
        Self::open(flavour, repository, Some(door::tls(&certified)?)).await
    }

    async fn open(flavour: Flavour, repository: &Path, tls: Option<tokio_rustls::TlsAcceptor>) -> anyhow::Result<Self> {
        let repository: PathBuf = repository.to_owned();
        let state = Arc::new(Mutex::new(State::new(flavour, repository)));
        let serving = Arc::clone(&state);
        let answer = move |request: &Seen| -> Reply {
            let mut state = serving.lock().unwrap_or_else(PoisonError::into_inner);
            answer::answer(&mut state, request)
        };
        let door = Door::open(Arc::new(answer), tls).await?;
        Ok(Self { state, door })
    }

    /// Address of the API, as `api` in `[forge]`.
    pub fn api(&self) -> String {
        let scheme = if self.door.tls { "https" } else { "http" };
        let base = self.lock().flavour.base();
        format!("{scheme}://{}{base}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.door.address
    }

    /// All that it knows; a test may change it as a person or an administrator would.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
