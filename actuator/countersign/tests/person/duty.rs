//! On duty: leases and orders, with the real notary behind a real socket, here or behind a real sshd.

use super::stage::{Said, Stage};
use countersign_manifests_schema::lease::Lease;
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest, NotaryState};
use countersign_notary::clock::SystemTime;
use countersign_notary::config::Config;
use countersign_notary::desk::{Desk, Surroundings};
use countersign_notary::{serve, socket};
use countersign_shared::notary::ask;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

impl Stage {
    /// Starts the notary; answers with its socket. It ends with the test's process.
    fn notary(&self) -> PathBuf {
        let dir = self.path("notary");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        self.key("notary", "ed25519");
        let list = format!("ada@example.org {}\nben@example.org {}\n", self.public("ada"), self.public("ben"));
        fs::write(dir.join("approvers"), list).unwrap();
        let own = fs::metadata(&dir).unwrap();
        let uid = std::os::unix::fs::MetadataExt::uid(&own);
        let text = format!(
            "socket = \"notary.sock\"\nstate_dir = \"state\"\nsigning_key = \"../keys/notary\"\napprovers = \"approvers\"\n\
             operators = [\"uid:{uid}\"]\nactuator_uid = 4242424\nrequire_touch = false\n"
        );
        fs::write(dir.join("notary.toml"), text).unwrap();
        let config = Config::load(&dir.join("notary.toml")).unwrap();
        let path = config.socket.clone();
        let desk = Desk::open(config, Surroundings { time: Box::new(SystemTime), watch: None }).unwrap();
        let listener = socket::listen(&path).unwrap();
        std::thread::spawn(move || serve::serve(&listener, &Arc::new(desk)));
        self.configure("[notary]\nsocket = \"notary/notary.sock\"\n");
        path
    }

    fn on_duty(&self, more: &[&str]) -> Said {
        self.run(&[&["lease", "--reason", "the night shift", "--yes", "--json"][..], more].concat())
    }
}

fn state(socket: &std::path::Path) -> NotaryState {
    match ask(socket, &NotaryRequest::State {}, PATIENCE).unwrap() {
        NotaryAnswer::State(state) => state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lease_covers_what_people_have_approved_and_nothing_else() {
    let (stage, ids) = Stage::ready(&["runner-01", "runner-02", "runner-03"]);
    let socket = stage.notary();
    stage.on_duty(&[]).stopped(20, "not-merged");
    stage.run(&["approve", &ids[0], &ids[1], "--yes"]).ended(0);
    stage.merge_in_a_web_page("runner-03");

    let said = stage.ask(&["lease", "--max", "1", "--reason", "the night shift"]).answer("yes\n").ended(0);
    assert!(said.stdout.contains("ada@example.org is on duty until 20"), "{}", said.stdout);
    let leases = state(&socket).leases;
    assert_eq!((leases.len(), leases[0].by.as_str()), (1, "ada@example.org"));
    let lease: Lease = serde_json::from_str(&leases[0].lease.text).unwrap();
    let mut wanted = vec![ids[0].clone(), ids[1].clone()];
    wanted.sort();
    assert_eq!((lease.proposals, lease.max, lease.reason.as_str()), (wanted, 1, "the night shift"));
    let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!(time(&lease.expires) - time(&lease.issued), 1_800);

    // Named ones, for a shorter time.
    let json = stage.on_duty(&["--minutes", "5", "--proposals", &ids[1][..8]]).ended(0).json();
    assert_eq!(json["proposals"], serde_json::json!([ids[1]]));
    assert!(json["until"].as_str().unwrap().ends_with('Z'));
    assert_eq!(state(&socket).leases.len(), 2);
    for more in [["--max", "3"], ["--max", "0"], ["--minutes", "31"], ["--minutes", "0"], ["--reason", " "]] {
        assert_eq!(stage.run(&[&["lease", "--yes", "--json"][..], &more].concat()).status, 2, "{more:?}");
    }
    assert_eq!(state(&socket).leases.len(), 2);
}

#[test]
fn an_order_lifts_a_halt_and_needs_neither_repository() {
    let (stage, _) = Stage::ready(&[]);
    let socket = stage.notary();
    let halt = NotaryRequest::Halt { reason: "smoke".to_owned() };
    assert_eq!(ask(&socket, &halt, PATIENCE).unwrap(), NotaryAnswer::Done {});
    assert!(state(&socket).halted.is_some());
    for remote in ["canonical.git", "proposed.git"] {
        fs::remove_dir_all(stage.path(remote)).unwrap();
    }
    // A stranger lifts nothing.
    stage.set("user.signingkey", stage.path("keys/stranger").to_str().unwrap());
    assert_eq!(stage.run(&["resume", "--reason", "x", "--yes"]).status, 20);
    assert!(state(&socket).halted.is_some());
    stage.set("user.signingkey", stage.path("keys/ben").to_str().unwrap());
    stage.ask(&["resume", "--reason", "the smoke was steam", "--json"]).answer("\n").stopped(1, "declined");
    assert!(state(&socket).halted.is_some());
    stage.ask(&["resume", "--reason", "the smoke was steam"]).answer("yes\n").ended(0);
    assert_eq!(state(&socket).halted, None);
    let said = stage.run(&["reset-breaker", "--reason", "looked at it", "--yes"]);
    // It is not tripped: whatever the notary says to that, it was asked with a signature that it took.
    assert!(!said.stderr.contains("signature"), "{}", said.stderr);
}

#[test]
fn without_a_notary_there_is_one_clear_error() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    stage.run(&["approve", &ids[0], "--yes"]).ended(0);
    stage.configure("[notary]\nsocket = \"nowhere.sock\"\n");
    let said = stage.on_duty(&[]).stopped(1, "notary");
    assert!(said.stdout.contains("[notary] socket"), "{}", said.stdout);
    assert!(!said.stderr.contains("-Y sign"), "nothing is signed for nobody: {}", said.stderr);
}

#[test]
fn the_notary_may_be_behind_ssh() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let socket = stage.notary();
    stage.run(&["approve", &ids[0], "--yes"]).ended(0);
    let sshd = Sshd::start(&stage);
    stage.configure(&format!("[notary]\nssh = \"lab\"\nsocket = \"{}\"\n", sshd.link(&socket)));
    let mut command = stage.command(&["lease", "--reason", "x", "--yes"]);
    let output = command.env("PATH", sshd.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ExitOnForwardFailure=yes"));
    assert_eq!(state(&socket).leases.len(), 1);
    // A host that does not let us in.
    fs::remove_file(sshd.dir.join("authorized_keys")).unwrap();
    let mut command = stage.command(&["lease", "--reason", "x", "--yes", "--json"]);
    let output = command.env("PATH", sshd.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"code\":\"notary\""));
}

/// A real sshd on this machine, and an `ssh` in front of the real one that has its own configuration.
struct Sshd {
    child: Child,
    dir: PathBuf,
    _dir: tempfile::TempDir,
}

impl Sshd {
    fn start(stage: &Stage) -> Self {
        // Below the build directory: sshd refuses keys below a world-writable one.
        let own = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let dir = own.path().to_owned();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["host", "user"] {
            stage.key(name, "ed25519");
            fs::copy(stage.path(&format!("keys/{name}")), dir.join(name)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(dir.join("authorized_keys"), stage.public("user")).unwrap();
        fs::write(dir.join("known_hosts"), format!("[127.0.0.1]:{port} {}\n", stage.public("host"))).unwrap();
        let shown = dir.display();
        let sshd = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {shown}/host\nPidFile none\n\
             AuthorizedKeysFile {shown}/authorized_keys\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        );
        fs::write(dir.join("sshd_config"), sshd).unwrap();
        let ssh = format!(
            "Host lab\nHostName 127.0.0.1\nPort {port}\nIdentityFile {shown}/user\nIdentitiesOnly yes\nBatchMode yes\n\
             UserKnownHostsFile {shown}/known_hosts\nStrictHostKeyChecking yes\n"
        );
        fs::write(dir.join("ssh_config"), ssh).unwrap();
        fs::create_dir(dir.join("bin")).unwrap();
        let real = find("ssh");
        let wrapper = format!("#!/bin/sh\nexec {} -F {shown}/ssh_config \"$@\"\n", real.display());
        fs::write(dir.join("bin/ssh"), wrapper).unwrap();
        fs::set_permissions(dir.join("bin/ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        // Only root needs it, and only root can make it.
        let _ = fs::create_dir_all("/run/sshd");
        let mut child = Command::new(find("sshd"))
            .args(["-D", "-e", "-f"])
            .arg(dir.join("sshd_config"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("Server listening") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "sshd ended before it listened");
        }
        // Whoever closes the pipe ends the server.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, dir, _dir: own }
    }

    /// A way to the socket without a blank in it: ssh splits there.
    fn link(&self, socket: &std::path::Path) -> String {
        let link = self.dir.join("notary");
        std::os::unix::fs::symlink(socket.parent().unwrap(), &link).unwrap();
        link.join("notary.sock").display().to_string()
    }

    fn path(&self) -> String {
        format!("{}:{}", self.dir.join("bin").display(), std::env::var("PATH").unwrap())
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path).chain(system).map(|dir| dir.join(name)).find(|path| path.exists());
    found.expect("these tests need OpenSSH's sshd: `apt-get install openssh-server`, or `cargo verify`")
}
