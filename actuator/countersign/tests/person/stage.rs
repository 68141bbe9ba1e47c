//! A person's machine and two remotes, in one temporary directory whose name has a blank and a quote in it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

/// Everything that a test needs.
pub(crate) struct Stage {
    root: tempfile::TempDir,
}

/// A program that came to its end.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.stdout.lines().count(), 1, "one document, one line: {self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// Asserts that it ended so.
    #[track_caller]
    pub(crate) fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, status, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Asserts that it stopped with this code, which needs `--json`.
    #[track_caller]
    pub(crate) fn stopped(self, status: i32, code: &str) -> Self {
        let said = self.ended(status);
        assert_eq!(said.json()["code"], code, "{}\n{}", said.stdout, said.stderr);
        said
    }
}

/// A program that waits for an answer.
pub(crate) struct Waiting {
    child: Child,
    stdin: ChildStdin,
    stderr: String,
}

impl Waiting {
    /// Answers, and waits for the end.
    pub(crate) fn answer(mut self, text: &str) -> Said {
        self.stdin.write_all(text.as_bytes()).unwrap();
        drop(self.stdin);
        let mut rest = self.child.stderr.take().unwrap();
        let output = self.child.wait_with_output().unwrap();
        rest.read_to_string(&mut self.stderr).unwrap();
        Said { stderr: self.stderr, ..said(&output) }
    }
}

fn said(output: &Output) -> Said {
    Said {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout.clone()).unwrap(),
        stderr: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

impl Stage {
    /// Keys of people and machines, empty remotes, ada's configuration and her clones.
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("a person's place ").tempdir().unwrap();
        let stage = Self { root };
        for dir in ["keys", "home", "work", "clones"] {
            fs::create_dir(stage.path(dir)).unwrap();
        }
        for name in ["ada", "ben", "bot", "observer", "stranger"] {
            stage.key(name, "ed25519");
        }
        for remote in ["canonical", "proposed"] {
            let dir = stage.path(&format!("{remote}.git"));
            fs::create_dir(&dir).unwrap();
            stage.git(&dir, &["init", "--quiet", "--bare", "--initial-branch=main", "."]);
            // Commits of the observer, of people, of forges: all from here.
            let work = stage.path(&format!("work/{remote}"));
            stage.git(&stage.path("work"), &["clone", "--quiet", dir.to_str().unwrap(), remote]);
            stage.git(&work, &["checkout", "--quiet", "-B", "main"]);
        }
        stage.set("gpg.format", "ssh");
        stage.set("user.signingkey", stage.path("keys/ada").to_str().unwrap());
        stage.set("user.name", "Ada");
        stage.set("user.email", "ada@example.org");
        stage
    }

    /// A path below the temporary directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Makes a key pair.
    pub(crate) fn key(&self, name: &str, kind: &str) {
        let path = self.path(&format!("keys/{name}"));
        let output =
            Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-C", name, "-f"]).arg(path).output().unwrap();
        assert!(output.status.success());
    }

    /// The public half, type and base64.
    pub(crate) fn public(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path(&format!("keys/{name}.pub"))).unwrap();
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// Sets a value of the person's own git configuration.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.git(&self.path("home"), &["config", "--global", name, value]);
    }

    fn clean(&self, command: &mut Command, home: &str) {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path(home))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("TMPDIR", std::env::temp_dir());
    }

    /// git as the person has it.
    #[track_caller]
    pub(crate) fn git(&self, directory: &Path, args: &[&str]) -> String {
        let mut command = Command::new("git");
        self.clean(&mut command, "home");
        let output = command.current_dir(directory).args(["-c", "safe.directory=*"]).args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A tip of a remote.
    pub(crate) fn tip(&self, remote: &str, branch: &str) -> String {
        self.git(&self.path(&format!("{remote}.git")), &["rev-parse", &format!("refs/heads/{branch}")])
    }

    /// Commits the working tree of `work/REMOTE` as somebody, and pushes it to a branch.
    pub(crate) fn commit(&self, remote: &str, signer: Option<&str>, message: &str, branch: &str) -> String {
        let work = self.path(&format!("work/{remote}"));
        let name = signer.unwrap_or("nobody");
        let key = format!("user.signingkey={}", self.path(&format!("keys/{name}")).display());
        let (name, email) = (format!("user.name={name}"), format!("user.email={name}@example.org"));
        let sign = if signer.is_some() { "--gpg-sign" } else { "--no-gpg-sign" };
        let settings = ["-c", "gpg.format=ssh", "-c", &key, "-c", &name, "-c", &email];
        self.git(&work, &["add", "--all"]);
        self.git(&work, &[&settings[..], &["commit", "--quiet", "--allow-empty", sign, "-m", message]].concat());
        self.git(&work, &["push", "--quiet", "--force", "origin", &format!("HEAD:refs/heads/{branch}")]);
        self.git(&work, &["rev-parse", "HEAD"])
    }

    /// Writes a file of `work/REMOTE`.
    pub(crate) fn write(&self, remote: &str, path: &str, bytes: &[u8]) {
        let file = self.path(&format!("work/{remote}/{path}"));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    /// Clones both remotes for the person, and says where in a configuration file.
    pub(crate) fn settle(&self, extra: &str) {
        for name in ["canonical", "proposed"] {
            let remote = self.path(&format!("{name}.git"));
            self.git(&self.path("clones"), &["clone", "--quiet", remote.to_str().unwrap(), name]);
        }
        self.configure(extra);
    }

    /// Writes the configuration file.
    pub(crate) fn configure(&self, extra: &str) {
        let places = "[canonical]\npath = \"clones/canonical\"\n[proposed]\npath = \"clones/proposed\"\n";
        fs::write(self.path("countersign.toml"), format!("{places}{extra}")).unwrap();
    }

    /// The program.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        self.clean(&mut command, "home");
        command.current_dir(self.root.path()).arg("--config").arg(self.path("countersign.toml")).args(args);
        command
    }

    /// Runs the program to its end, without an answer to any question.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        said(&self.command(args).stdin(Stdio::null()).output().unwrap())
    }

    /// Runs the program until it asks.
    pub(crate) fn ask(&self, args: &[&str]) -> Waiting {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let (mut stderr, mut byte) = (Vec::new(), [0]);
        while !stderr.ends_with(b"to go on: ") {
            let read = child.stderr.as_mut().unwrap().read(&mut byte).unwrap();
            if read == 0 {
                let mut stdout = String::new();
                child.stdout.as_mut().unwrap().read_to_string(&mut stdout).unwrap();
                panic!("it ended without a question: {stdout}\n{}", String::from_utf8_lossy(&stderr));
            }
            stderr.push(byte[0]);
        }
        Waiting { child, stdin, stderr: String::from_utf8(stderr).unwrap() }
    }
}
