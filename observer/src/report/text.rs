//! The report on a terminal.

use countersign_shared::terminal::{Cell, Column, Role, Screen, Table, visible, wrapped};

use super::classes::{Class, Finding, Remedy};
use super::page::Page;
use super::summary::{FailureGroup, Summary, Verdict};
use super::{counted, details, grouped, moment, subject_unless};

/// Of the first screen.
const MOST_LINES: usize = 60;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// At most 60 lines.
    FirstScreen,
    /// Everything.
    All,
}

/// How many entries each part may show.
#[derive(Debug, Clone, Copy)]
struct Limits {
    steps: usize,
    guards: usize,
    trust: usize,
    new: usize,
    classes: usize,
    failures: usize,
    lines_each: usize,
}

impl Limits {
    const NONE: Limits = Limits {
        steps: usize::MAX,
        guards: usize::MAX,
        trust: usize::MAX,
        new: usize::MAX,
        classes: usize::MAX,
        failures: usize::MAX,
        lines_each: usize::MAX,
    };
    const SCREEN: Limits = Limits { steps: 3, guards: 6, trust: 4, new: 14, classes: 10, failures: 8, lines_each: 2 };

    /// Gives up the least: what the other parts say too goes first.
    fn tighter(self) -> Option<Limits> {
        Some(match self {
            Limits { new, .. } if new > 7 => Limits { new: new - 1, ..self },
            Limits { failures, .. } if failures > 4 => Limits { failures: failures - 1, ..self },
            Limits { guards, .. } if guards > 3 => Limits { guards: guards - 1, ..self },
            Limits { lines_each: 2, .. } => Limits { lines_each: 1, ..self },
            Limits { trust, .. } if trust > 2 => Limits { trust: trust - 1, ..self },
            Limits { new, .. } if new > 3 => Limits { new: new - 1, ..self },
            _ => return None,
        })
    }
}

/// The report as lines of text with a newline at the end.
pub fn text(summary: &Summary<'_>, screen: Screen, extent: Extent) -> String {
    let mut page = Page::new(screen);
    match extent {
        Extent::All => {
            page.overview(summary, Limits::NONE);
            details::details(&mut page, summary);
        }
        Extent::FirstScreen => {
            let mut limits = Limits::SCREEN;
            page.overview(summary, limits);
            while page.lines.len() > MOST_LINES {
                let Some(tighter) = limits.tighter() else { break };
                limits = tighter;
                page.lines.clear();
                page.overview(summary, limits);
            }
        }
    }
    page.lines.push(String::new());
    page.lines.join("\n")
}

impl Page {
    fn overview(&mut self, summary: &Summary<'_>, limits: Limits) {
        self.head(summary);
        self.steps(summary, limits);
        self.guards(summary, limits);
        self.trust(summary, limits);
        self.news(summary, limits);
        self.classes(summary, limits);
        self.failures(summary, limits);
        if limits.lines_each != usize::MAX && !matches!(summary.verdict(), Verdict::Empty | Verdict::Clean) {
            self.blank();
            self.sentence(Role::Dim, "All of it: --all, or latest.html in report_dir.");
        }
    }

    fn head(&mut self, summary: &Summary<'_>) {
        let report = summary.report;
        self.sentence(Role::Heading, &format!("Countersign drift report, {}", moment::of_run(&report.run)));
        let commit = report.canonical_commit.get(..12).unwrap_or(&report.canonical_commit);
        let previous = summary.context.previous.as_ref().map(|previous| format!(", after {}", previous.run));
        self.sentence(Role::Dim, &format!("run {}{}, canonical {commit}", report.run, previous.unwrap_or_default()));
        self.blank();
        let role = match summary.verdict() {
            Verdict::Clean => Role::Good,
            Verdict::AsFarAsJudged => Role::Warn,
            Verdict::Mixed if summary.counts.failed == 0 => Role::Warn,
            Verdict::Mixed | Verdict::Blind | Verdict::Empty => Role::Bad,
        };
        self.sentence(role, &summary.verdict_text());
        self.blank();
        let counts = &summary.counts;
        let some = |role: Role, number: u64| Cell::of(if number > 0 { role } else { Role::Plain }, grouped(number));
        let mut table =
            Table::new(["runners", "observed", "not observed", "with drift", "drift items", "new"].map(Column::number));
        table.push([
            Cell::new(grouped(counts.runners)),
            Cell::new(grouped(counts.observed)),
            some(Role::Bad, counts.failed),
            some(Role::Warn, counts.drifted),
            some(Role::Warn, counts.items),
            some(Role::Warn, counts.new),
        ]);
        self.lines.extend(table.lines(self.screen.width, self.screen.palette));
        let mut quiet = summary.quiet_counts();
        if counts.unjudged > 0 {
            let codes = summary.unjudged_by_code();
            let codes: Vec<String> = codes.iter().map(|(code, runners)| format!("{code} {runners}")).collect();
            quiet.push_str(&format!("; not judged: {}", codes.join(", ")));
        }
        if !summary.report.risks.is_empty() {
            quiet.push_str(&format!("; {}", counted(summary.report.risks.len() as u64, "risk")));
        }
        for line in wrapped(&visible(&quiet), self.screen.width - 2, 2) {
            let line = format!("  {}", self.paint(Role::Dim, &line));
            self.lines.push(line);
        }
    }

    fn steps(&mut self, summary: &Summary<'_>, limits: Limits) {
        let failed: Vec<_> = summary.failed_steps().collect();
        if failed.is_empty() {
            return;
        }
        self.heading("Steps that failed");
        for step in failed.iter().take(limits.steps) {
            let error = step.error.as_ref();
            let text = error.map_or("no reason is known".to_owned(), |e| format!("{} ({})", e.message, e.code));
            self.item((Role::Bad, &step.step), &text, limits.lines_each);
        }
        self.more(failed.len().saturating_sub(limits.steps), "step");
    }

    fn guards(&mut self, summary: &Summary<'_>, limits: Limits) {
        let guards = &summary.report.guards;
        if guards.is_empty() {
            return;
        }
        self.heading("Guards");
        for guard in guards.iter().take(limits.guards) {
            let most = if limits.lines_each == usize::MAX { usize::MAX } else { 3 };
            let on = match guard.runners.as_slice() {
                [] => String::new(),
                runners => format!(" ({})", names(&runners.iter().map(String::as_str).collect::<Vec<_>>(), most)),
            };
            self.item((Role::Bad, &guard.code), &format!("{}{on}", guard.message), limits.lines_each);
        }
        self.more(guards.len().saturating_sub(limits.guards), "guard");
    }

    fn trust(&mut self, summary: &Summary<'_>, limits: Limits) {
        let trust = &summary.report.trust;
        if trust.is_empty() {
            return;
        }
        self.heading("Taken on trust");
        for notice in trust.iter().take(limits.trust) {
            self.item((Role::Bad, &notice.code), &notice.message, limits.lines_each);
        }
        self.more(trust.len().saturating_sub(limits.trust), "notice");
    }

    fn news(&mut self, summary: &Summary<'_>, limits: Limits) {
        if summary.new.is_empty() {
            return;
        }
        self.heading("New since last run");
        let mut table = Table::new([
            Column::text("drift", 15),
            Column::text("package", 14),
            Column::text("wanted", 8).spare(),
            Column::text("installed", 9),
            Column::text("on", 9),
            Column::text("since", 11),
            Column::text("by", 5),
        ]);
        for finding in summary.new.iter().take(limits.new) {
            table.push(new_row(finding, summary));
        }
        self.lines.extend(table.lines(self.screen.width, self.screen.palette));
        self.more(summary.new.len().saturating_sub(limits.new), "difference");
    }

    fn classes(&mut self, summary: &Summary<'_>, limits: Limits) {
        let classes = &summary.classes;
        if classes.is_empty() {
            return;
        }
        self.heading(if limits.classes < classes.len() { "Largest classes" } else { "Classes" });
        let mut table = Table::new([
            Column::text("runners", 9),
            Column::text("group", 6),
            Column::text("drift", 24),
            Column::text("owner", 8),
            Column::text("remedy", 11).spare(),
        ]);
        for class in classes.iter().take(limits.classes) {
            let most = if limits.classes == usize::MAX { usize::MAX } else { 3 };
            table.push(class_row(class, most, summary.only_arch));
        }
        self.lines.extend(table.lines(self.screen.width, self.screen.palette));
        let hidden = classes.len().saturating_sub(limits.classes);
        if hidden > 0 {
            let items = classes.iter().skip(limits.classes).map(|class| class.items.len() * class.runners.len());
            let items = counted(items.sum::<usize>() as u64, "drift item");
            let one = if hidden == 1 { "class" } else { "classes" };
            self.dim(&format!("and {} more {one} with {items}", grouped(hidden as u64)));
        }
    }

    fn failures(&mut self, summary: &Summary<'_>, limits: Limits) {
        if summary.failures.is_empty() {
            return;
        }
        self.heading("Not observed, by cause");
        for group in summary.failures.iter().take(limits.failures) {
            self.failure(group, limits.lines_each);
        }
        let hidden = summary.failures.iter().skip(limits.failures).map(|group| group.runners.len()).sum::<usize>();
        self.more(hidden, "runner");
    }

    fn failure(&mut self, group: &FailureGroup<'_>, most: usize) {
        if most == usize::MAX {
            for (name, message) in &group.runners {
                self.item((Role::Bad, group.code), &format!("{name}: {message}"), most);
            }
            return;
        }
        let on: Vec<&str> = group.runners.iter().map(|(name, _)| *name).collect();
        let message = group.runners.first().map_or("", |(_, message)| message);
        let alike = group.runners.iter().all(|(_, other)| *other == message);
        let text = match on.as_slice() {
            [one] => format!("{one}: {message}"),
            many if alike => format!("{} ({}): {message}", counted(many.len() as u64, "runner"), names(many, 3)),
            many => format!("{}; {}", counted(many.len() as u64, "runner"), sampled(group)),
        };
        self.item((Role::Bad, group.code), &text, most);
    }
}

/// The first three, each with its message.
fn sampled(group: &FailureGroup<'_>) -> String {
    let shown = group.runners.iter().take(3).map(|(name, message)| format!("{name}: {message}"));
    let more = group.runners.len().saturating_sub(3);
    let more = if more > 0 { format!("; +{}", grouped(more as u64)) } else { String::new() };
    format!("{}{more}", shown.collect::<Vec<_>>().join("; "))
}

fn class_row(class: &Class<'_>, most: usize, arch: Option<&str>) -> [Cell; 5] {
    let on = match class.runners.as_slice() {
        [one] => (*one).to_owned(),
        many => grouped(many.len() as u64),
    };
    let remedy = class.remedy();
    let role = if matches!(remedy, Remedy::Blocked(_)) { Role::Warn } else { Role::Plain };
    [
        Cell::of(Role::Place, on),
        Cell::new(class.group.unwrap_or_default()),
        Cell::new(class.drift(most, arch)),
        Cell::new(class.owner.unwrap_or_default()),
        Cell::of(role, remedy.text()),
    ]
}

/// `a, b, c +2`.
pub(super) fn names(all: &[&str], most: usize) -> String {
    let shown = all.iter().take(most).copied().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} +{}", grouped(more as u64)),
    }
}

fn new_row(finding: &Finding<'_>, summary: &Summary<'_>) -> [Cell; 7] {
    let item = finding.item;
    let on = match finding.runners.as_slice() {
        [one] => (*one).to_owned(),
        many => counted(many.len() as u64, "runner"),
    };
    let by = match (finding.by, &item.spec_changed) {
        (Some(by), _) => by.user.clone().unwrap_or_else(|| "(no login)".to_owned()),
        (None, Some(_)) => "spec".to_owned(),
        (None, None) => String::new(),
    };
    [
        Cell::of(Role::Warn, &item.code),
        Cell::new(subject_unless(item, summary.only_arch)),
        Cell::new(item.wanted.as_deref().unwrap_or_default()),
        Cell::new(item.seen.join(", ")),
        Cell::of(Role::Place, on),
        Cell::new(finding.since.map(|since| moment::short(since, &summary.report.run)).unwrap_or_default()),
        Cell::new(by),
    ]
}
