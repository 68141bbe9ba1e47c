//! How a program ends: one table for the code, `--help`, the man pages and the README.

use std::fmt::Write as _;
use std::process::ExitCode;

/// How a command ended. The order is the priority: of several outcomes the greatest is the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Everything was done and nothing is to be said.
    Clean,
    /// Drift was found.
    Drift,
    /// Some runners were not observed; nothing is known about their drift.
    NotObserved,
    /// The command failed.
    Failed,
    /// A proof over the whole run, or a gate, refused.
    Refused,
    /// Wrong usage, or input files that cannot be accepted.
    Invalid,
    /// A halt is set.
    Halted,
}

impl Outcome {
    /// Every outcome, the one that wins first.
    pub const BY_PRIORITY: [Outcome; 7] = [
        Outcome::Halted,
        Outcome::Invalid,
        Outcome::Refused,
        Outcome::Failed,
        Outcome::NotObserved,
        Outcome::Drift,
        Outcome::Clean,
    ];

    /// The exit status.
    pub const fn status(self) -> u8 {
        match self {
            Outcome::Clean => 0,
            Outcome::Failed => 1,
            Outcome::Invalid => 2,
            Outcome::Drift => 10,
            Outcome::NotObserved => 11,
            Outcome::Refused => 20,
            Outcome::Halted => 21,
        }
    }

    /// What it says to a person.
    pub const fn meaning(self) -> &'static str {
        match self {
            Outcome::Clean => "done, nothing found",
            Outcome::Failed => "failure",
            Outcome::Invalid => "wrong usage or invalid input files",
            Outcome::Drift => "drift found",
            Outcome::NotObserved => "some runners were not observed",
            Outcome::Refused => "a run-level proof or a gate refused",
            Outcome::Halted => "halted",
        }
    }

    /// The outcome of a whole, given one more part.
    #[must_use]
    pub fn and(self, other: Outcome) -> Outcome {
        self.max(other)
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        ExitCode::from(outcome.status())
    }
}

impl FromIterator<Outcome> for Outcome {
    fn from_iter<I: IntoIterator<Item = Outcome>>(parts: I) -> Self {
        parts.into_iter().fold(Outcome::Clean, Outcome::and)
    }
}

/// The table as text, for `--help` and the man pages.
pub fn help_text() -> String {
    let mut text = String::from("Exit status (the first of this list that holds):\n");
    for outcome in Outcome::BY_PRIORITY {
        writeln!(text, "  {:>2}  {}", outcome.status(), outcome.meaning()).expect("NOTE: a String never fails");
    }
    text
}

/// The table as Markdown, for the README.
pub fn markdown_table() -> String {
    let mut text = String::from("| status | meaning |\n|---:|---|\n");
    for outcome in Outcome::BY_PRIORITY {
        writeln!(text, "| {} | {} |", outcome.status(), outcome.meaning()).expect("NOTE: a String never fails");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_of_the_documented_order_wins() {
        let order: Vec<u8> = Outcome::BY_PRIORITY.iter().map(|o| o.status()).collect();
        assert_eq!(order, [21, 2, 20, 1, 11, 10, 0]);
        for (rank, winner) in Outcome::BY_PRIORITY.into_iter().enumerate() {
            for loser in Outcome::BY_PRIORITY.into_iter().skip(rank) {
                assert_eq!(winner.and(loser), winner);
                assert_eq!(loser.and(winner), winner);
            }
        }
        assert_eq!([].into_iter().collect::<Outcome>(), Outcome::Clean);
    }

    #[test]
    fn the_table_shown_is_the_table_used() {
        insta::assert_snapshot!(help_text(), @r"
        Exit status (the first of this list that holds):
          21  halted
           2  wrong usage or invalid input files
          20  a run-level proof or a gate refused
           1  failure
          11  some runners were not observed
          10  drift found
           0  done, nothing found
        ");
        for outcome in Outcome::BY_PRIORITY {
            assert!(markdown_table().contains(&format!("| {} | {} |", outcome.status(), outcome.meaning())));
        }
    }
}
