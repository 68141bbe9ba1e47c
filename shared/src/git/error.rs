//! One variant per way in which reading a git repository can fail, each with a stable code and a hint.

use std::io;
use std::path::PathBuf;

/// Why a git repository could not be read.
///
/// `detail` is git's own message: bounded, escaped, without a password of the URL.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The URL is of a form that is never passed to git.
    #[error("{url:?} is not a repository URL that can be used: {problem}")]
    Url {
        /// As configured, without a password.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The branch or reference is not a name that git would accept.
    #[error("{name:?} is not a branch: {problem}")]
    Reference {
        /// As configured.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A text is not 40 lower-case hex digits.
    #[error("{0:?} is not a full commit id of 40 lower-case hex digits")]
    CommitId(String),
    /// ssh would expand or split this path.
    #[error("the path {0:?} has a character that ssh would expand or split at")]
    SshPath(PathBuf),
    /// The SSH key is not there or not readable.
    #[error("cannot read the SSH key {path:?}")]
    SshKey {
        /// As configured.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// git could not be started.
    #[error("cannot start git")]
    Start(#[source] io::Error),
    /// A file or directory of the mirror could not be made.
    #[error("cannot prepare the mirror {path:?}")]
    Prepare {
        /// What was to be made.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// git did not finish in time and was ended.
    #[error("{url} did not finish within {seconds} s")]
    TimedOut {
        /// Without a password.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// No connection.
    #[error("{url} cannot be reached: {detail}")]
    Unreachable {
        /// Without a password.
        url: String,
        /// git's message.
        detail: String,
    },
    /// The server's SSH host key is unknown, changed or revoked.
    #[error("the host key of {url} is not a known one: {detail}")]
    HostKey {
        /// Without a password.
        url: String,
        /// git's message.
        detail: String,
    },
    /// The server did not accept the credential.
    #[error("{url} refused the credential: {detail}")]
    Auth {
        /// Without a password.
        url: String,
        /// git's message.
        detail: String,
    },
    /// There is no repository at this URL, or none for this credential.
    #[error("there is no readable repository at {url}: {detail}")]
    NoRepository {
        /// Without a password.
        url: String,
        /// git's message.
        detail: String,
    },
    /// The repository has commits, but not this branch.
    #[error("{url} has no {reference}")]
    NoReference {
        /// Without a password.
        url: String,
        /// The full reference name or commit id.
        reference: String,
    },
    /// The repository has no commit at all.
    #[error("{url} is empty")]
    Empty {
        /// Without a password.
        url: String,
    },
    /// The repository does not have its whole history.
    #[error("{url} is a shallow clone: its history is not whole")]
    Shallow {
        /// Without a password.
        url: String,
    },
    /// The repository uses SHA-256 object ids.
    #[error("{url} is a SHA-256 repository")]
    Sha256 {
        /// Without a password.
        url: String,
    },
    /// git's own check of the received objects failed.
    #[error("{url} sent objects that git does not accept: {detail}")]
    Damaged {
        /// Without a password.
        url: String,
        /// git's message.
        detail: String,
    },
    /// git failed in a way that has no variant of its own.
    #[error("git could not read {url}: {detail}")]
    Other {
        /// Without a password.
        url: String,
        /// git's message.
        detail: String,
    },
    /// The mirror uses a format that libgit2 does not read (SHA-256 objects, reftable).
    #[error("the mirror {path:?} uses a repository format that is not supported")]
    MirrorFormat {
        /// The mirror.
        path: PathBuf,
        /// libgit2's message.
        source: git2::Error,
    },
    /// The mirror could not be opened or read.
    #[error("cannot read the mirror {path:?}")]
    Mirror {
        /// The mirror.
        path: PathBuf,
        /// libgit2's message.
        source: git2::Error,
    },
    /// The mirror does not hold this branch, as it was never fetched.
    #[error("the mirror {path:?} holds no {reference}")]
    NotFetched {
        /// The mirror.
        path: PathBuf,
        /// The full reference name.
        reference: String,
    },
    /// The mirror holds no commit of this id.
    #[error("there is no commit {0}")]
    NoCommit(String),
    /// The tip does not descend from the one seen before.
    #[error("history was rewritten: {now} does not descend from {seen}, the last tip seen")]
    HistoryRewritten {
        /// The last tip seen.
        seen: String,
        /// The tip now.
        now: String,
    },
    /// A symbolic link.
    #[error("{0:?} is a symbolic link")]
    Symlink(String),
    /// A submodule.
    #[error("{0:?} is a submodule")]
    Submodule(String),
    /// A file where a directory is wanted, or the other way round.
    #[error("{path:?} is not a {wanted}")]
    WrongKind {
        /// Path in the repository.
        path: String,
        /// `file` or `directory`.
        wanted: &'static str,
    },
    /// A mode that git itself does not write.
    #[error("{path:?} has the mode {mode:06o}, not 100644 or 100755")]
    Mode {
        /// Path in the repository.
        path: String,
        /// As in the tree object.
        mode: i32,
    },
    /// A name that is not UTF-8, or holds a control character.
    #[error("{0} has a name that is not printable UTF-8")]
    Name(String),
    /// Directories nested too deeply.
    #[error("{path:?} is more than {limit} directories deep")]
    TooDeep {
        /// Path in the repository.
        path: String,
        /// The limit.
        limit: usize,
    },
    /// Too many files.
    #[error("there are more than {0} files")]
    TooManyFiles(usize),
    /// One file is too large.
    #[error("{path:?} has {size} bytes, more than {limit}")]
    FileTooLarge {
        /// Path in the repository.
        path: String,
        /// Bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// All files together are too large.
    #[error("the files together have more than {0} bytes")]
    TooLarge(usize),
}

impl GitError {
    /// Stable, lower-case with dashes.
    pub fn code(&self) -> &'static str {
        match self {
            GitError::Url { .. } | GitError::Reference { .. } | GitError::CommitId(_) => "usage",
            GitError::SshPath(_) | GitError::SshKey { .. } => "ssh-key",
            GitError::Start(_) => "no-git",
            GitError::Prepare { .. } | GitError::Mirror { .. } => "mirror",
            GitError::TimedOut { .. } => "timeout",
            GitError::Unreachable { .. } => "unreachable",
            GitError::HostKey { .. } => "host-key",
            GitError::Auth { .. } => "auth",
            GitError::NoRepository { .. } => "no-repository",
            GitError::NoReference { .. } | GitError::NotFetched { .. } => "no-branch",
            GitError::Empty { .. } => "empty-repository",
            GitError::Shallow { .. } => "shallow",
            GitError::Sha256 { .. } | GitError::MirrorFormat { .. } => "unsupported-repository",
            GitError::Damaged { .. } => "damaged",
            GitError::Other { .. } => "git",
            GitError::NoCommit(_) => "no-commit",
            GitError::HistoryRewritten { .. } => "history-rewritten",
            GitError::Symlink(_)
            | GitError::Submodule(_)
            | GitError::WrongKind { .. }
            | GitError::Mode { .. }
            | GitError::Name(_) => "not-a-regular-file",
            GitError::TooDeep { .. }
            | GitError::TooManyFiles(_)
            | GitError::FileTooLarge { .. }
            | GitError::TooLarge(_) => "too-large",
        }
    }

    /// What to do about it, where one thing helps.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            GitError::Url { .. } => "use ssh://, https://, git://, file://, user@host:path or an absolute path",
            GitError::Reference { .. } => "write the branch as `git branch` shows it",
            GitError::CommitId(_) => "write out all 40 digits, as `git rev-parse` shows them",
            GitError::SshPath(_) => "keep keys and known_hosts under a path of letters, digits and / . _ - + = , : @",
            GitError::SshKey { .. } => "the key must belong to the account that runs this program, mode 0600",
            GitError::Start(_) => "install git 2.32 or newer and put it into PATH",
            GitError::Prepare { .. } => "state_dir must be writable for this account, and for no other",
            GitError::TimedOut { .. } | GitError::Unreachable { .. } => {
                "check the URL and the network from this machine with `git ls-remote URL`"
            }
            GitError::HostKey { .. } => {
                "put the server's key, compared with what its owner publishes, into the configured known_hosts"
            }
            GitError::Auth { .. } => "add the public half of ssh_key to the repository as a read-only deploy key",
            GitError::NoRepository { .. } => {
                "check the path in the URL; many servers say the same when the credential may not read it"
            }
            GitError::NoReference { .. } => "check `branch` in the configuration against `git ls-remote URL`",
            GitError::Empty { .. } => "commit fleet.toml and at least one manifest, and push them",
            GitError::Shallow { .. } => "point the URL at the full repository, or run `git fetch --unshallow` there",
            GitError::Sha256 { .. } | GitError::MirrorFormat { .. } => {
                "only SHA-1 repositories with the files ref format can be read; convert it with `git fast-export`"
            }
            GitError::Damaged { .. } => "run `git fsck --strict` in that repository",
            GitError::Mirror { .. } => "the mirror is a cache: delete it, and the next run fetches it again",
            GitError::NotFetched { .. } => "run once with network, then work from the mirror",
            GitError::HistoryRewritten { .. } => {
                "find out who force-pushed; if it was meant, a person accepts the new tip by hand"
            }
            GitError::Symlink(_) | GitError::Submodule(_) | GitError::Mode { .. } => {
                "only regular files are read; put the content itself there"
            }
            _ => return None,
        })
    }
}
