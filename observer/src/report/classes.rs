//! The same drift on many runners, said once.

use std::collections::HashMap;

use countersign_manifests_schema::report::{By, DriftItem, DriftReport, RunnerReport};

use super::{ReportContext, items_that_count, subject_unless};

/// Runners of one group and the drift that exactly these runners share.
#[derive(Debug, Clone)]
pub struct Class<'r> {
    /// The group; `None` for runners without one.
    pub group: Option<&'r str>,
    /// Who answers for the group.
    pub owner: Option<&'r str>,
    /// Sorted by name.
    pub runners: Vec<&'r str>,
    /// As on the first of the runners, by package, arch, code.
    pub items: Vec<&'r DriftItem>,
    /// Whether anything of it is new since the last run, on any of the runners.
    pub new: bool,
    /// The earliest `since` on any of the runners.
    pub since: Option<&'r str>,
}

/// What can be done about a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy<'r> {
    /// A transaction removes all of it.
    Transaction,
    /// Something keeps a transaction from being proposed: the first code.
    Blocked(&'r str),
    /// A transaction removes a part; people have to see to the rest.
    Partly,
    /// No transaction can; people have to.
    People,
}

/// One difference, on every runner that has it.
#[derive(Debug, Clone)]
pub struct Finding<'r> {
    /// As on the first of the runners.
    pub item: &'r DriftItem,
    /// Sorted by name.
    pub runners: Vec<&'r str>,
    /// Who did it, if it was the same everywhere.
    pub by: Option<&'r By>,
    /// The earliest `since`.
    pub since: Option<&'r str>,
}

impl<'r> Class<'r> {
    /// What can be done about it.
    pub fn remedy(&self) -> Remedy<'r> {
        if let Some(blocked) = self.items.iter().find_map(|item| item.blocked.as_ref()) {
            return Remedy::Blocked(&blocked.code);
        }
        match self.items.iter().filter(|item| item.remediable).count() {
            0 => Remedy::People,
            some if some == self.items.len() => Remedy::Transaction,
            _ => Remedy::Partly,
        }
    }

    /// The packages under each code, the most frequent code first; `arch` is left out of their names.
    pub fn by_code(&self, arch: Option<&str>) -> Vec<(&'r str, Vec<String>)> {
        let mut codes: Vec<(&str, Vec<String>)> = Vec::new();
        for item in &self.items {
            match codes.iter_mut().find(|(code, _)| *code == item.code) {
                Some((_, subjects)) => subjects.push(subject_unless(item, arch)),
                None => codes.push((&item.code, vec![subject_unless(item, arch)])),
            }
        }
        codes.sort_by_key(|(code, subjects)| (std::cmp::Reverse(subjects.len()), *code));
        codes
    }

    /// `ahead llvm, llvm-libs; missing htop`, at most so many packages per code.
    pub fn drift(&self, most: usize, arch: Option<&str>) -> String {
        let codes = self.by_code(arch).into_iter().map(|(code, subjects)| {
            let more = if subjects.len() > most { format!(" +{}", subjects.len() - most) } else { String::new() };
            let host = subjects.iter().all(|subject| subject == "host");
            let names = subjects.iter().take(most).map(String::as_str).collect::<Vec<_>>().join(", ");
            if host { code.to_owned() } else { format!("{code} {names}{more}") }
        });
        codes.collect::<Vec<_>>().join("; ")
    }
}

impl Remedy<'_> {
    /// In a word or two.
    pub fn text(self) -> String {
        match self {
            Remedy::Transaction => "transaction".to_owned(),
            Remedy::Blocked(code) => format!("blocked: {code}"),
            Remedy::Partly => "in part".to_owned(),
            Remedy::People => "by hand".to_owned(),
        }
    }
}

/// What makes an item the same on two runners; when and by whom may differ.
type Sameness<'r> = (&'r str, Option<&'r str>, Option<&'r str>, Option<&'r str>, &'r [String], Option<&'r str>, bool);

fn sameness(item: &DriftItem) -> Sameness<'_> {
    (
        &item.code,
        item.package.as_deref(),
        item.arch.as_deref(),
        item.wanted.as_deref(),
        &item.seen,
        item.blocked.as_ref().map(|blocked| blocked.code.as_str()),
        item.remediable,
    )
}

/// The group under which a runner is counted: the first that somebody answers for, else its first.
pub(super) fn home<'r>(runner: &'r RunnerReport, context: &ReportContext) -> Option<&'r str> {
    let owned = runner.groups.iter().find(|group| context.owners.contains_key(*group));
    owned.or(runner.groups.first()).map(String::as_str)
}

/// Every class, the one on most runners first.
pub(super) fn classes<'r>(report: &'r DriftReport, context: &'r ReportContext) -> Vec<Class<'r>> {
    struct Found<'r> {
        item: &'r DriftItem,
        runners: Vec<u32>,
        new: bool,
        since: Option<&'r str>,
    }
    let mut by_item: HashMap<(Option<&str>, Sameness<'_>), Found<'_>, foldhash::fast::RandomState> = HashMap::default();
    for (index, runner) in (0u32..).zip(&report.runners) {
        let group = home(runner, context);
        for item in items_that_count(runner) {
            let found = by_item.entry((group, sameness(item))).or_insert_with(|| Found {
                item,
                runners: Vec::new(),
                new: false,
                since: None,
            });
            // A runner that repeats itself is one runner.
            if found.runners.last() != Some(&index) {
                found.runners.push(index);
            }
            found.new |= item.new;
            found.since = earlier(found.since, item.since.as_deref());
        }
    }
    type Alike<'r> = HashMap<(Option<&'r str>, Vec<u32>), Class<'r>, foldhash::fast::RandomState>;
    let mut by_runners: Alike<'_> = HashMap::default();
    for ((group, _), found) in by_item {
        let name = |index: &u32| report.runners[*index as usize].name.as_str();
        let runners = found.runners.iter().map(name).collect();
        let class = by_runners.entry((group, found.runners)).or_insert_with(|| Class {
            group,
            owner: group.and_then(|group| context.owners.get(group)).map(String::as_str),
            runners,
            items: Vec::new(),
            new: false,
            since: None,
        });
        class.items.push(found.item);
        class.new |= found.new;
        class.since = earlier(class.since, found.since);
    }
    let mut classes: Vec<Class<'_>> = by_runners.into_values().collect();
    for class in &mut classes {
        class.items.sort_by_key(|item| order(item));
        class.runners.sort_unstable();
    }
    classes.sort_by(|a, b| {
        let size = |class: &Class<'_>| (class.runners.len(), class.items.len());
        size(b).cmp(&size(a)).then_with(|| (a.group, &a.runners).cmp(&(b.group, &b.runners)))
    });
    classes
}

/// What is new since the last run, the difference on most runners first.
pub(super) fn new_findings(report: &DriftReport) -> Vec<Finding<'_>> {
    let mut by_item: HashMap<Sameness<'_>, Finding<'_>, foldhash::fast::RandomState> = HashMap::default();
    for runner in &report.runners {
        for item in items_that_count(runner).filter(|item| item.new) {
            let finding = by_item.entry(sameness(item)).or_insert_with(|| Finding {
                item,
                runners: Vec::new(),
                by: item.by.as_ref(),
                since: None,
            });
            if finding.runners.last() != Some(&runner.name.as_str()) {
                finding.runners.push(&runner.name);
            }
            finding.since = earlier(finding.since, item.since.as_deref());
            finding.by = finding.by.filter(|by| item.by.as_ref() == Some(by));
        }
    }
    let mut findings: Vec<Finding<'_>> = by_item.into_values().collect();
    findings.sort_by(|a, b| {
        (b.runners.len().cmp(&a.runners.len()))
            .then_with(|| order(a.item).cmp(&order(b.item)))
            .then_with(|| a.runners.cmp(&b.runners))
    });
    findings
}

/// The order of items: by package, arch, code.
pub(super) fn order(item: &DriftItem) -> (Option<&str>, Option<&str>, &str, &[String]) {
    (item.package.as_deref(), item.arch.as_deref(), &item.code, &item.seen)
}

fn earlier<'r>(a: Option<&'r str>, b: Option<&'r str>) -> Option<&'r str> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
