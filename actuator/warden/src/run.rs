//! Programs that are run: fixed names and arguments, an empty environment, and what they wrote, bounded.

use crate::digest;
use countersign_manifests_schema::ledger::CommandRecord;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Where programs are looked for.
pub(crate) const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Bytes of one stream that are read; the digest is over all of it.
const STREAM_MAX: u64 = 32 << 20;
/// Time between asking a program to end and making it.
const GRACE: Duration = Duration::from_secs(10);

/// A program, its arguments, and how long it may take.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    argv: Vec<String>,
    home: &'a Path,
    limit: Duration,
    input: Vec<u8>,
    holds: Option<&'a File>,
}

/// How it ended and what it wrote.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<ExitStatus>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) record: CommandRecord,
}

impl<'a> Program<'a> {
    /// `home` is where programs that want one may write.
    pub(crate) fn new(name: &str, home: &'a Path) -> Self {
        let limit = Duration::from_secs(600);
        Self { argv: vec![name.to_owned()], home, limit, input: Vec::new(), holds: None }
    }

    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.argv.extend(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub(crate) fn input(mut self, input: &[u8]) -> Self {
        self.input = input.to_vec();
        self
    }

    /// The program keeps this file's lock while it lives, whatever becomes of us: it is its stdin.
    pub(crate) fn holds(mut self, lock: &'a File) -> Self {
        self.holds = Some(lock);
        self
    }

    /// Runs it to its end, or kills it when its time is over. A program that cannot be started is an error; one that
    /// failed is an answer.
    pub(crate) fn run(self) -> io::Result<Ran> {
        // In memory, not on a disk that may be full; and no pipe that a late child could hold open.
        let [mut stdout, mut stderr] = [memory("stdout")?, memory("stderr")?];
        let stdin = match self.holds {
            Some(lock) => Stdio::from(lock.try_clone()?),
            None => {
                let mut input = memory("stdin")?;
                input.write_all(&self.input)?;
                input.seek(SeekFrom::Start(0))?;
                Stdio::from(input)
            }
        };
        let mut child = Command::new(&self.argv[0])
            .args(&self.argv[1..])
            .env_clear()
            .env("PATH", PATH)
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("HOME", self.home)
            .env("TMPDIR", self.home)
            .current_dir("/")
            .stdin(stdin)
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?)
            .spawn()?;
        let status = wait(&mut child, self.limit)?;
        let mut digest = Sha256::new();
        let stdout = read(&mut stdout, &mut digest)?;
        let stderr = read(&mut stderr, &mut digest)?;
        let output = digest::hex(digest);
        let exit = status.and_then(|status| status.code());
        Ok(Ran { status, stdout, stderr, record: CommandRecord { argv: self.argv, exit, output } })
    }
}

impl Ran {
    /// Whether it ended with 0.
    pub(crate) fn good(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// How it ended and the end of what it said, on one line.
    pub(crate) fn words(&self) -> String {
        let ended = match self.status {
            None => "its time was over".to_owned(),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("it ended with {code}"),
                (None, signal) => format!("it was ended by signal {}", signal.unwrap_or(0)),
            },
        };
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        // dnf5's progress says nothing about a failure.
        let telling = |line: &&str| !line.is_empty() && !line.contains("% | ");
        let lines: Vec<&str> = said.lines().map(str::trim).filter(telling).collect();
        let last = lines[lines.len().saturating_sub(6)..].join("; ");
        if last.is_empty() { ended } else { format!("{ended}: {last}") }
    }
}

fn memory(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MemfdFlags::CLOEXEC)?))
}

fn read(file: &mut File, digest: &mut Sha256) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut kept = Vec::new();
    file.take(STREAM_MAX).read_to_end(&mut kept)?;
    digest.update(&kept);
    digest::feed(file, digest)?;
    Ok(String::from_utf8_lossy(&kept).into_owned())
}

/// `None` when its time was over and it was killed.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return child.wait().map(Some);
    };
    let descriptor = pidfd_open(pid, PidfdFlags::empty())?;
    if ends(&descriptor, limit)? {
        return child.wait().map(Some);
    }
    let _ = kill_process(pid, Signal::TERM);
    if !ends(&descriptor, GRACE)? {
        child.kill()?;
    }
    child.wait()?;
    Ok(None)
}

fn ends(descriptor: &rustix::fd::OwnedFd, limit: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(descriptor, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_gets_its_input_and_no_environment() {
        let ran = Program::new("sh", Path::new("/")).args(["-c", "cat; env; exit 3"]).input(b"hello\n").run().unwrap();
        assert_eq!(ran.record.exit, Some(3));
        let mut lines: Vec<&str> = ran.stdout.lines().collect();
        lines.sort_unstable();
        let known =
            ["HOME=/", "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "PWD=/", "TMPDIR=/", "TZ=UTC", "hello"];
        assert!(lines.iter().all(|line| known.contains(line) || line.starts_with("_=") || line.starts_with("OLDPWD")));
        assert_eq!(ran.record.output.len(), 64);
        assert!(ran.words().starts_with("it ended with 3"));
    }

    #[test]
    fn a_program_whose_time_is_over_is_ended() {
        let program = Program::new("sleep", Path::new("/")).args(["1000"]).limit(Duration::from_millis(20));
        let ran = program.run().unwrap();
        assert!(ran.status.is_none() && ran.record.exit.is_none() && !ran.good());
    }

    #[test]
    fn a_late_child_does_not_keep_us_waiting() {
        let ran = Program::new("sh", Path::new("/")).args(["-c", "sleep 1000 & echo $!"]).run().unwrap();
        assert!(ran.good());
        let late: i32 = ran.stdout.trim().parse().unwrap();
        kill_process(Pid::from_raw(late).unwrap(), Signal::KILL).unwrap();
    }

    #[test]
    fn a_lock_is_held_by_a_program_as_long_as_it_lives() {
        use rustix::fs::{FlockOperation, flock};
        let dir = tempfile::tempdir().unwrap();
        let open = || File::options().create(true).append(true).read(true).open(dir.path().join("lock")).unwrap();
        let held = open();
        flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
        let script = "exec 3<&0; sleep 1000 <&3 3<&- & echo $!";
        let ran = Program::new("sh", Path::new("/")).args(["-c", script]).holds(&held).run().unwrap();
        drop(held);
        let other = open();
        assert!(flock(&other, FlockOperation::NonBlockingLockExclusive).is_err(), "its child has it");
        let late: i32 = ran.stdout.trim().parse().unwrap();
        kill_process(Pid::from_raw(late).unwrap(), Signal::KILL).unwrap();
        flock(&other, FlockOperation::LockExclusive).unwrap();
    }
}
