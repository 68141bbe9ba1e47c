//! Takes connections: one line each way, each in its own thread, bounded in number, bytes and time. Strangers are told so
//! before anything is read, and who connects too often waits for himself alone.

use crate::desk::{Desk, Point};
use crate::judge::Refusal;
use crate::peer::Peer;
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest};
use countersign_shared::canonical_json;
use countersign_shared::notary::LONGEST_REQUEST;
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Connections of one account at once.
pub const PER_ACCOUNT: usize = 16;
/// Connections of all accounts at once.
pub const AT_ONCE: usize = 128;
/// For the whole of a request, and for its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// For what has come already.
const LAST_LOOK: Duration = Duration::from_millis(1);
/// A request is parsed and judged on it; the default of 2 MiB times [`AT_ONCE`] is for nothing.
const STACK: usize = 512 << 10;
/// The kernel has no descriptors left: others must close theirs first.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Answers until the process ends.
pub fn serve(listener: &UnixListener, desk: &Arc<Desk>) -> io::Error {
    let slots = Slots::default();
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if is_passing(&error) => {
                tracing::error!(error = %error, "a connection was not taken");
                std::thread::sleep(EXHAUSTED);
                continue;
            }
            Err(error) => return error,
        };
        match admit(desk, &slots, &stream) {
            Ok((peer, slot)) => start(Arc::clone(desk), stream, peer, slot),
            Err(refusal) => {
                tracing::warn!(code = refusal.code, message = refusal.message, "turned away");
                turn_away(&stream, refusal);
            }
        }
    }
}

/// What goes away when others close their files, or when a client was faster than we.
fn is_passing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let passing = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::CONNABORTED, Errno::INTR];
    error.raw_os_error().is_some_and(|number| passing.iter().any(|errno| errno.raw_os_error() == number))
}

fn admit(desk: &Desk, slots: &Slots, stream: &UnixStream) -> Result<(Peer, Slot), Refusal> {
    let peer = Peer::of(stream).map_err(|error| Refusal::new("peer", format!("who asks is not known: {error}")))?;
    if !desk.knows(&peer) {
        return Err(Refusal::new("peer", format!("the account with uid {} may not ask", peer.uid)));
    }
    // People who connect too often must not keep the actuator from saying how something ended.
    let reserved = peer.uid == desk.config().actuator_uid;
    let slot = slots.take(peer.uid, reserved);
    slot.map(|slot| (peer, slot)).ok_or_else(|| Refusal::new("busy", "too many connections at once; ask again"))
}

fn start(desk: Arc<Desk>, stream: UnixStream, peer: Peer, slot: Slot) {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || {
        let _slot = slot;
        if let Err(error) = converse(&desk, &stream, &peer) {
            tracing::warn!(uid = peer.uid, error = %error, "the connection broke");
        }
    });
    if let Err(error) = thread {
        tracing::error!(error = %error, "no thread for a connection");
    }
}

fn converse(desk: &Desk, stream: &UnixStream, peer: &Peer) -> io::Result<()> {
    let line = receive(stream, Instant::now() + PATIENCE)?;
    desk.at(Point::Read);
    let answer = match canonical_json::from_bytes::<NotaryRequest>(&line, LONGEST_REQUEST) {
        Ok(request) => desk.answer(peer, request),
        Err(error) => refused(Refusal::new("request", format!("the request cannot be read: {error}"))),
    };
    send(stream, &answer, Instant::now() + PATIENCE)?;
    desk.at(Point::Answered);
    Ok(())
}

/// Up to the newline and whatever came with it; without one, what there was before the end.
fn receive(mut stream: &UnixStream, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut buffer = [0; 8192];
    let mut over = false;
    while !line.contains(&b'\n') && line.len() <= LONGEST_REQUEST {
        if over {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // If the line has come meanwhile, it was this process that was late: one last look.
        let left = left(deadline).ok();
        over = left.is_none();
        stream.set_read_timeout(Some(left.unwrap_or(LAST_LOOK)))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => line.extend_from_slice(&buffer[..read]),
            Err(error) if is_interrupted(&error) => over = false,
            Err(error) => return Err(error),
        }
    }
    Ok(line)
}

fn send(mut stream: &UnixStream, answer: &NotaryAnswer, deadline: Instant) -> io::Result<()> {
    let line = canonical_json::to_bytes(answer).map_err(io::Error::other)?;
    let mut rest = line.as_slice();
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        match stream.write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if is_interrupted(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A process that was stopped and goes on, as a frozen machine does: a socket with a timeout says so, see signal(7).
fn is_interrupted(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
    left.ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// Says why, if that can be said without waiting.
fn turn_away(mut stream: &UnixStream, refusal: Refusal) {
    let line = canonical_json::to_bytes(&refused(refusal)).unwrap_or_default();
    let _ = stream.set_nonblocking(true).and_then(|()| stream.write_all(&line));
}

fn refused(refusal: Refusal) -> NotaryAnswer {
    NotaryAnswer::Refused { code: refusal.code.to_owned(), message: refusal.message }
}

/// Connections in work, by account.
#[derive(Debug, Clone, Default)]
struct Slots(Arc<Mutex<BTreeMap<(bool, u32), usize>>>);

/// One of them; given back when it is dropped.
#[derive(Debug)]
struct Slot {
    all: Slots,
    account: (bool, u32),
}

impl Slots {
    /// A reserved account does not count among all.
    fn take(&self, uid: u32, reserved: bool) -> Option<Slot> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.iter().filter(|((reserved, _), _)| !reserved).map(|(_, count)| count).sum();
        let own = taken.get(&(reserved, uid)).copied().unwrap_or_default();
        if own >= PER_ACCOUNT || (!reserved && all >= AT_ONCE) {
            return None;
        }
        taken.insert((reserved, uid), own + 1);
        Some(Slot { all: self.clone(), account: (reserved, uid) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_wait_for_themselves_alone() {
        let slots = Slots::default();
        let mut held: Vec<Slot> = (0..PER_ACCOUNT).map(|_| slots.take(1, false).unwrap()).collect();
        assert!(slots.take(1, false).is_none());
        assert!(slots.take(2, false).is_some(), "another account");
        held.pop();
        held.push(slots.take(1, false).unwrap());
        for uid in 2..=(AT_ONCE / PER_ACCOUNT) as u32 {
            held.extend((0..PER_ACCOUNT).map(|_| slots.take(uid, false).unwrap()));
        }
        assert!(slots.take(999, false).is_none(), "all are taken");
        assert!(slots.take(986, true).is_some(), "but the actuator's");
        drop(held);
        assert!(slots.0.lock().unwrap().is_empty());
    }
}
