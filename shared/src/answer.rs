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

/// Arguments that make no sense, for `--json`: what the parser of arguments says first, with the lines that belong to it.
pub fn misused(program: &str, said: &str) -> ExitCode {
    let mut lines = said.lines();
    let first = lines.next().unwrap_or_default().trim_start_matches("error: ");
    // What is missing, or what is possible, stands in indented lines below.
    let more: Vec<&str> = lines.take_while(|line| line.starts_with(' ')).map(str::trim).collect();
    let message = format!("{first} {}", more.join(", "));
    let failure = Failure::new("usage", message.trim_end()).hint(format!("{program} --help lists the commands"));
    stopped(Outcome::Invalid, &[failure], true)
}
