//! The directory in which the warden remembers: root's alone, written durably, one lock.

use crate::refused::Refused;
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock, syncfs};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Room that is kept free so that a full disk does not stop us from writing down what was done.
const RESERVE: u64 = 4 << 20;
/// What of it is kept for the very last word.
const LAST: u64 = 1 << 20;

/// The directory. Nobody but root has anything in it.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    dir: PathBuf,
}

/// The one lock. Nothing is changed without it; programs that change something hold it on their own.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// For programs that must hold it too.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }
}

/// Where a warden with this directory shows what it started, as the probe knows it.
pub(crate) fn shown(dir: &Path) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(".applications");
    PathBuf::from(name)
}

impl Store {
    /// Opens the directory, which `enroll` made; it is not made here, so that a memory that is gone is noticed.
    pub(crate) fn open(dir: &Path) -> Result<Self, Refused> {
        let wrong = |what: String| Err(Refused::new("warden", format!("{} {what}", dir.display())));
        match fs::symlink_metadata(dir) {
            Err(error) => wrong(format!("cannot be read: {error}")),
            Ok(meta) if !meta.is_dir() => wrong("is not a directory".to_owned()),
            Ok(meta) if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o077 != 0 => {
                wrong("must be root's, mode 0700".to_owned())
            }
            Ok(_) => Ok(Self { dir: dir.to_owned() }),
        }
    }

    /// Makes the directory for a first use; where it is, nothing happens.
    pub(crate) fn create(dir: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Takes the lock, or waits so long for it.
    pub(crate) fn lock(&self, patience: Duration) -> Result<Lock, Refused> {
        let file = self.lock_file()?;
        let deadline = Instant::now() + patience;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock(file)),
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(Refused::new("runner-busy", "the warden is at work for another request"));
                }
                Err(error) => return Err(Refused::new("warden", format!("its lock cannot be taken: {error}"))),
            }
        }
    }

    /// Takes the lock, however long it takes.
    pub(crate) fn lock_at_last(&self) -> Result<Lock, Refused> {
        let file = self.lock_file()?;
        loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Lock(file)),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Refused::new("warden", format!("its lock cannot be taken: {error}"))),
            }
        }
    }

    fn lock_file(&self) -> Result<File, Refused> {
        let path = self.path("lock");
        let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path);
        opened.map_err(|error| Refused::new("warden", format!("{} cannot be opened: {error}", path.display())))
    }

    /// Writes a file so that after a power cut it is there whole, or as it was before.
    pub(crate) fn write<T: Serialize>(&self, name: &str, content: &T) -> io::Result<()> {
        let bytes = serde_json::to_vec(content).map_err(io::Error::other)?;
        let partial = self.path(&format!("{name}.new"));
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
            file.write_all(&bytes)?;
            file.sync_all()
        };
        if let Err(error) = write() {
            if error.kind() != ErrorKind::StorageFull && error.kind() != ErrorKind::QuotaExceeded {
                return Err(error);
            }
            let _ = fs::remove_file(self.path("reserve"));
            write()?;
        }
        self.rename(&format!("{name}.new"), name)
    }

    /// Shows a text to everybody, beside the directory. Nothing here is judged by it.
    pub(crate) fn show(&self, text: &str) -> io::Result<()> {
        let place = shown(&self.dir);
        let partial = place.with_extension("new");
        fs::write(&partial, text)?;
        fs::set_permissions(&partial, Permissions::from_mode(0o644))?;
        fs::rename(&partial, &place)
    }

    /// Reads a file; `None` where there certainly is none.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match fs::read(self.path(name)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps room for what must be written even when the disk is full.
    pub(crate) fn reserve(&self) -> io::Result<()> {
        let path = self.path("reserve");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        if file.metadata()?.len() < RESERVE {
            fallocate(&file, FallocateFlags::empty(), 0, RESERVE)?;
            file.sync_all()?;
        }
        Ok(())
    }

    /// Gives most of the room away: what comes now must be written.
    pub(crate) fn release(&self) {
        if let Ok(file) = OpenOptions::new().write(true).open(self.path("reserve")) {
            let _ = file.set_len(LAST);
        }
    }

    /// A fresh directory in the place of whatever is there.
    pub(crate) fn fresh(&self, name: &str) -> io::Result<PathBuf> {
        self.remove(name)?;
        let path = self.path(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(path)
    }

    /// Removes a directory with what is in it; nothing there is no error.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.path(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Renames a file or a directory, durably.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let to = self.path(to);
        fs::rename(self.path(from), &to)?;
        // rename(2) is of the directory that has the name, fsync(2) of nothing else.
        File::open(to.parent().unwrap_or(&self.dir))?.sync_all()
    }

    /// Everything that is in it reaches the disk, whoever wrote it.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(syncfs(File::open(&self.dir)?)?)
    }
}
