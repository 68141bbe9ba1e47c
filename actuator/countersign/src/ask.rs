//! Questions to the person, on stderr, answered on stdin.

use crate::stop::{Result, Stop};
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// How a question is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    /// Whether the answer was given in advance with `--yes`.
    pub(crate) yes: bool,
}

impl Asker {
    /// Goes on only if the person types `yes`.
    pub(crate) fn confirm(self, question: &str) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        let answer = ask(&format!("{question} Type `yes` to go on: "))?;
        if answer == "yes" {
            return Ok(());
        }
        Err(Stop::failed("declined", "nothing was signed and nothing was changed")
            .hint("type `yes` in full; scripts say --yes"))
    }
}

/// The reason that was given, or the one that the person types.
pub(crate) fn reason(given: Option<String>) -> Result<String> {
    let text = match given {
        Some(text) => text,
        None => ask("Reason: ")?,
    };
    let text = text.trim().to_owned();
    if text.is_empty() || text.len() > 1_000 || text.chars().any(char::is_control) {
        return Err(Stop::invalid("usage", "a reason is one line of 1 to 1000 bytes").hint("--reason gives it"));
    }
    Ok(text)
}

fn ask(question: &str) -> Result<String> {
    let mut err = std::io::stderr();
    let _ = err.write_all(question.as_bytes()).and_then(|()| err.flush());
    let mut line = String::new();
    let stdin = std::io::stdin();
    let typed = stdin.is_terminal();
    stdin
        .lock()
        .read_line(&mut line)
        .map_err(|error| Stop::failed("no-answer", "the answer cannot be read").because(error.to_string()))?;
    if !typed {
        // Nobody has ended the line of the question.
        let _ = writeln!(err);
    }
    Ok(line.trim().to_owned())
}
