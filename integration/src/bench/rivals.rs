//! Other ways of asking the same servers the same question. None of them judges, bounds, parses or stores the answer.

use super::bare;
use super::measure::{Cost, cost_of};
use super::servers::served;
use crate::embedded::site::observer_key;
use anyhow::Context as _;
use countersign_shared::ssh::host_keys::HostKeys;
use countersign_shared::ssh::{Connector, ConnectorConfig, Endpoint, Identity, Limits, Target};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tokio::task::JoinSet;

/// First argument of this program when it is the bare russh loop.
pub(super) const BARE: &str = "bare";
/// First argument of this program when it is the loop over the observer's own SSH session.
pub(super) const SESSION: &str = "session";

/// One `ssh` after the other, as a shell script would.
const SSH_LOOP: &str = r#"
cd "$1" || exit 1
while IFS="	" read -r name ip port key; do
    ssh -F none -i keys/runners_observe -p "$port" -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none \
        -o KexAlgorithms=curve25519-sha256 -o UserKnownHostsFile=known_hosts -o GlobalKnownHostsFile=none \
        countersign-observer@"$ip" probe <request >/dev/null || exit 1
done <servers.tsv
"#;

/// asyncssh with as many connections at once as the observer.
const ASYNCSSH: &str = r#"
import asyncio, sys, asyncssh

async def main(folder, parallel):
    servers = [line.rstrip("\n").split("\t") for line in open(folder + "/servers.tsv")]
    request = open(folder + "/request").read()
    key = asyncssh.read_private_key(folder + "/keys/runners_observe")
    places = asyncio.Semaphore(parallel)

    async def ask(ip, port, host_key):
        async with places:
            known = ([asyncssh.import_public_key(host_key)], [], [])
            async with asyncssh.connect(ip, int(port), username="countersign-observer", client_keys=[key],
                                        known_hosts=known, config=None, agent_path=None,
                                        kex_algs=["curve25519-sha256"]) as connection:
                answer = await connection.run("probe", input=request, check=True)
                assert len(answer.stdout) > 1000

    await asyncio.gather(*(ask(*server[1:]) for server in servers))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"#;

/// Why there is no figure for one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Absent(pub(super) &'static str);

/// `ssh` in a loop over the first servers of `dir`.
pub(super) fn ssh_loop(dir: &Path) -> anyhow::Result<Result<Cost, Absent>> {
    if !runs("ssh", &["-V"]) {
        return Ok(Err(Absent("there is no ssh on this machine")));
    }
    let known = served(dir)?.iter().try_fold(String::new(), |mut text, (address, key)| {
        writeln!(text, "[{}]:{} {}", address.ip(), address.port(), key.to_openssh()?)?;
        anyhow::Ok(text)
    })?;
    std::fs::write(dir.join("known_hosts"), known)?;
    let cost = cost_of("sh", &["-c".into(), SSH_LOOP.into(), "sh".into(), dir.into()])?;
    checked(cost, "ssh in a loop").map(Ok)
}

/// asyncssh over all servers of `dir`, with the Python named by `COUNTERSIGN_BENCH_PYTHON` or `python3`.
pub(super) fn asyncssh(dir: &Path, parallel: usize) -> anyhow::Result<Result<Cost, Absent>> {
    let python = std::env::var("COUNTERSIGN_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if !runs(&python, &["-c", "import asyncssh"]) {
        return Ok(Err(Absent("python3 has no asyncssh here (pip install asyncssh)")));
    }
    let parallel = parallel.to_string();
    let cost = cost_of(&python, &["-c".into(), ASYNCSSH.into(), dir.into(), parallel.into()])?;
    checked(cost, "asyncssh").map(Ok)
}

/// A loop in a process of its own over all servers of `dir`: [`BARE`] or [`SESSION`].
pub(super) fn russh_loop(kind: &str, dir: &Path, parallel: usize) -> anyhow::Result<Cost> {
    let program = std::env::current_exe()?;
    let arguments: [OsString; 3] = [kind.into(), dir.into(), parallel.to_string().into()];
    let cost = cost_of(program.to_str().context("a path that is not UTF-8")?, &arguments)?;
    checked(cost, kind)
}

fn checked(cost: Cost, what: &str) -> anyhow::Result<Cost> {
    anyhow::ensure!(cost.status == Some(0), "{what} ended with {:?}", cost.status);
    Ok(cost)
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The process of a loop: `dir parallel`.
pub(super) fn main(kind: &str, arguments: &[OsString]) -> anyhow::Result<()> {
    let [dir, parallel] = arguments else { anyhow::bail!("a directory and a number") };
    let parallel: usize = parallel.to_str().context("not a number")?.parse()?;
    crate::embedded::server::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match kind {
        BARE => runtime.block_on(bare_loop(Path::new(dir), parallel)),
        _ => runtime.block_on(session_loop(Path::new(dir), parallel)),
    }
}

async fn bare_loop(dir: &Path, parallel: usize) -> anyhow::Result<()> {
    let request: Arc<[u8]> = std::fs::read(dir.join("request"))?.into();
    let key = Arc::new(observer_key());
    let config = Arc::new(bare::config());
    let mut running = JoinSet::new();
    for (address, host_key) in served(dir)? {
        if running.len() >= parallel {
            done(running.join_next().await)?;
        }
        let (key, config, request) = (Arc::clone(&key), Arc::clone(&config), Arc::clone(&request));
        running.spawn(async move {
            let heard = bare::ask(address, &host_key, &key, &config, &request, None).await?;
            Ok(heard.status == Some(0))
        });
    }
    while let Some(joined) = running.join_next().await {
        done(Some(joined))?;
    }
    Ok(())
}

async fn session_loop(dir: &Path, parallel: usize) -> anyhow::Result<()> {
    let request: Arc<[u8]> = std::fs::read(dir.join("request"))?.into();
    let identity = Identity::from_files(&dir.join("keys/runners_observe"), None)?;
    let connector = Arc::new(Connector::new(ConnectorConfig::new(identity)));
    let mut running = JoinSet::new();
    for (address, host_key) in served(dir)? {
        if running.len() >= parallel {
            done(running.join_next().await)?;
        }
        let (connector, request) = (Arc::clone(&connector), Arc::clone(&request));
        running.spawn(async move {
            let host_key = host_key.to_openssh()?;
            let endpoint = Endpoint {
                address: address.ip().to_string(),
                port: address.port(),
                user: "countersign-observer".to_owned(),
                host_keys: Arc::new(HostKeys::new([host_key.as_str()], None)?),
            };
            let target = Target { name: endpoint.to_string(), endpoint, bastion: None };
            let session = connector.connect(&target).await?;
            let output = session.exec("probe", &request, Limits::default()).await?;
            session.close().await;
            Ok(output.ended.exit.is_success())
        });
    }
    while let Some(joined) = running.join_next().await {
        done(Some(joined))?;
    }
    Ok(())
}

fn done(joined: Option<Result<anyhow::Result<bool>, tokio::task::JoinError>>) -> anyhow::Result<()> {
    if let Some(joined) = joined {
        anyhow::ensure!(joined??, "a probe did not end with 0");
    }
    Ok(())
}
