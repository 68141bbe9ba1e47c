//! The embedded fleet in another process, so that its cost is nobody's but its own.

use anyhow::Context as _;
use russh::keys::PublicKey;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// A running fleet. It ends when this is dropped.
#[derive(Debug)]
pub struct Servers {
    child: Child,
    /// Its end is the sign for the fleet to end.
    input: Option<ChildStdin>,
    /// The directory with everything that a client needs.
    pub dir: PathBuf,
}

impl Servers {
    /// Starts `runners` fake runners with `packages` packages each; `program` is `embedded-fleet`.
    pub fn start(program: &Path, dir: &Path, runners: usize, packages: usize) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .arg("--dir")
            .arg(dir)
            .args(["--runners", &runners.to_string(), "--packages", &packages.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("no standard output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        anyhow::ensure!(line.starts_with("ready "), "the embedded fleet did not start");
        Ok(Self { child, input, dir: dir.to_owned() })
    }

    /// `observer.toml` of this fleet.
    pub fn config(&self) -> PathBuf {
        self.dir.join("observer.toml")
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// Who is served in a directory, as `servers.tsv` there says.
pub(super) fn served(dir: &Path) -> anyhow::Result<Vec<(SocketAddr, PublicKey)>> {
    let file = dir.join("servers.tsv");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    text.lines()
        .map(|line| {
            let mut fields = line.split('\t').skip(1);
            let mut field = || fields.next().context("too few fields");
            let ip: IpAddr = field()?.parse()?;
            let port = field()?.parse()?;
            Ok((SocketAddr::new(ip, port), PublicKey::from_openssh(field()?)?))
        })
        .collect()
}
