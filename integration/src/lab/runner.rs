//! One runner: a subvolume, a set of namespaces, an address.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Base;
use super::enter::enter;
use super::network::Bridge;
use super::process::{child_of, in_own_network, kill, processes};
use super::run::{output, run};
use super::state::RunnerConfig;

/// How long a runner may take until its sshd answers.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A runner of a [`super::Lab`].
#[derive(Debug)]
pub struct Runner {
    /// Host name.
    pub name: String,
    /// What it was made from.
    pub base: Base,
    /// Its own address.
    pub address: Ipv4Addr,
    /// sshd's port, always 22.
    pub port: u16,
    /// Its root file system, as the host sees it.
    pub root: PathBuf,
    dir: PathBuf,
    bridge: Bridge,
    index: usize,
    /// The `unshare` that this process started; another process finds it by [`processes`].
    child: Option<Child>,
}

/// A program in a runner that is still running.
#[derive(Debug)]
pub struct Script(Child);

impl Script {
    /// Its exit status, if it has ended.
    ///
    /// # Errors
    /// The process cannot be asked.
    pub fn try_wait(&mut self) -> Result<Option<std::process::ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The process cannot be waited for.
    pub fn wait(mut self) -> Result<std::process::ExitStatus> {
        Ok(self.0.wait()?)
    }
}

impl Runner {
    pub(super) fn new(dir: &Path, bridge: &Bridge, index: usize, config: &RunnerConfig) -> Result<Self> {
        Ok(Self {
            name: config.name.clone(),
            base: config.base,
            address: bridge.runner(index)?,
            port: 22,
            root: dir.join("mnt").join(&config.name),
            dir: dir.to_owned(),
            bridge: *bridge,
            index,
            child: None,
        })
    }

    /// `dnf5` or `dnf4`: the name of the program, and of its generation.
    #[must_use]
    pub const fn dnf(&self) -> &'static str {
        match self.base {
            Base::Dnf4 => "dnf4",
            Base::Dnf5 | Base::Workstation => "dnf5",
        }
    }

    /// The ed25519 host key, as in a known_hosts line or fleet.toml: type and base64.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn host_key_pub(&self) -> Result<String> {
        let path = self.root.join("etc/ssh/ssh_host_ed25519_key.pub");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(text.split(' ').take(2).collect::<Vec<_>>().join(" ").trim_end().to_owned())
    }

    /// Makes new host keys of every default type; a running sshd takes them after [`Runner::stop`] and [`Runner::start`].
    ///
    /// # Errors
    /// `ssh-keygen` failed.
    pub fn make_host_keys(&self) -> Result<()> {
        let directory = self.root.join("etc/ssh");
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ssh_host_")) {
                fs::remove_file(path)?;
            }
        }
        run(Command::new("chroot").arg(&self.root).args(["ssh-keygen", "-A"])).map(drop)
    }

    /// Boots it, and returns when its sshd answers. Nothing happens when it runs already.
    ///
    /// # Errors
    /// It did not come up in time; the error has its log.
    pub fn start(&mut self) -> Result<()> {
        if self.init().is_ok() {
            return Ok(());
        }
        let log_path = self.dir.join("log").join(&self.name);
        fs::create_dir_all(self.dir.join("log"))?;
        let log = fs::File::options().create(true).append(true).open(&log_path)?;
        let mut command = Command::new("setsid");
        let inner = enter(&self.root, &self.name, &self.dir.join("repo"), Some(&self.address.to_string()));
        command.arg(inner.get_program()).args(inner.get_args()).env_clear();
        command.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let mut child = command
            .args(["sh", "-c", include_str!("boot.sh"), "boot"])
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start unshare")?;
        let mut go = child.stdin.take().context("no pipe to the runner")?;
        self.child = Some(child);
        let deadline = Instant::now() + START_LIMIT;
        let started = (|| {
            let init = loop {
                match self.init() {
                    Ok(init) if in_own_network(init)? => break init,
                    _ if Instant::now() > deadline => bail!("no process 1"),
                    _ => self.still_alive()?,
                }
            };
            self.bridge.plug(self.index, init)?;
            go.write_all(b"go\n")?;
            drop(go);
            while !self.banner() {
                if Instant::now() > deadline {
                    bail!("sshd does not answer");
                }
                self.still_alive()?;
            }
            Ok(())
        })();
        if started.is_err() {
            self.stop()?;
        }
        started.with_context(|| {
            format!("{} did not start; its log says:\n{}", self.name, fs::read_to_string(&log_path).unwrap_or_default())
        })
    }

    /// Ends every process of the runner at once, as a power cut does. Its file system stays.
    ///
    /// # Errors
    /// A process cannot be killed.
    pub fn stop(&mut self) -> Result<()> {
        for process in processes(&self.dir)?.into_iter().filter(|process| process.root == self.root) {
            kill(process)?;
        }
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        Ok(())
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.init().is_ok()
    }

    /// Bytes that it has sent over its network since it started, headers included, as the kernel counts them.
    ///
    /// # Errors
    /// It is down.
    pub fn bytes_sent(&self) -> Result<u64> {
        self.bridge.sent(self.index)
    }

    /// Runs shell text as root in the runner and gives stdout.
    ///
    /// # Errors
    /// The exit status is not 0: both streams are in the error.
    pub fn sh(&self, script: &str) -> Result<String> {
        run(self.inside()?.args(["sh", "-c", script]))
    }

    /// The same with the whole outcome, whatever it is.
    ///
    /// # Errors
    /// The runner is down, or the shell cannot be started.
    pub fn try_sh(&self, script: &str) -> Result<Output> {
        output(self.inside()?.args(["sh", "-c", script]))
    }

    /// The same with these bytes as its stdin.
    ///
    /// # Errors
    /// The runner is down, or the shell cannot be started.
    pub fn try_sh_with(&self, script: &str, input: &[u8]) -> Result<Output> {
        let mut command = self.inside()?;
        command.args(["sh", "-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start nsenter")?;
        let mut pipe = child.stdin.take().context("no pipe to the runner")?;
        // A program that has seen enough does not read to the end.
        let _ = pipe.write_all(input);
        drop(pipe);
        Ok(child.wait_with_output()?)
    }

    /// Starts shell text as root and does not wait for it.
    ///
    /// # Errors
    /// The runner is down, or the shell cannot be started.
    pub fn spawn_sh(&self, script: &str) -> Result<Script> {
        let mut command = self.inside()?;
        command.args(["sh", "-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Script(command.spawn().context("cannot start nsenter")?))
    }

    /// Runs shell text as a person who has logged in: with that login uid, as `pam_loginuid` sets it.
    ///
    /// # Errors
    /// The exit status is not 0: both streams are in the error.
    pub fn sh_as(&self, user: &str, script: &str) -> Result<String> {
        run(&mut self.inside_as(user, script)?)
    }

    /// The same with the whole outcome, whatever it is.
    ///
    /// # Errors
    /// The runner is down, or the shell cannot be started.
    pub fn try_sh_as(&self, user: &str, script: &str) -> Result<Output> {
        output(&mut self.inside_as(user, script)?)
    }

    /// A command that opens an interactive shell as root.
    ///
    /// # Errors
    /// The runner is down.
    pub fn shell(&self) -> Result<Command> {
        let mut command = self.inside()?;
        command.args(["bash", "-l"]);
        Ok(command)
    }

    /// Writes a root-owned file with these permissions, and the directories above it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>, mode: u32) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.root.join(path.trim_start_matches('/'));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(())
    }

    fn inside(&self) -> Result<Command> {
        let init = self.init()?.to_string();
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &init, "--mount", "--pid", "--uts", "--ipc", "--net", "--root", "--wd"])
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/root")
            .env("LC_ALL", "C")
            .env("TERM", std::env::var_os("TERM").unwrap_or_else(|| "dumb".into()));
        Ok(command)
    }

    fn inside_as(&self, user: &str, script: &str) -> Result<Command> {
        let mut command = self.inside()?;
        command.args(["sh", "-c", LOGIN, "login", user, script]);
        Ok(command)
    }

    /// The host's number for the runner's process 1.
    fn init(&self) -> Result<u32> {
        let outer = processes(&self.dir)?.into_iter().find(|process| process.root == self.root);
        let outer = outer.with_context(|| format!("{} is down", self.name))?;
        child_of(outer.number)?.with_context(|| format!("{} has no process 1", self.name))
    }

    fn still_alive(&mut self) -> Result<()> {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) => bail!("it ended with {status}"),
            _ => {
                // Waiting for another process to get somewhere; nothing tells us when.
                std::thread::sleep(Duration::from_millis(5));
                Ok(())
            }
        }
    }

    fn banner(&self) -> bool {
        let address = SocketAddr::from((self.address, self.port));
        let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else {
            return false;
        };
        let mut start = [0; 4];
        stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
            && stream.read_exact(&mut start).is_ok()
            && &start == b"SSH-"
    }
}

/// What pam_loginuid, pam_unix and sshd do together.
const LOGIN: &str = r#"
set -eu
uid=$(id -u "$1")
echo "$uid" >/proc/self/loginuid
home=$(getent passwd "$1" | cut -d: -f6)
cd "$home"
exec setpriv --reuid="$1" --regid="$1" --init-groups env -i HOME="$home" USER="$1" LOGNAME="$1" LC_ALL=C PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin sh -c "$2"
"#;
