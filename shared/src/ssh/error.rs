//! What can go wrong between us and a runner, one variant per situation.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::RemoteText;
use super::host_keys::HostKeyError;
use super::identity::IdentityError;

/// The phases of a conversation, each with its own timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Name lookup, TCP, version exchange, key exchange, judgement of the host key.
    Connect,
    /// Proving who we are.
    Authenticate,
    /// Opening a channel.
    Channel,
    /// From the request to run a command to its last byte.
    Run,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Authenticate => "authenticating",
            Self::Channel => "opening a channel",
            Self::Run => "running the command",
        })
    }
}

/// Which bound a command's output broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Standard output and standard error together, in bytes.
    Bytes,
    /// Lines of standard output.
    Lines,
    /// Bytes in one line of standard output.
    LineBytes,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::Lines => "lines",
            Self::LineBytes => "bytes in one line",
        })
    }
}

/// Why a conversation with a server failed. Clones share their sources: one broken bastion fails many runners.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SshError {
    /// No TCP connection, in time or at all.
    #[error("{address} cannot be reached")]
    Unreachable {
        /// Host and port as configured.
        address: String,
        /// What the network said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The bastion could not reach the server.
    #[error("{address} cannot be reached from the bastion: {reason}")]
    UnreachableFromBastion {
        /// Host and port as configured.
        address: String,
        /// What the bastion said.
        reason: RemoteText,
    },
    /// The server closed the connection before it said that it speaks SSH, as sshd does when `MaxStartups` is reached.
    #[error("{address} closed the connection before the SSH handshake")]
    Dropped {
        /// Host and port as configured.
        address: String,
    },
    /// The host key is not one that people vouched for.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    /// Our own key, certificate or agent cannot be used.
    #[error(transparent)]
    Identity(#[from] Arc<IdentityError>),
    /// The server does not accept our key for this user.
    #[error("the server refused {key} for user {user}")]
    AuthenticationRefused {
        /// The user name that was asked for.
        user: String,
        /// Fingerprint of the key.
        key: String,
    },
    /// The server wants a second factor after our key.
    #[error("the server accepted the key for user {user} but wants another method as well")]
    AuthenticationPartial {
        /// The user name that was asked for.
        user: String,
    },
    /// [`Phase::Connect`] took too long. Without a bastion, something took the TCP connection.
    #[error("no SSH handshake within {}", Seconds(*.0))]
    ConnectTimeout(Duration),
    /// [`Phase::Authenticate`] took too long.
    #[error("no answer to the authentication within {}", Seconds(*.0))]
    AuthenticationTimeout(Duration),
    /// [`Phase::Channel`] took too long.
    #[error("no channel within {}", Seconds(*.0))]
    ChannelTimeout(Duration),
    /// [`Phase::Run`] took too long.
    #[error("the command did not end within {}", Seconds(*.0))]
    RunTimeout(Duration),
    /// What came is not SSH as it should be.
    #[error("{detail} while {phase}")]
    Protocol {
        /// When it happened.
        phase: Phase,
        /// What was wrong, in the words of the SSH library.
        detail: RemoteText,
    },
    /// The connection ended too early.
    #[error("the connection was lost while {phase}{}", Reason(said))]
    Closed {
        /// When it happened.
        phase: Phase,
        /// What the server said last, if it said something.
        said: RemoteText,
    },
    /// The server opens no channel.
    #[error("the server refused a channel: {reason}")]
    ChannelRefused {
        /// What the server said.
        reason: RemoteText,
    },
    /// The server opened a channel but does not run the command.
    #[error("the server refused to run the command")]
    ExecRefused,
    /// The command sent more than it may.
    #[error("the command sent more than {limit} {bound}")]
    TooMuchOutput {
        /// Which bound.
        bound: Bound,
        /// Its value.
        limit: u64,
    },
    /// The way to the runner is broken, not the runner.
    #[error("bastion {name} cannot be used")]
    Bastion {
        /// Its name in fleet.toml.
        name: String,
        /// Why.
        #[source]
        source: Arc<SshError>,
    },
    /// The bastion does not let us through to the runner.
    #[error("bastion {name} does not forward connections for us: {reason}")]
    BastionRefused {
        /// Its name in fleet.toml.
        name: String,
        /// What the bastion said.
        reason: RemoteText,
    },
}

impl SshError {
    /// A stable word for machines; the message is for people.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::UnreachableFromBastion { .. } | Self::Dropped { .. } => "unreachable",
            Self::HostKey(_) => "host-key",
            Self::Identity(_) | Self::AuthenticationRefused { .. } | Self::AuthenticationPartial { .. } => "auth",
            Self::ConnectTimeout(_)
            | Self::AuthenticationTimeout(_)
            | Self::ChannelTimeout(_)
            | Self::RunTimeout(_) => "timeout",
            Self::Protocol { .. } => "protocol",
            Self::Closed { .. } => "closed",
            Self::ChannelRefused { .. } => "channel-refused",
            Self::ExecRefused => "exec-refused",
            Self::TooMuchOutput { .. } => "too-much-output",
            Self::Bastion { .. } | Self::BastionRefused { .. } => "bastion",
        }
    }

    /// What a person can do about it, where there is something to say.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::HostKey(error) => error.hint(),
            Self::Identity(error) => error.hint(),
            Self::Bastion { source, .. } => return source.hint(),
            Self::Unreachable { .. } | Self::UnreachableFromBastion { .. } => {
                "check address and port in fleet.toml, and that sshd runs there"
            }
            Self::Dropped { .. } => {
                "sshd drops connections beyond its MaxStartups and refuses penalised addresses: \
                 lower per_server, or look at what else connects to it"
            }
            Self::AuthenticationRefused { .. } => {
                "check that the key is in the account's AuthorizedKeysFile; `enroll` prints what must be there"
            }
            Self::AuthenticationPartial { .. } => {
                "let the account log in with its key alone (AuthenticationMethods publickey)"
            }
            Self::ConnectTimeout(_) | Self::AuthenticationTimeout(_) | Self::ChannelTimeout(_) => {
                "the machine answers too slowly or not at all; connect_timeout is in [ssh]"
            }
            Self::RunTimeout(_) => "see what hangs on the machine; run_timeout is in [ssh]",
            Self::BastionRefused { .. } => {
                "the account on the bastion needs port forwarding (AllowTcpForwarding, no `restrict` without `port-forwarding`)"
            }
            Self::Protocol { .. }
            | Self::Closed { .. }
            | Self::ChannelRefused { .. }
            | Self::ExecRefused
            | Self::TooMuchOutput { .. } => return None,
        })
    }
}

/// A duration without needless digits.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

/// `: text`, or nothing.
struct Reason<'a>(&'a RemoteText);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.0)
    }
}
