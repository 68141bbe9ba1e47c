//! One run at a time per state directory.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// Held for as long as the value lives; the system drops it when the process dies.
#[derive(Debug)]
pub struct StateLock {
    file: File,
}

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("another run is under way ({holder})")]
    Held {
        /// What the other run wrote about itself.
        holder: String,
    },
    /// The file cannot be made or locked.
    #[error("cannot lock {}", path.display())]
    File {
        /// The lock file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl StateLock {
    /// Takes the lock or says who holds it; never waits.
    pub fn take(state_dir: &Path) -> Result<Self, LockError> {
        let path = state_dir.join("lock");
        let failed = |source| LockError::File { path: path.clone(), source };
        std::fs::create_dir_all(state_dir).map_err(failed)?;
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(source)) => return Err(failed(source)),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.take(64).read_to_string(&mut holder);
                let pid: String = holder.chars().filter(char::is_ascii_digit).collect();
                return Err(LockError::Held { holder: format!("process {pid}") });
            }
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        write!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { file })
    }
}

impl Drop for StateLock {
    fn drop(&mut self) {
        // A child that another thread is just starting has the file, too, until it becomes another program.
        let _ = self.file.unlock();
    }
}
