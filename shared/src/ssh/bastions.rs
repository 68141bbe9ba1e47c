//! One connection per bastion, shared by everything that goes through it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::Msg;
use russh::{ChannelOpenFailure, ChannelStream};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::RemoteText;
use super::error::{Phase, SshError};
use super::session::Connection;
use super::target::{Bastion, Endpoint};

/// For how long a bastion that failed is not tried again: all runners behind it fail with the one failure.
const REST: Duration = Duration::from_secs(5);

/// The connections to all bastions.
#[derive(Default)]
pub(super) struct Bastions {
    slots: Mutex<HashMap<String, Arc<tokio::sync::Mutex<State>>>>,
}

impl fmt::Debug for Bastions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bastions").finish_non_exhaustive()
    }
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Up(Arc<Connection>),
    Down {
        error: Arc<SshError>,
        /// `None`: for good.
        until: Option<Instant>,
    },
}

impl Bastions {
    /// The connection to `bastion`, made by `connect` if there is none or it has died.
    pub(super) async fn get<F>(
        &self,
        bastion: &Bastion,
        connect: impl FnOnce() -> F,
    ) -> Result<Arc<Connection>, Arc<SshError>>
    where
        F: Future<Output = Result<Connection, SshError>>,
    {
        let endpoint = &bastion.endpoint;
        let key = format!("{} {}@{endpoint}", bastion.name, endpoint.user);
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(key).or_default())
        };
        let asked = Instant::now();
        // Held while connecting: whoever comes meanwhile waits for the outcome.
        let mut state = slot.lock().await;
        match &*state {
            State::Up(connection) if !connection.handle.is_closed() => {
                return Ok(Arc::clone(connection));
            }
            State::Down { error, until } if until.is_none_or(|until| asked < until) => {
                return Err(Arc::clone(error));
            }
            _ => {}
        }
        match connect().await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *state = State::Up(Arc::clone(&connection));
                Ok(connection)
            }
            Err(error) => {
                let error = Arc::new(error);
                *state =
                    State::Down { error: Arc::clone(&error), until: may_pass(&error).then(|| Instant::now() + REST) };
                Err(error)
            }
        }
    }
}

/// Whether the next try may have another outcome. A key that was refused once is not shown again.
fn may_pass(error: &SshError) -> bool {
    !matches!(error.code(), "auth" | "host-key")
}

/// Opens a stream through the bastion to `endpoint`.
pub(super) async fn open(
    bastion: &Arc<Connection>,
    name: &str,
    endpoint: &Endpoint,
) -> Result<ChannelStream<Msg>, SshError> {
    let (hand_over, opened) = oneshot::channel();
    let (address, port) = (endpoint.address.clone(), u32::from(endpoint.port));
    let shared = Arc::clone(bastion);
    // In a task of its own: if we give up meanwhile, the channel that opens too late must still be closed.
    tokio::spawn(async move {
        let result = shared.handle.channel_open_direct_tcpip(address, port, "127.0.0.1", 0).await;
        if let Err(Ok(too_late)) = hand_over.send(result) {
            let _ = too_late.close().await;
        }
    });
    let lost = || SshError::Bastion { name: name.to_owned(), source: Arc::new(bastion.closed(Phase::Channel)) };
    match opened.await {
        Ok(Ok(channel)) => Ok(channel.into_stream()),
        Ok(Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed))) => {
            Err(SshError::UnreachableFromBastion {
                address: endpoint.to_string(),
                reason: RemoteText::new(ChannelOpenFailure::ConnectFailed.description()),
            })
        }
        Ok(Err(russh::Error::ChannelOpenFailure(reason))) => {
            Err(SshError::BastionRefused { name: name.to_owned(), reason: RemoteText::new(reason.description()) })
        }
        Ok(Err(_)) | Err(_) => Err(lost()),
    }
}
