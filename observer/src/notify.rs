//! `[notify]`: a program of the admin's when something is new, and a text file for Prometheus.

mod metrics;

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use countersign_shared::terminal::{cut, visible};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
// The only process that the observer starts besides git: a program that the admin named, on this machine, that gets a
// path and a line. Nothing a runner says decides what is started.
use tokio::process::{Child, Command};

use crate::report::Summary;

pub use metrics::{RunFacts, metrics, write_metrics};

/// How long the program may take.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// What the program wrote to stderr is kept up to here, in bytes.
const MOST_SAID: usize = 2_048;

/// How long an ended program's stderr is waited for: its children may hold it open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The one line is at most this wide, in columns.
const LONGEST: usize = 500;

/// From the observer's own environment; nothing else reaches the program.
const PASSED_ON: [&str; 6] = ["PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME"];

/// The program was not told, or did not take it well.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// `on_new_drift = []`, or an empty program name.
    #[error("[notify] on_new_drift names no program")]
    NoProgram,
    /// It could not be started.
    #[error("{program} could not be started")]
    Start {
        /// As configured.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It was killed with its children.
    #[error("{program} did not end within {} s and was killed", .after.as_secs_f32())]
    Timeout {
        /// As configured.
        program: String,
        /// The limit.
        after: Duration,
    },
    /// It ended with a failure.
    #[error("{program} ended with {status}{}{said}", if .said.is_empty() { "" } else { ": " })]
    Status {
        /// As configured.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The start of its stderr, made visible.
        said: String,
    },
    /// How it ended is not known.
    #[error("how {program} ended is not known")]
    Wait {
        /// As configured.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// What is new since the last run, as one line; `None` when there is nothing to wake somebody for.
pub fn news(summary: &Summary<'_>) -> Option<String> {
    let mut parts = Vec::new();
    if summary.counts.new > 0 {
        let first = summary.new.iter().take(3).map(|finding| {
            let package = finding.item.package.as_deref().unwrap_or("host");
            format!("{} {package}", finding.item.code)
        });
        let more = if summary.new.len() > 3 { ", ..." } else { "" };
        let first = first.collect::<Vec<_>>().join(", ");
        parts.push(format!("{} new drift items ({first}{more})", summary.counts.new));
    }
    let listed = |what: &str, names: Vec<&str>| match names.as_slice() {
        [] => None,
        [one] => Some(format!("{what} {one}")),
        [first, ..] => Some(format!("{what} {first} and {} more", names.len() - 1)),
    };
    parts.extend(listed("guard", summary.new_guards().map(|guard| guard.code.as_str()).collect()));
    parts.extend(listed("newly not observed:", summary.new_failures().map(|runner| runner.name.as_str()).collect()));
    parts.extend(listed("step failed:", summary.new_failed_steps().map(|step| step.step.as_str()).collect()));
    if parts.is_empty() {
        return None;
    }
    let line = format!("countersign {}: {}", summary.report.run, parts.join("; "));
    Some(cut(&visible(&line), LONGEST).into_owned())
}

/// Starts the program without a shell, with the path of the JSON report in `COUNTERSIGN_REPORT` and the line on stdin.
///
/// # Errors
/// A failed step of the run, never a failed run.
pub async fn page(argv: &[String], report: &Path, line: &str, timeout: Duration) -> Result<(), NotifyError> {
    let Some((program, arguments)) = argv.split_first().filter(|(program, _)| !program.is_empty()) else {
        return Err(NotifyError::NoProgram);
    };
    let passed_on = PASSED_ON.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(passed_on)
        .env("COUNTERSIGN_REPORT", report)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| NotifyError::Start { program: program.clone(), source })?;
    let group = child.id();
    let Ok(ended) = tokio::time::timeout(timeout, converse(&mut child, line)).await else {
        kill(group);
        // NOTE: it was killed, so this ends; how it ended is known.
        let _ = child.wait().await;
        return Err(NotifyError::Timeout { program: program.clone(), after: timeout });
    };
    let (status, said) = ended.map_err(|source| NotifyError::Wait { program: program.clone(), source })?;
    if status.success() {
        return Ok(());
    }
    let said = visible(String::from_utf8_lossy(&said).trim()).into_owned();
    Err(NotifyError::Status { program: program.clone(), status, said })
}

/// Tells the line, and listens while the program runs.
async fn converse(child: &mut Child, line: &str) -> std::io::Result<(ExitStatus, Vec<u8>)> {
    let stdin = child.stdin.take();
    let stderr = child.stderr.take();
    let told = async {
        if let Some(mut stdin) = stdin {
            // A program that does not want the line closes its end: that is its right.
            let _ = stdin.write_all(format!("{line}\n").as_bytes()).await;
        }
    };
    let said = async {
        let mut said = Vec::new();
        if let Some(stderr) = stderr {
            listen(stderr, &mut said).await;
        }
        said
    };
    let ended = async {
        let ((), status) = tokio::join!(told, child.wait());
        status
    };
    tokio::pin!(said, ended);
    tokio::select! {
        heard = &mut said => Ok((ended.await?, heard)),
        status = &mut ended => Ok((status?, tokio::time::timeout(LAST_WORDS, said).await.unwrap_or_default())),
    }
}

/// Keeps the first bytes and reads on, so that the writer never stops for us.
async fn listen(mut stream: impl AsyncRead + Unpin, said: &mut Vec<u8>) {
    let mut bytes = [0; 1_024];
    while let Ok(read @ 1..) = stream.read(&mut bytes).await {
        let room = MOST_SAID.saturating_sub(said.len());
        said.extend_from_slice(&bytes[..read.min(room)]);
    }
}

/// The program and whatever it started and did not put elsewhere.
fn kill(group: Option<u32>) {
    let group = group.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // NOTE: it may have ended in between; then there is nothing to kill.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::OpenOptionsExt as _;

    fn shell(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script, "name", "a $(b) 'c'"].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn the_program_gets_the_path_the_line_and_its_arguments_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let report = directory.path().join("it's a report.json");
        let script =
            format!("{{ cat; printf '%s\\n' \"$COUNTERSIGN_REPORT\" \"$1\" \"$PWD\"; env; }} > {}", out.display());
        page(&shell(&script), &report, "one; two", TIMEOUT).await.unwrap();
        let out = std::fs::read_to_string(out).unwrap();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[..4], ["one; two", report.to_str().unwrap(), "a $(b) 'c'", "/"]);
        let known = ["COUNTERSIGN_REPORT", "PWD", "SHLVL", "_", "OLDPWD"];
        for variable in &lines[4..] {
            let name = variable.split('=').next().unwrap();
            assert!(known.contains(&name) || PASSED_ON.contains(&name), "{variable} reached the program");
        }
    }

    #[tokio::test]
    async fn a_failure_is_told_with_what_it_said() {
        let argv = shell("printf 'no \\033[31mpager\\n' >&2; exit 3");
        let error = page(&argv, Path::new("/r.json"), "line", TIMEOUT).await.unwrap_err();
        assert_eq!(error.to_string(), "/bin/sh ended with exit status: 3: no \\x1b[31mpager");
        let error = page(&["/nowhere/page".to_owned()], Path::new("/r"), "", TIMEOUT).await.unwrap_err();
        assert_eq!(error.to_string(), "/nowhere/page could not be started");
        for none in [vec![], vec![String::new()]] {
            assert!(matches!(page(&none, Path::new("/r"), "", TIMEOUT).await, Err(NotifyError::NoProgram)));
        }
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed_with_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        let mut reading = std::fs::OpenOptions::new();
        reading.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        let mut reading = reading.open(&fifo).unwrap();
        let script = format!("exec 3>{}; sleep 1000 & sleep 1000", fifo.display());
        let after = Duration::from_millis(500);
        let error = page(&shell(&script), Path::new("/r.json"), "line", after).await.unwrap_err();
        assert!(matches!(error, NotifyError::Timeout { .. }), "{error}");
        // Shell and child hold the writing end: this read ends when both are gone, and not before.
        rustix::fs::fcntl_setfl(&reading, rustix::fs::OFlags::empty()).unwrap();
        std::io::Read::read_to_end(&mut reading, &mut Vec::new()).unwrap();
    }

    #[tokio::test]
    async fn a_program_that_reads_nothing_or_says_too_much_is_no_trouble() {
        page(&shell("exec <&-; exit 0"), Path::new("/r.json"), &"x".repeat(1 << 20), TIMEOUT).await.unwrap();
        let argv = shell("head -c 3000000 /dev/zero >&2; exit 1");
        let NotifyError::Status { said, .. } = page(&argv, Path::new("/r.json"), "", TIMEOUT).await.unwrap_err() else {
            panic!("it ended with a status");
        };
        assert_eq!(said.len(), MOST_SAID * "\\x00".len());
    }
}
