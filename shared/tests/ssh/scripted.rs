//! SSH servers in this process that misbehave on purpose, at one chosen moment.

use std::future::pending;
use std::sync::Arc;

use countersign_shared::ssh::host_keys::HostKeys;
use countersign_shared::ssh::{Connector, ConnectorConfig, Endpoint, Identity, Target};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, Disconnect, Sig};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::sshd::{Workshop, direct, public};

/// What the server does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Never answers an authentication.
    SilentAuthentication,
    /// Never opens a channel.
    SilentChannel,
    /// Opens no channel.
    RefusesChannels,
    /// Runs nothing.
    RefusesCommands,
    /// Never answers a command.
    SilentCommand,
    /// Closes the channel after some output, without a status.
    NoStatus,
    /// Reports a signal with a name that moves the cursor.
    HostileSignal,
    /// Disconnects during a command, with words that reorder text.
    HostileGoodbye,
    /// Opens channels of every kind towards us, then reports as output how many were accepted.
    OpensChannels,
}

struct Script(Fault);

impl server::Handler for Script {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        if self.0 == Fault::SilentAuthentication {
            pending::<()>().await;
        }
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        match self.0 {
            Fault::SilentChannel => pending().await,
            Fault::RefusesChannels => drop(reply),
            _ => reply.accept().await,
        }
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, _: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        match self.0 {
            Fault::RefusesCommands => session.channel_failure(id)?,
            Fault::NoStatus => {
                session.channel_success(id)?;
                session.data(id, "all is well\n")?;
                session.eof(id)?;
                session.close(id)?;
            }
            Fault::HostileSignal => {
                session.channel_success(id)?;
                session.exit_signal_request(id, Sig::Custom("\x1b[2J".to_owned()), false, "", "")?;
                session.close(id)?;
            }
            Fault::HostileGoodbye => {
                session.channel_success(id)?;
                session.disconnect(Disconnect::ByApplication, "bye\u{202e}\r\n", "")?;
            }
            Fault::OpensChannels => {
                session.channel_success(id)?;
                let handle = session.handle();
                tokio::spawn(async move {
                    let opened = [
                        handle.channel_open_agent().await.is_ok(),
                        handle.channel_open_session().await.is_ok(),
                        handle.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 0).await.is_ok(),
                        handle.channel_open_direct_streamlocal("/run/socket").await.is_ok(),
                        handle.channel_open_forwarded_tcpip("127.0.0.1", 22, "127.0.0.1", 0).await.is_ok(),
                        handle.channel_open_forwarded_streamlocal("/run/socket").await.is_ok(),
                        handle.channel_open_x11("127.0.0.1", 0).await.is_ok(),
                    ];
                    let accepted = opened.iter().filter(|accepted| **accepted).count();
                    let report = format!("{accepted} of {}\n", opened.len());
                    handle.data(id, report).await.unwrap();
                    handle.exit_status_request(id, 0).await.unwrap();
                    handle.close(id).await.unwrap();
                });
            }
            _ => {}
        }
        Ok(())
    }
}

/// A server with one fault, and what a client needs to talk to it.
pub(crate) struct Scripted {
    workshop: Workshop,
    port: u16,
    ended: mpsc::UnboundedReceiver<()>,
}

impl Scripted {
    pub(crate) async fn start(fault: Fault) -> Self {
        let workshop = Workshop::new();
        let host_key = workshop.key("host_key", "ed25519");
        workshop.key("user_key", "ed25519");
        let key = russh::keys::PrivateKey::from_openssh(std::fs::read(&host_key).unwrap()).unwrap();
        let config = Arc::new(server::Config { keys: vec![key], ..server::Config::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (end, ended) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (config, end) = (Arc::clone(&config), end.clone());
                tokio::spawn(async move {
                    if let Ok(session) = server::run_stream(config, stream, Script(fault)).await {
                        let _ = session.await;
                    }
                    let _ = end.send(());
                });
            }
        });
        Self { workshop, port, ended }
    }

    pub(crate) fn config(&self) -> ConnectorConfig {
        ConnectorConfig::new(Identity::from_files(&self.workshop.path("user_key"), None).unwrap())
    }

    pub(crate) fn connector(&self) -> Connector {
        Connector::new(self.config())
    }

    pub(crate) fn target(&self) -> Target {
        let key = public(&self.workshop.path("host_key"));
        direct(Endpoint {
            address: "127.0.0.1".to_owned(),
            port: self.port,
            user: "observer".to_owned(),
            host_keys: Arc::new(HostKeys::new([key.as_str()], None).unwrap()),
        })
    }

    /// Waits until a connection has ended on the server's side.
    pub(crate) async fn until_one_has_ended(&mut self) {
        self.ended.recv().await.unwrap();
    }
}
