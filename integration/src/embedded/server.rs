//! Listeners on loopback addresses: one fake runner behind each.
//!
//! Every runner has its own address in 127.0.0.0/8 and all have one port, so that a client sees as many servers as
//! there are runners. Where only 127.0.0.1 exists, every runner has its own port there.

use super::answer::FakeAnswers;
use super::fault::Fault;
use super::session::{FakeSession, Keys};
use super::warden::FakeWarden;
use anyhow::Context as _;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{PrivateKey, PublicKey};
use sha2::{Digest, Sha256};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A runner to be served.
#[derive(Debug, Clone)]
pub struct FakeRunner {
    /// Its name in `fleet.toml`.
    pub name: String,
    /// What its probe says; many runners may share one.
    pub answers: FakeAnswers,
    /// What goes wrong.
    pub fault: Option<Fault>,
    /// The fake warden, if it has one; its machine is then the runner's.
    pub warden: Option<Arc<FakeWarden>>,
}

/// A runner that is being served.
#[derive(Debug, Clone)]
pub struct Served {
    /// Its name in `fleet.toml`.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// The host key to be declared: with [`Fault::WrongHostKey`] not the one that it has.
    pub host_key: PublicKey,
}

/// A fleet of in-process SSH servers. They end when this is dropped.
#[derive(Debug)]
pub struct FakeFleet {
    /// In the order in which they were given.
    pub runners: Vec<Served>,
    tasks: JoinSet<()>,
}

impl FakeFleet {
    /// Starts all servers; they let `observer_key` in, for any user name, and give it the fake probe and nothing else.
    pub async fn start(runners: Vec<FakeRunner>, observer_key: PublicKey) -> anyhow::Result<Self> {
        Self::start_for(runners, observer_key, None).await
    }

    /// The same; `actuator_key` gets the fake warden and nothing else, where there is one.
    pub async fn start_for(
        runners: Vec<FakeRunner>,
        observer_key: PublicKey,
        actuator_key: Option<PublicKey>,
    ) -> anyhow::Result<Self> {
        raise_open_files();
        let listeners = listen(runners.len()).await?;
        let keys = Arc::new(Keys { observer: observer_key, actuator: actuator_key });
        let mut fleet = Self { runners: Vec::with_capacity(runners.len()), tasks: JoinSet::new() };
        for (runner, listener) in runners.into_iter().zip(listeners) {
            let address = listener.local_addr()?;
            let declared = key_of(&format!("host key of {}", runner.name));
            fleet.runners.push(Served { name: runner.name.clone(), address, host_key: declared.public_key().clone() });
            if runner.fault == Some(Fault::Refuse) {
                drop(listener);
                continue;
            }
            let key = match runner.fault {
                Some(Fault::WrongHostKey) => key_of(&format!("another host key of {}", runner.name)),
                _ => declared,
            };
            let config = Arc::new(russh::server::Config {
                keys: vec![key],
                auth_rejection_time: Duration::ZERO,
                nodelay: true,
                inactivity_timeout: None,
                ..russh::server::Config::default()
            });
            fleet.tasks.spawn(serve(listener, config, Arc::new(runner), Arc::clone(&keys)));
        }
        Ok(fleet)
    }

    /// Ends as soon as one server has ended, which none should.
    pub async fn ended(&mut self) {
        self.tasks.join_next().await;
    }
}

/// An ed25519 key that is the same in every run: fit for a fake, unfit for anything else.
pub fn key_of(seed: &str) -> PrivateKey {
    let seed: [u8; 32] = Sha256::digest(seed).into();
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed)), "embedded fleet")
        .expect("NOTE: an ed25519 key can be made from any 32 bytes")
}

async fn listen(count: usize) -> anyhow::Result<Vec<TcpListener>> {
    const ATTEMPTS: u32 = 20;
    for _ in 0..ATTEMPTS {
        if let Some(listeners) = listen_on_own_addresses(count).await {
            return Ok(listeners);
        }
    }
    let mut listeners = Vec::with_capacity(count);
    for _ in 0..count {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port on 127.0.0.1")?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// `None` when an address does not exist here or the port is taken on one of them.
async fn listen_on_own_addresses(count: usize) -> Option<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::with_capacity(count);
    let mut port = 0;
    for index in 0..u32::try_from(count).ok()? {
        // 127.84.0.1 ... 127.84.0.250, 127.84.1.1 ...: far from 127.0.0.1, where other programs listen.
        let [_, _, high, low] = (index / 250).to_be_bytes();
        let last = u8::try_from(index % 250).ok()? + 1;
        let address = Ipv4Addr::new(127, 84 + high, low, last);
        let listener = TcpListener::bind((address, port)).await.ok()?;
        port = listener.local_addr().ok()?.port();
        listeners.push(listener);
    }
    Some(listeners)
}

async fn serve(listener: TcpListener, config: Arc<russh::server::Config>, runner: Arc<FakeRunner>, keys: Arc<Keys>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files: the next connection may find one.
            tokio::task::yield_now().await;
            continue;
        };
        let session = FakeSession::new(Arc::clone(&runner), Arc::clone(&keys));
        tokio::spawn(connection(stream, Arc::clone(&config), runner.fault, session));
    }
}

/// Ends with the client's connection; how it ends is the client's business.
async fn connection(
    mut stream: TcpStream,
    config: Arc<russh::server::Config>,
    fault: Option<Fault>,
    session: FakeSession,
) {
    match fault {
        Some(Fault::Silent) => {
            let _ = copy(&mut stream, &mut sink()).await;
        }
        Some(Fault::NotSsh) => {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
        _ => {
            let _ = stream.set_nodelay(true);
            if let Ok(running) = russh::server::run_stream(config, stream, session).await {
                let _ = running.await;
            }
        }
    }
}

/// As many open files as the hard limit allows: 10,000 listeners and their connections need them.
pub fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays at {:?}", limit.current);
    }
}
