//! Running the host's own tools, with everything that they said in the error.

use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// Runs to the end and gives stdout; any other exit status than 0 is an error with both streams in it.
pub(super) fn run(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    bail!(
        "{}: {}\n{}{}",
        line(command),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Runs to the end, whatever the exit status.
pub(super) fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", line(command)))
}

/// A command of the host by name and arguments.
pub(super) fn host<const N: usize>(program: &str, arguments: [&std::ffi::OsStr; N]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C");
    command
}

fn line(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}
