//! A stream that ends when its owner goes away.
//!
//! russh runs every connection in a task of its own. While a key exchange is under way that task looks at nothing but
//! the network: after a timeout it would stay for as long as the server keeps the connection open. With a lifeline the
//! task sees the end of the stream as soon as the [`Lifeline`] is dropped.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// Dropping it ends the stream that it was made with.
#[derive(Debug)]
pub(super) struct Lifeline {
    _held: oneshot::Sender<()>,
    greeted: Arc<AtomicBool>,
}

impl Lifeline {
    /// Whether the first bytes that came were those of an SSH server.
    pub(super) fn greeted(&self) -> bool {
        self.greeted.load(Ordering::Relaxed)
    }
}

/// A stream that ends with its [`Lifeline`].
#[derive(Debug)]
pub(super) struct Tethered<S> {
    stream: S,
    cut: oneshot::Receiver<()>,
    greeted: Arc<AtomicBool>,
    /// Whether something has been read, and so `greeted` is settled.
    heard: bool,
}

impl<S> Tethered<S> {
    pub(super) fn new(stream: S) -> (Self, Lifeline) {
        let (held, cut) = oneshot::channel();
        let greeted = Arc::new(AtomicBool::new(false));
        let tethered = Self { stream, cut, greeted: Arc::clone(&greeted), heard: false };
        let lifeline = Lifeline { _held: held, greeted };
        (tethered, lifeline)
    }

    /// Also makes sure that the task wakes when the line is cut. Reading and writing are polled by one task only.
    fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        // A receiver that has answered once must not be polled again.
        self.cut.is_terminated() || Pin::new(&mut self.cut).poll(cx).is_ready()
    }
}

fn aborted() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "given up on our side")
}

impl<S: AsyncRead + Unpin> AsyncRead for Tethered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_cut(cx) {
            return Poll::Ready(Err(aborted()));
        }
        if self.heard {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.heard = true;
        let greeted = buf.filled()[before..].starts_with(b"SSH-");
        self.greeted.store(greeted, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tethered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_cut(cx) {
            return Poll::Ready(Err(aborted()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut(cx) {
            return Poll::Ready(Err(aborted()));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
