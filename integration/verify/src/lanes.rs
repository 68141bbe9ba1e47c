//! All tests of the workspace, in two lanes at once: a test with real runners mostly waits for one dnf, and machines have
//! two cores. Each lane has a lab of its own.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::steps::{cargo, is_root, say};
use crate::tally::Tally;

/// Half of the time each. What one has the other has not, by their patterns, so that no new test program is left out; and
/// that none was is counted.
const LANES: [&[&str]; 2] = [
    &["--lib", "--bins", "--test", "[!pw]*", "--test", "p[!l]*", "--test", "w[!a]*"],
    &["--test", "pl*", "--test", "wa*"],
];

/// Builds and runs them. The schemas and the dependency closures are compared there too.
pub(crate) fn test(root: &Path) -> Result<Tally, String> {
    let programs = build(root)?;
    let labs = labs();
    // Who is not root was told that these tests will fail; the others are run.
    if is_root() && !lab()?.arg("copy").arg(&labs[1]).status().is_ok_and(|status| status.success()) {
        return Err("the lab of the second lane cannot be made".to_owned());
    }
    let data = data(root);
    let start = |lane: &[&str], dir: Option<&Path>| {
        let mut command = cargo(root, &["test", "--workspace", "--no-fail-fast", "--locked"]);
        // What tests that pass say is shown, as they say what they have left out.
        command.args(lane).args(["--", "--show-output"]).env("COUNTERSIGN_LAB", "1");
        command.envs(data.iter().map(|data| ("COUNTERSIGN_DATA", data)));
        command.envs(dir.map(|dir| ("COUNTERSIGN_LAB_DIR", dir)));
        run(command, &mut std::io::stdout())
    };
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| start(LANES[1], Some(&labs[1])));
        (start(LANES[0], None), second.join().unwrap_or_else(|_| Err("a thread of this program ended".to_owned())))
    });
    let mut tally = first?;
    tally.add(second?);
    if tally.programs != programs && tally.failed == 0 {
        return Err(format!("{programs} test programs were built, and {} said how they ended", tally.programs));
    }
    tally.add(start(&["--doc"], None)?);
    Ok(tally)
}

/// How many test programs there are.
fn build(root: &Path) -> Result<u64, String> {
    let all = ["test", "--workspace", "--lib", "--bins", "--tests", "--no-run", "--locked"];
    let mut command = cargo(root, &all);
    let mut child = command.stderr(Stdio::piped()).spawn().map_err(|error| format!("cannot start cargo: {error}"))?;
    let mut programs = 0;
    for line in BufReader::new(child.stderr.take().ok_or("no stderr")?).lines().map_while(Result::ok) {
        programs += u64::from(line.trim_start().starts_with("Executable "));
        // A closed stderr must not stop the tests.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(programs),
        Ok(status) => Err(format!("the tests cannot be built: cargo: {status}")),
        Err(error) => Err(format!("cannot wait for cargo: {error}")),
    }
}

fn run(mut command: Command, out: &mut impl Write) -> Result<Tally, String> {
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("cannot start cargo: {error}"))?;
    let mut reader = BufReader::new(child.stdout.take().ok_or("no stdout")?);
    let mut tally = Tally::default();
    // Bytes, not text: a test may print anything.
    let (mut line, mut held, mut holds) = (Vec::new(), Vec::new(), false);
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        tally.read(&text);
        held.append(&mut line);
        // Each test is told at once. What the tests of a program said stays together.
        holds = (holds || matches!(text.as_str(), "successes:" | "failures:")) && !text.starts_with("test result: ");
        if !holds {
            show(&mut held, out);
        }
    }
    show(&mut held, out);
    match child.wait() {
        Ok(status) if status.success() || tally.failed > 0 => Ok(tally),
        Ok(status) => Err(format!("cargo: {status}")),
        Err(error) => Err(format!("cannot wait for cargo: {error}")),
    }
}

fn show(held: &mut Vec<u8>, out: &mut impl Write) {
    // A closed stdout must not stop the tests.
    let _ = out.write_all(held);
    held.clear();
}

/// Where the tests over real data find it.
fn data(root: &Path) -> Option<PathBuf> {
    if std::env::var_os("COUNTERSIGN_DATA").is_some() {
        return None;
    }
    let data = root.join("../shared/data").canonicalize().ok();
    say(match data {
        Some(_) => "COUNTERSIGN_DATA is not set: the directory shared/data beside this repository is taken",
        None => {
            "COUNTERSIGN_DATA is not set, and there is no directory shared/data beside this repository: tests over real data are counted as skipped"
        }
    });
    data
}

/// The directories of the lanes' labs.
fn labs() -> [PathBuf; 2] {
    let first = std::env::var_os("COUNTERSIGN_LAB_DIR").unwrap_or_else(|| "/var/tmp/countersign-lab".into());
    let mut second: OsString = first.clone();
    second.push("-2");
    [first.into(), second.into()]
}

/// Takes down what a killed test may have left.
pub(crate) fn labs_down() -> bool {
    labs().into_iter().all(|dir| {
        let down = lab().map(|mut lab| lab.arg("down").env("COUNTERSIGN_LAB_DIR", dir).status());
        down.is_ok_and(|status| status.is_ok_and(|status| status.success()))
    })
}

/// The program that the tests were built with, beside this one.
fn lab() -> Result<Command, String> {
    let own = std::env::current_exe().map_err(|error| format!("this program is nowhere: {error}"))?;
    let lab = own.with_file_name("lab");
    if lab.exists() { Ok(Command::new(lab)) } else { Err("no lab was built".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_that_says_nothing_of_its_tests_has_not_passed() {
        let mut out = Vec::new();
        let mut run = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            run(command, &mut out)
        };
        let said = "printf 'test a ... ok\\nsuccesses:\\n\\377\\n\\ntest result: ok. 1 passed; 0 failed; 0 ignored\\n'";
        let tally = run(said).unwrap_or_else(|reason| panic!("{reason}"));
        assert_eq!((tally.passed, tally.failed, tally.programs), (1, 0, 1));
        assert!(run("exit 101").is_err(), "it was not built");
        assert!(run(&format!("{said}; kill -KILL $$")).is_err(), "a program died");
        let failed = run("echo 'test result: FAILED. 1 passed; 2 failed; 0 ignored'; exit 101");
        assert_eq!(failed.map(|tally| tally.failed), Ok(2));
        let whole = b"test a ... ok\nsuccesses:\n\xff\n\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";
        assert!(out.starts_with(whole), "byte for byte: {}", String::from_utf8_lossy(&out));
    }
}
