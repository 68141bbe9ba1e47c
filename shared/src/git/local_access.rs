//! Whether this account could write a repository on the local file system, where nothing but permissions protects it.

use rustix::fs::{Access, AtFlags, CWD, accessat};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Directories and references looked at before giving up.
const LOOKED_AT: usize = 50_000;

/// What the file system says.
#[derive(Debug, PartialEq, Eq)]
pub enum LocalAccess {
    /// Nothing of the repository can be written, replaced or made writable.
    ReadOnly,
    /// This can.
    Writable(PathBuf),
}

/// Looks at the repository and everything above it, as the account that runs this.
pub fn look(repository: &Path) -> io::Result<LocalAccess> {
    let me = rustix::process::geteuid().as_raw();
    // Root writes anywhere, a read-only mount included, after one more command.
    if me == 0 {
        return Ok(LocalAccess::Writable(repository.to_owned()));
    }
    let real = fs::canonicalize(repository)?;
    for path in [repository, &real] {
        if let Some(found) = above(path, me)? {
            return Ok(LocalAccess::Writable(found));
        }
    }
    let dot_git = real.join(".git");
    let git = match fs::symlink_metadata(&dot_git) {
        Ok(found) if found.is_dir() => {
            if writable(&real, me)? {
                return Ok(LocalAccess::Writable(real));
            }
            dot_git
        }
        Ok(_) => return Err(io::Error::new(io::ErrorKind::Unsupported, ".git is a link to elsewhere")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => real,
        Err(error) => return Err(error),
    };
    if !git.join("HEAD").exists() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "there is no git repository"));
    }
    let mut left = LOOKED_AT;
    Ok(match below(&git, me, &mut left)? {
        Some(found) => LocalAccess::Writable(found),
        None => LocalAccess::ReadOnly,
    })
}

/// A directory above `path` in which the next name can be replaced by another.
fn above(path: &Path, me: u32) -> io::Result<Option<PathBuf>> {
    let mut child = std::path::absolute(path)?;
    while let Some(parent) = child.parent().map(Path::to_path_buf) {
        let metadata = fs::metadata(&parent)?;
        let sticky = metadata.permissions().mode() & 0o1000 != 0;
        let child_is_mine = fs::symlink_metadata(&child)?.uid() == me;
        if metadata.uid() == me || (writable(&parent, me)? && (!sticky || child_is_mine)) {
            return Ok(Some(parent));
        }
        child = parent;
    }
    Ok(None)
}

/// The first directory or file below that can be written.
fn below(directory: &Path, me: u32, left: &mut usize) -> io::Result<Option<PathBuf>> {
    if writable(directory, me)? {
        return Ok(Some(directory.to_owned()));
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        *left = left.checked_sub(1).ok_or_else(|| io::Error::other("too many files to look at"))?;
        let path = entry.path();
        let found = if entry.file_type()?.is_dir() {
            below(&path, me, left)?
        } else if writable(&path, me)? {
            Some(path)
        } else {
            None
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// access(2) with the effective ids; the owner can always make it writable.
fn writable(path: &Path, me: u32) -> io::Result<bool> {
    if fs::symlink_metadata(path)?.uid() == me {
        return Ok(true);
    }
    match accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS) {
        Ok(()) => Ok(true),
        // A dangling link has no target to write.
        Err(rustix::io::Errno::ACCESS | rustix::io::Errno::ROFS | rustix::io::Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
