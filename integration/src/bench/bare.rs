//! The cheapest thing that russh can do: connect, authenticate, run, read. No checks of the answer, no bounds, no
//! parsing. What the observer costs beyond this is its own.

use russh::client::{self, AuthResult};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{ChannelMsg, Disconnect};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

/// What came back.
#[derive(Debug, Default)]
pub struct Heard {
    /// Standard output, in the chunks in which it came.
    pub output: Vec<u8>,
    /// Exit status, if one was sent.
    pub status: Option<u32>,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum Unheard {
    /// The host key is another one.
    #[error("another host key than the declared one")]
    HostKey,
    /// The key was refused.
    #[error("the key was refused")]
    Refused,
    /// Anything else.
    #[error(transparent)]
    Ssh(#[from] russh::Error),
}

/// The algorithms that the observer would agree on with these servers.
pub fn config() -> client::Config {
    client::Config {
        preferred: russh::Preferred {
            kex: Cow::Borrowed(&[russh::kex::CURVE25519]),
            cipher: Cow::Borrowed(&[russh::cipher::AES_128_GCM, russh::cipher::AES_256_GCM]),
            compression: Cow::Borrowed(&[russh::compression::NONE]),
            ..russh::Preferred::default()
        },
        nodelay: true,
        ..client::Config::default()
    }
}

struct Declared(PublicKey);

impl client::Handler for Declared {
    type Error = Unheard;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Unheard> {
        match key {
            PublicKeyOrCertificate::PublicKey { key, .. } if key.key_data() == self.0.key_data() => Ok(true),
            _ => Err(Unheard::HostKey),
        }
    }
}

/// Asks one runner. With `keep`, output is kept, and reading ends when there are so many bytes; without, all is read
/// and nothing is kept.
pub async fn ask(
    address: SocketAddr,
    host_key: &PublicKey,
    key: &Arc<PrivateKey>,
    config: &Arc<client::Config>,
    request: &[u8],
    keep: Option<usize>,
) -> Result<Heard, Unheard> {
    let mut handle = client::connect(Arc::clone(config), address, Declared(host_key.clone())).await?;
    let key = PrivateKeyWithHashAlg::new(Arc::clone(key), None);
    match handle.authenticate_publickey("countersign-observer", key).await? {
        AuthResult::Success => {}
        AuthResult::Failure { .. } => return Err(Unheard::Refused),
    }
    let mut channel = handle.channel_open_session().await?;
    channel.exec(false, "probe").await?;
    channel.data(request).await?;
    channel.eof().await?;
    let mut heard = Heard::default();
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                if let Some(most) = keep {
                    heard.output.extend_from_slice(&data);
                    if heard.output.len() >= most {
                        break;
                    }
                }
            }
            ChannelMsg::ExitStatus { exit_status } => heard.status = Some(exit_status),
            _ => {}
        }
    }
    handle.disconnect(Disconnect::ByApplication, "", "").await?;
    Ok(heard)
}
