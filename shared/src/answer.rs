//! How a program gives its answer: one document or one text on stdout, or why it stopped.

use crate::exit::Outcome;
use crate::terminal::{Failure, Screen};
use std::io::Write as _;
use std::process::ExitCode;

/// Prints to stdout. A reader that went away is no reason to fail: what was done is stored, and the exit status says the
/// rest.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints why a command stopped: the first failure as one document on stdout, or all of them as text on stderr.
pub fn stopped(outcome: Outcome, failures: &[Failure], json: bool) -> ExitCode {
    if json {
        if let Some(first) = failures.first() {
            print(&first.json());
        }
    } else {
        let screen = Screen::of(&std::io::stderr());
        let texts: Vec<String> = failures.iter().map(|failure| failure.text(screen.width, screen.palette)).collect();
        let _ = std::io::stderr().write_all(texts.join("\n").as_bytes());
    }
    outcome.into()
}

/// Arguments that make no sense, for `--json`: the first line of what the parser of arguments says.
pub fn misused(program: &str, said: &str) -> ExitCode {
    let first = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let failure = Failure::new("usage", first).hint(format!("{program} --help lists the commands"));
    stopped(Outcome::Invalid, &[failure], true)
}
