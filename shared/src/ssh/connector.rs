//! Making connections: queue, connect, judge the host key, log in; directly or through a bastion.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use russh::client::{self, Handle};
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::RemoteText;
use super::algorithms::{Use, client_config};
use super::authentication::authenticate;
use super::bastions::Bastions;
use super::error::{Phase, SshError};
use super::gates::{Gates, random_below};
use super::guard::{Fault, Guard, LastWords};
use super::identity::Identity;
use super::lifeline::{Lifeline, Tethered};
use super::session::{Connection, Session};
use super::target::{Bastion, Endpoint, Target};

/// How often a connection that the server dropped before it said a word is tried, in all. No key was shown by then,
/// so this is no second authentication.
const TRIES: u32 = 4;

/// The pause after the first drop is up to this long, after the next twice that, and so on.
const PAUSE: Duration = Duration::from_millis(200);

/// Bytes that are read with what is asked for: most packets are short. Longer ones go where they belong without a stop.
const READ_AHEAD: usize = 2 * 1024;

/// How connections are made.
#[derive(Debug, Clone)]
pub struct ConnectorConfig {
    /// Who we are.
    pub identity: Identity,
    /// Handshakes under way per server address, and per bastion.
    pub per_server: usize,
    /// For [`Phase::Connect`], each try.
    pub connect_timeout: Duration,
    /// For [`Phase::Authenticate`].
    pub authentication_timeout: Duration,
    /// For [`Phase::Channel`].
    pub channel_timeout: Duration,
    /// Silence after which a sign of life is asked for; three without an answer end the connection.
    pub keepalive: Duration,
}

impl ConnectorConfig {
    /// The defaults: 8 handshakes per server, 10 s per phase, keepalive after 15 s.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            per_server: 8,
            connect_timeout: Duration::from_secs(10),
            authentication_timeout: Duration::from_secs(10),
            channel_timeout: Duration::from_secs(10),
            keepalive: Duration::from_secs(15),
        }
    }
}

/// Makes connections, with what they share: queues and bastions. One per program.
#[derive(Debug)]
pub struct Connector {
    config: ConnectorConfig,
    gates: Gates,
    bastions: Bastions,
}

impl Connector {
    /// A connector with nothing connected yet.
    pub fn new(config: ConnectorConfig) -> Self {
        let gates = Gates::new(config.per_server);
        Self { config, gates, bastions: Bastions::default() }
    }

    /// Connects to `target` and logs in. The time in the queue is bounded by nothing but the timeouts of those before.
    pub async fn connect(&self, target: &Target) -> Result<Session, SshError> {
        let connection = match &target.bastion {
            None => self.connect_directly(&target.endpoint, Use::Session).await?,
            Some(bastion) => {
                let shared = self.bastion(bastion).await?;
                let endpoint = &target.endpoint;
                let through = self.connect_through(&shared, &bastion.name, endpoint).await;
                match through {
                    // It died before our handshake began: the next connection to it may live.
                    Err(SshError::Bastion { .. }) if shared.handle.is_closed() => {
                        let shared = self.bastion(bastion).await?;
                        self.connect_through(&shared, &bastion.name, endpoint).await?
                    }
                    through => through?,
                }
            }
        };
        Ok(Session::new(connection))
    }

    async fn bastion(&self, bastion: &Bastion) -> Result<Arc<Connection>, SshError> {
        self.bastions
            .get(bastion, || self.connect_directly(&bastion.endpoint, Use::Bastion))
            .await
            .map_err(|source| SshError::Bastion { name: bastion.name.clone(), source })
    }

    async fn connect_directly(&self, endpoint: &Endpoint, used_as: Use) -> Result<Connection, SshError> {
        let place = self.gates.enter(endpoint.to_string()).await;
        let (mut handle, lifeline, last_words) = self.greet_patiently(endpoint, used_as).await?;
        self.log_in(&mut handle, endpoint, &last_words).await?;
        drop(place);
        Ok(self.connection(handle, lifeline, last_words, None))
    }

    async fn connect_through(
        &self,
        bastion: &Arc<Connection>,
        name: &str,
        endpoint: &Endpoint,
    ) -> Result<Connection, SshError> {
        // In this order everywhere, so that nobody waits for a place while holding one that another waits for.
        let at_server = self.gates.enter(format!("{endpoint} through {name}")).await;
        let at_bastion = self.gates.enter(format!("through {name}")).await;
        let limit = self.config.connect_timeout;
        let greet = async {
            let stream = super::bastions::open(bastion, name, endpoint).await?;
            self.greet(stream, endpoint, Use::Session).await
        };
        let (mut handle, lifeline, last_words) =
            tokio::time::timeout(limit, greet).await.unwrap_or(Err(SshError::ConnectTimeout(limit)))?;
        self.log_in(&mut handle, endpoint, &last_words).await?;
        drop((at_server, at_bastion));
        Ok(self.connection(handle, lifeline, last_words, Some(Arc::clone(bastion))))
    }

    /// TCP and handshake, again after a pause where the server dropped us unheard.
    async fn greet_patiently(
        &self,
        endpoint: &Endpoint,
        used_as: Use,
    ) -> Result<(Handle<Guard>, Lifeline, LastWords), SshError> {
        let limit = self.config.connect_timeout;
        let mut tried = 1;
        loop {
            // A machine that nobody answers for is another matter than one whose sshd does not speak.
            let deadline = Instant::now() + limit;
            let result = match timeout_at(deadline, dial(endpoint)).await {
                Ok(Ok(stream)) => timeout_at(deadline, self.greet(stream, endpoint, used_as))
                    .await
                    .unwrap_or(Err(SshError::ConnectTimeout(limit))),
                Ok(Err(error)) => Err(error),
                Err(_) => Err(unanswered(endpoint, limit)),
            };
            match result {
                Err(SshError::Dropped { .. }) if tried < TRIES => {
                    tokio::time::sleep(random_below(PAUSE * 2_u32.pow(tried - 1))).await;
                    tried += 1;
                }
                result => return result,
            }
        }
    }

    /// The SSH handshake, up to the judgement of the host key.
    async fn greet<S>(
        &self,
        stream: S,
        endpoint: &Endpoint,
        used_as: Use,
    ) -> Result<(Handle<Guard>, Lifeline, LastWords), SshError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let wanted = endpoint.host_keys.wanted(&endpoint.address, endpoint.port);
        let config = Arc::new(client_config(wanted, self.config.keepalive, used_as));
        let last_words = LastWords::default();
        let guard = Guard {
            host: endpoint.address.clone(),
            port: endpoint.port,
            host_keys: Arc::clone(&endpoint.host_keys),
            now: seconds_since_1970(),
            last_words: last_words.clone(),
        };
        // russh asks for the four bytes of a packet's length by themselves.
        let (stream, lifeline) = Tethered::new(BufReader::with_capacity(READ_AHEAD, stream));
        match client::connect_stream(config, stream, guard).await {
            Ok(handle) => Ok((handle, lifeline, last_words)),
            Err(Fault::HostKey(error)) => Err(error.into()),
            Err(Fault::Transport(error)) => {
                let ended = matches!(error, russh::Error::IO(_) | russh::Error::Disconnect | russh::Error::HUP);
                Err(match (ended, lifeline.greeted()) {
                    (true, false) => SshError::Dropped { address: endpoint.to_string() },
                    (true, true) => SshError::Closed { phase: Phase::Connect, said: last_words.get() },
                    (false, _) => {
                        SshError::Protocol { phase: Phase::Connect, detail: RemoteText::new(&error.to_string()) }
                    }
                })
            }
        }
    }

    async fn log_in(
        &self,
        handle: &mut Handle<Guard>,
        endpoint: &Endpoint,
        last_words: &LastWords,
    ) -> Result<(), SshError> {
        let limit = self.config.authentication_timeout;
        let log_in = authenticate(handle, &self.config.identity, &endpoint.user, last_words);
        tokio::time::timeout(limit, log_in).await.unwrap_or(Err(SshError::AuthenticationTimeout(limit)))
    }

    fn connection(
        &self,
        handle: Handle<Guard>,
        lifeline: Lifeline,
        last_words: LastWords,
        bastion: Option<Arc<Connection>>,
    ) -> Connection {
        Connection { handle, last_words, channel_timeout: self.config.channel_timeout, lifeline, _bastion: bastion }
    }
}

async fn dial(endpoint: &Endpoint) -> Result<TcpStream, SshError> {
    let dial = async {
        let stream = TcpStream::connect((endpoint.address.as_str(), endpoint.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    dial.await.map_err(|source| SshError::Unreachable { address: endpoint.to_string(), source: Arc::new(source) })
}

fn unanswered(endpoint: &Endpoint, limit: Duration) -> SshError {
    let said = format!("no answer within {} s", limit.as_secs_f64());
    let source = Arc::new(io::Error::new(io::ErrorKind::TimedOut, said));
    SshError::Unreachable { address: endpoint.to_string(), source }
}

fn seconds_since_1970() -> u64 {
    // A clock before 1970 makes every certificate one that is not valid yet.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
