//! The unix socket: where it may be, and what is there from before.

use crate::desk::own_uid;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Everybody may connect: who it is, the kernel says, and strangers are told nothing.
const MODE: u32 = 0o666;
const STICKY: u32 = 0o1000;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Others could put another socket in its place.
    #[error("others can write to {} (mode {mode:04o}, uid {owner})", path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner.
        owner: u32,
    },
    /// Something that is no socket is there.
    #[error("{} is there and is no socket", path.display())]
    NoSocket {
        /// What is there.
        path: PathBuf,
    },
    /// Somebody answers there.
    #[error("another program listens at {}", path.display())]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// The system's error.
    #[error("cannot listen at {}", path.display())]
    Bind {
        /// The socket or a directory above it.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
}

impl SocketError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Open { .. } => {
                "the directories above the socket must be root's or the notary's, and writable by nobody else"
            }
            Self::NoSocket { .. } => "move it away, or name another `socket`",
            Self::Taken { .. } => "stop it first; there is one notary",
            Self::Bind { .. } => "the unit's RuntimeDirectory=countersign makes the directory",
        }
    }
}

/// Listens. A socket that a dead process left behind is taken away; nothing else is.
pub fn listen(path: &Path) -> Result<UnixListener, SocketError> {
    let failed = |source| SocketError::Bind { path: path.to_owned(), source };
    // Without links, so that what is judged is what is used.
    let directory = path.parent().unwrap_or(Path::new("/")).canonicalize().map_err(failed)?;
    check_directories(&directory)?;
    let path = directory.join(path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?);
    let failed = |source| SocketError::Bind { path: path.clone(), source };
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => return Err(SocketError::NoSocket { path }),
        Ok(_) => match UnixStream::connect(&path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(&path).map_err(failed)?,
            _ => return Err(SocketError::Taken { path }),
        },
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    fs::set_permissions(&path, Permissions::from_mode(MODE)).map_err(failed)?;
    Ok(listener)
}

fn check_directories(directory: &Path) -> Result<(), SocketError> {
    for (above, path) in directory.ancestors().enumerate() {
        let metadata = fs::metadata(path).map_err(|source| SocketError::Bind { path: path.to_owned(), source })?;
        let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
        // In a sticky directory, such as /tmp, nobody can move what belongs to others; what is in it is judged next.
        let shared = mode & 0o022 != 0 && !(above > 0 && mode & STICKY != 0);
        if shared || (owner != 0 && owner != own_uid()) {
            return Err(SocketError::Open { path: path.to_owned(), mode, owner });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_socket_goes_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notary.sock");
        let first = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        assert!(matches!(listen(&path), Err(SocketError::Taken { .. })), "a living one");
        drop(first);
        drop(listen(&path).unwrap());
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        assert!(matches!(listen(&path), Err(SocketError::NoSocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(matches!(listen(&path), Err(SocketError::NoSocket { .. })), "a link");
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        let inner = open.join("inner");
        fs::create_dir_all(&inner).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        for mode in [0o777, 0o775, 0o757, 0o1777] {
            set(&open, mode);
            let refused = listen(&open.join("s"));
            assert!(matches!(refused, Err(SocketError::Open { .. })), "{mode:o}");
            let above = listen(&inner.join("s"));
            assert_eq!(above.is_ok(), mode == 0o1777, "above: {mode:o}");
            let _ = fs::remove_file(inner.join("s"));
        }
        set(&open, 0o755);
        listen(&open.join("s")).unwrap();
        // The way there is judged without its links.
        let other = dir.path().join("other");
        fs::create_dir(&other).unwrap();
        set(&other, 0o777);
        std::os::unix::fs::symlink(&other, open.join("link")).unwrap();
        assert!(matches!(listen(&open.join("link/s")), Err(SocketError::Open { .. })));
        assert!(matches!(listen(&dir.path().join("none/s")), Err(SocketError::Bind { .. })));
    }
}
