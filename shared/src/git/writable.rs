//! A credential cannot push: receive-pack is refused where upload-pack works, or the file system is closed.

use super::error::GitError;
use super::history::CommitId;
use super::local_access::{self, LocalAccess};
use super::mirror::Mirror;
use super::remote::{Kind, Reference, Remote};
use super::write_probe::WriteAnswer;
use std::hash::{BuildHasher, RandomState};
use std::io;

/// What was found out about a credential.
#[derive(Debug)]
pub enum Facts {
    /// Over a connection.
    Remote {
        /// What happened when receive-pack was asked for.
        write: WriteAnswer,
        /// Whether upload-pack answered afterwards, on the same kind of connection.
        read_after: Result<(), GitError>,
    },
    /// On the local file system.
    Local(io::Result<LocalAccess>),
}

/// What the facts amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Nothing can be written.
    Protected,
    /// It can; one sentence.
    Writable(String),
    /// Nobody knows; one sentence.
    Unproven(String),
}

/// Asks the remote, or looks at the file system. Blocks; call it after a fetch went well, `tip` being what came.
pub fn gather(mirror: &Mirror, remote: &Remote, tip: CommitId) -> Result<Facts, GitError> {
    if let Kind::Local(path) = remote.url.kind() {
        return Ok(Facts::Local(local_access::look(path)));
    }
    // A name that nobody uses: it is never created, and could not be even by mistake.
    let name = format!("countersign-probe-{:016x}", RandomState::new().hash_one(tip.to_string()));
    let write = mirror.probe_write(remote, tip, &Reference::branch(&name)?);
    Ok(Facts::Remote { write, read_after: mirror.probe_read(remote) })
}

impl Facts {
    /// Pure; `repository` is the word for it in the sentence.
    pub fn judge(&self, repository: &str) -> Finding {
        match self {
            Facts::Remote { write: WriteAnswer::Receives, .. } => {
                Finding::Writable(format!("the credential for {repository} can push"))
            }
            Facts::Remote { write: WriteAnswer::Unknown(error), .. } => {
                Finding::Unproven(format!("whether {repository} refuses a push was not found out: {error}"))
            }
            // A server that answers nobody refuses nobody in particular.
            Facts::Remote { write: WriteAnswer::Refused(_), read_after: Err(error) } => {
                Finding::Unproven(format!("{repository} could not be read after the push was refused: {error}"))
            }
            Facts::Remote { write: WriteAnswer::Refused(_), read_after: Ok(()) }
            | Facts::Local(Ok(LocalAccess::ReadOnly)) => Finding::Protected,
            Facts::Local(Ok(LocalAccess::Writable(path))) => {
                Finding::Writable(format!("this account can write {}", path.display()))
            }
            Facts::Local(Err(error)) => {
                Finding::Unproven(format!("whether this account can write {repository} was not found out: {error}"))
            }
        }
    }
}
