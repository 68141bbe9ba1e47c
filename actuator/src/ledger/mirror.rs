//! The copy of the ledger in a git repository of its own: a witness on another machine.
//!
//! Whole lines only, in files of twenty entries, so that each push sends little. What is there already is fetched and
//! compared first: a repository that holds anything but the beginning of this ledger is not written to. So neither
//! canonical nor proposed can be, whatever the configuration names.

use super::LedgerError;
use super::entry::{EntryError, check};
use super::read::scan;
use crate::config::{Config, Ledger};
use countersign_manifests_schema::notary::LedgerHead;
use countersign_shared::git::object::FILE;
use countersign_shared::git::receipts::DIRECTORY;
use countersign_shared::git::{CommitId, GitError, Mirror, Reference, Remote, RemoteUrl, SshAccess};
use countersign_shared::journal::LONGEST_LINE;
use ssh_key::public::KeyData;
use std::collections::BTreeMap;
use std::path::Path;

/// The local clone's name in `state_dir`.
const CLONE: &str = "receipts.git";
/// Entries in one file.
const AT_ONCE: u64 = 20;
/// Bytes of one file.
const LARGEST: usize = 4 * LONGEST_LINE;

/// The mirror, as fetched last.
#[derive(Debug)]
pub struct LedgerMirror {
    mirror: Mirror,
    remote: Remote,
    branch: Reference,
}

/// Why the copy was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// git failed.
    #[error("the mirror of the ledger cannot be used")]
    Git(#[from] GitError),
    /// The ledger itself cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Something else than a ledger is in it.
    #[error("the repository holds something else than a ledger: {0}")]
    NotALedger(String),
    /// A line in it is bad.
    #[error("line {line} of the mirror is not in order")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong.
        source: EntryError,
    },
    /// It holds entries that the ledger does not have.
    #[error("the mirror holds entry {entry}, and the ledger has another one or ends before it")]
    Differs {
        /// From 1.
        entry: u64,
    },
}

impl MirrorError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Git(error) => {
                error.hint().unwrap_or("[ledger] mirror, mirror_ssh_key and mirror_known_hosts name it")
            }
            Self::Ledger(_) => "countersign-actuator ledger verify names the line",
            Self::NotALedger(_) => "[ledger] mirror must name an empty repository, or the one that this ledger began",
            Self::Line { .. } | Self::Differs { .. } => {
                "one of the two was changed: countersign-actuator ledger verify compares; the copy is left as it is"
            }
        }
    }
}

/// What a push has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Entries in the mirror now.
    pub entries: u64,
    /// Those that were not there before.
    pub new: u64,
}

impl LedgerMirror {
    /// The one that `[ledger] mirror` names; `None` when none is.
    pub fn configured(config: &Config) -> Option<Result<Self, MirrorError>> {
        let Ledger { mirror, mirror_ssh_key, mirror_known_hosts, .. } = &config.ledger;
        let ssh = SshAccess { key: mirror_ssh_key.clone(), known_hosts: mirror_known_hosts.clone() };
        let open = |url: &String| Self::open(&config.state_dir.join(CLONE), Remote::new(RemoteUrl::parse(url)?, ssh));
        mirror.as_ref().map(open)
    }

    /// Opens the local clone at `path`, or makes an empty one. Nothing is fetched yet.
    pub fn open(path: &Path, remote: Remote) -> Result<Self, MirrorError> {
        Ok(Self { mirror: Mirror::open_or_create(path)?, remote, branch: Reference::branch("main")? })
    }

    /// Fetches, and checks every line by itself; answers with their heads, in order, for
    /// [`super::report::Witnesses::mirror`].
    pub fn heads(&self, key: &KeyData) -> Result<Vec<LedgerHead>, MirrorError> {
        let mut heads: Vec<LedgerHead> = Vec::new();
        let Some(tip) = self.fetch()? else { return Ok(heads) };
        for name in self.names(tip)? {
            for line in self.file(tip, &name)?.split_inclusive(|byte| *byte == b'\n') {
                let number = heads.len() as u64 + 1;
                let checked = check(line, heads.last(), key);
                heads.push(checked.map_err(|source| MirrorError::Line { line: number, source })?.1);
            }
        }
        Ok(heads)
    }

    /// Brings the mirror up to the ledger at `ledger`, whose every entry is checked on the way. Nothing is written if
    /// the mirror holds anything that is not the beginning of the ledger. At `at`, Unix seconds.
    pub fn push(&self, ledger: &Path, key: &KeyData, at: i64) -> Result<Kept, MirrorError> {
        let tip = self.fetch()?;
        let there = tip.map(|tip| self.names(tip)).transpose()?.unwrap_or_default();
        let mut compared = Compared::default();
        let mut failed = None;
        scan(ledger, key, &mut |entry, _, line| {
            if failed.is_none() {
                failed = self.compare(tip, &there, &mut compared, entry.number, line).err();
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        compared.settle()?;
        let Compared { files, known, entries, .. } = compared;
        // Whole files that the ledger does not reach.
        let reached = entries.div_ceil(AT_ONCE);
        if there.len() as u64 > reached {
            return Err(MirrorError::Differs { entry: entries + 1 });
        }
        if !files.is_empty() {
            let commit = self.mirror.write_receipts(tip, &files, at)?;
            self.mirror.push_receipts(&self.remote, commit, tip)?;
        }
        Ok(Kept { entries, new: entries - known })
    }

    fn compare(
        &self,
        tip: Option<CommitId>,
        there: &[String],
        compared: &mut Compared,
        number: u64,
        line: &[u8],
    ) -> Result<(), MirrorError> {
        if (number - 1).is_multiple_of(AT_ONCE) {
            compared.settle()?;
            let name = segment(number);
            let bytes = match tip {
                Some(tip) if there.contains(&name) => self.file(tip, &name)?,
                _ => Vec::new(),
            };
            compared.current = Segment { name, first: number, ours: Vec::new(), there: bytes };
        }
        compared.current.ours.extend_from_slice(line);
        compared.entries = number;
        Ok(())
    }

    /// The tip of `main`; `None` when the repository is empty.
    fn fetch(&self) -> Result<Option<CommitId>, MirrorError> {
        match self.mirror.fetch(&self.remote, &self.branch) {
            Ok(tip) => Ok(Some(tip)),
            Err(GitError::Empty { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The files, in order, if there is nothing else.
    fn names(&self, tip: CommitId) -> Result<Vec<String>, MirrorError> {
        let odd = |what: String| MirrorError::NotALedger(what);
        let top = self.mirror.directory(tip, "")?.unwrap_or_default();
        if let Some(other) = top.iter().find(|entry| entry.name != DIRECTORY) {
            return Err(odd(other.name.escape_debug().to_string()));
        }
        let files = self.mirror.directory(tip, DIRECTORY)?.ok_or_else(|| odd("no entries".to_owned()))?;
        let mut names = Vec::new();
        for (index, file) in files.into_iter().enumerate() {
            if file.mode != FILE || file.name != segment(index as u64 * AT_ONCE + 1) {
                return Err(odd(file.name.escape_debug().to_string()));
            }
            names.push(file.name);
        }
        if names.is_empty() { Err(odd("no entries".to_owned())) } else { Ok(names) }
    }

    fn file(&self, tip: CommitId, name: &str) -> Result<Vec<u8>, MirrorError> {
        let bytes = self.mirror.file(tip, &format!("{DIRECTORY}/{name}"), LARGEST)?;
        bytes.ok_or_else(|| MirrorError::NotALedger(name.to_owned()))
    }
}

/// How far the ledger was compared.
#[derive(Default)]
struct Compared {
    current: Segment,
    /// To be written.
    files: BTreeMap<String, Vec<u8>>,
    /// Entries that the mirror has.
    known: u64,
    /// Entries of the ledger.
    entries: u64,
}

/// One file, as it should be and as it is in the mirror.
#[derive(Default)]
struct Segment {
    name: String,
    first: u64,
    ours: Vec<u8>,
    there: Vec<u8>,
}

impl Compared {
    /// Takes the current file among those to write, unless it is there already.
    fn settle(&mut self) -> Result<(), MirrorError> {
        let segment = std::mem::take(&mut self.current);
        let mut ours = segment.ours.split_inclusive(|byte| *byte == b'\n');
        for (entry, line) in (segment.first..).zip(segment.there.split_inclusive(|byte| *byte == b'\n')) {
            if ours.next() != Some(line) {
                return Err(MirrorError::Differs { entry });
            }
            self.known += 1;
        }
        if segment.ours != segment.there {
            self.files.insert(segment.name, segment.ours);
        }
        Ok(())
    }
}

/// The file that an entry is in.
fn segment(number: u64) -> String {
    format!("{:08}.jsonl", (number - 1) / AT_ONCE * AT_ONCE + 1)
}
