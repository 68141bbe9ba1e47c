//! Files that decide: root's, and writable by nobody else, as is every directory above them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Why a file decides nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unowned {
    /// It cannot be read.
    #[error("{} cannot be read", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// Somebody else could change it.
    #[error("{} belongs to uid {}, not to root", .0.display(), .1)]
    Owner(PathBuf, u32),
    /// Somebody else could change it.
    #[error("{} can be written by others than root (mode {:o}); chmod go-w mends it", .0.display(), .1)]
    Writable(PathBuf, u32),
    /// Its place depends on where the program runs.
    #[error("{} is not an absolute path", .0.display())]
    Relative(PathBuf),
    /// Not a file.
    #[error("{} is not a regular file", .0.display())]
    NotFile(PathBuf),
    /// Longer than anything that belongs there.
    #[error("{} has more than {} bytes", .0.display(), .1)]
    TooLong(PathBuf, u64),
}

/// Reads a file of root's, `most` bytes at most.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Unowned> {
    check(path)?;
    let failed = |error| Unowned::Io(path.to_owned(), error);
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(Unowned::TooLong(path.to_owned(), most));
    }
    Ok(bytes)
}

/// A regular file that only root could have put there: the path as it is written, and the one that its links lead to.
pub(crate) fn check(path: &Path) -> Result<(), Unowned> {
    if !path.is_absolute() {
        return Err(Unowned::Relative(path.to_owned()));
    }
    let real = path.canonicalize().map_err(|error| Unowned::Io(path.to_owned(), error))?;
    if !real.is_file() {
        return Err(Unowned::NotFile(path.to_owned()));
    }
    for path in [path, &real] {
        path.ancestors().try_for_each(is_roots)?;
    }
    Ok(())
}

fn is_roots(path: &Path) -> Result<(), Unowned> {
    let meta = fs::symlink_metadata(path).map_err(|error| Unowned::Io(path.to_owned(), error))?;
    if meta.uid() != 0 {
        return Err(Unowned::Owner(path.to_owned(), meta.uid()));
    }
    // A link has no permissions of its own; the directory it is in was looked at.
    if !meta.is_symlink() && meta.mode() & 0o022 != 0 {
        return Err(Unowned::Writable(path.to_owned(), meta.mode() & 0o7777));
    }
    Ok(())
}
