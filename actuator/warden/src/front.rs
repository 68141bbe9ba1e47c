//! The forced command: takes the request in, hands it to a worker, and gives the worker's answer out. It may die with
//! the connection; the worker does not.

use crate::refused::Refused;
use countersign_manifests_schema::warden::WardenAnswer;
use countersign_shared::warden::{self, HEADER_MAX, REQUEST_MAGIC, REQUEST_MAX};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Time for a whole request.
const LIMIT: Duration = Duration::from_secs(60);

/// Serves one request. Whether an answer went out.
pub(crate) fn serve() -> bool {
    let answer = match take_in() {
        Ok(request) => hand_over(request).unwrap_or_else(|error| refused(&error)),
        Err(error) => refused(&error),
    };
    let mut out = io::stdout().lock();
    out.write_all(&answer).and_then(|()| out.flush()).is_ok()
}

fn refused(error: &io::Error) -> Vec<u8> {
    warden::answer(&WardenAnswer::from(Refused::because("request", error)))
}

/// Everything until the end of stdin, bounded in bytes and time.
fn take_in() -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + LIMIT;
    let stdin = io::stdin();
    let mut stdin = stdin.lock();
    let mut bytes = Vec::new();
    let mut part = vec![0; 65536];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(io::Error::other(format!("the request did not end within {} s", LIMIT.as_secs()))),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let count = stdin.read(&mut part)?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&part[..count]);
        // What cannot be a request is answered at once: its sender may wait for a word before it ends.
        let known = bytes.len().min(REQUEST_MAGIC.len());
        if bytes[..known] != REQUEST_MAGIC.as_bytes()[..known] {
            return Ok(bytes);
        }
        if bytes.len() > HEADER_MAX + REQUEST_MAX {
            return Err(io::Error::other(format!("more than {REQUEST_MAX} bytes")));
        }
    }
}

fn hand_over(request: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut input = File::from(memfd_create("request", MemfdFlags::CLOEXEC)?);
    input.write_all(&request)?;
    input.seek(SeekFrom::Start(0))?;
    let output = Command::new("/proc/self/exe")
        .arg("worker")
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(input))
        .stderr(Stdio::null())
        .output()?;
    if output.stdout.is_empty() {
        return Err(io::Error::other("the warden ended without an answer; ask for its status"));
    }
    Ok(output.stdout)
}
