//! The probe's answer to a question about a plan.

use sha2::{Digest as _, Sha256};

use super::attempt::Attempt;
use crate::nevra::Nevra;
use crate::observation::{Close, Failure, Frame, Packages, bounded, garbage, sections};

/// An enabled repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repo<'a> {
    /// Its id.
    pub id: &'a str,
    /// Whether packages from there must be signed.
    pub gpgcheck: bool,
    /// Unix seconds at which root's copy of its metadata was last known to be good; `None` without a copy.
    pub cached_at: Option<i64>,
}

/// A package build that a repository offers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer<'a> {
    /// `name-[epoch:]version-release.arch`, epoch 0 left out.
    pub nevra: String,
    /// The repository's id.
    pub repo_id: &'a str,
    /// sha256 of the file by the repository's own metadata; `None` where it was not asked for or is not known.
    pub sha256: Option<&'a str>,
}

/// What could bring an outgoing package back besides a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keeps {
    /// Whether snapper is there and configured.
    pub snapper: bool,
    /// NEVRAs that the local plugin has a copy of.
    pub local: Vec<String>,
}

/// What the repositories offer of the packages that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offers<'a> {
    /// Sorted.
    pub offers: Vec<Offer<'a>>,
    /// Those that are installed, and dnf's reason.
    pub installed: Vec<(String, super::Reason)>,
    /// Other ways back.
    pub keeps: Keeps,
}

/// One answer about a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanAnswer<'a> {
    /// Digest of the installed instances that the answer is about; see [`base_digest`].
    pub base: &'a str,
    /// 4 or 5.
    pub generation: u8,
    /// Enabled repositories, without the local plugin's.
    pub repos: Vec<Repo<'a>>,
    /// Present when offers were asked for.
    pub offers: Option<Offers<'a>>,
    /// One for a solution of everything, one per item for solutions of each.
    pub attempts: Vec<Attempt<'a>>,
}

impl<'a> PlanAnswer<'a> {
    /// Reads a record, as [`crate::observation::open`] gives it.
    pub fn parse(record: &'a str) -> Result<Self, Failure> {
        let frames = sections(record)?;
        let base = one_line(find(&frames, "base")?)?;
        let generation = match one_line(find(&frames, "generation")?)? {
            "4" => 4,
            "5" => 5,
            _ => return Err(Failure::new("no-dnf", "neither dnf5 nor dnf answers")),
        };
        let repos = rows(find(&frames, "repos")?, repo)?;
        let offers = match frames.iter().any(|frame| frame.name == "offers") {
            true => Some(offers(&frames)?),
            false => None,
        };
        let attempts = match frames.iter().any(|frame| frame.name == "attempts") {
            true => attempts(find(&frames, "attempts")?)?,
            false => Vec::new(),
        };
        if offers.is_none() == attempts.is_empty() {
            return Err(garbage("an answer has offers or attempts"));
        }
        Ok(Self { base, generation, repos, offers, attempts })
    }
}

/// sha256, in hex, over the sorted lines `name instance` of every package but `gpg-pubkey`: which build is installed
/// where, by rpm's own database.
pub fn base_digest(packages: &Packages<'_>) -> String {
    let mut lines: Vec<String> =
        packages.list.iter().map(|package| format!("{} {}\n", package.nevra.name, package.db_instance)).collect();
    // As `sort` does in the C locale: by the bytes of the line.
    lines.sort_unstable_by(|a, b| a.trim_end().cmp(b.trim_end()));
    let mut digest = Sha256::new();
    for line in &lines {
        digest.update(line.as_bytes());
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn find<'f, 'a>(frames: &'f [Frame<'a>], name: &str) -> Result<&'f Frame<'a>, Failure> {
    let frame = frames
        .iter()
        .find(|frame| frame.name == name)
        .ok_or_else(|| garbage(format!("an answer about a plan without the section {name}")))?;
    match frame.close {
        Close::Good => Ok(frame),
        Close::Warm => Err(garbage(format!("the section {name} cannot be left out"))),
        Close::Bad(code) => {
            let said: Vec<&str> = frame.lines().map(|(_, line)| bounded(line)).collect();
            Err(Failure::new(code, said.join("; ")))
        }
    }
}

fn one_line<'a>(frame: &Frame<'a>) -> Result<&'a str, Failure> {
    let mut lines = frame.lines();
    match (lines.next(), lines.next()) {
        (Some((_, line)), None) => Ok(line),
        _ => Err(garbage(format!("the section {} is not one line", frame.name))),
    }
}

fn rows<'a, T>(frame: &Frame<'a>, read: impl Fn(Vec<&'a str>) -> Option<T>) -> Result<Vec<T>, Failure> {
    frame
        .lines()
        .map(|(number, line)| {
            read(line.split('\t').collect())
                .ok_or_else(|| garbage(format!("line {number} is no row of the section {}", frame.name)))
        })
        .collect()
}

fn repo(row: Vec<&str>) -> Option<Repo<'_>> {
    let [id, gpgcheck, cached] = row.try_into().ok()?;
    let gpgcheck = match gpgcheck {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    let cached_at = if cached == "-" { None } else { Some(cached.parse().ok()?) };
    Some(Repo { id: repo_id(id)?, gpgcheck, cached_at })
}

/// dnf's own rule: letters, digits, `-_.:`; more is let through as long as it is one word.
fn repo_id(text: &str) -> Option<&str> {
    (!text.is_empty() && text.len() <= 256 && text.bytes().all(|b| b.is_ascii_graphic())).then_some(text)
}

fn nevra(text: &str) -> Option<String> {
    Nevra::parse(text).ok().map(|nevra| nevra.to_string())
}

fn offers<'a>(frames: &[Frame<'a>]) -> Result<Offers<'a>, Failure> {
    let mut offers: Vec<Offer<'a>> = rows(find(frames, "offers")?, |row| {
        let [package, repo] = row.try_into().ok()?;
        Some(Offer { nevra: nevra(package)?, repo_id: repo_id(repo)?, sha256: None })
    })?;
    offers.sort();
    offers.dedup();
    if frames.iter().any(|frame| frame.name == "digests") {
        let digests = rows(find(frames, "digests")?, |row| {
            let [package, repo, sha256]: [&'a str; 3] = row.try_into().ok()?;
            let is_digest = sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            is_digest.then_some((nevra(package)?, repo_id(repo)?, sha256))
        })?;
        for (nevra, repo_id, sha256) in digests {
            let Some(offer) = offers.iter_mut().find(|offer| offer.nevra == nevra && offer.repo_id == repo_id) else {
                return Err(garbage("a digest of what is not offered"));
            };
            match offer.sha256 {
                // Two files of one name in one repository: which of them dnf would take is not known.
                Some(other) if other != sha256 => {
                    return Err(Failure::new("garbage", format!("{repo_id} has two files for {nevra}")));
                }
                _ => offer.sha256 = Some(sha256),
            }
        }
    }
    let installed = rows(find(frames, "installed")?, |row| {
        let [package, reason, _from] = row.try_into().ok()?;
        Some((nevra(package)?, super::reason(reason)?))
    })?;
    let mut keeps = Keeps::default();
    for row in rows(find(frames, "keeps")?, |row| <[&str; 2]>::try_from(row).ok())? {
        match row {
            ["snapper", "yes"] => keeps.snapper = true,
            ["snapper", "no"] => {}
            ["local", package] => {
                keeps.local.push(nevra(package).ok_or_else(|| garbage("a copy of what is no package"))?);
            }
            _ => return Err(garbage("an unknown way back")),
        }
    }
    Ok(Offers { offers, installed, keeps })
}

fn attempts<'a>(frame: &Frame<'a>) -> Result<Vec<Attempt<'a>>, Failure> {
    let mut attempts: Vec<Attempt<'a>> = Vec::new();
    for (number, line) in frame.lines() {
        let wrong = || garbage(format!("line {number} is no row of an attempt"));
        let (kind, text) = line.split_once('\t').ok_or_else(wrong)?;
        match (kind, attempts.last_mut()) {
            ("x", _) => attempts.push(Attempt { status: text.parse().map_err(|_| wrong())?, ..Attempt::default() }),
            ("o", Some(attempt)) => attempt.stdout.push(text),
            ("e", Some(attempt)) => attempt.stderr.push(text),
            _ => return Err(wrong()),
        }
    }
    Ok(attempts)
}

#[cfg(test)]
mod tests;
