//! One question to the notary over its unix socket: one line each way, then the connection ends.
//!
//! An answer counts only if it is of the kind that was asked for, and a token only if it is for exactly what was asked.
//! Whether the notary signed a token is not judged here, and whoever uses one must ask.

use crate::canonical_json::{self, CanonicalError};
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest};
use countersign_manifests_schema::token::Token;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Bytes of the longest request, newline included.
pub const LONGEST_REQUEST: usize = 1 << 20;
/// Bytes of the longest answer, newline included. The state lists all proposals that were ever burned.
pub const LONGEST_ANSWER: usize = 16 << 20;
/// Bytes of the longest token.
const LONGEST_TOKEN: usize = 4096;

/// Why there is no answer. Whether the notary did what was asked is then not known.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// Nobody listens there, or we may not connect.
    #[error("cannot connect to the notary at {}", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to the notary at {} broke", socket.display())]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// No answer in time.
    #[error("the notary at {} did not answer within {seconds} s", socket.display())]
    Late {
        /// The socket.
        socket: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
    /// The request is too large to be sent.
    #[error("the request has {length} bytes; the notary reads {LONGEST_REQUEST}")]
    TooLong {
        /// Bytes of the request.
        length: usize,
    },
    /// The answer cannot be read.
    #[error("the notary's answer cannot be read")]
    Malformed(#[source] CanonicalError),
    /// The answer is for something else.
    #[error("the notary's answer is not for what was asked: {0}")]
    NotAsked(&'static str),
}

/// Asks. A refusal is an answer; a late, broken or malformed answer is an error, and so is one to another question.
pub fn ask(socket: &Path, request: &NotaryRequest, timeout: Duration) -> Result<NotaryAnswer, NotaryError> {
    let deadline = Deadline { end: Instant::now() + timeout, seconds: timeout.as_secs(), socket };
    let line =
        canonical_json::to_bytes(request).map_err(|error| NotaryError::Malformed(CanonicalError::Json(error)))?;
    if line.len() > LONGEST_REQUEST {
        return Err(NotaryError::TooLong { length: line.len() });
    }
    let mut stream = connect(&deadline)?;
    deadline.arm(&stream)?;
    // A refusal may come before all is read; what it says is more than that the pipe broke.
    let sent = stream.write_all(&line).and_then(|()| stream.shutdown(Shutdown::Write));
    let answer = match (receive(&mut stream, &deadline), sent) {
        (Ok(answer), _) => answer,
        (Err(NotaryError::Late { .. }), _) => return Err(deadline.late()),
        (Err(_), Err(source)) => return Err(deadline.broken(source)),
        (Err(error), Ok(())) => return Err(error),
    };
    let answer = canonical_json::from_bytes(&answer, LONGEST_ANSWER).map_err(NotaryError::Malformed)?;
    check(request, &answer)?;
    Ok(answer)
}

/// Whether the answer is one to this request: of its kind, and for a token with every word that was asked for.
pub fn check(request: &NotaryRequest, answer: &NotaryAnswer) -> Result<(), NotaryError> {
    match (request, answer) {
        (_, NotaryAnswer::Refused { .. })
        | (NotaryRequest::Nonce {}, NotaryAnswer::Nonce { .. })
        | (NotaryRequest::State {}, NotaryAnswer::State(_))
        | (
            NotaryRequest::Lease { .. }
            | NotaryRequest::Order { .. }
            | NotaryRequest::Halt { .. }
            | NotaryRequest::Outcome { .. },
            NotaryAnswer::Done {},
        ) => Ok(()),
        (NotaryRequest::Token { proposal, runner, nonce, staged, .. }, NotaryAnswer::Token { token }) => {
            let token: Token =
                canonical_json::from_bytes(token.text.as_bytes(), LONGEST_TOKEN).map_err(NotaryError::Malformed)?;
            let asked = [
                (&token.proposal, proposal, "the token is for another proposal"),
                (&token.runner, runner, "the token is for another runner"),
                (&token.nonce, nonce, "the token is for another staging"),
                (&token.staged, staged, "the token is for another staged set"),
            ];
            match asked.into_iter().find(|(got, wanted, _)| got != wanted) {
                Some((_, _, problem)) => Err(NotaryError::NotAsked(problem)),
                None => Ok(()),
            }
        }
        _ => Err(NotaryError::NotAsked("it is of another kind")),
    }
}

struct Deadline<'a> {
    end: Instant,
    seconds: u64,
    socket: &'a Path,
}

impl Deadline<'_> {
    fn left(&self) -> Option<Duration> {
        self.end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    fn arm(&self, stream: &UnixStream) -> Result<(), NotaryError> {
        let left = self.left().ok_or_else(|| self.late())?;
        let set = stream.set_read_timeout(Some(left)).and_then(|()| stream.set_write_timeout(Some(left)));
        set.map_err(|source| self.broken(source))
    }

    fn late(&self) -> NotaryError {
        NotaryError::Late { socket: self.socket.to_owned(), seconds: self.seconds }
    }

    fn broken(&self, source: io::Error) -> NotaryError {
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.late(),
            _ => NotaryError::Broken { socket: self.socket.to_owned(), source },
        }
    }
}

/// A full backlog makes `connect` wait for ever, and there is nothing to set on a socket that is not there yet.
fn connect(deadline: &Deadline<'_>) -> Result<UnixStream, NotaryError> {
    let (done, connected) = mpsc::channel();
    let path = deadline.socket.to_owned();
    std::thread::spawn(move || done.send(UnixStream::connect(path)));
    match connected.recv_timeout(deadline.left().unwrap_or_default()) {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(source)) => Err(NotaryError::Connect { socket: deadline.socket.to_owned(), source }),
        Err(_) => Err(deadline.late()),
    }
}

fn receive(stream: &mut UnixStream, deadline: &Deadline<'_>) -> Result<Vec<u8>, NotaryError> {
    let mut answer = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        deadline.arm(stream)?;
        match stream.read(&mut buffer) {
            // Half a line does not parse, and no line neither.
            Ok(0) => return Ok(answer),
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Who refuses before having read all of the request closes so; the answer has come.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && answer.ends_with(b"\n") => {
                return Ok(answer);
            }
            Err(source) => return Err(deadline.broken(source)),
        }
        if answer.len() > LONGEST_ANSWER {
            let length = answer.len();
            return Err(NotaryError::Malformed(CanonicalError::TooLong { length, most: LONGEST_ANSWER }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_manifests_schema::bundle::SignedText;
    use countersign_manifests_schema::notary::LedgerHead;
    use countersign_manifests_schema::token::TOKEN_SCHEMA;
    use std::os::unix::net::UnixListener;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn request() -> NotaryRequest {
        NotaryRequest::Token {
            proposal: "a".repeat(64),
            runner: "runner-04".to_owned(),
            nonce: "b".repeat(64),
            staged: "c".repeat(64),
            removals: 1,
            head: LedgerHead { number: 1, sha256: "d".repeat(64) },
        }
    }

    fn token(edit: impl FnOnce(&mut Token)) -> NotaryAnswer {
        let mut token = Token {
            schema: TOKEN_SCHEMA.to_owned(),
            proposal: "a".repeat(64),
            runner: "runner-04".to_owned(),
            nonce: "b".repeat(64),
            staged: "c".repeat(64),
            lease: "e".repeat(64),
            issued: "2026-11-20T03:30:00Z".to_owned(),
            expires: "2026-11-20T03:40:00Z".to_owned(),
        };
        edit(&mut token);
        let text = String::from_utf8(canonical_json::to_bytes(&token).unwrap()).unwrap();
        NotaryAnswer::Token { token: SignedText { text, signature: String::new() } }
    }

    /// What `ask` makes of a server that reads the line and then does this.
    fn against(
        server: impl FnOnce(UnixStream) + Send + 'static,
        timeout: Duration,
    ) -> Result<NotaryAnswer, NotaryError> {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = Vec::new();
            stream.read_to_end(&mut line).unwrap();
            assert_eq!(canonical_json::from_bytes::<NotaryRequest>(&line, LONGEST_REQUEST).unwrap(), request());
            server(stream);
        });
        let answer = ask(&socket, &request(), timeout);
        server.join().unwrap();
        answer
    }

    fn says(bytes: Vec<u8>) -> Result<NotaryAnswer, NotaryError> {
        against(move |mut stream| stream.write_all(&bytes).unwrap(), TIMEOUT)
    }

    #[test]
    fn a_token_counts_only_for_exactly_what_was_asked() {
        let said = |answer: &NotaryAnswer| says(canonical_json::to_bytes(answer).unwrap());
        assert_eq!(said(&token(|_| ())).unwrap(), token(|_| ()));
        let refused = NotaryAnswer::Refused { code: "no-lease".to_owned(), message: "no lease".to_owned() };
        assert_eq!(said(&refused).unwrap(), refused);
        for answer in [
            token(|t| t.proposal = "f".repeat(64)),
            token(|t| t.runner = "runner-05".to_owned()),
            token(|t| t.nonce = "f".repeat(64)),
            token(|t| t.staged = "f".repeat(64)),
            NotaryAnswer::Done {},
        ] {
            assert!(matches!(said(&answer), Err(NotaryError::NotAsked(_))), "{answer:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let whole = canonical_json::to_bytes(&token(|_| ())).unwrap();
        let mut twice = whole.clone();
        twice.extend_from_slice(&whole);
        let half = whole[..whole.len() / 2].to_vec();
        let unended = whole[..whole.len() - 1].to_vec();
        for bytes in [Vec::new(), b"\n".to_vec(), half, unended, twice, vec![b'x'; LONGEST_ANSWER + 1]] {
            let shown = bytes.len();
            let answer = against(
                move |mut stream| {
                    // The reader may have had enough before the end.
                    let _ = stream.write_all(&bytes);
                },
                TIMEOUT,
            );
            assert!(matches!(answer, Err(NotaryError::Malformed(_))), "{shown}: {answer:?}");
        }
    }

    #[test]
    fn a_silent_notary_costs_no_more_than_the_timeout() {
        let (over, wait) = mpsc::channel::<()>();
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = std::thread::spawn(move || {
            let connection = listener.accept();
            let _ = wait.recv();
            drop(connection);
        });
        let answer = ask(&socket, &NotaryRequest::State {}, Duration::from_millis(50));
        assert!(matches!(answer, Err(NotaryError::Late { .. })), "{answer:?}");
        over.send(()).unwrap();
        server.join().unwrap();
        let gone = ask(&dir.path().join("none"), &NotaryRequest::State {}, TIMEOUT);
        assert!(matches!(gone, Err(NotaryError::Connect { .. })), "{gone:?}");
    }

    #[test]
    fn a_request_that_the_notary_would_not_read_is_not_sent() {
        let request = NotaryRequest::Halt { reason: "x".repeat(LONGEST_REQUEST) };
        assert!(matches!(ask(Path::new("/nowhere"), &request, TIMEOUT), Err(NotaryError::TooLong { .. })));
    }
}
