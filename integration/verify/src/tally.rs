//! Counting what the test harness reports.

use std::collections::BTreeMap;

/// Tests that passed and failed, over all test programs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Test programs that said how they ended.
    pub(crate) programs: u64,
    /// What those that failed said of it.
    pub(crate) failures: Vec<String>,
    /// What tests that passed have left out, by their reason.
    pub(crate) skipped: BTreeMap<String, u64>,
    /// What is being read belongs to `failures`.
    failing: bool,
}

impl Tally {
    /// Adds a line of the harness such as `test result: ok. 12 passed; 0 failed; 0 ignored; …`, or of a test,
    /// `SKIPPED [NAME]: REASON`; other lines count for nothing.
    pub(crate) fn read(&mut self, line: &str) {
        self.failing |= line == "failures:";
        if self.failing {
            self.failures.push(line.to_owned());
        }
        if let Some((_, reason)) = line.strip_prefix("SKIPPED").and_then(|rest| rest.split_once(": ")) {
            *self.skipped.entry(reason.to_owned()).or_default() += 1;
            return;
        }
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        (self.failing, self.programs) = (false, self.programs + 1);
        for count in counts.split("; ") {
            match count.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }

    /// Adds what was counted elsewhere.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.programs += other.programs;
        self.failures.extend(other.failures);
        for (reason, count) in other.skipped {
            *self.skipped.entry(reason).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn counts_are_those_of_the_harness() {
        let mut tally = Tally::default();
        for line in [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s",
            "failures:",
            "---- it stdout ----",
            "why",
            "test result: FAILED. 6 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 144.76s",
            "test nothing ... ok",
            "failures",
            "a line that says 7 passed; 7 failed",
            "test result: of something else",
            "SKIPPED: no data, so nothing was compared",
            "SKIPPED keys: no keys here",
            "SKIPPED people: no keys here",
        ] {
            tally.read(line);
        }
        let skipped = [("no data, so nothing was compared".to_owned(), 1), ("no keys here".to_owned(), 2)];
        assert_eq!((tally.passed, tally.failed, tally.programs), (18, 4, 2));
        assert_eq!(tally.skipped, skipped.into());
        assert_eq!(tally.failures[..3], ["failures:", "---- it stdout ----", "why"]);
        assert_eq!(tally.failures.len(), 4, "up to the result: {:?}", tally.failures);
        tally.add(tally.clone());
        assert_eq!((tally.passed, tally.failed, tally.programs, tally.failures.len()), (36, 8, 4, 8));
        assert_eq!(tally.skipped.values().sum::<u64>(), 6);
    }
}
