//! dnf, of either generation: what it is told is written here and nowhere else.

mod five;
mod four;

use crate::refused::Refused;
use crate::run::{Program, Ran};
use crate::store::Lock;
use countersign_manifests_schema::transaction::{Action, Change, Reason, SYSTEM_REPO};
use countersign_shared::solver::Step;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

pub(crate) use five::{compare as compare_inside, told};

/// A transaction that was killed half-way is worse than one that takes long.
const REPLAY_LIMIT: Duration = Duration::from_secs(3600);

/// One change that dnf is to make, with the file for what comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) nevra: String,
    pub(crate) action: Action,
    pub(crate) reason: Reason,
    /// The repository that it came from; `@System` for what leaves.
    pub(crate) repo_id: String,
    /// Absolute, for what comes.
    pub(crate) file: Option<String>,
}

/// What dnf may do beyond what is always so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// An approved change: every signature is checked, the machine's excludes and locks hold.
    Forward,
    /// An undo: excludes and locks of the machine do not stop it. The flag: whether every file is signed.
    Back { signed: bool },
}

/// dnf of one generation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dnf<'a> {
    pub(crate) generation: u8,
    /// Where it may write: metadata, logs.
    pub(crate) home: &'a Path,
}

impl Dnf<'_> {
    /// Fetches these packages of one repository, or of any, into a directory. Packages that are not offered are left out.
    pub(crate) fn download(&self, repo: Option<&str>, nevras: &[String], into: &Path) -> std::io::Result<Ran> {
        match self.generation {
            5 => five::download(self.home, repo, nevras, into),
            _ => four::download(self.home, repo, nevras, into),
        }
    }

    /// Whether packages of this repository must be signed; `None` when it is not enabled.
    pub(crate) fn is_checked(&self, repo: &str) -> Result<Option<bool>, Refused> {
        match self.generation {
            5 => five::is_checked(self.home, repo),
            _ => four::is_checked(self.home, repo),
        }
    }

    /// What dnf makes of these changes, with the files in the place of every repository. Changes nothing.
    pub(crate) fn resolve(&self, moves: &[Move], directory: &Path, records: &mut Records) -> Result<(), Refused> {
        match self.generation {
            5 => five::resolve(self.home, moves, directory, records),
            _ => four::resolve(self.home, moves, directory, records),
        }
    }

    /// Makes these changes, and no others, while the lock is held.
    pub(crate) fn replay(&self, moves: &[Move], way: Way, directory: &Path, lock: &Lock) -> std::io::Result<Ran> {
        match self.generation {
            5 => five::replay(self.home, moves, way, directory, lock, REPLAY_LIMIT),
            _ => four::replay(self.home, moves, way, directory, lock, REPLAY_LIMIT),
        }
    }

    /// What dnf finds wrong with the installed set, line by line; empty when nothing is.
    pub(crate) fn problems(&self) -> std::io::Result<(BTreeSet<String>, Ran)> {
        let program = match self.generation {
            5 => Program::new("dnf5", self.home).args(["--setopt=plugins=0", "check"]),
            _ => Program::new("dnf", self.home).args(["-q", "--noplugins", "-C", "check"]),
        };
        let ran = program.run()?;
        let mut lines: BTreeSet<String> = BTreeSet::new();
        if !ran.good() {
            let both = ran.stdout.lines().chain(ran.stderr.lines());
            lines.extend(both.map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
            lines.insert("dnf check found problems".to_owned());
        }
        Ok((lines, ran))
    }
}

/// Records of what was run, in order.
pub(crate) type Records = Vec<countersign_manifests_schema::ledger::CommandRecord>;

/// The moves of an approved transaction. `file` gives the checked file of each package that comes.
pub(crate) fn moves(changes: &[Change], file: impl Fn(&str) -> Option<String>) -> Result<Vec<Move>, Refused> {
    changes
        .iter()
        .map(|change| {
            let file =
                match change.action.is_incoming() {
                    true => Some(file(&change.nevra).ok_or_else(|| {
                        Refused::new("transaction-differs", format!("{} was not fetched", change.nevra))
                    })?),
                    false => None,
                };
            Ok(Move {
                nevra: change.nevra.clone(),
                action: change.action,
                reason: change.reason,
                repo_id: change.repo_id.clone(),
                file,
            })
        })
        .collect()
}

/// Compares what dnf resolved with what it was to do: packages, actions, origin, reasons where they are said.
fn same(moves: &[Move], steps: &[Step], repo: impl Fn(&Move) -> String) -> Result<(), Refused> {
    let differs = |text: String| Err(Refused::new("transaction-differs", text));
    for step in steps {
        let wanted = moves.iter().find(|wanted| wanted.nevra == step.nevra && wanted.action == step.action);
        let Some(wanted) = wanted else {
            return differs(format!("dnf would also {} {}", step.action.as_str().to_lowercase(), step.nevra));
        };
        let from = if wanted.action.is_incoming() { repo(wanted) } else { SYSTEM_REPO.to_owned() };
        if step.repo_id != from {
            return differs(format!("dnf would take {} from {}, not from {from}", step.nevra, step.repo_id));
        }
        let said = step.reason.filter(|_| step.action == Action::Install);
        if said.is_some_and(|said| said != wanted.reason && !alike(said, wanted.reason)) {
            return differs(format!("dnf would have another reason for {}", step.nevra));
        }
    }
    match moves.iter().find(|wanted| !steps.iter().any(|s| s.nevra == wanted.nevra && s.action == wanted.action)) {
        Some(missing) => differs(format!("dnf would not {} {}", missing.action.as_str().to_lowercase(), missing.nevra)),
        None => Ok(()),
    }
}

/// dnf5's table has one section for what a person asks for and for reasons that it does not tell apart.
fn alike(said: Reason, wanted: Reason) -> bool {
    said == Reason::User && matches!(wanted, Reason::ExternalUser | Reason::None | Reason::Clean)
}
