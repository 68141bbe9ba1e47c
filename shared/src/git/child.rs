//! A started git: what it says, and how it ends, at the latest when its time is over.

use rustix::event::{PollFd, PollFlags};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Bytes of an output that are kept from its start and from its end; the rest is read and dropped.
const KEPT_HEAD: usize = 64 * 1024;
const KEPT_TAIL: usize = 16 * 1024;

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Exit status 0.
    pub(super) success: bool,
    /// Start and end of standard output.
    pub(super) stdout: Vec<u8>,
    /// Start and end of standard error, lossy UTF-8, not escaped.
    pub(super) stderr: String,
}

/// Waits for the end; `None` when it took longer than `limit` and was ended with its whole process group.
pub(super) fn wait(mut child: Child, limit: Duration) -> std::io::Result<Option<Ended>> {
    let pid = rustix::process::Pid::from_child(&child);
    let (done, ended) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || match ended.recv_timeout(limit) {
        Err(mpsc::RecvTimeoutError::Timeout) => {
            // Already gone is as good as ended.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
            true
        }
        _ => false,
    });
    let said = listen([child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)]);
    // Not reaped yet: the process group id stays ours until the watchdog is told.
    let waited = rustix::process::waitid(
        rustix::process::WaitId::Pid(pid),
        rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT,
    );
    drop(done);
    let late = watchdog.join().unwrap_or(true);
    let status = child.wait()?;
    waited?;
    if late {
        return Ok(None);
    }
    let [stdout, stderr] = said?.map(Kept::joined);
    Ok(Some(Ended { success: status.success(), stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }))
}

/// Reads all outputs to their ends, whichever speaks.
fn listen<const N: usize>(mut outputs: [Option<OwnedFd>; N]) -> rustix::io::Result<[Kept; N]> {
    let mut said = [const { Kept::new() }; N];
    let mut buffer = [0_u8; 8192];
    while outputs.iter().any(Option::is_some) {
        let mut asked: Vec<PollFd<'_>> = outputs.iter().flatten().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        match rustix::event::poll(&mut asked, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        let ready: Vec<bool> = asked.iter().map(|fd| !fd.revents().is_empty()).collect();
        let open = outputs.iter_mut().zip(&mut said).filter(|(output, _)| output.is_some());
        for ((output, said), _) in open.zip(ready).filter(|(_, ready)| *ready) {
            match output.as_ref().map_or(Ok(0), |fd| rustix::io::read(fd, &mut buffer)) {
                Ok(read @ 1..) => said.keep(&buffer[..read]),
                Err(rustix::io::Errno::INTR) => {}
                _ => *output = None,
            }
        }
    }
    Ok(said)
}

/// The head and the tail of an output.
struct Kept {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Kept {
    const fn new() -> Self {
        Self { head: Vec::new(), tail: Vec::new() }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at((KEPT_HEAD - self.head.len()).min(bytes.len()));
        self.head.extend_from_slice(head);
        self.tail.extend_from_slice(rest);
        if self.tail.len() > 2 * KEPT_TAIL {
            self.tail.drain(..self.tail.len() - KEPT_TAIL);
        }
    }

    fn joined(mut self) -> Vec<u8> {
        self.head.append(&mut self.tail);
        self.head
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    #[test]
    fn a_command_that_hangs_is_ended_with_its_children() {
        // The grandchild holds the pipe: were it not ended too, this test would not come to its end.
        let child = Command::new("sh")
            .args(["-c", "sleep 1000 & sleep 1000"])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        assert!(wait(child, Duration::from_millis(50)).unwrap().is_none());
    }

    #[test]
    fn endless_output_is_kept_at_both_ends_only() {
        let child = Command::new("sh")
            .args(["-c", "echo first; yes | head -c 3000000; echo last"])
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ended = wait(child, Duration::from_secs(60)).unwrap().unwrap();
        assert!(ended.stdout.len() <= KEPT_HEAD + 2 * KEPT_TAIL);
        assert!(ended.stdout.starts_with(b"first\n") && ended.stdout.ends_with(b"last\n"));
    }
}
