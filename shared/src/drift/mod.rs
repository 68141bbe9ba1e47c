//! How an observation differs from the manifest in force. Pure: two values in, a list out.

use std::fmt;

/// What kind of difference an item is. The order is that of SPEC 3's table; items are sorted by the code's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Wanted, and no instance there.
    Missing,
    /// Wanted absent, and there.
    Unwanted,
    /// Named by no rule.
    Unlisted,
    /// Newer than wanted.
    Ahead,
    /// Older than wanted.
    Behind,
    /// Two instances of a package that is not install-only.
    Duplicate,
    /// Only a foreign architecture is installed.
    WrongArch,
    /// Not in the lock of a closed manifest.
    NotInLock,
    /// From a repository, vendor or key that is not allowed.
    WrongOrigin,
    /// Not the running kernel's version.
    KernelMismatch,
    /// Changed behind dnf's back.
    OutOfBand,
    /// dnf was killed in the middle of a transaction.
    Interrupted,
    /// A repository is enabled that should not be.
    RepoEnabled,
    /// A repository is not enabled that should be.
    RepoDisabled,
    /// SELinux is not in the wanted mode.
    Selinux,
    /// A dnf or rpm lock has been held for over six hours.
    StuckLock,
}

impl Code {
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
    pub blocked: Option<crate::observation::Failure>,
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
}
