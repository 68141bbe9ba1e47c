//! One resolution: what dnf answered, and what that means.

use super::table::{Table, TableError};
use super::{Step, rows};
use crate::observation::{Failure, bounded, garbage};

/// Lines of the solver's own words that are kept.
const WORDS_MAX: usize = 12;

/// What dnf said to one resolution, unread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attempt<'a> {
    /// Its exit status.
    pub status: i32,
    /// Its stdout, line by line; for dnf4 one row per change.
    pub stdout: Vec<&'a str>,
    /// Its stderr.
    pub stderr: Vec<&'a str>,
}

/// What it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// These changes, and no others.
    Resolved(Vec<Step>),
    /// dnf sees nothing to do; its words say why, if it says so.
    Nothing(String),
    /// It cannot be done, in the solver's own words.
    Refused(String),
}

impl Attempt<'_> {
    /// `dnf5 --assumeno` ends with 1 both when it resolved and when it could not: its words tell them apart.
    pub fn judge(&self, generation: u8) -> Result<Verdict, Failure> {
        if matches!(self.status, 124 | 137) {
            return Err(Failure::new("dnf-busy", "dnf did not answer in time; another transaction may hold its lock"));
        }
        match generation {
            4 => self.dnf4(),
            _ => self.dnf5(),
        }
    }

    fn dnf5(&self) -> Result<Verdict, Failure> {
        let says = |text: &str| self.stderr.contains(&text);
        let nothing = self.stdout.contains(&"Nothing to do.");
        let failed = says("Failed to resolve the transaction:");
        let aborted = says("Operation aborted by the user.");
        match (self.status, nothing, failed, aborted) {
            (1, false, false, true) => {
                match Table::parse(&self.stdout.iter().flat_map(|line| [*line, "\n"]).collect::<String>()) {
                    Ok(table) if table.steps.is_empty() => Ok(Verdict::Nothing(self.words())),
                    Ok(table) => Ok(Verdict::Resolved(table.steps)),
                    Err(error @ TableError::Section(..)) => Ok(Verdict::Refused(error.to_string())),
                    Err(error) => Err(garbage(format!("dnf5's table is not understood: {error}"))),
                }
            }
            (0, true, false, false) => Ok(Verdict::Nothing(self.words())),
            (1, false, true, false) => Ok(Verdict::Refused(self.words())),
            (status, ..) => Err(garbage(format!("dnf5 ended with {status} and said: {}", self.words()))),
        }
    }

    fn dnf4(&self) -> Result<Verdict, Failure> {
        match (self.status, self.stdout.is_empty()) {
            (0, true) => Ok(Verdict::Nothing(self.words())),
            (0, false) => rows::parse(&self.stdout)
                .map(Verdict::Resolved)
                .map_err(|row| garbage(format!("dnf4's row is not understood: {}", bounded(&row)))),
            (1, true) => Ok(Verdict::Refused(self.words())),
            (status, _) => Err(garbage(format!("dnf4 ended with {status} and said: {}", self.words()))),
        }
    }

    /// What the solver says about the matter: a few lines, without progress and without hints for a command line.
    fn words(&self) -> String {
        let hints = "You can try to add to command line:";
        let lines = self.stderr.iter().take_while(|line| **line != hints).map(|line| line.trim());
        let progress = |line: &str| {
            line.is_empty()
                || matches!(
                    line,
                    "Updating and loading repositories:"
                        | "Repositories loaded."
                        | "Failed to resolve the transaction:"
                )
                || line.contains("% | ")
        };
        let kept: Vec<&str> = lines.filter(|line| !progress(line)).take(WORDS_MAX + 1).map(bounded).collect();
        match kept.get(WORDS_MAX) {
            Some(_) => format!("{}; ...", kept[..WORDS_MAX].join("; ")),
            None => kept.join("; "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn five(status: i32, stdout: &'static str, stderr: &'static str) -> Result<Verdict, Failure> {
        Attempt { status, stdout: stdout.lines().collect(), stderr: stderr.lines().collect() }.judge(5)
    }

    const TABLE: &str = "\
Package Arch   Version Repository      Size
Installing:
 a      noarch 0:1-1   fedora       0.0   B

Transaction Summary:
 Installing:         1 package

";

    #[test]
    fn the_same_exit_status_means_two_things() {
        let resolved = five(1, TABLE, "Repositories loaded.\nOperation aborted by the user.\n").unwrap();
        assert!(matches!(resolved, Verdict::Resolved(steps) if steps.len() == 1));
        let refused = five(
            1,
            "",
            "Repositories loaded.\nFailed to resolve the transaction:\nProblem: x\n  - y\n\
             You can try to add to command line:\n  --skip-broken to skip uninstallable packages\n",
        );
        assert_eq!(refused, Ok(Verdict::Refused("Problem: x; - y".to_owned())));
    }

    #[test]
    fn nothing_to_do_is_neither() {
        let said = five(0, "Nothing to do.\n", "Package \"a-1-1.noarch\" is already installed.\n\n");
        assert_eq!(said, Ok(Verdict::Nothing("Package \"a-1-1.noarch\" is already installed.".to_owned())));
    }

    #[test]
    fn what_is_not_understood_is_a_failure() {
        let busy = five(124, "", "").unwrap_err();
        assert_eq!(busy.code, "dnf-busy");
        for (status, stdout, stderr) in [
            (0, TABLE, ""),
            (0, TABLE, "Operation aborted by the user."),
            (1, TABLE, ""),
            (1, "", "Operation aborted by the user."),
            (1, "", "Segmentation fault"),
            (1, TABLE, "Failed to resolve the transaction:\nOperation aborted by the user."),
            (2, "", "Unknown argument"),
            (139, "", ""),
        ] {
            assert_eq!(five(status, stdout, stderr).unwrap_err().code, "garbage", "{status} {stdout} {stderr}");
        }
    }

    #[test]
    fn long_words_are_cut() {
        let stderr: Vec<String> = (0..50).map(|n| format!("{n} {}", "x".repeat(500))).collect();
        let attempt = Attempt { status: 1, stdout: vec![], stderr: stderr.iter().map(String::as_str).collect() };
        let Ok(Verdict::Refused(words)) = attempt.judge(4) else { panic!() };
        assert!(words.len() < 3000 && words.ends_with("; ..."), "{words}");
    }
}
