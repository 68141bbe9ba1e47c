//! The way to the notary: its socket on this machine, or on another one through the person's own ssh.

use crate::config;
use crate::shell::{Shell, cannot_start};
use crate::stop::{Result, Stop};
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest};
use countersign_shared::exit::Outcome;
use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

/// One question.
const PATIENCE: Duration = Duration::from_secs(30);
/// What ssh prints once it is connected and forwards.
const READY: &str = "ready";

/// An open way.
pub(crate) struct Door {
    socket: PathBuf,
    /// Held for as long as the way is used; ssh ends with it.
    _tunnel: Option<Tunnel>,
}

struct Tunnel {
    ssh: Child,
    _dir: tempfile::TempDir,
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.ssh.kill();
        let _ = self.ssh.wait();
    }
}

impl Door {
    /// Opens the way that is configured.
    pub(crate) fn open(shell: &Shell, notary: &config::Notary) -> Result<Self> {
        let Some(host) = &notary.ssh else {
            return Ok(Self { socket: notary.socket.clone(), _tunnel: None });
        };
        let failed = |error: &std::io::Error| Stop::failed("notary", "no way to the notary").because(error.to_string());
        let dir = tempfile::tempdir().map_err(|error| failed(&error))?;
        let socket = dir.path().join("notary.sock");
        let mut forward = OsString::from(&socket);
        forward.push(":");
        forward.push(&notary.socket);
        let fixed = [
            "-N",
            "-T",
            "-o",
            "ExitOnForwardFailure=yes",
            "-o",
            "ControlMaster=no",
            "-o",
            "ControlPath=none",
            "-o",
            "PermitLocalCommand=yes",
            "-o",
            "LocalCommand=echo ready",
            "-L",
        ];
        let mut arguments: Vec<OsString> = fixed.map(OsString::from).to_vec();
        arguments.extend([forward, "--".into(), host.into()]);
        shell.announce(OsStr::new("ssh"), &arguments);
        let mut command = shell.command(OsStr::new("ssh"), &arguments);
        let ssh = command.stderr(Stdio::inherit()).spawn();
        let mut tunnel = Tunnel { ssh: ssh.map_err(|error| cannot_start(OsStr::new("ssh"), &error))?, _dir: dir };
        let mut line = [0; READY.len()];
        let said = tunnel.ssh.stdout.as_mut().map(|stdout| stdout.read_exact(&mut line));
        if !matches!(said, Some(Ok(()))) || line != READY.as_bytes() {
            return Err(Stop::failed("notary", format!("ssh does not lead to the notary on {host}"))
                .hint("`ssh HOST` must work by hand, and its sshd must allow stream forwarding"));
        }
        Ok(Self { socket, _tunnel: Some(tunnel) })
    }

    /// Asks; a refusal stops.
    pub(crate) fn ask(&self, request: &NotaryRequest) -> Result<NotaryAnswer> {
        let answer = countersign_shared::notary::ask(&self.socket, request, PATIENCE).map_err(|error| {
            Stop::of(Outcome::Failed, "notary", &error)
                .hint("[notary] socket, and ssh where it is on another machine, in countersign.toml")
        })?;
        match answer {
            NotaryAnswer::Refused { code, message } => {
                let outcome = if code == "halted" { Outcome::Halted } else { Outcome::Refused };
                Err(Stop::new(outcome, &code, format!("the notary refuses: {message}")))
            }
            answer => Ok(answer),
        }
    }

    /// A fresh nonce, and when it was given.
    pub(crate) fn nonce(&self) -> Result<(String, String)> {
        match self.ask(&NotaryRequest::Nonce {})? {
            NotaryAnswer::Nonce { nonce, issued, .. } => Ok((nonce, issued)),
            _ => Err(Stop::failed("notary", "the notary gave no nonce")),
        }
    }
}
