//! Directories and files of one commit, one at a time and bounded. libgit2 compares each object with its id on the way
//! (`GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION` is on unless somebody turns it off), by a SHA-1 that notices collisions.

use super::error::GitError;
use super::history::CommitId;
use super::mirror::Mirror;
use git2::ObjectType;

/// The mode of a directory.
pub const DIRECTORY: i32 = 0o040_000;
/// The mode of a regular file.
pub const FILE: i32 = 0o100_644;

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name; what is not UTF-8 is replaced, so that it fits no name that is looked for.
    pub name: String,
    /// As git has it: [`DIRECTORY`], [`FILE`] and others.
    pub mode: i32,
    /// 40 hex digits; of equal directories and equal files equal.
    pub id: String,
}

impl Mirror {
    /// Entries of a directory of a commit, in git's order; `None` when there is no such directory. The empty path is
    /// the top.
    pub fn directory(&self, commit: CommitId, path: &str) -> Result<Option<Vec<Entry>>, GitError> {
        let top = self.find_commit(commit)?.tree().map_err(|e| self.failed(e))?;
        let tree = if path.is_empty() {
            top
        } else {
            match top.get_path(path.as_ref()) {
                Ok(entry) if entry.filemode_raw() == DIRECTORY => {
                    self.repository().find_tree(entry.id()).map_err(|e| self.failed(e))?
                }
                Ok(_) => return Ok(None),
                Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
                Err(error) => return Err(self.failed(error)),
            }
        };
        let entry = |entry: git2::TreeEntry<'_>| Entry {
            name: String::from_utf8_lossy(entry.name_bytes()).into_owned(),
            mode: entry.filemode_raw(),
            id: entry.id().to_string(),
        };
        Ok(Some(tree.iter().map(entry).collect()))
    }

    /// Bytes of a regular file of a commit; `None` when there is none at that path. A larger file than `most` bytes is
    /// an error and is not read.
    pub fn file(&self, commit: CommitId, path: &str, most: usize) -> Result<Option<Vec<u8>>, GitError> {
        let top = self.find_commit(commit)?.tree().map_err(|e| self.failed(e))?;
        let entry = match top.get_path(path.as_ref()) {
            Ok(entry) if matches!(entry.filemode_raw(), 0o100_644 | 0o100_755) => entry,
            Ok(_) => return Ok(None),
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        let odb = self.repository().odb().map_err(|e| self.failed(e))?;
        let (size, kind) = odb.read_header(entry.id()).map_err(|e| self.failed(e))?;
        if kind != ObjectType::Blob {
            return Ok(None);
        }
        if size > most {
            return Err(GitError::FileTooLarge { path: path.to_owned(), size, limit: most });
        }
        Ok(Some(odb.read(entry.id()).map_err(|e| self.failed(e))?.data().to_vec()))
    }
}
