//! What was planted against what was found.

use crate::embedded::incident::{Chapter, Planted};
use countersign_manifests_schema::report::{DriftReport, RunnerReport, Status};

/// The comparison of a report with the truth.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Planted items that were found, with code and person.
    pub found: usize,
    /// Runners that could not be observed and were reported so, for the right reason.
    pub failed: usize,
    /// Everything that is not as it should be, for people; empty when all is well.
    pub wrong: Vec<String>,
}

impl Verdict {
    /// Compares item by item: nothing may be missing, and nothing may be there that was not planted.
    pub fn of(chapters: &[Chapter], report: &DriftReport) -> Self {
        let mut verdict = Self::default();
        for chapter in chapters {
            match report.runners.iter().find(|runner| runner.name == chapter.runner) {
                Some(runner) => verdict.judge(chapter, runner),
                None => verdict.wrong.push(format!("{} is not in the report", chapter.runner)),
            }
        }
        verdict
    }

    fn judge(&mut self, chapter: &Chapter, runner: &RunnerReport) {
        let failure = runner.error.as_ref().map(|error| error.code.as_str());
        let observed = runner.status == Status::Observed;
        if failure != chapter.failure || observed == chapter.failure.is_some() {
            let (is, should) = (failure.unwrap_or("observed"), chapter.failure.unwrap_or("observed"));
            self.wrong.push(format!("{} should be {should} and is {is}", chapter.runner));
            return;
        }
        if chapter.failure.is_some() {
            self.failed += 1;
        }
        let seen = items(runner);
        for item in &seen {
            if chapter.found.iter().any(|planted| matches(planted, item)) {
                self.found += 1;
            } else {
                self.wrong.push(format!("{}: {item:?} was never planted", chapter.runner));
            }
        }
        for planted in &chapter.found {
            if !seen.iter().any(|item| matches(planted, item)) {
                self.wrong.push(format!("{planted:?} was not found"));
            }
        }
    }
}

/// Package, code, person.
type Item<'a> = (&'a str, &'a str, Option<&'a str>);

fn items(runner: &RunnerReport) -> Vec<Item<'_>> {
    runner
        .drift
        .iter()
        .map(|item| {
            let by = item.by.as_ref().and_then(|by| by.user.as_deref());
            (item.package.as_deref().unwrap_or(""), item.code.as_str(), by)
        })
        .collect()
}

fn matches(planted: &Planted, item: &Item<'_>) -> bool {
    (planted.package.as_str(), planted.code, planted.by.as_deref()) == *item
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::incident::chapters;
    use countersign_manifests_schema::report::{By, DRIFT_REPORT_SCHEMA, DriftItem, Notice};

    fn item(planted: &Planted) -> DriftItem {
        DriftItem {
            code: planted.code.to_owned(),
            package: Some(planted.package.clone()).filter(|package| !package.is_empty()),
            arch: None,
            wanted: None,
            seen: Vec::new(),
            since: None,
            by: planted.by.clone().map(|user| By { user: Some(user), command: "dnf5".to_owned() }),
            spec_changed: None,
            waived: None,
            new: true,
            remediable: true,
            blocked: None,
        }
    }

    /// The report that says exactly what was planted.
    fn exact(chapters: &[Chapter]) -> DriftReport {
        let runners = chapters
            .iter()
            .map(|chapter| RunnerReport {
                name: chapter.runner.to_owned(),
                groups: Vec::new(),
                status: if chapter.failure.is_some() { Status::Failed } else { Status::Observed },
                error: chapter.failure.map(|code| Notice { code: code.to_owned(), message: String::new() }),
                packages: 0,
                warm: false,
                drift: chapter.found.iter().map(item).collect(),
                unjudged: Vec::new(),
                proposal: None,
            })
            .collect();
        DriftReport {
            schema: DRIFT_REPORT_SCHEMA.to_owned(),
            run: String::new(),
            canonical_commit: String::new(),
            runners,
            guards: Vec::new(),
            trust: Vec::new(),
            risks: Vec::new(),
            steps: Vec::new(),
        }
    }

    #[test]
    fn the_exact_report_is_right_and_each_change_of_it_is_wrong() {
        let chapters = chapters(1_795_163_400);
        let verdict = Verdict::of(&chapters, &exact(&chapters));
        let planted = chapters.iter().map(|chapter| chapter.found.len()).sum::<usize>();
        assert_eq!((verdict.found, verdict.failed, verdict.wrong.as_slice()), (planted, 2, &[][..]));

        let changes: [fn(&mut DriftReport); 6] = [
            |report| drop(report.runners.remove(0)),
            |report| drop(report.runners[2].drift.pop()),
            |report| {
                let more = report.runners[2].drift[0].clone();
                report.runners[0].drift.push(more);
            },
            |report| report.runners[2].drift[0].by = None,
            |report| report.runners[8].status = Status::Observed,
            |report| report.runners[8].error = None,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut report = exact(&chapters);
            change(&mut report);
            assert!(!Verdict::of(&chapters, &report).wrong.is_empty(), "change {number} went unseen");
        }
    }
}
