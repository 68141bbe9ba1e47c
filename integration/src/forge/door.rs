//! HTTP/1.1, as far as one client needs it: one request for each connection, bodies with a length.

use super::state::Seen;
use anyhow::Context as _;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs};

/// An answer.
pub(super) enum Reply {
    /// Status, further headers, body (null = none).
    Json(u16, Vec<(String, String)>, Value),
    /// Bytes that need not be HTTP.
    Raw(Vec<u8>),
    /// The connection breaks without a word.
    Nothing,
}

type Answer = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

pub(super) struct Door {
    pub(super) address: SocketAddr,
    pub(super) tls: bool,
    accepting: AbortHandle,
}

impl Door {
    pub(super) async fn open(answer: Answer, tls: Option<TlsAcceptor>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port on 127.0.0.1")?;
        let address = listener.local_addr()?;
        let with_tls = tls.is_some();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, tls) = (Arc::clone(&answer), tls.clone());
                // A client that goes away is no concern of the server.
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => serve(tls.accept(stream).await?, &answer).await,
                        None => serve(stream, &answer).await,
                    }
                });
            }
        });
        Ok(Self { address, tls: with_tls, accepting: accepting.abort_handle() })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The server's side of TLS for a certificate.
pub(super) fn tls(certified: &rcgen::CertifiedKey<rcgen::KeyPair>) -> anyhow::Result<TlsAcceptor> {
    let key = certified.signing_key.serialize_der();
    let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(key).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, answer: &Answer) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    stream.read_line(&mut first).await?;
    let mut words = first.split_whitespace();
    let (method, target) = words.next().zip(words.next()).context("no request line")?;
    let mut seen =
        Seen { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: Value::Null };
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
        if name == "content-length" {
            length = value.parse()?;
        }
        seen.headers.push((name, value));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    if !body.is_empty() {
        seen.body = serde_json::from_slice(&body)?;
    }
    let (status, headers, body) = match answer(&seen) {
        Reply::Json(status, headers, body) => (status, headers, body),
        Reply::Raw(bytes) => return Ok(stream.write_all(&bytes).await?),
        Reply::Nothing => return Ok(()),
    };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut text = format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if !body.is_empty() {
        text.push_str("content-type: application/json\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(&body);
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(())
}
