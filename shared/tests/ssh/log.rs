//! What an sshd writes to its stderr.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ChildStderr;
use std::sync::{Arc, Mutex};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{ioctl_fionbio, retry_on_intr};

struct Pipe {
    end: ChildStderr,
    text: String,
}

impl Pipe {
    /// Reads what is there now; `false` once all who could write are gone.
    fn drain(&mut self) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.end.read(&mut buffer) {
                Ok(0) => return false,
                Ok(read) => self.text.push_str(&String::from_utf8_lossy(&buffer[..read])),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// The log of one sshd and its children. What they wrote before [`Log::text`] is called is in what it returns.
pub(crate) struct Log {
    pipe: Arc<Mutex<Pipe>>,
}

impl Log {
    /// Reads until the text is there; the whole log as an error if it ends without.
    pub(crate) fn with(end: ChildStderr, awaited: &str) -> Result<Self, String> {
        ioctl_fionbio(&end, true).unwrap();
        let watched = end.as_fd().try_clone_to_owned().unwrap();
        let mut pipe = Pipe { end, text: String::new() };
        while !pipe.text.contains(awaited) {
            wait(&watched);
            if !pipe.drain() && !pipe.text.contains(awaited) {
                return Err(pipe.text);
            }
        }
        let pipe = Arc::new(Mutex::new(pipe));
        let shared = Arc::clone(&pipe);
        // A full pipe would stop sshd.
        std::thread::spawn(move || {
            wait(&watched);
            while shared.lock().unwrap().drain() {
                wait(&watched);
            }
        });
        Ok(Self { pipe })
    }

    pub(crate) fn text(&self) -> String {
        let mut pipe = self.pipe.lock().unwrap();
        pipe.drain();
        pipe.text.clone()
    }
}

/// Until there is something to read, or never will be.
fn wait(pipe: &OwnedFd) {
    retry_on_intr(|| poll(&mut [PollFd::new(pipe, PollFlags::IN)], None)).unwrap();
}
