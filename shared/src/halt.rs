//! A human stop of every new mutation. A file that is there, or that cannot be read, stops; only a file that is certainly
//! not there lets pass.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

/// Whether new mutations may start.
#[derive(Debug)]
pub enum Halt {
    /// No halt is set.
    Clear,
    /// Somebody set a halt, for this reason.
    Set(String),
    /// Nobody knows; counts as set.
    Unreadable(io::Error),
}

impl Halt {
    /// Whether a new mutation may start. An undo may always.
    pub fn lets_pass(&self) -> bool {
        matches!(self, Halt::Clear)
    }
}

/// Reads the halt file. An empty file is a halt without a reason.
pub fn read(path: &Path) -> Halt {
    match fs::read(path) {
        Ok(reason) => Halt::Set(String::from_utf8_lossy(&reason).trim().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => match path.parent().map(fs::metadata) {
            // A directory that is gone, as with an unmounted volume, says nothing about the file in it.
            Some(Ok(parent)) if parent.is_dir() => match fs::symlink_metadata(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => Halt::Clear,
                Ok(_) => Halt::Unreadable(error),
                Err(error) => Halt::Unreadable(error),
            },
            Some(Err(error)) => Halt::Unreadable(error),
            _ => Halt::Unreadable(error),
        },
        Err(error) => Halt::Unreadable(error),
    }
}

/// Sets a halt, durably. A halt that is set already stays, with its first reason.
pub fn set(path: &Path, reason: &str) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    };
    writeln!(file, "{}", reason.replace(char::is_control, " "))?;
    file.sync_all()?;
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_a_file_that_is_certainly_not_there_lets_pass() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("HALT");
        assert!(read(&path).lets_pass());
        symlink("nowhere", &path).unwrap();
        assert!(!read(&path).lets_pass(), "a dangling link");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(!read(&path).lets_pass(), "a directory");
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert!(matches!(read(&path), Halt::Set(reason) if reason.is_empty()));
        assert!(!read(&dir.path().join("gone/HALT")).lets_pass(), "a directory that is not there");
        assert!(!read(&path.join("HALT")).lets_pass(), "a file where a directory should be");
    }

    #[test]
    fn a_halt_keeps_its_first_reason_on_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("HALT");
        set(&path, "llvm looks wrong\nresume: yes").unwrap();
        set(&path, "second").unwrap();
        assert!(matches!(read(&path), Halt::Set(reason) if reason == "llvm looks wrong resume: yes"));
    }
}
