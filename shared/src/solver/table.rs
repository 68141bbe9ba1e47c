//! dnf5's transaction table, as `dnf5 --assumeno do` prints it on stdout.
//!
//! Source: `libdnf5-cli/output/transaction_table.cpp` of dnf5 5.4. Columns are Package, Arch, Version (with epoch),
//! Repository, Size; a section per action and reason; below a package an indented line for each that it replaces.

use std::collections::{BTreeMap, BTreeSet};

use countersign_manifests_schema::transaction::{Action, Reason, SYSTEM_REPO};

use super::Step;
use crate::nevra::Nevra;

/// Lines that are read.
const LINES_MAX: usize = 20_000;

/// Why a table was not understood. The texts are the runner's: bounded, to be escaped where they are shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// No line has the names of the columns.
    #[error("there is no transaction table")]
    NoTable,
    /// Two tables, or one that is too long.
    #[error("line {0}: more than one table of at most {LINES_MAX} lines")]
    TooMuch(usize),
    /// A section that this version does not know, or that changes more than packages.
    #[error("line {0}: {1:?} is not a section that can be proposed")]
    Section(usize, String),
    /// A line that is neither a section nor a package in its columns.
    #[error("line {0}: {1:?} is not a line of a transaction table")]
    Line(usize, String),
    /// Not a package.
    #[error("line {0}: {1:?} is not a package")]
    Package(usize, String),
    /// The same package twice.
    #[error("line {0}: {1:?} is there twice")]
    Twice(usize, String),
    /// The summary counts something else than the table shows.
    #[error("dnf counts {said} for {what:?}, its table shows {shown}")]
    Count {
        /// The summary's word.
        what: String,
        /// Its number.
        said: usize,
        /// Ours.
        shown: usize,
    },
    /// It ends before its summary does.
    #[error("the table ends before its summary")]
    Cut,
}

/// A table, completely understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Every change; version changes have a step for each side.
    pub steps: Vec<Step>,
    /// Packages that dnf would leave out: no changes.
    pub skipped: Vec<String>,
}

/// What the packages of a section share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Change(Action, Option<Reason>),
    Skipped,
}

/// Every section of packages. Groups, environments and modules are changes of more than packages: refused.
fn section(title: &str) -> Option<Section> {
    use Section::{Change, Skipped};
    Some(match title {
        "Installing:" => Change(Action::Install, Some(Reason::User)),
        "Installing dependencies:" => Change(Action::Install, Some(Reason::Dependency)),
        "Installing weak dependencies:" => Change(Action::Install, Some(Reason::WeakDependency)),
        "Installing group/module packages:" => Change(Action::Install, Some(Reason::Group)),
        "Upgrading:" => Change(Action::Upgrade, None),
        "Downgrading:" => Change(Action::Downgrade, None),
        "Reinstalling:" => Change(Action::Reinstall, None),
        "Removing:" => Change(Action::Remove, Some(Reason::User)),
        "Removing dependent packages:" => Change(Action::Remove, Some(Reason::Dependency)),
        "Removing unused dependencies:" => Change(Action::Remove, Some(Reason::Clean)),
        "Changing reason:" => Change(Action::ReasonChange, None),
        "Skipping packages with conflicts:" | "Skipping packages with broken dependencies:" => Skipped,
        _ => return None,
    })
}

/// Where the columns begin; all texts are ASCII.
#[derive(Debug, Clone, Copy)]
struct Columns {
    arch: usize,
    version: usize,
    repository: usize,
}

impl Columns {
    fn read(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words != ["Package", "Arch", "Version", "Repository", "Size"] || !line.starts_with("Package ") {
            return None;
        }
        let at = |word: &str| line.find(&format!(" {word}")).map(|at| at + 1);
        Some(Self { arch: at("Arch")?, version: at("Version")?, repository: at("Repository")? })
    }

    /// Name, arch, version and repository; `None` unless each is one word in its own column.
    fn split<'a>(&self, line: &'a str, indent: usize) -> Option<(&'a str, &'a str, &'a str, &'a str)> {
        if !line.is_ascii() || line.len() <= self.repository {
            return None;
        }
        let cell = |from: usize, to: usize| -> Option<&'a str> {
            let (text, gap) = line[from..to].split_at(to - from - 1);
            let word = text.trim_end_matches(' ');
            (gap == " " && !word.is_empty() && !word.contains(' ')).then_some(word)
        };
        let name = cell(indent, self.arch)?;
        let arch = cell(self.arch, self.version)?;
        let version = cell(self.version, self.repository)?;
        let rest = &line[self.repository..];
        let (repository, size) = if rest.starts_with(' ') { ("", rest) } else { rest.split_once(' ')? };
        is_size(size).then_some((name, arch, version, repository))
    }
}

/// `0.0   B`, `12.3 KiB`.
fn is_size(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let number = words.next().is_some_and(|word| {
        word.split_once('.').is_some_and(|(whole, part)| {
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits(whole.strip_prefix('-').unwrap_or(whole)) && digits(part) && part.len() == 1
        })
    });
    let unit =
        words.next().is_some_and(|word| ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"].contains(&word));
    number && unit && words.next().is_none()
}

impl Table {
    /// Reads stdout of one resolution. What dnf says in front of the table is not part of it.
    pub fn parse(stdout: &str) -> Result<Self, TableError> {
        let mut lines = stdout.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end_matches('\r')));
        let columns = lines.find_map(|(_, line)| Columns::read(line)).ok_or(TableError::NoTable)?;
        let mut reader =
            Reader { columns, table: Self::default(), section: None, last: None, replaced: BTreeMap::new() };
        let mut seen = BTreeSet::new();
        for (number, line) in lines.by_ref() {
            if number > LINES_MAX {
                return Err(TableError::TooMuch(number));
            }
            match line {
                "" => continue,
                "Transaction Summary:" => {
                    reader.finish();
                    let counted = reader.count(&mut lines)?;
                    return if counted { Ok(reader.table) } else { Err(TableError::Cut) };
                }
                _ if line.starts_with("   ") => reader.below(number, line)?,
                _ if line.starts_with(' ') => reader.package(number, line, &mut seen)?,
                title => {
                    let known = section(title).ok_or_else(|| TableError::Section(number, bounded(title)))?;
                    reader.section = Some(known);
                    reader.last = None;
                }
            }
        }
        Err(TableError::Cut)
    }
}

struct Reader {
    columns: Columns,
    table: Table,
    section: Option<Section>,
    /// The package that indented lines belong to, and whether its own such line is still to come.
    last: Option<usize>,
    /// Replaced packages, and by what.
    replaced: BTreeMap<String, Vec<String>>,
}

impl Reader {
    fn package(&mut self, number: usize, line: &str, seen: &mut BTreeSet<String>) -> Result<(), TableError> {
        let wrong = || TableError::Line(number, bounded(line));
        let section = self.section.ok_or_else(wrong)?;
        let (name, arch, version, repository) = self.columns.split(line, 1).ok_or_else(wrong)?;
        let nevra = nevra(number, name, version, arch)?;
        match section {
            Section::Skipped => self.table.skipped.push(nevra),
            Section::Change(action, reason) => {
                if !seen.insert(nevra.clone()) {
                    return Err(TableError::Twice(number, nevra));
                }
                let incoming = action.is_incoming();
                if incoming && (repository.is_empty() || repository.starts_with(['@', '<'])) {
                    return Err(wrong());
                }
                let repo_id = if incoming { repository } else { SYSTEM_REPO };
                self.last = Some(self.table.steps.len());
                self.table.steps.push(Step {
                    nevra,
                    action,
                    reason,
                    repo_id: repo_id.to_owned(),
                    sha256: None,
                    replaced_by: Vec::new(),
                });
            }
        }
        Ok(())
    }

    /// `   replacing NAME ...` or, under a change of reason, `   Dependency -> User`.
    fn below(&mut self, number: usize, line: &str) -> Result<(), TableError> {
        let wrong = || TableError::Line(number, bounded(line));
        let step = self.last.and_then(|last| self.table.steps.get_mut(last)).ok_or_else(wrong)?;
        let text = &line[3..];
        if step.action == Action::ReasonChange {
            let (_, new) = text.trim_end().split_once(" -> ").ok_or_else(wrong)?;
            if step.reason.is_some() {
                return Err(wrong());
            }
            step.reason = Some(super::reason(new).ok_or_else(wrong)?);
            return Ok(());
        }
        if !text.starts_with("replacing ") || !step.action.is_incoming() {
            return Err(wrong());
        }
        let (name, arch, version, _) = self.columns.split(line, "   replacing ".len()).ok_or_else(wrong)?;
        let by = step.nevra.clone();
        self.replaced.entry(nevra(number, name, version, arch)?).or_default().push(by);
        Ok(())
    }

    fn finish(&mut self) {
        for (nevra, replaced_by) in std::mem::take(&mut self.replaced) {
            self.table.steps.push(Step {
                nevra,
                action: Action::Replaced,
                reason: None,
                repo_id: SYSTEM_REPO.to_owned(),
                sha256: None,
                replaced_by,
            });
        }
    }

    /// Compares with what dnf counted; whether the summary came to its end.
    fn count<'a>(&self, lines: &mut impl Iterator<Item = (usize, &'a str)>) -> Result<bool, TableError> {
        let mut said = BTreeMap::new();
        let mut ended = false;
        for (number, line) in lines {
            if Columns::read(line).is_some() {
                return Err(TableError::TooMuch(number));
            }
            if ended {
                continue;
            }
            if line.is_empty() {
                ended = true;
                continue;
            }
            let wrong = || TableError::Line(number, bounded(line));
            let (what, rest) = line.strip_prefix(' ').and_then(|line| line.split_once(':')).ok_or_else(wrong)?;
            let mut words = rest.split_whitespace();
            let count: usize = words.next().and_then(|word| word.parse().ok()).ok_or_else(wrong)?;
            if !matches!(words.next(), Some("package" | "packages")) || words.next().is_some() {
                return Err(wrong());
            }
            if said.insert(what, count).is_some() {
                return Err(wrong());
            }
        }
        let shown = |action: Action| self.table.steps.iter().filter(|step| step.action == action).count();
        let ours = [
            ("Installing", shown(Action::Install)),
            ("Reinstalling", shown(Action::Reinstall)),
            ("Upgrading", shown(Action::Upgrade)),
            ("Replacing", shown(Action::Replaced)),
            ("Removing", shown(Action::Remove)),
            ("Downgrading", shown(Action::Downgrade)),
            ("Changing reason", shown(Action::ReasonChange)),
            ("Skipping", self.table.skipped.len()),
        ];
        for (what, shown) in ours {
            let said = said.remove(what).unwrap_or(0);
            if said != shown {
                return Err(TableError::Count { what: what.to_owned(), said, shown });
            }
        }
        match said.pop_first() {
            Some((what, said)) => Err(TableError::Count { what: bounded(what), said, shown: 0 }),
            None => Ok(ended),
        }
    }
}

fn nevra(number: usize, name: &str, version: &str, arch: &str) -> Result<String, TableError> {
    let text = format!("{name}-{version}.{arch}");
    Nevra::parse(&text)
        .ok()
        .filter(|nevra| nevra.name == name && nevra.arch == arch)
        .map(|nevra| nevra.to_string())
        .ok_or_else(|| TableError::Package(number, bounded(&text)))
}

fn bounded(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests;
