//! Drift and faults, made by the means by which they come about.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Lab, Runner, Script};

/// The person who installs what they need.
pub const PERSON: &str = "builder";

/// The llvm that `updates` offers; `llvm-libs` and `clang-tools-extra` come along.
pub const NEW_LLVM: &str = "llvm-20.1.0-1.fc41";

/// The package that `rpm -i` brings, from no repo.
pub const SITE_AGENT: &str = "site-agent-7.1-1.noarch";

/// The kernel that [`kernel_moves_on`] boots, as `uname -r` says it.
pub const NEW_KERNEL: &str = "6.11.10-300.fc41.x86_64";

/// A person upgrades llvm through sudo, and two packages that need the same version with it.
///
/// # Errors
/// dnf failed.
pub fn person_upgrades_llvm(runner: &Runner) -> Result<()> {
    runner.sh_as(PERSON, &format!("sudo -n {} -y install {NEW_LLVM}", runner.dnf())).map(drop)
}

/// A person installs a compiler for one job and leaves it there, with the runtime that it needs.
///
/// # Errors
/// dnf failed.
pub fn person_leaves_gcc_toolset(runner: &Runner) -> Result<()> {
    runner.sh_as(PERSON, &format!("sudo -n {} -y install gcc-toolset-13", runner.dnf())).map(drop)
}

/// Root installs a vendor's package with rpm alone: dnf's history knows nothing of it.
///
/// # Errors
/// rpm failed.
pub fn rpm_installs_behind_dnf(runner: &Runner) -> Result<()> {
    runner.sh(&format!("rpm -i /srv/lab/loose/{SITE_AGENT}.rpm")).map(drop)
}

/// Root removes htop with rpm alone.
///
/// # Errors
/// rpm failed.
pub fn rpm_erases_behind_dnf(runner: &Runner) -> Result<()> {
    runner.sh("rpm -e htop").map(drop)
}

/// A new kernel is installed and booted, without its kernel-devel.
///
/// # Errors
/// dnf failed.
pub fn kernel_moves_on(runner: &Runner) -> Result<()> {
    runner.sh(&format!("{} -y install kernel-core-{NEW_KERNEL}", runner.dnf()))?;
    // In place: the file is mounted over the kernel's own.
    runner.write("/etc/lab/osrelease", format!("{NEW_KERNEL}\n"), 0o644)
}

/// The second of two kernel-devel is the only one left; the first matched the running kernel.
///
/// # Errors
/// dnf failed.
pub fn kernel_devel_is_replaced(runner: &Runner) -> Result<()> {
    let dnf = runner.dnf();
    runner
        .sh(&format!("{dnf} -y install kernel-devel-6.11.6-300.fc41 && {dnf} -y remove kernel-devel-6.11.4-301.fc41"))
        .map(drop)
}

/// dnf is killed in the middle of a transaction: strace is on the disk, blocking-pre is not, and the history has no end.
///
/// dnf5 5.4 then says status `Started`, end 0, and `External User` from `<unknown>` of strace; dnf4 4.23 says end 1970, end rpmdb `**`,
/// return code `Failure: 1`, and reason `unknown` of strace, but still knows its repo.
///
/// # Errors
/// dnf did not get so far.
pub fn dnf_is_killed(runner: &Runner) -> Result<()> {
    let blocked = hold_dnf(runner)?;
    runner.sh("kill -KILL $(cat /var/lib/lab/blocking-pid)")?;
    blocked.release().map(drop)
}

/// A dnf that is inside a transaction and stays there.
#[derive(Debug)]
#[must_use = "dropping it lets dnf go on"]
pub struct Blocked {
    pipe: File,
    dnf: Script,
}

impl Blocked {
    /// Lets dnf go on, and waits for its end.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn release(self) -> Result<std::process::ExitStatus> {
        drop(self.pipe);
        self.dnf.wait()
    }
}

/// A person's dnf is installing blocking-pre, whose scriptlet waits: rpm's and dnf's locks are held until the value is released.
///
/// # Errors
/// dnf ended before the scriptlet ran.
pub fn hold_dnf(runner: &Runner) -> Result<Blocked> {
    let pipe = runner.root.join("var/lib/lab/blocking-pre");
    runner.sh("rm -f /var/lib/lab/blocking-pre && mkfifo /var/lib/lab/blocking-pre")?;
    let mut dnf = runner.spawn_sh(&format!(
        "id=$(id -u {PERSON}); echo $id >/proc/self/loginuid; echo $$ >/var/lib/lab/blocking-pid; \
         exec {} -y install blocking-pre >/var/log/lab-blocking 2>&1",
        runner.dnf()
    ))?;
    // Only a reader lets a writer in: when this opens, the scriptlet runs.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    loop {
        match File::options().write(true).custom_flags(nonblocking).open(&pipe) {
            Ok(pipe) => return Ok(Blocked { pipe, dnf }),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot open {}", pipe.display()));
            }
        }
        if let Some(status) = dnf.try_wait()? {
            let log = fs::read_to_string(runner.root.join("var/log/lab-blocking")).unwrap_or_default();
            bail!("dnf ended before its scriptlet ran, {status}:\n{log}");
        }
        // Waiting for another process to get somewhere; nothing tells us when.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Everything that libdnf5 knows beside rpm is lost: every package reads `External User`.
///
/// # Errors
/// A file cannot be removed.
pub fn dnf5_forgets_reasons(runner: &Runner) -> Result<()> {
    runner.sh("cd /usr/lib/sysimage/libdnf5 && rm packages.toml nevras.toml system.toml").map(drop)
}

/// The history has no `-wal` and `-shm` files: SQLite cannot read it without the right to make them. `history list` then exits 1 for all but root.
///
/// # Errors
/// The checkpoint failed.
pub fn history_without_wal(runner: &Runner) -> Result<()> {
    let path = if runner.dnf() == "dnf4" {
        "/var/lib/dnf/history.sqlite"
    } else {
        "/usr/lib/sysimage/libdnf5/transaction_history.sqlite"
    };
    runner
        .sh(&format!(
            "python3 -c 'import sqlite3; c = sqlite3.connect(\"{path}\"); c.execute(\"pragma wal_checkpoint(truncate)\"); c.close()'"
        ))
        .map(drop)
}

/// Two versions of htop in the rpm database, as an upgrade that was interrupted leaves them.
///
/// # Errors
/// rpm failed.
pub fn htop_is_there_twice(runner: &Runner) -> Result<()> {
    runner.sh("rpm -i --force --justdb /srv/lab/updates/htop-3.3.0-5.fc41.x86_64.rpm").map(drop)
}

/// A person installs from a repo that is not enabled by default.
///
/// # Errors
/// dnf failed.
pub fn vendor_tool_from_extra(runner: &Runner) -> Result<()> {
    runner.sh(&format!("{} -y --enablerepo=extra install vendor-tool", runner.dnf())).map(drop)
}

/// The unsigned repo is enabled for good.
///
/// # Errors
/// The file cannot be changed.
pub fn extra_is_enabled(runner: &Runner) -> Result<()> {
    runner.sh("sed -i '/^.extra.$/,/^$/s/^enabled=0/enabled=1/' /etc/yum.repos.d/lab.repo").map(drop)
}

/// A 32-bit glibc beside the native one.
///
/// # Errors
/// dnf failed.
pub fn foreign_glibc(runner: &Runner) -> Result<()> {
    runner.sh(&format!("{} -y install glibc.i686", runner.dnf())).map(drop)
}

/// The machine answers with other host keys than before.
///
/// # Errors
/// It did not come up again.
pub fn other_host_keys(runner: &mut Runner) -> Result<()> {
    runner.stop()?;
    runner.make_host_keys()?;
    runner.start()
}

/// The program at `path`, such as the probe, is replaced by one that answers with terminal escapes, NULs, markup and no line end.
///
/// # Errors
/// The file cannot be written.
pub fn garbage_program(runner: &Runner, path: &str) -> Result<()> {
    runner.write(path, GARBAGE, 0o755)
}

const GARBAGE: &str = r#"#!/bin/sh
printf '\033]0;owned\007\033[2J\000\377\376{"json": [}\n<script>alert(1)</script>\n'
head -c 300000 /dev/urandom
printf 'x%.0s' 1 2 3
exit 0
"#;

/// A port on the lab's network that takes connections and never says a word.
///
/// # Errors
/// The address cannot be bound.
pub fn silent_server(lab: &Lab) -> io::Result<TcpListener> {
    // The kernel finishes handshakes by itself; nobody ever calls accept.
    TcpListener::bind((lab.host_address(), 0))
}
