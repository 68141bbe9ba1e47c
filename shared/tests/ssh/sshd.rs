//! A real sshd for one test, on a free port of 127.0.0.1, gone when the test is.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use countersign_shared::ssh::host_keys::HostKeys;
use countersign_shared::ssh::{Connector, ConnectorConfig, Endpoint, Identity, Target};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::log::Log;

const NEEDED: &str = "these tests need OpenSSH's sshd: `apt-get install openssh-server`, or `cargo verify`";

/// Keys, certificates and files of one test.
pub(crate) struct Workshop {
    dir: TempDir,
}

impl Workshop {
    /// Below the build directory: sshd's `StrictModes` refuses keys below a world-writable one such as /tmp.
    pub(crate) fn new() -> Self {
        let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Makes a key pair and returns the path of the private half.
    pub(crate) fn key(&self, name: &str, kind: &str) -> PathBuf {
        let path = self.path(name);
        ssh_keygen(&["-q", "-t", kind, "-N", "", "-C", "", "-f", text(&path)]);
        path
    }

    /// Signs a public key; `how` holds the options, `-h` among them for a host. Returns the certificate's path.
    pub(crate) fn certificate(&self, authority: &Path, key: &Path, how: &[&str]) -> PathBuf {
        let public = key.with_extension("pub");
        let mut arguments = vec!["-q", "-s", text(authority)];
        arguments.extend_from_slice(how);
        arguments.push(text(&public));
        ssh_keygen(&arguments);
        PathBuf::from(format!("{}-cert.pub", text(key)))
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The public half, as one line.
pub(crate) fn public(key: &Path) -> String {
    std::fs::read_to_string(key.with_extension("pub")).unwrap().trim().to_owned()
}

pub(crate) fn ssh_keygen(arguments: &[&str]) -> String {
    let output = Command::new("ssh-keygen")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("these tests need OpenSSH: `apt-get install openssh-client openssh-server`, or `cargo verify`");
    assert!(output.status.success(), "ssh-keygen {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A running sshd.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    pub(crate) workshop: Workshop,
    /// A private key that the account accepts.
    pub(crate) user_key: PathBuf,
    pub(crate) host_key: PathBuf,
    child: Child,
    log: Log,
}

impl Drop for Sshd {
    #[expect(clippy::print_stderr, reason = "sshd's log explains a failed test")]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("log of sshd:\n{}", self.log());
        }
    }
}

/// How an sshd differs from the default configuration.
pub(crate) struct Settings<'a> {
    /// Type of its only host key, as `ssh-keygen -t` takes it.
    pub(crate) host_key: &'a str,
    /// Type of the user's key.
    pub(crate) user_key: &'a str,
    /// Options in front of the user's key in its authorized_keys.
    pub(crate) key_options: &'a str,
    /// Lines for sshd_config.
    pub(crate) config: &'a str,
    /// Whether it refuses an address for a while that left too often before it logged in, as OpenSSH does since 9.8.
    pub(crate) penalties: bool,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self { host_key: "ed25519", user_key: "ed25519", key_options: "", config: "", penalties: true }
    }
}

impl Sshd {
    pub(crate) fn start() -> Self {
        Self::with(&Settings::default())
    }

    pub(crate) fn with(settings: &Settings<'_>) -> Self {
        Self::in_workshop(Workshop::new(), settings)
    }

    /// Starts in a workshop that already holds what `settings.config` names.
    pub(crate) fn in_workshop(workshop: Workshop, settings: &Settings<'_>) -> Self {
        let host_key = workshop.key("host_key", settings.host_key);
        let user_key = workshop.key("user_key", settings.user_key);
        let authorized = format!("{} {}\n", settings.key_options, public(&user_key));
        let authorized = workshop.write("authorized_keys", authorized.trim_start());
        if rustix::process::geteuid().is_root() {
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let penalties = if !settings.penalties && knows_penalties(&host_key) { "PerSourcePenalties no" } else { "" };
        // A port that is free now may be taken a moment later.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let config = format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
                 Subsystem sftp internal-sftp\nLogLevel VERBOSE\n{penalties}\n{}\n",
                host_key.display(),
                authorized.display(),
                settings.config
            );
            let config = workshop.write("sshd_config", &config);
            if let Some((child, log)) = start(&config) {
                return Self { port, workshop, user_key, host_key, child, log };
            }
        }
        panic!("sshd found no free port in five tries");
    }

    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// Whether it dropped connections for its `MaxStartups`, a word that OpenSSH 10 writes as `Maxstartups`.
    pub(crate) fn throttled(&self) -> bool {
        self.log().to_ascii_lowercase().contains("maxstartups")
    }

    /// Kills all processes that serve connections; the listener stays.
    pub(crate) fn kill_connections(&self) {
        // How many there are for each depends on the version of sshd and on the account.
        let output = Command::new("ps").args(["-e", "-o", "pid=,ppid="]).output().unwrap();
        let table = String::from_utf8(output.stdout).unwrap();
        let processes: Vec<(i32, i32)> = table
            .lines()
            .filter_map(|line| line.trim().split_once(' '))
            .map(|(process, parent)| (process.parse().unwrap(), parent.trim().parse().unwrap()))
            .collect();
        let mut family = vec![i32::try_from(self.child.id()).unwrap()];
        let mut next = 0;
        while let Some(&parent) = family.get(next) {
            family.extend(processes.iter().filter(|process| process.1 == parent).map(|process| process.0));
            next += 1;
        }
        for &process in &family[1..] {
            let process = Pid::from_raw(process).unwrap();
            match kill_process(process, Signal::KILL) {
                // One ends by itself when the other is gone.
                Ok(()) | Err(Errno::SRCH) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity::from_files(&self.user_key, None).unwrap()
    }

    pub(crate) fn connector(&self) -> Connector {
        Connector::new(ConnectorConfig::new(self.identity()))
    }

    /// Where it is, with its host key pinned.
    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint_with([public(&self.host_key).as_str()])
    }

    pub(crate) fn endpoint_with<'a>(&self, host_keys: impl IntoIterator<Item = &'a str>) -> Endpoint {
        Endpoint {
            address: "127.0.0.1".to_owned(),
            port: self.port,
            user: me(),
            host_keys: Arc::new(HostKeys::new(host_keys, None).unwrap()),
        }
    }

    pub(crate) fn target(&self) -> Target {
        direct(self.endpoint())
    }
}

pub(crate) fn direct(endpoint: Endpoint) -> Target {
    Target { name: "runner".to_owned(), endpoint, bastion: None }
}

/// The account that runs this test: the only one that an sshd without privileges can log in.
pub(crate) fn me() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Whether this sshd has `PerSourcePenalties`; an older one does not start with an option that it does not know.
fn knows_penalties(host_key: &Path) -> bool {
    let output = Command::new("/usr/sbin/sshd")
        .args(["-t", "-f", "/dev/null", "-h", text(host_key), "-o", "PerSourcePenalties=no"])
        .stdin(Stdio::null())
        .output()
        .expect(NEEDED);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || said.contains("Bad configuration option"), "{said}");
    output.status.success()
}

/// Starts sshd and waits until it listens; `None` if the port was taken meanwhile.
fn start(config: &Path) -> Option<(Child, Log)> {
    let mut child = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f", text(config)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect(NEEDED);
    match Log::with(child.stderr.take().unwrap(), "Server listening on") {
        Ok(log) => Some((child, log)),
        Err(said) => {
            child.wait().unwrap();
            assert!(said.contains("Address already in use"), "sshd did not start: {said}");
            None
        }
    }
}
