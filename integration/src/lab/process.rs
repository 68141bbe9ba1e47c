//! The processes of runners, found again by whoever comes later.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The `unshare` above a runner, found by its arguments: numbers are used again, arguments are not.
#[derive(Debug)]
pub(super) struct Process {
    /// The host's number for it.
    pub(super) number: u32,
    /// The runner's root file system on the host.
    pub(super) root: PathBuf,
}

/// Every runner of the lab in `dir` that is up, whoever started it.
pub(super) fn processes(dir: &Path) -> Result<Vec<Process>> {
    let mount = dir.join("mnt");
    let own = identity(dir);
    let mut found = Vec::new();
    for (number, bytes) in each_process("cmdline")? {
        let mut arguments = bytes.split(|byte| *byte == 0);
        let is_unshare = arguments.next().is_some_and(|program| program.ends_with(b"unshare"));
        if !is_unshare {
            continue;
        }
        let root = arguments.map(|argument| PathBuf::from(String::from_utf8_lossy(argument).into_owned()));
        let Some(root) = root.into_iter().find(|argument| argument.parent() == Some(&mount)) else {
            continue;
        };
        // In a chroot, or outside of one, the same path may be another lab's. A runner that has left the host's root has its own for one.
        let theirs = PathBuf::from(format!("/proc/{number}/root"));
        let below = theirs.join(dir.strip_prefix("/").unwrap_or(dir));
        if identity(&below).is_some_and(|it| Some(it) == own)
            || identity(&theirs).is_some_and(|it| Some(it) == identity(&root))
        {
            found.push(Process { number, root });
        }
    }
    Ok(found)
}

/// Device and inode: what makes two paths one directory.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Kills it with everything in its namespaces, and returns when it is gone.
pub(super) fn kill(process: Process) -> Result<()> {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let raw = i32::try_from(process.number)?;
    let pid = Pid::from_raw(raw).context("process 0")?;
    // Process 1 first: when its death has been seen, all in its namespace are dead. Then unshare ends by itself.
    for pid in
        [child_of(process.number)?.and_then(|init| Pid::from_raw(init.cast_signed())), Some(pid)].into_iter().flatten()
    {
        let gone = |error: rustix::io::Errno| error == rustix::io::Errno::SRCH;
        let descriptor = match pidfd_open(pid, PidfdFlags::empty()) {
            Err(error) if gone(error) => continue,
            other => other?,
        };
        match pidfd_send_signal(&descriptor, Signal::KILL) {
            Err(error) if !gone(error) => return Err(error.into()),
            _ => {}
        }
        let mut poll = [rustix::event::PollFd::new(&descriptor, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut poll, None)?;
    }
    Ok(())
}

/// The only child of a process.
pub(super) fn child_of(parent: u32) -> Result<Option<u32>> {
    let found = each_process("stat")?.into_iter().find(|(_, stat)| {
        // proc_pid_stat(5): the name in brackets may hold anything, so count from the last bracket: state, then parent.
        let stat = String::from_utf8_lossy(stat);
        stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(2)) == Some(&parent.to_string())
    });
    Ok(found.map(|(number, _)| number))
}

fn each_process(file: &str) -> Result<Vec<(u32, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        // A process that ended meanwhile is not there; that is all.
        if let (Some(number), Ok(bytes)) = (number, fs::read(path.join(file))) {
            found.push((number, bytes));
        }
    }
    Ok(found)
}

/// Whether the process has left the host's network namespace.
pub(super) fn in_own_network(process: u32) -> Result<bool> {
    let own = fs::read_link("/proc/self/ns/net")?;
    Ok(fs::read_link(format!("/proc/{process}/ns/net"))? != own)
}
