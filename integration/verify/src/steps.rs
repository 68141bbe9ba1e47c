//! The steps, in order. All run, also after one has failed: one run tells everything that is wrong.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::needs;
use crate::tally::Tally;

/// Runs everything; the exit code is 0 only if every step was.
pub(crate) fn run() -> ExitCode {
    let root = root();
    let began = Instant::now();
    let mut tally = Tally::default();
    let mut failed: Vec<&str> = Vec::new();

    step("what this machine needs");
    if let Err(reason) = needs::provide() {
        say(&reason);
        failed.push("what this machine needs");
        // Without a compiler or the lab's tools every further message would be about that.
        return end(tally, &failed, began);
    }
    if !is_root() {
        say("not root: the tests with real runners make namespaces and mounts, and will fail");
    }

    let checks: [(&str, &[&str]); 2] = [
        ("formatting", &["fmt", "--all", "--check"]),
        ("lints", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    ];
    for (name, arguments) in checks {
        step(name);
        if !cargo(&root, arguments).status().is_ok_and(|status| status.success()) {
            failed.push(name);
        }
    }

    step("tests, with real runners");
    if !test(&root, &mut tally) {
        failed.push("tests, with real runners");
    }

    step("nothing of the lab is left");
    if !lab_down() {
        failed.push("nothing of the lab is left");
    }

    step("documentation");
    let mut doc = cargo(&root, &["doc", "--workspace", "--no-deps", "--locked"]);
    if !doc.env("RUSTDOCFLAGS", "-D warnings").status().is_ok_and(|status| status.success()) {
        failed.push("documentation");
    }
    end(tally, &failed, began)
}

/// All tests of the workspace. The schemas and the dependency closures are compared there too. What tests that pass say is
/// shown, as they say what they have left out.
fn test(root: &Path, tally: &mut Tally) -> bool {
    let mut command = cargo(root, &["test", "--workspace", "--no-fail-fast", "--locked", "--", "--show-output"]);
    command.env("COUNTERSIGN_LAB", "1").stdout(Stdio::piped());
    if std::env::var_os("COUNTERSIGN_DATA").is_none() {
        match root.join("../shared/data").canonicalize() {
            Ok(data) => {
                say("COUNTERSIGN_DATA is not set: the directory shared/data beside this repository is taken");
                command.env("COUNTERSIGN_DATA", data);
            }
            Err(_) => say(
                "COUNTERSIGN_DATA is not set, and there is no directory shared/data beside this repository: tests over real data are counted as skipped",
            ),
        }
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            say(&format!("cannot start cargo: {error}"));
            return false;
        }
    };
    if let Some(output) = child.stdout.take() {
        let mut reader = BufReader::new(output);
        let mut line = Vec::new();
        // Bytes, not text: a test may print anything.
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            tally.read(String::from_utf8_lossy(&line).trim_end());
            // A closed stdout must not stop the tests.
            let _ = std::io::stdout().write_all(&line);
            line.clear();
        }
    }
    child.wait().is_ok_and(|status| status.success())
}

/// Takes down what a killed test may have left. The program is the one that the tests were built with, beside this one.
fn lab_down() -> bool {
    let Ok(own) = std::env::current_exe() else {
        return false;
    };
    let lab = own.with_file_name("lab");
    if !lab.exists() {
        say("no lab was built");
        return false;
    }
    Command::new(lab).arg("down").status().is_ok_and(|status| status.success())
}

fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    let path = std::env::var("PATH").unwrap_or_default();
    command.args(arguments).current_dir(root).env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

/// The cargo that runs this program.
pub(crate) fn program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn end(tally: Tally, failed: &[&str], began: Instant) -> ExitCode {
    step(&format!("done in {} s", began.elapsed().as_secs()));
    for name in failed {
        say(&format!("failed: {name}"));
    }
    // The tests step is counted by its tests, if they ran so far as to fail.
    let steps = failed.iter().filter(|name| !name.starts_with("tests") || tally.failed == 0).count() as u64;
    for (reason, count) in &tally.skipped {
        say(&format!("{count} skipped: {reason}"));
    }
    say(&format!("{} passed, {} failed", tally.passed, tally.failed + steps));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn step(name: &str) {
    say(&format!("== {name}"));
}

/// One line to the person, at once.
#[expect(clippy::print_stdout, reason = "this program talks on the terminal")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// The workspace: two directories above this package.
fn root() -> PathBuf {
    // What cargo says now, not when this was compiled: target directories are shared between clones.
    let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let own = Path::new(&own);
    own.ancestors().nth(2).unwrap_or(own).to_owned()
}

/// By the owner of this process, as the kernel shows it.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
