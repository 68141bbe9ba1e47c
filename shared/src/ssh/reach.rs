//! What a key could do besides running the one program it is for: tried, not assumed.
//!
//! Every attempt is harmless where it is refused, and nearly so where it is granted: a shell or command that really
//! runs prints one line; a listening port is cancelled at once; a granted [`Attempt::SocketListen`] leaves an empty
//! socket file behind, as sshd does not remove it.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelOpenFailure};

use super::RemoteText;
use super::session::{Connection, Session};

/// Bytes of an answer that are kept.
const KEPT_ANSWER: usize = 4 * 1024;

/// How long closing a channel may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Sockets that everyone may connect to on a machine with systemd or D-Bus.
const PUBLIC_SOCKETS: [&str; 2] = ["/run/systemd/journal/stdout", "/run/dbus/system_bus_socket"];

/// SSH_FXP_INIT for version 3 (draft-ietf-secsh-filexfer-02, section 4).
const SFTP_INIT: [u8; 9] = [0, 0, 0, 5, 1, 0, 0, 0, 3];

/// Type byte of SSH_FXP_VERSION, the answer to it.
const SFTP_VERSION: u8 = 2;

/// One thing that a key should not be able to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// A login shell. A forced command answers instead.
    Shell,
    /// A command of our choice. A forced command answers instead.
    Exec,
    /// File transfer. A forced command answers instead.
    Sftp,
    /// A terminal.
    Pty,
    /// An environment variable of ours for the command.
    Environment(String),
    /// A TCP connection from the server to this host and port.
    TcpConnect {
        /// As the server would look it up.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// A TCP port that the server listens on for us, on its loopback address.
    TcpListen,
    /// A connection from the server to one of its own Unix sockets.
    SocketConnect {
        /// The first that opens decides; they should be ones that everyone may connect to.
        paths: Vec<String>,
    },
    /// A Unix socket that the server listens on for us.
    SocketListen {
        /// A path that the account could create.
        path: String,
    },
    /// Use of an SSH agent on our side.
    Agent,
    /// Use of an X11 display on our side.
    X11,
}

impl Attempt {
    /// Everything, against a server that listens on `port`.
    pub fn all(port: u16) -> Vec<Self> {
        vec![
            Self::Shell,
            Self::Exec,
            Self::Sftp,
            Self::Pty,
            Self::Environment("LC_COUNTERSIGN".to_owned()),
            Self::TcpConnect { host: "127.0.0.1".to_owned(), port },
            Self::TcpListen,
            Self::Agent,
            Self::X11,
            Self::SocketListen { path: format!("/tmp/countersign-reach-{}", nonce()) },
            Self::SocketConnect { paths: PUBLIC_SOCKETS.map(str::to_owned).to_vec() },
        ]
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The server said no.
    Refused,
    /// It worked.
    Granted,
    /// Something ran, but not what was asked for: at most the first 4 KiB of what it said. Whoever knows the forced
    /// command can tell whether it was that.
    Answered(Vec<u8>),
    /// Neither proved nor disproved.
    Unknown(RemoteText),
}

impl Session {
    /// Tries everything in `attempts`, one after the other, each for at most `timeout`. What would leave something behind
    /// ([`Attempt::SocketListen`]) is not tried once something else was granted.
    ///
    /// sshd answers a refused [`Attempt::SocketConnect`] in the same way as one to a socket that is not there. It
    /// counts as refused if all three other kinds of forwarding were tried and refused, and as unknown otherwise.
    pub async fn reach(&self, attempts: &[Attempt], timeout: Duration) -> Vec<(Attempt, Finding)> {
        let mut findings = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            let open = findings.iter().any(|(_, finding)| *finding == Finding::Granted);
            if open && matches!(attempt, Attempt::SocketListen { .. }) {
                let why = RemoteText::new("not tried: it would leave a file behind, and the key is too open already");
                findings.push((attempt.clone(), Finding::Unknown(why)));
                continue;
            }
            let finding = tokio::time::timeout(timeout, try_one(self.connection(), attempt))
                .await
                .unwrap_or_else(|_| unknown("no answer in time"));
            findings.push((attempt.clone(), finding));
        }
        settle_sockets(&mut findings);
        findings
    }
}

/// The one answer of sshd that means two things, read in the light of the others.
fn settle_sockets(findings: &mut [(Attempt, Finding)]) {
    let refused = |wanted: fn(&Attempt) -> bool| {
        let mut tried = findings.iter().filter(|(attempt, _)| wanted(attempt)).peekable();
        tried.peek().is_some() && tried.all(|(_, finding)| *finding == Finding::Refused)
    };
    let others_refused = refused(|a| matches!(a, Attempt::TcpConnect { .. }))
        && refused(|a| matches!(a, Attempt::TcpListen))
        && refused(|a| matches!(a, Attempt::SocketListen { .. }));
    for (attempt, finding) in findings {
        if matches!(attempt, Attempt::SocketConnect { .. }) && *finding == no_socket() && others_refused {
            *finding = Finding::Refused;
        }
    }
}

fn no_socket() -> Finding {
    unknown("refused, or no such socket: sshd does not say which")
}

fn unknown(reason: &str) -> Finding {
    Finding::Unknown(RemoteText::new(reason))
}

async fn try_one(connection: &Connection, attempt: &Attempt) -> Finding {
    let handle = &connection.handle;
    match attempt {
        Attempt::TcpConnect { host, port } => {
            let opened = handle.channel_open_direct_tcpip(host, u32::from(*port), "127.0.0.1", 0).await;
            match opened {
                // sshd judges before it connects: a connection that failed was a permitted one.
                Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed)) => Finding::Granted,
                opened => opening(opened).await,
            }
        }
        Attempt::SocketConnect { paths } => {
            for path in paths {
                match handle.channel_open_direct_streamlocal(path).await {
                    Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed)) => {}
                    opened => return opening(opened).await,
                }
            }
            no_socket()
        }
        Attempt::TcpListen => match handle.tcpip_forward("127.0.0.1", 0).await {
            Ok(port) => {
                let _ = handle.cancel_tcpip_forward("127.0.0.1", port).await;
                Finding::Granted
            }
            Err(error) => request_failed(&error),
        },
        Attempt::SocketListen { path } => match handle.streamlocal_forward(path).await {
            Ok(()) => {
                let _ = handle.cancel_streamlocal_forward(path).await;
                Finding::Granted
            }
            Err(error) => request_failed(&error),
        },
        _ => match connection.open().await {
            Ok(mut channel) => {
                let finding = try_on_channel(&mut channel, attempt).await;
                let _ = tokio::time::timeout(FAREWELL, channel.close()).await;
                finding
            }
            Err(error) => unknown(&error.to_string()),
        },
    }
}

/// The attempts that need a session channel.
async fn try_on_channel(channel: &mut Channel<Msg>, attempt: &Attempt) -> Finding {
    let (left, right) = ("countersign-", nonce());
    // What the shell prints is not in what it reads: a program that echoes its input is no shell.
    let print = format!("printf '%s%s\\n' {left} {right}");
    let marker = format!("{left}{right}");
    let asked = match attempt {
        Attempt::Shell => channel.request_shell(true).await,
        Attempt::Exec => channel.exec(true, print.as_str()).await,
        Attempt::Sftp => channel.request_subsystem(true, "sftp").await,
        Attempt::Pty => channel.request_pty(true, "dumb", 80, 24, 0, 0, &[]).await,
        Attempt::Environment(name) => channel.set_env(true, name, "C").await,
        Attempt::Agent => channel.agent_forward(true).await,
        _ => channel.request_x11(true, true, "MIT-MAGIC-COOKIE-1", "00000000000000000000000000000000", 0).await,
    };
    if let Err(error) = asked {
        return unknown(&error.to_string());
    }
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => break,
            Some(ChannelMsg::Failure) => return Finding::Refused,
            Some(ChannelMsg::Close) | None => return unknown("the channel was closed without an answer"),
            Some(_) => {}
        }
    }
    let input = match attempt {
        Attempt::Shell => format!("{print}\nexit\n").into_bytes(),
        Attempt::Exec => Vec::new(),
        Attempt::Sftp => SFTP_INIT.to_vec(),
        _ => return Finding::Granted,
    };
    // sftp-server may take the end of input before it has answered.
    let keep_open = *attempt == Attempt::Sftp;
    if !input.is_empty() && channel.data_bytes(input).await.is_err() || !keep_open && channel.eof().await.is_err() {
        return unknown("the connection was lost");
    }
    let mut answer = Vec::new();
    loop {
        if let Some(finding) = recognise(attempt, &answer, marker.as_bytes()) {
            return finding;
        }
        match channel.wait().await {
            Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. }) => {
                let room = KEPT_ANSWER - answer.len();
                answer.extend_from_slice(&data[..data.len().min(room)]);
                if answer.len() == KEPT_ANSWER {
                    return recognise(attempt, &answer, marker.as_bytes()).unwrap_or(Finding::Answered(answer));
                }
            }
            Some(ChannelMsg::Close) => return Finding::Answered(answer),
            None => return unknown("the connection was lost"),
            Some(_) => {}
        }
    }
}

/// Whether the answer shows that what was asked for did run.
fn recognise(attempt: &Attempt, answer: &[u8], marker: &[u8]) -> Option<Finding> {
    let granted = match attempt {
        Attempt::Sftp => answer.get(..2) == Some(&[0, 0]) && answer.get(4) == Some(&SFTP_VERSION),
        _ => memchr::memmem::find(answer, marker).is_some(),
    };
    granted.then_some(Finding::Granted)
}

async fn opening(opened: Result<Channel<Msg>, russh::Error>) -> Finding {
    match opened {
        Ok(channel) => {
            let _ = tokio::time::timeout(FAREWELL, channel.close()).await;
            Finding::Granted
        }
        Err(russh::Error::ChannelOpenFailure(
            ChannelOpenFailure::AdministrativelyProhibited | ChannelOpenFailure::UnknownChannelType,
        )) => Finding::Refused,
        Err(error) => unknown(&error.to_string()),
    }
}

fn request_failed(error: &russh::Error) -> Finding {
    match error {
        russh::Error::RequestDenied => Finding::Refused,
        error => unknown(&error.to_string()),
    }
}

/// A word that nobody else uses at the same time; not a secret.
fn nonce() -> String {
    format!("{:016x}", RandomState::new().hash_one(0_u8))
}
