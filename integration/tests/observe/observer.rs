//! The program itself, run as an account that has no rights on this machine.

use std::io::{BufRead as _, BufReader, Lines};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::OnceLock;

use countersign_manifests_schema::error::ErrorDocument;
use countersign_manifests_schema::report::DriftReport;

/// Uid and gid of `nobody`.
pub(crate) const NOBODY: u32 = 65_534;

/// `countersign-observer` as it is shipped: built alone, not with the features of the packages around it.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let target = test.ancestors().nth(3).unwrap();
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "countersign-observer", "--bin", "countersign-observer"])
            .arg("--target-dir")
            .arg(target)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .status()
            .unwrap();
        assert!(status.success(), "countersign-observer cannot be built");
        target.join("debug/countersign-observer")
    })
}

/// The observer with one configuration.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    program: PathBuf,
    config: PathBuf,
}

/// One answer.
pub(crate) struct Answer {
    /// Exit status.
    pub(crate) status: i32,
    /// The one document.
    pub(crate) stdout: Vec<u8>,
    /// Log.
    pub(crate) stderr: String,
}

/// A run that has not ended.
pub(crate) struct Running {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Observer {
    /// With this configuration; the program goes beside it, where everybody may read it.
    pub(crate) fn new(config: &Path) -> Self {
        let program = config.with_file_name("countersign-observer");
        if !program.exists() {
            std::fs::copy(built(), &program).unwrap();
        }
        Self { program, config: config.to_owned() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(&self.config).args(arguments);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").current_dir("/");
        command.uid(NOBODY).gid(NOBODY).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs to the end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command(arguments).output().unwrap())
    }

    /// Starts it; what it logs can be waited for.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).arg("-v").spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Running { child, log }
    }
}

impl Answer {
    fn of(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The whole of stdout is one JSON document and nothing else.
    pub(crate) fn document(&self) -> serde_json::Value {
        let stdout = String::from_utf8_lossy(&self.stdout);
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("not one document: {error}\n{stdout}\n{}", self.stderr))
    }

    /// The report, and that it came with this exit status.
    pub(crate) fn report(&self, status: i32) -> DriftReport {
        assert_eq!(self.status, status, "{}\n{}", String::from_utf8_lossy(&self.stdout), self.stderr);
        serde_json::from_value(self.document()).unwrap()
    }

    /// The error, and that it came with this exit status.
    pub(crate) fn error(&self, status: i32) -> ErrorDocument {
        assert_eq!(self.status, status, "{}\n{}", String::from_utf8_lossy(&self.stdout), self.stderr);
        serde_json::from_value(self.document()).unwrap()
    }
}

impl Running {
    /// Readable once it has ended.
    pub(crate) fn handle(&self) -> OwnedFd {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap()
    }

    /// Waits for a line of its log that holds `word`.
    pub(crate) fn until(&mut self, word: &str) {
        assert!(self.log.any(|line| line.unwrap().contains(word)), "it ended before it said {word:?}");
    }

    /// Ends it at once, as the kernel does when memory is short.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether it is still at work.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}
