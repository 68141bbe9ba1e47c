//! From a record to an [`Observation`].

use super::frame::{Close, Frame, bounded, changing, garbage, sections};
use super::packages::number;
use super::{Dnf, Failure, Kernel, Lock, Observation, Os, Privileges, Repo, Section, history, packages};

/// Sections that a record may have.
const KNOWN: [&str; 18] = [
    "os",
    "kernel",
    "selinux",
    "dnf",
    "packages",
    "needed",
    "history",
    "tokens",
    "repos",
    "versionlocks",
    "modules",
    "locks",
    "reboot",
    "privileges",
    "metadata",
    "avc",
    "stable",
    "config",
];

impl<'a> Observation<'a> {
    /// Reads a record that [`open`](super::open) or [`merge`](super::merge) returned, received at `at`
    /// (Unix seconds UTC).
    ///
    /// `changing`: packages came or went while the probe looked; ask again. `garbage`, `truncated`: not a record. A
    /// section with a malformed row is [`Section::Failed`] alone.
    pub fn parse(record: &'a str, at: i64) -> Result<Self, Failure> {
        let frames = sections(record)?;
        if let Some(frame) = frames.iter().find(|frame| !KNOWN.contains(&frame.name)) {
            return Err(garbage(format!("the unknown section {}", frame.name)));
        }
        let sections = Sections(&frames);
        match sections.read("stable", |frame| one_of(frame, &[("yes", true), ("no", false)])) {
            Section::Seen(true) => {}
            Section::Seen(false) => return Err(changing()),
            Section::Failed(failure) => return Err(failure),
        }
        Ok(Self {
            at,
            os: sections.read("os", os),
            kernel: sections.read("kernel", |frame| {
                let [release, booted] = columns(frame)?;
                Ok(Kernel { release, booted: time(frame, booted)? })
            }),
            selinux: sections.read("selinux", |frame| {
                one_of(frame, &[("enforcing", "enforcing"), ("permissive", "permissive"), ("disabled", "disabled")])
            }),
            packages: sections.read("packages", packages::parse),
            needed: sections.read("needed", lines),
            repos: sections.read("repos", repos),
            versionlocks: sections.read("versionlocks", lines),
            config: sections.read("config", |frame| {
                let [digest] = columns(frame)?;
                let hex = digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                hex.then_some(digest).ok_or_else(|| malformed(frame))
            }),
            dnf: sections.read("dnf", |frame| {
                let [generation, version] = columns(frame)?;
                let generation = match generation {
                    "4" => 4,
                    "5" => 5,
                    _ => return Err(malformed(frame)),
                };
                Ok(Dnf { generation, version })
            }),
            history: sections.read("history", history::parse),
            locks: sections.read("locks", locks),
            reboot: sections.read("reboot", |frame| one_of(frame, &[("yes", true), ("no", false)])),
            privileges: sections.read("privileges", privileges),
            metadata: sections.read("metadata", |frame| match frame.rows {
                0 => Ok(None),
                _ => {
                    let [newest] = columns(frame)?;
                    time(frame, newest).map(Some)
                }
            }),
            avc: sections.read("avc", |frame| {
                let [count] = columns(frame)?;
                number(count).ok_or_else(|| malformed(frame))
            }),
            modules: sections.read("modules", lines),
        })
    }
}

struct Sections<'f, 'a>(&'f [Frame<'a>]);

impl<'a> Sections<'_, 'a> {
    fn read<T>(&self, name: &str, parse: impl FnOnce(&Frame<'a>) -> Result<T, Failure>) -> Section<T> {
        let Some(frame) = self.0.iter().find(|frame| frame.name == name) else {
            return Section::Failed(garbage(format!("no section {name}")));
        };
        match frame.close {
            Close::Good => match parse(frame) {
                Ok(value) => Section::Seen(value),
                Err(failure) => Section::Failed(failure),
            },
            Close::Warm => Section::Failed(Failure::new("warm", format!("{name} has not moved and was not repeated"))),
            Close::Bad(code) => Section::Failed(Failure::new(code, message(frame))),
        }
    }
}

/// What the probe said about a section that it could not read, as one line.
fn message(frame: &Frame<'_>) -> String {
    let lines: Vec<&str> = frame.lines().take(4).map(|(_, line)| bounded(line.trim())).collect();
    lines.join("; ")
}

fn malformed(frame: &Frame<'_>) -> Failure {
    garbage(format!("line {}: {} is not a row of {}", frame.line, bounded(frame.payload.trim()), frame.name))
}

/// The columns of a section with one row.
fn columns<'a, const N: usize>(frame: &Frame<'a>) -> Result<[&'a str; N], Failure> {
    let mut rows = frame.lines();
    let (Some((_, row)), None) = (rows.next(), rows.next()) else {
        return Err(malformed(frame));
    };
    cut(row).ok_or_else(|| malformed(frame))
}

/// Exactly `N` columns, none of them empty.
fn cut<const N: usize>(row: &str) -> Option<[&str; N]> {
    let mut columns = [""; N];
    let mut parts = row.split('\t');
    for column in &mut columns {
        *column = parts.next().filter(|part| !part.is_empty())?;
    }
    parts.next().is_none().then_some(columns)
}

fn one_of<T: Copy>(frame: &Frame<'_>, words: &[(&str, T)]) -> Result<T, Failure> {
    let [word] = columns(frame)?;
    words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value).ok_or_else(|| malformed(frame))
}

fn time(frame: &Frame<'_>, text: &str) -> Result<i64, Failure> {
    number(text).filter(|seconds| *seconds >= 0).ok_or_else(|| malformed(frame))
}

fn lines<'a>(frame: &Frame<'a>) -> Result<Vec<&'a str>, Failure> {
    let lines: Vec<&str> = frame.lines().map(|(_, line)| line).collect();
    if lines.iter().any(|line| line.is_empty()) {
        return Err(malformed(frame));
    }
    Ok(lines)
}

/// Reads rows of two columns.
fn pairs<'a, T>(frame: &Frame<'a>, row: impl Fn(&'a str, &'a str) -> Option<T>) -> Result<Vec<T>, Failure> {
    frame
        .lines()
        .map(|(line_number, line)| {
            line.split_once('\t')
                .and_then(|(first, second)| row(first, second))
                .ok_or_else(|| garbage(format!("line {line_number}: {} is not a row of {}", bounded(line), frame.name)))
        })
        .collect()
}

fn os<'a>(frame: &Frame<'a>) -> Result<Os<'a>, Failure> {
    let rows = pairs(frame, |key, value| Some((key, value)))?;
    let get = |key: &str| rows.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
    match (get("id"), get("arch")) {
        (Some(id), Some(arch)) if !id.is_empty() && !arch.is_empty() => {
            Ok(Os { id, version_id: get("version_id").unwrap_or_default(), arch })
        }
        _ => Err(malformed(frame)),
    }
}

fn repos<'a>(frame: &Frame<'a>) -> Result<Vec<Repo<'a>>, Failure> {
    pairs(frame, |id, state| {
        let enabled = match state {
            "enabled" => true,
            "disabled" => false,
            _ => return None,
        };
        (!id.is_empty()).then_some(Repo { id, enabled })
    })
}

fn locks<'a>(frame: &Frame<'a>) -> Result<Vec<Lock<'a>>, Failure> {
    pairs(frame, |path, since| {
        let since = number(since).filter(|seconds: &i64| *seconds >= 0)?;
        path.starts_with('/').then_some(Lock { path, since })
    })
}

fn privileges<'a>(frame: &Frame<'a>) -> Result<Privileges<'a>, Failure> {
    let [uid, sudo, writable, forced, groups] = columns(frame)?;
    let flag = |word| match word {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(malformed(frame)),
    };
    Ok(Privileges {
        uid: number(uid).ok_or_else(|| malformed(frame))?,
        sudo: flag(sudo)?,
        rpmdb_writable: flag(writable)?,
        groups,
        forced: flag(forced)?,
    })
}
