//! How an observation differs from the manifest in force. Pure: two values in, a list out.
//!
//! The way of one runner: [`Compiled`] (the manifest, prepared once for all runners that share it) and an
//! [`Observation`](crate::observation::Observation) go into [`drift`]; out comes a [`Drift`]. Each file judges one thing:
//!
//! | file | codes | rule |
//! |---|---|---|
//! | `version` | `missing`, `unwanted`, `ahead`, `behind`, `duplicate`, `wrong-arch` | `[packages]` |
//! | `kernel` | `kernel-mismatch` | `same-as` |
//! | `unlisted` | `unlisted` | `[unlisted]` |
//! | `lock` | `not-in-lock`, and `missing`, `ahead`, `behind` of closed manifests | `lock` |
//! | `origin` | `wrong-origin` | `from`, `vendors`, `keys` |
//! | `chain` | `out-of-band`, `interrupted` | nothing: judged by dnf's own records |
//! | `host` | `repo-enabled`, `repo-disabled`, `selinux`, `stuck-lock` | `[host]` |
//! | `since` | when and by whom, as the runner itself says | nothing |
//!
//! What a failed section would have been needed for is not judged, neither as drift nor as clean: it is in
//! [`Drift::unjudged`], and then nothing on that runner is remediable.

pub mod adoption;
mod chain;
mod compiled;
mod finding;
mod host;
mod judge;
pub(crate) mod kernel;
mod lock;
mod origin;
mod since;
mod unlisted;
mod version;

#[cfg(test)]
pub(crate) mod tests;

pub use compiled::{CompileError, Compiled};
pub use judge::{drift, drift_since};

use crate::manifest::waiver::Difference;
use crate::observation::Failure;
use std::fmt;

/// What kind of difference an item is. Items are sorted by the code's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Wanted, and no instance there: a plain name is satisfied by the native arch or noarch, an install-only package by any
    /// instance that matches.
    Missing,
    /// Wanted absent, and there: plain `absent` means all instances, `absent <spec>` those that match.
    Unwanted,
    /// Named by no rule; `[unlisted]` says by dnf's install reason what that means.
    Unlisted,
    /// Newer than wanted: above the upper bound or `=`.
    Ahead,
    /// Older than wanted: below the lower bound or `=`.
    Behind,
    /// Two instances of a package that is not install-only.
    Duplicate,
    /// Only a foreign architecture is installed; never also `missing`.
    WrongArch,
    /// Not in the lock of a closed manifest.
    NotInLock,
    /// From a repository, vendor or key that is not allowed; one that is not known is never wrong.
    WrongOrigin,
    /// Not the running kernel's version, though the rule is `same-as = "running-kernel"`.
    KernelMismatch,
    /// Changed behind dnf's back: dnf's own digest of the set differs from its last completed transaction's.
    OutOfBand,
    /// dnf was killed in the middle of a transaction: status `Started` and end 0.
    Interrupted,
    /// A repository is enabled that `repositories` does not list.
    RepoEnabled,
    /// A repository is not enabled that `repositories` lists.
    RepoDisabled,
    /// SELinux is not in the wanted mode.
    Selinux,
    /// A dnf or rpm lock has been held for over six hours.
    StuckLock,
}

impl Code {
    /// Every code, those of packages first.
    pub const ALL: [Code; 16] = [
        Code::Missing,
        Code::Unwanted,
        Code::Unlisted,
        Code::Ahead,
        Code::Behind,
        Code::Duplicate,
        Code::WrongArch,
        Code::NotInLock,
        Code::WrongOrigin,
        Code::KernelMismatch,
        Code::OutOfBand,
        Code::Interrupted,
        Code::RepoEnabled,
        Code::RepoDisabled,
        Code::Selinux,
        Code::StuckLock,
    ];

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// Whether the code says what is wrong with a package, so that there is at most one of them per name and arch.
    /// `wrong-origin` and `out-of-band` may come in addition; the rest is about the host.
    pub const fn is_package_code(self) -> bool {
        matches!(
            self,
            Code::Missing
                | Code::Unwanted
                | Code::Unlisted
                | Code::Ahead
                | Code::Behind
                | Code::Duplicate
                | Code::WrongArch
                | Code::NotInLock
                | Code::KernelMismatch
        )
    }

    /// Whether a manifest wants it otherwise. Nobody wants the others anywhere, so no commit of canonical makes them drift.
    pub const fn is_of_manifest(self) -> bool {
        !matches!(self, Code::OutOfBand | Code::Interrupted | Code::StuckLock)
    }

    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Code::Missing => "missing",
            Code::Unwanted => "unwanted",
            Code::Unlisted => "unlisted",
            Code::Ahead => "ahead",
            Code::Behind => "behind",
            Code::Duplicate => "duplicate",
            Code::WrongArch => "wrong-arch",
            Code::NotInLock => "not-in-lock",
            Code::WrongOrigin => "wrong-origin",
            Code::KernelMismatch => "kernel-mismatch",
            Code::OutOfBand => "out-of-band",
            Code::Interrupted => "interrupted",
            Code::RepoEnabled => "repo-enabled",
            Code::RepoDisabled => "repo-disabled",
            Code::Selinux => "selinux",
            Code::StuckLock => "stuck-lock",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One difference between a runner and its manifest, before anything is known about waivers, history of canonical and
/// earlier runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What kind.
    pub code: Code,
    /// Package name; `None` for host items.
    pub package: Option<String>,
    /// Architecture; `None` for host items and for `missing` of a plain name.
    pub arch: Option<String>,
    /// The rule as it is shown.
    pub wanted: Option<String>,
    /// What is there: `[epoch:]version-release`, ascending, epoch 0 left out; ids or paths for host items.
    pub seen: Vec<String>,
    /// Unix seconds at which the runner came to be so, as dnf or rpm on the runner say; `None` when neither does.
    pub since: Option<i64>,
    /// Who did it, as dnf's history says.
    pub by: Option<By>,
    /// Whether a transaction could remove it, were it not waived.
    pub remediable: bool,
    /// Why nothing can be proposed for it, as far as the observation itself tells (`reboot`, `reasons-unknown`).
    pub blocked: Option<Failure>,
}

impl Item {
    /// What a waiver is compared with.
    pub fn difference(&self) -> Difference<'_> {
        Difference {
            code: self.code,
            package: self.package.as_deref(),
            arch: self.arch.as_deref(),
            wanted: self.wanted.as_deref(),
            seen: &self.seen,
        }
    }
}

/// Who changed something, as dnf's history says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Login name; `None` for an unset login uid.
    pub user: Option<String>,
    /// The command line.
    pub command: String,
}

/// All that drift says about one runner.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drift {
    /// Sorted by package, arch, code.
    pub items: Vec<Item>,
    /// More than half of the packages are external to dnf: nothing of them is removed as unlisted.
    pub reasons_unknown: bool,
    /// What could not be judged, and why. Neither drift nor clean.
    pub unjudged: Vec<Unjudged>,
}

impl Drift {
    /// Whether every section that the judgement needs was read.
    pub fn fully_observed(&self) -> bool {
        self.unjudged.is_empty()
    }
}

/// A part of the judgement that did not take place because a section of the observation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unjudged {
    /// The section, by its name in [`crate::observation::Observation`].
    pub section: &'static str,
    /// Codes of which nothing is known; empty when the section serves other ends, such as protecting the running
    /// kernel.
    pub codes: &'static [Code],
    /// Why the section failed.
    pub why: Failure,
}
