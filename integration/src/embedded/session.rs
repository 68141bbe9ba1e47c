//! One SSH connection to a fake runner. It behaves like sshd with `restrict,command="…"` for the observer's key:
//! whatever is asked for, the probe is run; no terminal, no forwarding of any kind.

use super::fault::Fault;
use super::server::FakeRunner;
use super::warden::FakeWarden;
use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// More than any request has; beyond it the client is cut off.
const REQUEST_LIMIT: usize = 1 << 20;

/// The connection's state.
#[derive(Debug)]
pub(super) struct FakeSession {
    runner: Arc<FakeRunner>,
    keys: Arc<Keys>,
    /// Whether the one who logged in is the actuator.
    actuator: bool,
    channels: HashMap<ChannelId, Running>,
}

/// Who may log in.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) observer: PublicKey,
    pub(super) actuator: Option<PublicKey>,
}

/// One session channel.
#[derive(Debug)]
struct Running {
    channel: Channel<Msg>,
    /// Whether the probe has been started on it.
    started: bool,
    /// What has come on its standard input.
    request: Vec<u8>,
}

impl FakeSession {
    pub(super) fn new(runner: Arc<FakeRunner>, keys: Arc<Keys>) -> Self {
        Self { runner, keys, actuator: false, channels: HashMap::new() }
    }

    fn judge(&self, key: &PublicKey) -> Auth {
        let observer = key.key_data() == self.keys.observer.key_data();
        let actuator = self.is_actuator(key) && self.runner.warden.as_ref().is_some_and(|warden| !warden.is_gone());
        if (observer || actuator) && self.runner.fault != Some(Fault::AuthRefused) {
            Auth::Accept
        } else {
            Auth::reject()
        }
    }

    fn is_actuator(&self, key: &PublicKey) -> bool {
        self.keys.actuator.as_ref().is_some_and(|actuator| actuator.key_data() == key.key_data())
    }

    /// The warden's answer, which may be kept back for as long as it takes.
    fn ask_warden(&self, warden: &FakeWarden, running: Running, session: &Session) {
        let reply = warden.reply(&running.request);
        let (handle, id) = (session.handle(), running.channel.id());
        tokio::spawn(async move {
            if let Some(held) = reply.held {
                while held.exists() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            // Whoever asked may be gone.
            let _ = handle.data(id, reply.bytes).await;
            let _ = handle.exit_status_request(id, 0).await;
            let _ = handle.eof(id).await;
            let _ = handle.close(id).await;
            drop(running.channel);
        });
    }

    fn start_probe(&mut self, id: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        match self.channels.get_mut(&id) {
            Some(running) if !running.started => {
                running.started = true;
                session.channel_success(id)
            }
            _ => session.channel_failure(id),
        }
    }

    /// The request is complete: answer it, in the way of the fault.
    fn answer(&mut self, id: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        let Some(running) = self.channels.remove(&id).filter(|running| running.started) else {
            // What the warden says may still be on its way.
            return if self.actuator { Ok(()) } else { session.close(id) };
        };
        if let (true, Some(warden)) = (self.actuator, &self.runner.warden) {
            self.ask_warden(warden, running, session);
            return Ok(());
        }
        let fault = self.runner.fault;
        let mut status = Some(0);
        match fault {
            Some(Fault::Hang) => return Ok(()),
            Some(Fault::Flood) => {
                tokio::spawn(flood(running.channel));
                return Ok(());
            }
            Some(Fault::Garbage) => session.data(id, garbage())?,
            _ => {
                let answers = self.runner.warden.as_ref().map(|warden| warden.answers());
                let reply = answers.as_ref().unwrap_or(&self.runner.answers).reply(&running.request, fault);
                status = Some(reply.status);
                if fault == Some(Fault::Noise) {
                    session.data(id, "Welcome to fedora 41!\r\nYou have new mail.\n")?;
                }
                let length = reply.parts.iter().map(|part| part.len()).sum();
                let mut left = fault.map_or(length, |fault| fault.cut(length));
                for part in reply.parts {
                    let take = left.min(part.len());
                    left -= take;
                    session.data(id, part.slice(..take))?;
                }
            }
        }
        match fault {
            Some(Fault::Stall(_)) => return Ok(()),
            Some(Fault::Drop(_)) => {
                session.flush()?;
                return Err(russh::Error::Disconnect);
            }
            Some(Fault::ExitStatus) => status = Some(1),
            Some(Fault::NoExitStatus) => status = None,
            _ => {}
        }
        // OpenSSH sends end-of-file and exit status in either order.
        let eof_first = self.runner.name.ends_with(['1', '3', '5', '7', '9']);
        if eof_first {
            session.eof(id)?;
        }
        if let Some(status) = status {
            session.exit_status_request(id, status)?;
        }
        if !eof_first {
            session.eof(id)?;
        }
        session.close(id)
    }
}

impl Handler for FakeSession {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(self.judge(offer.public_key))
    }

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.actuator = self.is_actuator(key.public_key);
        Ok(self.judge(key.public_key))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), Running { channel, started: false, request: Vec::new() });
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host: &str,
        _port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _col_width: u32,
        _row_height: u32,
        _pix_width: u32,
        _pix_height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _x11_auth_protocol: &str,
        _x11_auth_cookie: &str,
        _x11_screen_number: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn agent_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<bool, Self::Error> {
        session.channel_failure(channel)?;
        Ok(false)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        self.start_probe(channel, session)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.start_probe(channel, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.start_probe(channel, session)
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let Some(running) = self.channels.get_mut(&channel) else { return Ok(()) };
        running.request.extend_from_slice(data);
        if running.request.len() > REQUEST_LIMIT {
            return Err(russh::Error::Disconnect);
        }
        // Like the probe, which does not wait for the end of what cannot be a request.
        if running.request.first().is_some_and(|byte| *byte != b'c') {
            return self.answer(channel, session);
        }
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        self.answer(channel, session)
    }
}

/// Neither text nor anything else.
fn garbage() -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(64 << 10)
    .collect()
}

/// Lines without end, as fast as the client takes them.
async fn flood(channel: Channel<Msg>) {
    let lines = "the quick brown fox jumps over the lazy dog\n".repeat(700);
    while channel.data(lines.as_bytes()).await.is_ok() {}
}
