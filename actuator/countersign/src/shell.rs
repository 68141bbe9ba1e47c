//! The programs that are started, as the person set them up, each said before it runs.

use crate::stop::{Result, Stop};
use countersign_shared::exit::Outcome;
use countersign_shared::terminal::{Role, Screen, visible};
use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What would lead git to another repository than the one that is named; `git rev-parse --local-env-vars` lists them.
const LEADING_ASTRAY: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// A program that came to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) success: bool,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    /// The output as text, without blanks around it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }

    /// What it said when it failed, on one line, escaped.
    pub(crate) fn words(&self) -> String {
        let lines: Vec<&str> = self.stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let all = lines.join("; ");
        let skip = all.chars().count().saturating_sub(1_000);
        visible(&all.chars().skip(skip).collect::<String>()).into_owned()
    }
}

/// Starts programs and keeps what was started.
#[derive(Debug)]
pub(crate) struct Shell {
    screen: Screen,
    ran: RefCell<Vec<Vec<String>>>,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self { screen: Screen::of(&std::io::stderr()), ran: RefCell::default() }
    }

    /// Every command so far, as lists of arguments.
    pub(crate) fn ran(&self) -> Vec<Vec<String>> {
        self.ran.borrow().clone()
    }

    /// Says the command and runs it; its output is kept, the terminal stays its own for questions.
    pub(crate) fn run(&self, program: &OsStr, arguments: &[OsString]) -> Result<Ended> {
        self.announce(program, arguments);
        let output = self.command(program, arguments).output().map_err(|error| cannot_start(program, &error))?;
        Ok(Ended {
            success: output.status.success(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Says the command, so that what is run and what is said cannot differ.
    pub(crate) fn announce(&self, program: &OsStr, arguments: &[OsString]) {
        let all: Vec<&OsStr> = std::iter::once(program).chain(arguments.iter().map(OsString::as_os_str)).collect();
        let words: Vec<String> = all.iter().map(|word| quoted(&word.to_string_lossy())).collect();
        let line = format!("$ {}", words.join(" "));
        let _ = writeln!(std::io::stderr(), "{}", self.screen.palette.paint(Role::Dim, &line));
        self.ran.borrow_mut().push(all.iter().map(|word| word.to_string_lossy().into_owned()).collect());
    }

    /// The command, not yet run.
    pub(crate) fn command(&self, program: &OsStr, arguments: &[OsString]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in LEADING_ASTRAY {
            command.env_remove(name);
        }
        // Messages are compared in one language; questions of ssh and ssh-keygen are not translated.
        command.env("LC_ALL", "C");
        command
    }
}

pub(crate) fn cannot_start(program: &OsStr, error: &std::io::Error) -> Stop {
    let name = program.to_string_lossy().into_owned();
    Stop::new(Outcome::Failed, "no-program", format!("cannot start {name:?}"))
        .because(error.to_string())
        .hint("install it and put it into PATH; git 2.32 and OpenSSH 8.2 or newer are needed")
}

/// A word as a POSIX shell (bash for what cannot be seen) takes it back, on one line.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if visible(word) == word {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut text = String::from("$'");
    for c in word.chars() {
        match c {
            '\n' => text.push_str("\\n"),
            '\'' | '\\' => {
                text.push('\\');
                text.push(c);
            }
            c if visible(c.encode_utf8(&mut [0; 4])) == c.to_string() => text.push(c),
            // Byte by byte: what bash makes of a character's number depends on the locale.
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(text, "\\x{byte:02x}");
                }
            }
        }
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_is_shown() {
        for word in [
            "plain",
            "",
            "two words",
            "it's",
            "a\nb",
            "-x",
            "$HOME",
            "`id`",
            "a\\b\nc",
            "\u{1b}[2J",
            "x\u{202e}y",
            "naïve",
            "*",
            "~",
            "a;b",
            "é\n'",
        ] {
            let shown = quoted(word);
            assert!(!shown.contains('\n') && visible(&shown) == shown, "{shown:?}");
            let output = Command::new("bash").args(["-c", &format!("printf %s {shown}")]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word, "{shown}");
        }
    }
}
