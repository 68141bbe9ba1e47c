//! The steps, in order. All run, also after one has failed: one run tells everything that is wrong.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::tally::Tally;
use crate::{lanes, needs};

/// Runs everything; the exit code is 0 only if every step was.
pub(crate) fn run() -> ExitCode {
    let root = root();
    let began = Instant::now();
    let mut failed: Vec<&str> = Vec::new();

    step("what this machine needs");
    if let Err(reason) = needs::provide() {
        say(&reason);
        failed.push("what this machine needs");
        // Without a compiler or the lab's tools every further message would be about that.
        return end(Tally::default(), &failed, began);
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
    let tally = lanes::test(&root).unwrap_or_else(|reason| {
        say(&reason);
        failed.push("tests, with real runners");
        Tally::default()
    });

    step("nothing of the lab is left");
    if !lanes::labs_down() {
        failed.push("nothing of the lab is left");
    }

    step("documentation");
    let mut doc = cargo(&root, &["doc", "--workspace", "--no-deps", "--locked"]);
    if !doc.env("RUSTDOCFLAGS", "-D warnings").status().is_ok_and(|status| status.success()) {
        failed.push("documentation");
    }
    end(tally, &failed, began)
}

pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Command {
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
    // Again, as it is far above.
    tally.failures.iter().for_each(|line| say(line));
    for name in failed {
        say(&format!("failed: {name}"));
    }
    for (reason, count) in &tally.skipped {
        say(&format!("{count} skipped: {reason}"));
    }
    say(&format!("{} passed, {} failed", tally.passed, tally.failed + failed.len() as u64));
    if failed.is_empty() && tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
