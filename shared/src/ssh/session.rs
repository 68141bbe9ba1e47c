//! A connection on which commands can be run.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Disconnect, Sig};

use super::RemoteText;
use super::error::{Phase, SshError};
use super::guard::{Guard, LastWords};
use super::lifeline::Lifeline;
use super::output::{Ended, Exit, Limits, Meter, Output, Sink};

/// How long a good-bye may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// An authenticated connection. It ends when this is dropped.
pub(super) struct Connection {
    pub(super) handle: Handle<Guard>,
    pub(super) last_words: LastWords,
    pub(super) channel_timeout: Duration,
    // Fields are dropped in this order: the bastion must be there for as long as what goes through it.
    pub(super) lifeline: Lifeline,
    pub(super) _bastion: Option<Arc<Connection>>,
}

impl Connection {
    /// Opens a session channel.
    pub(super) async fn open(&self) -> Result<Channel<Msg>, SshError> {
        tokio::time::timeout(self.channel_timeout, self.handle.channel_open_session())
            .await
            .map_err(|_| SshError::ChannelTimeout(self.channel_timeout))?
            .map_err(|error| match error {
                russh::Error::ChannelOpenFailure(reason) => {
                    SshError::ChannelRefused { reason: RemoteText::new(reason.description()) }
                }
                _ => self.closed(Phase::Channel),
            })
    }

    pub(super) fn closed(&self, phase: Phase) -> SshError {
        SshError::Closed { phase, said: self.last_words.get() }
    }
}

/// A conversation with one server.
pub struct Session {
    connection: Connection,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs `command`, gives it `stdin`, and returns what it said. A forced command on the server runs instead of
    /// `command`.
    pub async fn exec(&self, command: &str, stdin: &[u8], limits: Limits) -> Result<Output, SshError> {
        let mut stdout = Vec::new();
        let ended = self.exec_into(command, stdin, limits, &mut stdout).await?;
        Ok(Output { stdout, ended })
    }

    /// The same, with standard output given to `sink` as it comes. After an error what the sink got is half an answer.
    pub async fn exec_into(
        &self,
        command: &str,
        stdin: &[u8],
        limits: Limits,
        sink: &mut (impl Sink + Send),
    ) -> Result<Ended, SshError> {
        let (mut from, to) = self.connection.open().await?.split();
        let run = self.converse(&mut from, &to, command, stdin, limits, sink);
        let result =
            tokio::time::timeout(limits.deadline, run).await.unwrap_or(Err(SshError::RunTimeout(limits.deadline)));
        if result.is_err() {
            // What still comes on this channel is dropped, and the server told not to send it.
            drop(from);
            let _ = tokio::time::timeout(FAREWELL, to.close()).await;
        }
        result
    }

    async fn converse(
        &self,
        from: &mut ChannelReadHalf,
        to: &ChannelWriteHalf<Msg>,
        command: &str,
        stdin: &[u8],
        limits: Limits,
        sink: &mut (impl Sink + Send),
    ) -> Result<Ended, SshError> {
        let feed = async {
            to.exec(true, command).await?;
            if !stdin.is_empty() {
                to.data_bytes(stdin.to_vec()).await?;
            }
            to.eof().await
        };
        tokio::pin!(feed);
        let mut fed = false;
        let mut meter = Meter::new(limits);
        let mut exit = Exit::Unknown;
        let mut closed = false;
        // The end of the output is not the end: the exit status may come after it. Only `None` is.
        loop {
            let message = tokio::select! {
                biased;
                message = from.wait() => message,
                // A failure to send shows as the end of what is received.
                _ = &mut feed, if !fed => {
                    fed = true;
                    continue;
                }
            };
            match message {
                Some(ChannelMsg::Data { data }) => {
                    meter.stdout(&data)?;
                    sink.room(data.len()).await;
                    sink.take(&data);
                }
                Some(ChannelMsg::ExtendedData { data, .. }) => meter.stderr(&data)?,
                Some(ChannelMsg::ExitStatus { exit_status }) => exit = Exit::Status(exit_status),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    exit = Exit::Signal(match signal_name {
                        Sig::Custom(name) => RemoteText::new(&name),
                        known => RemoteText::new(&format!("{known:?}")),
                    });
                }
                Some(ChannelMsg::Failure) => return Err(SshError::ExecRefused),
                Some(ChannelMsg::Close) => closed = true,
                Some(_) => {}
                None if closed => {
                    return Ok(Ended { exit, stderr: meter.stderr, stderr_cut: meter.stderr_cut });
                }
                None => return Err(self.connection.closed(Phase::Run)),
            }
        }
    }

    /// Says good-bye, so that the server's log shows an orderly end. Dropping the session ends it as well.
    pub async fn close(self) {
        let Connection { handle, lifeline, .. } = self.connection;
        let farewell = async {
            let _ = handle.disconnect(Disconnect::ByApplication, "", "").await;
            let _ = handle.await;
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
        drop(lifeline);
    }
}
