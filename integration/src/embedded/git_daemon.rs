//! A git server on a loopback port that hands out one repository and takes nothing: `git-upload-pack` works,
//! `git-receive-pack` is refused, as gitprotocol-pack(5) says under "Git Transport". It needs git and nothing else.

use anyhow::Context as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::AbortHandle;

/// Longest first line that is read.
const REQUEST_MAX: usize = 1024;

/// The server. It ends when this is dropped.
#[derive(Debug)]
pub struct GitDaemon {
    /// Where it listens.
    pub address: SocketAddr,
    accepting: AbortHandle,
}

impl GitDaemon {
    /// Serves the bare repositories in `dir`, which need not be there yet.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port on 127.0.0.1")?;
        let address = listener.local_addr()?;
        let dir = dir.to_owned();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let dir = dir.clone();
                // A client that goes away is no concern of the server.
                tokio::spawn(async move { serve(stream, &dir).await.ok() });
            }
        });
        Ok(Self { address, accepting: accepting.abort_handle() })
    }

    /// The URL of the repository `name`.
    pub fn url(&self, name: &str) -> String {
        format!("git://{}/{name}", self.address)
    }
}

impl Drop for GitDaemon {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, dir: &Path) -> anyhow::Result<()> {
    let request = read_packet(&mut stream).await?;
    let Some((repository, protocol)) = readable(&request, dir) else {
        let message = "ERR access denied or repository not exported";
        let packet = format!("{:04x}{message}", message.len() + 4);
        return Ok(stream.write_all(packet.as_bytes()).await?);
    };
    let mut git = Command::new("git")
        .arg("upload-pack")
        .arg("--strict")
        .arg(repository)
        .env("GIT_PROTOCOL", protocol)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (mut to, mut from) = git.stdin.take().zip(git.stdout.take()).context("no pipes")?;
    let (mut reader, mut writer) = stream.split();
    let answering = async { copy(&mut from, &mut writer).await };
    let asking = async {
        let _ = copy(&mut reader, &mut to).await;
        // The end of the questions, not of the answers.
        drop(to);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answered = answering => { answered?; }
        () = asking => {}
    }
    git.wait().await?;
    Ok(())
}

/// One packet: four hex digits of length, themselves included, then the rest.
async fn read_packet(stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = usize::from_str_radix(std::str::from_utf8(&length)?, 16)?;
    anyhow::ensure!((5..=REQUEST_MAX).contains(&length), "not a request");
    let mut packet = vec![0; length - 4];
    stream.read_exact(&mut packet).await?;
    Ok(packet)
}

/// The repository and the protocol version of a request to read; `git-upload-pack /NAME\0host=H\0\0version=2\0`.
fn readable(request: &[u8], dir: &Path) -> Option<(PathBuf, String)> {
    let mut parts = std::str::from_utf8(request).ok()?.split('\0');
    let name = parts.next()?.strip_prefix("git-upload-pack /")?;
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']);
    let protocol = parts.find(|part| part.starts_with("version=")).unwrap_or("").to_owned();
    plain.then(|| (dir.join(name), protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reading_a_repository_right_there_is_served() {
        let dir = Path::new("/srv");
        assert_eq!(
            readable(b"git-upload-pack /canonical.git\0host=127.0.0.1:1\0\0version=2\0", dir),
            Some(("/srv/canonical.git".into(), "version=2".to_owned()))
        );
        assert_eq!(
            readable(b"git-upload-pack /canonical.git\0host=h\0", dir),
            Some(("/srv/canonical.git".into(), String::new()))
        );
        for refused in [
            &b"git-receive-pack /canonical.git\0host=h\0"[..],
            b"git-upload-pack /../etc\0host=h\0",
            b"git-upload-pack /a/b\0host=h\0",
            b"git-upload-pack /..\0host=h\0",
            b"git-upload-pack /\0host=h\0",
            b"git-upload-pack --help\0host=h\0",
            b"\xff\xfe",
        ] {
            assert_eq!(readable(refused, dir), None, "{}", String::from_utf8_lossy(refused));
        }
    }
}
