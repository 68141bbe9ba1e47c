//! The files of one commit, bounded, regular files only.

use super::error::GitError;
use super::history::CommitId;
use super::mirror::Mirror;
use git2::ObjectType;
use std::collections::BTreeMap;

/// Which paths of a tree are read. Everything else is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Files at the top.
    pub files: &'a [&'a str],
    /// Directories at the top, read with everything below them.
    pub directories: &'a [&'a str],
}

/// What canonical consists of; other files are not read.
pub const CANONICAL: Wanted<'static> = Wanted {
    files: &["approvers", "fleet.toml", "policy.toml"],
    directories: &["fleet.d", "locks", "manifests", "waivers"],
};

/// Bounds on a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Number of files.
    pub files: usize,
    /// Bytes of one file.
    pub file_bytes: usize,
    /// Bytes of all files.
    pub bytes: usize,
    /// Directories inside one another.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { files: 20_000, file_bytes: 16 << 20, bytes: 128 << 20, depth: 16 }
    }
}

/// The wanted files of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit.
    pub commit: CommitId,
    /// Committer time, Unix seconds.
    pub committed_at: i64,
    /// Content by path, in byte order of the paths.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Mirror {
    /// Reads the wanted files of a commit.
    pub fn snapshot(&self, commit: CommitId, wanted: &Wanted<'_>, limits: &Limits) -> Result<Snapshot, GitError> {
        let found = self.find_commit(commit)?;
        let tree = found.tree().map_err(|e| self.failed(e))?;
        let mut reader = Reader {
            mirror: self,
            odb: self.repository().odb().map_err(|e| self.failed(e))?,
            limits,
            bytes: 0,
            files: BTreeMap::new(),
        };
        for entry in &tree {
            let Ok(name) = entry.name() else {
                continue;
            };
            if wanted.files.contains(&name) {
                reader.file(name, &entry)?;
            } else if wanted.directories.contains(&name) {
                reader.directory(name, &entry, 1)?;
            }
        }
        Ok(Snapshot { commit, committed_at: found.time().seconds(), files: reader.files })
    }

    /// Ids of the wanted top entries of a commit: equal keys mean equal snapshots. Reads one tree.
    pub fn snapshot_key(&self, commit: CommitId, wanted: &Wanted<'_>) -> Result<String, GitError> {
        let tree = self.find_commit(commit)?.tree().map_err(|e| self.failed(e))?;
        let mut key = String::new();
        for entry in &tree {
            if let Ok(name) = entry.name()
                && (wanted.files.contains(&name) || wanted.directories.contains(&name))
            {
                key.push_str(&format!("{name} {:06o} {}\n", entry.filemode_raw(), entry.id()));
            }
        }
        Ok(key)
    }
}

struct Reader<'a> {
    mirror: &'a Mirror,
    odb: git2::Odb<'a>,
    limits: &'a Limits,
    bytes: usize,
    files: BTreeMap<String, Vec<u8>>,
}

impl Reader<'_> {
    fn directory(&mut self, path: &str, entry: &git2::TreeEntry<'_>, depth: usize) -> Result<(), GitError> {
        check_mode(path, entry.filemode_raw(), "directory")?;
        if depth > self.limits.depth {
            return Err(GitError::TooDeep { path: path.to_owned(), limit: self.limits.depth });
        }
        let tree = self.mirror.repository().find_tree(entry.id()).map_err(|e| self.mirror.failed(e))?;
        for child in &tree {
            let name = std::str::from_utf8(child.name_bytes())
                .ok()
                .filter(|name| !name.chars().any(char::is_control))
                .ok_or_else(|| {
                    let shown = String::from_utf8_lossy(child.name_bytes()).escape_default().to_string();
                    GitError::Name(format!("{path}/{shown}"))
                })?;
            let below = format!("{path}/{name}");
            if child.filemode_raw() == 0o040_000 {
                self.directory(&below, &child, depth + 1)?;
            } else {
                self.file(&below, &child)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &str, entry: &git2::TreeEntry<'_>) -> Result<(), GitError> {
        check_mode(path, entry.filemode_raw(), "file")?;
        if self.files.len() >= self.limits.files {
            return Err(GitError::TooManyFiles(self.limits.files));
        }
        // The size comes before the content, so that a huge blob is never in memory.
        let (size, kind) = self.odb.read_header(entry.id()).map_err(|e| self.mirror.failed(e))?;
        if kind != ObjectType::Blob {
            return Err(GitError::WrongKind { path: path.to_owned(), wanted: "file" });
        }
        if size > self.limits.file_bytes {
            return Err(GitError::FileTooLarge { path: path.to_owned(), size, limit: self.limits.file_bytes });
        }
        self.bytes += size;
        if self.bytes > self.limits.bytes {
            return Err(GitError::TooLarge(self.limits.bytes));
        }
        let object = self.odb.read(entry.id()).map_err(|e| self.mirror.failed(e))?;
        self.files.insert(path.to_owned(), object.data().to_vec());
        Ok(())
    }
}

fn check_mode(path: &str, mode: i32, wanted: &'static str) -> Result<(), GitError> {
    let path = path.to_owned();
    match (mode, wanted) {
        (0o100_644 | 0o100_755, "file") | (0o040_000, "directory") => Ok(()),
        (0o120_000, _) => Err(GitError::Symlink(path)),
        (0o160_000, _) => Err(GitError::Submodule(path)),
        (0o100_644 | 0o100_755 | 0o040_000, _) => Err(GitError::WrongKind { path, wanted }),
        _ => Err(GitError::Mode { path, mode }),
    }
}
