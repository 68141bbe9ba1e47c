//! CPU that one host costs the client: connect, log in, run one command with an answer of the size of a package list.
//!
//! `cargo bench -p countersign-shared --features ssh --bench ssh -- [HOSTS]` starts one default sshd on 127.0.0.1 and
//! prints milliseconds of user and system time of this process per host, for a bare russh loop with each key exchange
//! and cipher, and for the code that is shipped. The servers' work is done in other processes and not counted.
#![cfg(feature = "ssh")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may stop at the first surprise, and prints")]

#[path = "../tests/ssh/log.rs"]
mod log;
#[path = "../tests/ssh/sshd.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod sshd;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use countersign_shared::ssh::Limits;
use russh::client::{self, Handler};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{ChannelMsg, Preferred, cipher, kex, server};

use sshd::{Sshd, me};

/// Times that everything is measured.
const BATCHES: u32 = 5;

/// About what 1,846 packages take.
const COMMAND: &str = "head -c 300000 /dev/zero | tr '\\0' 'x' | fold -w 160";

struct AnyKey;

impl Handler for AnyKey {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// User and system time of this process so far.
fn cpu() -> Duration {
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(clock.tv_sec.unsigned_abs(), u32::try_from(clock.tv_nsec).unwrap())
}

/// Prints the least of several batches: what else the machine does only ever adds.
async fn measure<F: Future<Output = ()>>(what: &str, hosts: u32, one: impl Fn() -> F) {
    let mut least = Duration::MAX;
    for _ in 0..BATCHES {
        let begun = cpu();
        for _ in 0..hosts {
            one().await;
        }
        least = least.min((cpu() - begun) / hosts);
    }
    println!("{what:<66} {:>7.3} ms/host", least.as_secs_f64() * 1000.0);
}

async fn bare(sshd: &Sshd, preferred: &Preferred) {
    let config = client::Config { preferred: preferred.clone(), nodelay: true, ..client::Config::default() };
    let mut handle = client::connect(Arc::new(config), ("127.0.0.1", sshd.port), AnyKey).await.unwrap();
    let key = russh::keys::PrivateKey::from_openssh(std::fs::read(&sshd.user_key).unwrap()).unwrap();
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    assert!(handle.authenticate_publickey(me_once(), key).await.unwrap().success());
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, COMMAND).await.unwrap();
    let mut bytes = 0;
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::Data { data } = message {
            bytes += data.len();
        }
    }
    assert!(bytes > 300_000);
}

struct AnyClient;

impl server::Handler for AnyClient {
    type Error = russh::Error;
}

/// A key exchange over memory: sshd may not offer every method.
async fn handshake(sshd: &Sshd, kex: kex::Name) {
    let preferred = Preferred { kex: Cow::Owned(vec![kex]), ..Preferred::DEFAULT };
    let key = russh::keys::PrivateKey::from_openssh(std::fs::read(&sshd.host_key).unwrap()).unwrap();
    let theirs = server::Config { keys: vec![key], preferred: preferred.clone(), ..server::Config::default() };
    let ours = client::Config { preferred, ..client::Config::default() };
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (client, server) = tokio::join!(
        client::connect_stream(Arc::new(ours), near, AnyKey),
        server::run_stream(Arc::new(theirs), far, AnyClient)
    );
    drop((client.unwrap(), server.unwrap()));
}

fn me_once() -> &'static str {
    static ME: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    ME.get_or_init(me)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let hosts: u32 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100);
    me_once();
    let sshd = Sshd::start();
    let (connector, target) = (sshd.connector(), sshd.target());
    measure("Connector and Session", hosts, async || {
        let session = connector.connect(&target).await.unwrap();
        let output = session.exec(COMMAND, b"", Limits::default()).await.unwrap();
        assert!(output.stdout.len() > 300_000);
        session.close().await;
    })
    .await;
    measure("Connector and Session, dropped without a good-bye", hosts, async || {
        let session = connector.connect(&target).await.unwrap();
        let output = session.exec(COMMAND, b"", Limits::default()).await.unwrap();
        assert!(output.stdout.len() > 300_000);
    })
    .await;
    for kex in [kex::CURVE25519, kex::MLKEM768X25519_SHA256, kex::ECDH_SHA2_NISTP256, kex::DH_G14_SHA256] {
        for cipher in [cipher::AES_128_GCM, cipher::AES_256_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR] {
            let preferred =
                Preferred { kex: Cow::Owned(vec![kex]), cipher: Cow::Owned(vec![cipher]), ..Preferred::DEFAULT };
            // OpenSSH before 9.9 has no ML-KEM.
            let offered = client::Config { preferred: preferred.clone(), ..client::Config::default() };
            if client::connect(Arc::new(offered), ("127.0.0.1", sshd.port), AnyKey).await.is_err() {
                println!("bare russh, {}: not offered by this sshd", kex.as_ref());
                break;
            }
            let what = format!("bare russh, {}, {}", kex.as_ref(), cipher.as_ref());
            measure(&what, hosts, || bare(&sshd, &preferred)).await;
        }
    }
    for kex in [kex::CURVE25519, kex::MLKEM768X25519_SHA256] {
        let what = format!("handshake alone, both sides in this process, {}", kex.as_ref());
        measure(&what, hosts * 10, || handshake(&sshd, kex)).await;
    }
    for host_key in ["ed25519", "ecdsa", "rsa"] {
        let sshd = Sshd::with(&sshd::Settings { host_key, ..sshd::Settings::default() });
        let what = format!("bare russh with its defaults, {host_key} host key");
        measure(&what, hosts, || bare(&sshd, &Preferred::DEFAULT)).await;
    }
}
