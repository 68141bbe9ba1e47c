//! Real servers for repositories: OpenSSH's sshd, git's daemon and git's http-backend, one process per connection.
//!
//! The listener is ours and hands each connection over, so no port is guessed and nothing is waited for.

use super::repositories::git_command;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// Accepts connections for ever and gives each to `serve`.
fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            serve(stream);
        }
    });
    address
}

/// A port on which nothing listens.
pub(crate) fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A port that accepts and then says nothing.
pub(crate) fn silent_port() -> u16 {
    let held = std::sync::Mutex::new(Vec::new());
    listen(move |stream| held.lock().unwrap().push(stream)).port()
}

/// `git daemon`; returns its port. With `receive`, anybody may push.
pub(crate) fn daemon(base: &Path, receive: bool) -> u16 {
    let base = base.to_owned();
    listen(move |stream| {
        let mut command = git_command(&base);
        command.args(["daemon", "--inetd", "--export-all", "--informative-errors"]);
        command.arg(format!("--base-path={}", base.display()));
        if receive {
            command.arg("--enable=receive-pack");
        }
        spawn_on(command, stream);
    })
    .port()
}

fn spawn_on(mut command: Command, stream: TcpStream) {
    let output: OwnedFd = stream.try_clone().unwrap().into();
    let input: OwnedFd = stream.into();
    let mut child = command.stdin(input).stdout(output).stderr(Stdio::null()).spawn().unwrap();
    // The command holds our ends of the connection: it goes first.
    drop(command);
    thread::spawn(move || child.wait());
}

/// An sshd with one account: the one that runs the test.
pub(crate) struct Sshd {
    /// Keys, configuration.
    pub(crate) directory: PathBuf,
    /// On 127.0.0.1.
    pub(crate) port: u16,
    /// The account.
    pub(crate) user: String,
}

impl Sshd {
    /// Starts it in `directory` with a fresh host key and no key that may log in.
    pub(crate) fn start(directory: &Path) -> Self {
        fs::create_dir_all(directory).unwrap();
        keygen(&directory.join("host"));
        fs::write(directory.join("authorized_keys"), "").unwrap();
        let config = directory.join("sshd_config");
        let here = directory.display();
        fs::write(
            &config,
            format!(
                "HostKey {here}/host\nAuthorizedKeysFile {here}/authorized_keys\nStrictModes no\nUsePAM no\n\
                 PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
                 Subsystem sftp internal-sftp\n"
            ),
        )
        .unwrap();
        // sshd wants it to be there when it runs as root; everybody else cannot make it and need not.
        let _ = fs::create_dir_all("/run/sshd");
        let arg = config.clone();
        let port = listen(move |stream| {
            let mut command = Command::new("/usr/sbin/sshd");
            command.arg("-i").arg("-f").arg(&arg);
            spawn_on(command, stream);
        })
        .port();
        let host = fs::read_to_string(directory.join("host.pub")).unwrap();
        let sshd = Self { directory: directory.to_owned(), port, user: whoami() };
        fs::write(directory.join("known_hosts"), format!("[127.0.0.1]:{port} {host}")).unwrap();
        sshd
    }

    /// A new key that may log in with these options (`command="…",restrict`); answers with its path.
    pub(crate) fn key(&self, name: &str, options: &str) -> PathBuf {
        let path = self.directory.join(name);
        keygen(&path);
        let public = fs::read_to_string(path.with_extension("pub")).unwrap();
        let file = self.directory.join("authorized_keys");
        let mut lines = fs::read_to_string(&file).unwrap();
        lines.push_str(&format!("{options} {public}"));
        fs::write(file, lines).unwrap();
        path
    }

    /// An executable script; answers with its path.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The URL of a repository at an absolute path.
    pub(crate) fn url(&self, path: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", self.user, self.port, path.display())
    }
}

/// A forced command as forges have it: upload-pack is run, receive-pack is refused with a message.
pub(crate) const READ_ONLY: &str = "#!/bin/sh\ncase \"$SSH_ORIGINAL_COMMAND\" in\n\
    git-upload-pack\\ *) exec git-shell -c \"$SSH_ORIGINAL_COMMAND\" ;;\n\
    *) echo 'ERROR: this key may only read' >&2; exit 1 ;;\nesac\n";

fn keygen(path: &Path) {
    let output = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn whoami() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// git's own http-backend; returns its port. With `receive`, anybody may push.
pub(crate) fn http(base: &Path, receive: bool) -> u16 {
    let base = base.to_owned();
    listen(move |stream| {
        let base = base.clone();
        thread::spawn(move || serve_http(&base, receive, stream));
    })
    .port()
}

fn serve_http(base: &Path, receive: bool, stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    if reader.read_line(&mut first).unwrap_or(0) == 0 {
        return;
    }
    let mut parts = first.split_whitespace();
    let (method, target) = (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let header = |name: &str| headers.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
    let length: usize = header("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut child = git_command(base)
        .args(["-c", &format!("http.receivepack={receive}"), "http-backend"])
        .env("GIT_PROJECT_ROOT", base)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", length.to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = thread::spawn(move || {
        let _ = stdin.write_all(&body);
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    let end = output.stdout.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&output.stdout[..end]).into_owned();
    let content = &output.stdout[end + 4..];
    let status = head.lines().find_map(|l| l.strip_prefix("Status: ")).unwrap_or("200 OK");
    let mut stream = stream;
    let _ =
        write!(stream, "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
    let _ = stream.write_all(content);
}
