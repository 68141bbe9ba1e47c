//! Our side of what a server may start: it may prove its host key and say good-bye. Everything else is refused.

use std::sync::{Arc, Mutex, PoisonError};

use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelId};

use super::RemoteText;
use super::host_keys::{HostKeyError, HostKeys, Offered};

/// What the server said last; shared with the session, which outlives the connection.
#[derive(Debug, Clone, Default)]
pub(super) struct LastWords(Arc<Mutex<RemoteText>>);

impl LastWords {
    pub(super) fn get(&self) -> RemoteText {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, text: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = RemoteText::new(text);
    }
}

/// Judges the host key of one server and refuses every channel that the server wants to open.
pub(super) struct Guard {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) host_keys: Arc<HostKeys>,
    /// Seconds since 1970.
    pub(super) now: u64,
    pub(super) last_words: LastWords,
}

/// Why a connection ended before it was one.
#[derive(Debug)]
pub(super) enum Fault {
    HostKey(HostKeyError),
    Transport(russh::Error),
}

impl From<russh::Error> for Fault {
    fn from(error: russh::Error) -> Self {
        Self::Transport(error)
    }
}

// The defaults of this trait accept channels. They are all spelled out here: dropping the reply refuses.
impl Handler for Guard {
    type Error = Fault;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, Fault> {
        let offered = match offered {
            PublicKeyOrCertificate::PublicKey { key, .. } => Offered::Key(key.key_data()),
            PublicKeyOrCertificate::Certificate(certificate) => Offered::Certificate(certificate),
        };
        self.host_keys.judge(&self.host, self.port, offered, self.now).map(|_| true).map_err(Fault::HostKey)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Fault>) -> Result<(), Fault> {
        match reason {
            DisconnectReason::ReceivedDisconnect(said) => {
                self.last_words.set(&said.message);
                Ok(())
            }
            DisconnectReason::Error(fault) => {
                if let Fault::Transport(error) = &fault
                    && !matches!(error, russh::Error::HUP | russh::Error::Disconnect)
                {
                    self.last_words.set(&error.to_string());
                }
                Err(fault)
            }
        }
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _refused: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _refused: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _refused: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Ok(())
    }

    async fn should_accept_unknown_server_channel(&mut self, _: ChannelId, _: &str) -> bool {
        false
    }

    async fn server_channel_open_unknown(
        &mut self,
        _: Channel<Msg>,
        _refused: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _refused: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _refused: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _refused: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _refused: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Ok(())
    }
}
