//! What one runner was seen to be, at one time.
//!
//! An observation is the probe's own answer, kept as one text; everything here borrows from it. Each section is
//! [`Section::Seen`] or [`Section::Failed`]: nothing that could not be read ever looks like an empty answer.

mod frame;
mod history;
mod packages;
mod parse;
mod places;
mod plan;
mod record;
mod request;

pub use frame::{ANSWER_MAX, open};
pub(crate) use frame::{Close, Frame, bounded, garbage, sections};
pub use packages::set_digest;
pub use places::places;
pub use plan::{EACH_MAX, PLAN_MAX, PlanRequest, Verb, Want};
pub use record::{LISTS, is_warm, left_out, merge, tokens};
pub use request::{MAGIC, NAMES_MAX, Nonce, REQUEST_MAX, Request, RequestError, Tokens, is_parameter};

use crate::nevra::Nevra;
use countersign_manifests_schema::warden::Stage;

/// The program that reads a runner: POSIX sh, a request on stdin, an answer on stdout. It changes nothing.
pub const PROBE: &str = include_str!("probe.sh");

/// A part of an observation: read, or failed for a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Section<T> {
    /// Read completely.
    Seen(T),
    /// Not read; says nothing about the runner.
    Failed(Failure),
}

impl<T> Section<T> {
    /// The value, if it was read.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Section::Seen(value) => Some(value),
            Section::Failed(_) => None,
        }
    }

    /// The reason, if it was not read.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Section::Seen(_) => None,
            Section::Failed(failure) => Some(failure),
        }
    }
}

/// Why something could not be observed. `code` is stable and lower-case with dashes, `message` is for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// `unreachable`, `host-key`, `auth`, `timeout`, `garbage`, `truncated`, `changing`, `dnf-busy`, ...
    pub code: String,
    /// One sentence; may hold text from the runner, so it is escaped wherever it is shown.
    pub message: String,
}

impl Failure {
    /// A failure with its stable code and a sentence for people.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

/// One runner, seen at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation<'a> {
    /// When the observer received it, Unix seconds UTC by the observer's clock.
    pub at: i64,
    /// `/etc/os-release` and the native architecture.
    pub os: Section<Os<'a>>,
    /// The running kernel.
    pub kernel: Section<Kernel<'a>>,
    /// `getenforce`, in lower case: `enforcing`, `permissive`, `disabled`.
    pub selinux: Section<&'a str>,
    /// Every instance in the rpm database, `gpg-pubkey` left out, sorted by name bytes, then EVR, then arch.
    pub packages: Section<Packages<'a>>,
    /// Packages that the listed packages of the request need, directly or through others, by name.
    pub needed: Section<Vec<&'a str>>,
    /// Configured repositories.
    pub repos: Section<Vec<Repo<'a>>>,
    /// Active version locks, as dnf prints them, one per line.
    pub versionlocks: Section<Vec<&'a str>>,
    /// sha256 of the settings of dnf and of its repositories, as the runner's own dnf shows them, without those that only
    /// say how it looks and downloads: 64 hex digits.
    pub config: Section<&'a str>,
    /// Which dnf manages this runner.
    pub dnf: Section<Dnf<'a>>,
    /// dnf's transaction history.
    pub history: Section<History<'a>>,
    /// dnf and rpm locks that are held.
    pub locks: Section<Vec<Lock<'a>>>,
    /// Whether a reboot is wanted, in dnf's own judgement.
    pub reboot: Section<bool>,
    /// What the observer's account could do there.
    pub privileges: Section<Privileges<'a>>,
    /// Unix seconds of root's newest repository metadata; `None` where there is none.
    pub metadata: Section<Option<i64>>,
    /// Number of AVC denials in the readable audit log since boot.
    pub avc: Section<u64>,
    /// Enabled module streams, `name:stream`.
    pub modules: Section<Vec<&'a str>>,
}

/// The operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Os<'a> {
    /// `ID` of os-release.
    pub id: &'a str,
    /// `VERSION_ID` of os-release; dnf's releasever.
    pub version_id: &'a str,
    /// rpm's `%_arch`-compatible name of the native architecture, such as `x86_64`.
    pub arch: &'a str,
}

/// The running kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel<'a> {
    /// `uname -r`.
    pub release: &'a str,
    /// Unix seconds at which it booted.
    pub booted: i64,
}

/// The rpm database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packages<'a> {
    /// Every instance, `gpg-pubkey` left out, sorted by [`Nevra`].
    pub list: Vec<Package<'a>>,
    /// dnf's own digest of the set, 64 hex digits, recomputed by us from names and database instances
    /// (`gpg-pubkey` included, as dnf does).
    pub rpmdb_digest: String,
}

/// One installed instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package<'a> {
    /// Its identity.
    pub nevra: Nevra<'a>,
    /// `%{installtime}`, Unix seconds.
    pub install_time: i64,
    /// `%{dbinstance}`.
    pub db_instance: u32,
    /// `%{sha256header}`, 64 hex digits; empty when the package has none.
    pub header_sha256: &'a str,
    /// `%{vendor}`; empty when there is none.
    pub vendor: &'a str,
    /// Id of the signing key, lower-case hex; empty when unsigned.
    pub key: &'a str,
    /// dnf's reason for the package being installed.
    pub reason: Reason,
    /// The repository dnf took it from; empty when dnf does not know.
    pub from_repo: &'a str,
    /// Whether dnf treats it as install-only.
    pub install_only: bool,
}

/// dnf's reason for a package being installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A person asked for it.
    User,
    /// It came with a group.
    Group,
    /// Another package needs it.
    Dependency,
    /// Another package recommends it.
    WeakDependency,
    /// A dependency that nothing needs any more.
    Clean,
    /// Installed behind dnf's back.
    External,
    /// dnf's `None`, or anything that dnf did not say.
    Unknown,
}

/// One configured repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repo<'a> {
    /// Its id.
    pub id: &'a str,
    /// Whether it is enabled.
    pub enabled: bool,
}

/// Which dnf manages the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dnf<'a> {
    /// 4 or 5.
    pub generation: u8,
    /// Its version text.
    pub version: &'a str,
}

/// dnf's history: the newest 200 entries that altered something, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History<'a> {
    /// The entries of all dnf generations present, newest first by start time.
    pub entries: Vec<HistoryEntry<'a>>,
    /// What the runner's warden says that it started, oldest first. Only a hint: it may make people look, and never clears
    /// anything.
    pub applications: Vec<Applied<'a>>,
}

/// An approved change that was started on the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied<'a> {
    /// sha256 of the proposal, 64 lower-case hex digits.
    pub proposal: &'a str,
    /// Where it stands.
    pub stage: Stage,
    /// Unix seconds of its start, by the runner's clock.
    pub started: i64,
    /// Unix seconds at which it reached its stage.
    pub at: i64,
}

/// One transaction as dnf remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry<'a> {
    /// dnf's number.
    pub id: u64,
    /// Unix seconds of its start.
    pub begin: i64,
    /// Unix seconds of its end; 0 when dnf was killed.
    pub end: i64,
    /// Whether dnf recorded it as completed without error.
    pub completed: bool,
    /// The login name, already taken out of dnf's `0 root <root>` form; `None` for an unset login uid.
    pub user: Option<String>,
    /// The command line as dnf recorded it.
    pub command: std::borrow::Cow<'a, str>,
    /// dnf's digest of the package set at its end; empty when unknown.
    pub rpmdb_end: std::borrow::Cow<'a, str>,
    /// What it changed.
    pub changes: Vec<HistoryChange>,
}

/// One package change of a past transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryChange {
    /// `name-[epoch:]version-release.arch`, epoch left out when 0.
    pub nevra: String,
    /// Whether the package was on the machine afterwards.
    pub incoming: bool,
}

/// A held lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock<'a> {
    /// Its path.
    pub path: &'a str,
    /// Unix seconds since which it has been held.
    pub since: i64,
}

/// What the observer's account could do on the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privileges<'a> {
    /// `id -u`.
    pub uid: u32,
    /// Whether `sudo -n -l` lists anything.
    pub sudo: bool,
    /// Whether the rpm database is writable.
    pub rpmdb_writable: bool,
    /// Names of the account's groups.
    pub groups: &'a str,
    /// Whether the probe was run as a forced command (`SSH_ORIGINAL_COMMAND` was ignored) from a root-owned file.
    pub forced: bool,
}
