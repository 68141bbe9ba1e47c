//! Whether canonical can be written is measured against real servers and real file permissions.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::print_stdout, reason = "a table says how many of its cases ran")]
#![expect(clippy::print_stderr, reason = "a test that cannot run here says so")]
#![expect(clippy::disallowed_types, reason = "a test starts the servers; the observer itself starts nothing")]

#[path = "../../shared/tests/repositories/mod.rs"]
mod repositories;
#[path = "../../shared/tests/servers/mod.rs"]
mod servers;

use countersign_observer::privilege::canonical::{gather, judge};
use countersign_observer::privilege::local::{LocalAccess, look};
use countersign_observer::privilege::{Code, Violation};
use countersign_shared::git::{CommitId, Mirror, Reference, Remote, RemoteUrl, SshAccess};
use repositories::{git, repository};
use servers::{READ_ONLY, Sshd};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const FILES: &[(&str, &str)] = &[("fleet.toml", "schema = \"countersign/fleet/1\"\n")];

fn remote(url: &str) -> Remote {
    Remote::new(RemoteUrl::parse(url).unwrap(), SshAccess::default())
}

fn over_ssh(sshd: &Sshd, repository: &Path, key: &Path) -> Remote {
    let access = SshAccess { key: Some(key.to_owned()), known_hosts: Some(sshd.directory.join("known_hosts")) };
    Remote::new(RemoteUrl::parse(&sshd.url(repository)).unwrap(), access)
}

fn measured(mirror: &Mirror, remote: &Remote, tip: CommitId) -> Option<Code> {
    let facts = gather(mirror, remote, tip).unwrap();
    judge(&facts).map(|Violation { code, .. }| code)
}

#[test]
fn a_credential_passes_only_where_the_server_itself_refuses_the_push() {
    let place = tempfile::tempdir().unwrap();
    let base = place.path();
    let source = base.join("a.git");
    let tip = CommitId::parse(&repository(&source, FILES)).unwrap();
    let mirror = Mirror::open_or_create(&base.join("mirror")).unwrap();
    let main = Reference::branch("main").unwrap();
    mirror.fetch(&remote(source.to_str().unwrap()), &main).unwrap();

    let sshd = Sshd::start(&base.join("sshd"));
    let read = sshd.script("read", READ_ONLY);
    let reader = sshd.key("reader", &format!("restrict,command=\"{}\"", read.display()));
    let fixed = sshd.key("fixed", &format!("restrict,command=\"git-upload-pack {}\"", source.display()));
    let shell = sshd.key("git-shell", "restrict,command=\"git-shell -c \\\"$SSH_ORIGINAL_COMMAND\\\"\"");
    let writer = sshd.key("writer", "");
    // Refuses everything: the push is refused, and so is the reading.
    let closed = sshd.key("closed", "restrict,command=\"echo no >&2; exit 1\"");
    let stranger = Sshd::start(&base.join("other")).key("stranger", "");
    let daemon = |receive| format!("git://127.0.0.1:{}/a.git", servers::daemon(base, receive));
    let http = |receive| format!("http://127.0.0.1:{}/a.git", servers::http(base, receive));
    let dead = servers::dead_port();
    let mut silent = remote(&format!("git://127.0.0.1:{}/a.git", servers::silent_port()));
    silent.timeout = Duration::from_secs(1);

    let (writable, unproven) = (Some(Code::CanonicalWritable), Some(Code::CanonicalUnproven));
    let cases = [
        (None, over_ssh(&sshd, &source, &reader)),
        (None, over_ssh(&sshd, &source, &fixed)),
        (None, remote(&daemon(false))),
        (None, remote(&http(false))),
        (writable, over_ssh(&sshd, &source, &shell)),
        (writable, over_ssh(&sshd, &source, &writer)),
        (writable, remote(&daemon(true))),
        (writable, remote(&http(true))),
        (unproven, over_ssh(&sshd, &source, &closed)),
        (unproven, over_ssh(&sshd, &source, &stranger)),
        (unproven, remote(&format!("ssh://127.0.0.1:{dead}/a.git"))),
        (unproven, remote(&format!("git://127.0.0.1:{dead}/a.git"))),
        (unproven, remote(&format!("https://127.0.0.1:{dead}/a.git"))),
        (unproven, silent),
    ];
    let before = git(&source, &["for-each-ref"]);
    for (expected, remote) in &cases {
        assert_eq!(measured(&mirror, remote, tip), *expected, "{} {:?}", remote.url, remote.ssh.key);
    }
    assert_eq!(git(&source, &["for-each-ref"]), before, "the proof itself has written");
    println!("{} credentials measured", cases.len());
}

const CHILD: &str = "COUNTERSIGN_TEST_LOOK_AT";

/// The body of the tests below, run as another account.
#[test]
fn look_as_another_account_child() {
    if let Some(path) = std::env::var_os(CHILD) {
        match look(Path::new(&path)) {
            Ok(LocalAccess::ReadOnly) => println!("looked: read-only"),
            Ok(LocalAccess::Writable(found)) => println!("looked: writable {}", found.display()),
            Err(error) => println!("looked: {error}"),
        }
    }
}

/// What the account `nobody` finds; needs root, to become it.
fn look_as_nobody(program: &Path, repository: &Path) -> String {
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(program)
        .args(["--exact", "look_as_another_account_child", "--nocapture"])
        .env(CHILD, repository)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = said.lines().find_map(|l| l.split_once("looked: ")).map(|(_, text)| text.to_owned());
    found.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)))
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_local_repository_of_our_own_is_writable_whoever_we_are() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("a.git");
    let tip = CommitId::parse(&repository(&source, FILES)).unwrap();
    // Root, or the owner, who can take back any mode.
    allow(&source, 0o555);
    let mirror = Mirror::open_or_create(&place.path().join("mirror")).unwrap();
    for url in [source.display().to_string(), format!("file://{}", source.display())] {
        assert_eq!(measured(&mirror, &remote(&url), tip), Some(Code::CanonicalWritable), "{url}");
    }
    allow(&source, 0o755);
}

#[test]
fn a_local_repository_of_somebody_else_is_looked_at_from_top_to_bottom() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: needs root, to look as another account");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    allow(place.path(), 0o755);
    let program = place.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    allow(&program, 0o755);
    let above = place.path().join("srv");
    let source = above.join("a.git");
    repository(&source, FILES);
    let work = above.join("work");
    git(place.path(), &["clone", "--quiet", source.to_str().unwrap(), work.to_str().unwrap()]);
    assert_eq!(look_as_nobody(&program, &source), "read-only");
    assert_eq!(look_as_nobody(&program, &work), "read-only");

    let changed: &[(PathBuf, u32, u32)] = &[
        (source.join("refs/heads/main"), 0o666, 0o644),
        (source.join("refs/heads"), 0o777, 0o755),
        (source.join("refs"), 0o777, 0o755),
        (source.join("objects"), 0o777, 0o755),
        (source.join("HEAD"), 0o666, 0o644),
        (source.join("config"), 0o666, 0o644),
        (source.join("hooks"), 0o777, 0o755),
        (source.clone(), 0o777, 0o755),
        (above.clone(), 0o777, 0o755),
    ];
    for (path, open, closed) in changed {
        allow(path, *open);
        assert!(look_as_nobody(&program, &source).starts_with("writable "), "{path:?}");
        allow(path, *closed);
        assert_eq!(look_as_nobody(&program, &source), "read-only", "{path:?}");
    }
    println!("{} ways to write a repository found", changed.len());

    // A sticky directory above lets nobody rename what belongs to others.
    allow(&above, 0o1777);
    assert_eq!(look_as_nobody(&program, &source), "read-only");
    allow(&above, 0o755);
    // Owned means writable, whatever the mode says now.
    std::os::unix::fs::chown(source.join("refs/heads"), Some(65534), None).unwrap();
    assert!(look_as_nobody(&program, &source).starts_with("writable "));
    std::os::unix::fs::chown(source.join("refs/heads"), Some(0), None).unwrap();
    // A link in a place that others may write leads anywhere.
    let links = place.path().join("links");
    fs::create_dir(&links).unwrap();
    allow(&links, 0o777);
    std::os::unix::fs::symlink(&source, links.join("a.git")).unwrap();
    assert!(look_as_nobody(&program, &links.join("a.git")).starts_with("writable "));
    // No repository at all proves nothing.
    let empty = above.join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(look_as_nobody(&program, &empty).contains("no git repository"));
}

/// A real ssh-agent with one key, ended with the test.
struct Agent(std::process::Child);

impl Agent {
    fn start(socket: &Path, key: &Path) -> Self {
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(socket).stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It says where it listens once it does.
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        assert!(Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", socket).status().unwrap().success());
        Self(child)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_key_in_an_agent_logs_in_with_the_certificate_that_the_configuration_names() {
    let place = tempfile::tempdir().unwrap();
    let base = place.path();
    let sshd = Sshd::start(&base.join("sshd"));
    let [authority, key] = ["authority", "certified"].map(|name| {
        let path = base.join(name);
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).status();
        assert!(made.unwrap().success());
        path
    });
    let config = sshd.directory.join("sshd_config");
    let trusted = format!("{}TrustedUserCAKeys {}.pub\n", fs::read_to_string(&config).unwrap(), authority.display());
    fs::write(&config, trusted).unwrap();
    // Only who comes with the certificate leaves this mark.
    let mark = base.join("mark");
    let forced = format!("force-command=touch {}", mark.display());
    let mut sign = Command::new("ssh-keygen");
    sign.arg("-q").arg("-s").arg(&authority).args(["-I", "observer", "-n", &sshd.user, "-O", &forced]);
    assert!(sign.arg(key.with_extension("pub")).status().unwrap().success());
    let read = |name: &str| fs::read_to_string(base.join(name)).unwrap().trim().to_owned();
    let fleet = format!(
        "schema = \"countersign/fleet/1\"\n[keys]\nobserver_ssh = [\"{}\"]\n[runners.runner-01]\naddress = \"127.0.0.1\"\n\
         port = {}\nuser = \"{}\"\nhost_keys = [\"{}\"]\n",
        read("certified.pub"),
        sshd.port,
        sshd.user,
        read("sshd/host.pub"),
    );
    repository(&base.join("a.git"), &[("fleet.toml", &fleet)]);
    fs::write(base.join("approvers"), "").unwrap();
    let socket = base.join("agent");
    let _agent = Agent::start(&socket, &key);
    let observe = |certificate: &str| {
        let text = format!(
            "state_dir = \"state\"\n[canonical]\nurl = \"a.git\"\n[ssh]\nagent = true\n{certificate}\n[trust]\n\
             approvers = \"approvers\"\naccept = [\"canonical-unsigned\", \"canonical-writable\"]\n"
        );
        fs::write(base.join("observer.toml"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-observer"));
        command.arg("--config").arg(base.join("observer.toml")).args(["observe", "--json"]);
        let output = command.env("SSH_AUTH_SOCK", &socket).output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let code = document["runners"][0]["error"]["code"].as_str();
        code.unwrap_or_else(|| panic!("{document}")).to_owned()
    };
    assert_eq!(observe(""), "auth");
    assert!(!mark.exists());
    // What the forced command answers is no observation; that it ran is the proof.
    let code = observe("certificate = \"certified-cert.pub\"");
    assert!(mark.exists() && code != "auth", "{code}");
}
