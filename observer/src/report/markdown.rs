//! The report for a forge, a wiki or a mail. Text of others is code, or plain words.

use countersign_manifests_schema::report::{DriftItem, Notice, RunnerReport};
use countersign_shared::terminal::markdown::{code, prose};
use countersign_shared::terminal::{cut, visible};

use super::classes::Class;
use super::summary::Summary;
use super::{counted, grouped, items_that_count, moment, subject, subject_unless};

/// Text of others is shown up to here, in columns.
const LONGEST: usize = 600;
const MOST_ROWS: usize = 200;
const MOST_ITEMS: usize = 2_000;
const MOST_NAMES: usize = 5_000;

/// The report with a newline at the end.
pub fn markdown(summary: &Summary<'_>) -> String {
    let mut page = Page { lines: Vec::new() };
    page.head(summary);
    page.notices(
        "Steps that failed",
        summary.failed_steps().map(|step| (step.step.as_str(), failure(&step.error), None)),
    );
    let guards = summary.report.guards.iter();
    page.notices(
        "Guards",
        guards.map(|guard| (guard.code.as_str(), guard.message.clone(), Some(guard.runners.as_slice()))),
    );
    let trust = summary.report.trust.iter();
    page.notices("Taken on trust", trust.map(|notice| (notice.code.as_str(), notice.message.clone(), None)));
    page.news(summary);
    page.classes(summary);
    page.failures(summary);
    page.runners(summary);
    let risks = summary.report.risks.iter();
    page.notices("Risks", risks.map(|notice| (notice.code.as_str(), notice.message.clone(), None)));
    page.clean(summary);
    page.lines.push(format!(
        "{}, run {}. All times are UTC.",
        quoted(&summary.context.generator),
        quoted(&summary.report.run)
    ));
    page.lines.push(String::new());
    page.lines.join("\n")
}

fn failure(error: &Option<Notice>) -> String {
    error.as_ref().map_or("no reason is known".to_owned(), |error| format!("{} ({})", error.message, error.code))
}

/// Bounded code; nothing for nothing.
fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { code(&cut(&visible(text), LONGEST)) }
}

fn sentence(text: &str) -> String {
    prose(&cut(&visible(text), LONGEST))
}

fn list<'n>(names: impl IntoIterator<Item = &'n str>, most: usize) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let mut text = names.iter().take(most).map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    if names.len() > most {
        text.push_str(&format!(" and {} more", grouped((names.len() - most) as u64)));
    }
    text
}

struct Page {
    lines: Vec<String>,
}

impl Page {
    fn paragraph(&mut self, text: impl Into<String>) {
        self.lines.push(text.into());
        self.lines.push(String::new());
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.lines.push(format!("| {} |", cells.join(" | ")));
    }

    fn table<const N: usize>(&mut self, titles: [&str; N], rows: impl Iterator<Item = [String; N]>) {
        self.row(titles.map(str::to_owned));
        self.row(titles.map(|_| "---".to_owned()));
        for row in rows {
            self.row(row);
        }
        self.lines.push(String::new());
    }

    fn more(&mut self, all: usize, shown: usize) {
        if all > shown {
            self.paragraph(format!("And {} more in the JSON report.", grouped((all - shown) as u64)));
        }
    }

    fn head(&mut self, summary: &Summary<'_>) {
        let report = summary.report;
        self.paragraph(format!("# Drift report, {}", sentence(&moment::of_run(&report.run))));
        self.paragraph(format!("**{}**", summary.verdict_text()));
        let counts = &summary.counts;
        let numbers = [counts.runners, counts.observed, counts.failed, counts.drifted, counts.items, counts.new];
        self.table(
            ["runners", "observed", "not observed", "with drift", "drift items", "new"],
            std::iter::once(numbers.map(grouped)),
        );
        let mut quiet = format!("{}.", summary.quiet_counts());
        if counts.unjudged > 0 {
            let codes = summary.unjudged_by_code();
            let codes: Vec<String> = codes
                .iter()
                .map(|(code, runners)| format!("{} on {}", quoted(code), counted(*runners, "runner")))
                .collect();
            quiet.push_str(&format!(" Not judged: {}.", codes.join(", ")));
        }
        self.paragraph(quiet);
        let previous = summary.context.previous.as_ref();
        let previous = previous.map(|previous| format!(", compared with run {}", quoted(&previous.run)));
        self.paragraph(format!("Canonical {}{}.", quoted(&report.canonical_commit), previous.unwrap_or_default()));
    }

    fn notices<'n>(&mut self, title: &str, notices: impl Iterator<Item = (&'n str, String, Option<&'n [String]>)>) {
        let notices: Vec<_> = notices.collect();
        if notices.is_empty() {
            return;
        }
        self.paragraph(format!("## {title}"));
        for (code, message, runners) in notices.iter().take(MOST_ROWS) {
            let on = match runners {
                Some(runners) if !runners.is_empty() => {
                    format!(" (on {})", list(runners.iter().map(String::as_str), 40))
                }
                _ => String::new(),
            };
            self.lines.push(format!("- **{}**: {}{on}", quoted(code), sentence(message)));
        }
        self.lines.push(String::new());
        self.more(notices.len(), MOST_ROWS);
    }

    fn news(&mut self, summary: &Summary<'_>) {
        if summary.new.is_empty() {
            return;
        }
        self.paragraph("## New since last run");
        let rows = summary.new.iter().take(MOST_ROWS).map(|finding| {
            let item = finding.item;
            [
                quoted(&item.code),
                quoted(&subject_unless(item, summary.only_arch)),
                quoted(item.wanted.as_deref().unwrap_or_default()),
                quoted(&item.seen.join(", ")),
                list(finding.runners.iter().copied(), 5),
                finding.since.map(|since| sentence(&moment::minute(since))).unwrap_or_default(),
                by(finding.by.map(|by| (by.user.as_deref(), by.command.as_str())), item),
            ]
        });
        self.table(["drift", "package", "wanted", "installed", "on", "since", "by"], rows);
        self.more(summary.new.len(), MOST_ROWS);
    }

    fn classes(&mut self, summary: &Summary<'_>) {
        if summary.classes.is_empty() {
            return;
        }
        self.paragraph("## Classes");
        let rows = summary.classes.iter().take(MOST_ROWS).map(|class| class_row(class, summary.only_arch));
        self.table(["runners", "group", "drift", "owner", "remedy"], rows);
        self.more(summary.classes.len(), MOST_ROWS);
    }

    fn failures(&mut self, summary: &Summary<'_>) {
        if summary.failures.is_empty() {
            return;
        }
        self.paragraph("## Not observed, by cause");
        for group in summary.failures.iter().take(MOST_ROWS) {
            let on = counted(group.runners.len() as u64, "runner");
            self.lines.push(format!("- **{}**, {on}", quoted(group.code)));
            for (name, message) in group.runners.iter().take(MOST_ROWS) {
                self.lines.push(format!("  - {}: {}", quoted(name), sentence(message)));
            }
            if group.runners.len() > MOST_ROWS {
                self.lines.push(format!("  - and {} more", grouped((group.runners.len() - MOST_ROWS) as u64)));
            }
        }
        self.lines.push(String::new());
        self.more(summary.failures.len(), MOST_ROWS);
    }

    fn runners(&mut self, summary: &Summary<'_>) {
        let runners: Vec<&RunnerReport> = summary.shown_runners().collect();
        if runners.is_empty() {
            return;
        }
        self.paragraph("## Runners");
        let mut room = MOST_ITEMS;
        let mut shown = 0;
        for runner in &runners {
            if runner.drift.len() > room {
                break;
            }
            room -= runner.drift.len();
            shown += 1;
            self.runner(summary, runner);
        }
        self.more(runners.len(), shown);
    }

    fn runner(&mut self, summary: &Summary<'_>, runner: &RunnerReport) {
        let counting = items_that_count(runner).count() as u64;
        let title = format!("### {}: {}", quoted(&runner.name), counted(counting, "item"));
        self.paragraph(title);
        let mut facts =
            format!("{}, {}", counted(runner.packages, "package"), list(runner.groups.iter().map(String::as_str), 20));
        if let Some(proposal) = &runner.proposal {
            facts.push_str(&format!(", proposal {}", quoted(proposal)));
        }
        self.paragraph(facts);
        for notice in summary.context.unjudged.get(&runner.name).into_iter().flatten() {
            self.lines.push(format!("- not judged: {}: {}", quoted(&notice.code), sentence(&notice.message)));
            self.lines.push(String::new());
        }
        if runner.drift.is_empty() {
            return;
        }
        let rows = runner.drift.iter().map(|item| {
            [
                quoted(&item.code),
                quoted(&subject(item)),
                quoted(item.wanted.as_deref().unwrap_or_default()),
                quoted(&item.seen.join(", ")),
                item.since.as_deref().map(|since| sentence(&moment::minute(since))).unwrap_or_default(),
                by(item.by.as_ref().map(|by| (by.user.as_deref(), by.command.as_str())), item),
                state(item),
            ]
        });
        self.table(["drift", "package", "wanted", "installed", "since", "by", "state"], rows);
    }

    fn clean(&mut self, summary: &Summary<'_>) {
        let clean: Vec<&str> = summary.clean_runners().map(|runner| runner.name.as_str()).collect();
        if !clean.is_empty() {
            self.paragraph("## Without drift");
            let text =
                format!("{}: {}", counted(clean.len() as u64, "runner"), list(clean.iter().copied(), MOST_NAMES));
            self.paragraph(text);
        }
    }
}

fn class_row(class: &Class<'_>, arch: Option<&str>) -> [String; 5] {
    let drift = class.by_code(arch).into_iter().map(|(code, subjects)| {
        let packages = subjects.iter().map(String::as_str).filter(|subject| *subject != "host");
        format!("{} {}", quoted(code), list(packages, 12)).trim_end().to_owned()
    });
    [
        if class.runners.len() <= 5 {
            list(class.runners.iter().copied(), 5)
        } else {
            grouped(class.runners.len() as u64)
        },
        quoted(class.group.unwrap_or_default()),
        drift.collect::<Vec<_>>().join("; "),
        quoted(class.owner.unwrap_or_default()),
        sentence(&class.remedy().text()),
    ]
}

fn by(by: Option<(Option<&str>, &str)>, item: &DriftItem) -> String {
    match (by, &item.spec_changed) {
        (Some((user, command)), _) => {
            format!("{} {}", user.map_or("(no login)".to_owned(), quoted), quoted(command)).trim_end().to_owned()
        }
        (None, Some(commit)) => format!("canonical {}", quoted(commit.get(..12).unwrap_or(commit))),
        (None, None) => String::new(),
    }
}

fn state(item: &DriftItem) -> String {
    let mut parts = Vec::new();
    if item.new {
        parts.push("new".to_owned());
    }
    if let Some(waived) = &item.waived {
        parts.push(format!("waived until {} by {}", quoted(&waived.until), quoted(&waived.owner)));
    }
    if let Some(blocked) = &item.blocked {
        parts.push(format!("blocked: {} {}", quoted(&blocked.code), sentence(&blocked.message)));
    }
    parts.join("; ")
}
