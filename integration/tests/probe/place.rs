//! An enrolled runner, a key for it, and its files by digest.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, OnceLock};

use countersign_integration::lab::Runner;
use countersign_observer::probe::{self, Enrollment, Places};
use countersign_shared::observation::{Failure, Tokens};
use countersign_shared::ssh::host_keys::HostKeys;
use countersign_shared::ssh::{Connector, ConnectorConfig, Endpoint, Identity, Limits, Session, Target};
use sha2::{Digest, Sha256};

/// As fleet.toml names it by default.
pub(crate) const ACCOUNT: &str = "countersign-observer";

/// Waits for one of the observer's futures; the tests themselves stay in one thread, one after the other.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().unwrap()).block_on(future)
}

/// A key pair of ours.
pub(crate) struct Key {
    dir: tempfile::TempDir,
}

impl Key {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "observer", "-f"])
            .arg(dir.path().join("key"))
            .status()
            .unwrap();
        assert!(made.success());
        Self { dir }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("key")
    }

    pub(crate) fn public(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("key.pub")).unwrap()
    }

    pub(crate) fn enrollment(&self, runner: &Runner) -> Enrollment {
        Enrollment::new(&runner.name, ACCOUNT, [self.public().as_str()]).unwrap()
    }

    /// A key that the runner's administrator has enrolled.
    pub(crate) fn enrolled(runner: &Runner) -> Self {
        let key = Self::new();
        run_script(runner, &key.enrollment(runner).script());
        key
    }

    pub(crate) fn session(&self, runner: &Runner, account: &str) -> Session {
        let identity = Identity::from_files(&self.path(), None).unwrap();
        let connector = Connector::new(ConnectorConfig::new(identity));
        let host_key = runner.host_key_pub().unwrap();
        let endpoint = Endpoint {
            address: runner.address.to_string(),
            port: runner.port,
            user: account.to_owned(),
            host_keys: Arc::new(HostKeys::new([host_key.as_str()], None).unwrap()),
        };
        wait(connector.connect(&Target { name: runner.name.clone(), endpoint, bastion: None })).unwrap()
    }

    /// What the observer does: one record.
    pub(crate) fn observe(&self, runner: &Runner, names: &[&str], tokens: &Tokens) -> Result<String, Failure> {
        let session = self.session(runner, ACCOUNT);
        wait(probe::run(&session, false, names, tokens, Limits::default(), &Places::default()))
            .map(|(record, _)| record)
    }

    /// OpenSSH's own client with this key.
    pub(crate) fn ssh(
        &self,
        runner: &Runner,
        arguments: &[&str],
        environment: &[(&str, &str)],
        stdin: &[u8],
    ) -> Output {
        let known_hosts = self.dir.path().join("known_hosts");
        std::fs::write(&known_hosts, format!("{} {}\n", runner.address, runner.host_key_pub().unwrap())).unwrap();
        let mut child = Command::new("ssh")
            .args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "SendEnv=*", "-o"])
            .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
            .arg("-i")
            .arg(self.path())
            .args(["-l", ACCOUNT, &runner.address.to_string()])
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        // A probe that refuses at once does not read to the end.
        let _ = std::io::Write::write_all(&mut pipe, stdin);
        drop(pipe);
        child.wait_with_output().unwrap()
    }
}

/// Runs a script as root, as an administrator who got it as a file would.
pub(crate) fn run_script(runner: &Runner, script: &str) -> String {
    runner.write("/root/script", script, 0o700).unwrap();
    let said = runner.sh("sh /root/script 2>&1").unwrap();
    runner.sh("rm /root/script").unwrap();
    said
}

/// Everything about every file of a runner but the clocks: kind, owner, permissions, size, digest. What sshd itself
/// writes about each login is left out.
pub(crate) fn files(runner: &Runner) -> BTreeMap<PathBuf, String> {
    const LOGINS: [&str; 4] = ["var/log/wtmp", "var/log/lastlog", "var/log/btmp", "var/log/wtmp.db"];
    let mut found = BTreeMap::new();
    walk(&runner.root, &runner.root, &mut found);
    found.retain(|path, _| !LOGINS.iter().any(|log| path == Path::new(log)));
    found
}

fn walk(root: &Path, directory: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        let mut text = format!("{:o} {}:{}", meta.permissions().mode(), meta.uid(), meta.gid());
        if meta.is_symlink() {
            write!(text, " -> {}", path.read_link().unwrap().display()).unwrap();
        } else if meta.is_file() {
            write!(text, " {} {:x?}", meta.len(), &Sha256::digest(std::fs::read(&path).unwrap())[..]).unwrap();
        } else if meta.is_dir() {
            walk(root, &path, found);
        }
        found.insert(path.strip_prefix(root).unwrap().to_owned(), text);
    }
}

/// Which files differ.
pub(crate) fn changes(before: &BTreeMap<PathBuf, String>, after: &BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
    assert!(before.len() > 5000, "{} files are not a whole runner", before.len());
    let all: std::collections::BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    all.into_iter().filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}
