//! The credential for canonical cannot push: receive-pack is refused where upload-pack works.

use super::local::{self, LocalAccess};
use super::{Code, Violation};
use countersign_shared::git::write_probe::WriteAnswer;
use countersign_shared::git::{CommitId, GitError, Kind, Mirror, Reference, Remote};
use std::hash::{BuildHasher, RandomState};
use std::io;

/// What was found out about the credential.
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

/// Asks the remote, or looks at the file system. Blocks; call it after a fetch went well, `tip` being what came.
pub fn gather(mirror: &Mirror, remote: &Remote, tip: CommitId) -> Result<Facts, GitError> {
    if let Kind::Local(path) = remote.url.kind() {
        return Ok(Facts::Local(local::look(path)));
    }
    // A name that nobody uses: it is never created, and could not be even by mistake.
    let name = format!("countersign-probe-{:016x}", RandomState::new().hash_one(tip.to_string()));
    let write = mirror.probe_write(remote, tip, &Reference::branch(&name)?);
    Ok(Facts::Remote { write, read_after: mirror.probe_read(remote) })
}

/// Pure: facts in, at most one violation out.
pub fn judge(facts: &Facts) -> Option<Violation> {
    let (code, message) = match facts {
        Facts::Remote { write: WriteAnswer::Receives, .. } => {
            (Code::CanonicalWritable, "the credential for canonical can push".to_owned())
        }
        Facts::Remote { write: WriteAnswer::Unknown(error), .. } => {
            (Code::CanonicalUnproven, format!("whether canonical refuses a push was not found out: {error}"))
        }
        // A server that answers nobody refuses nobody in particular.
        Facts::Remote { write: WriteAnswer::Refused(_), read_after: Err(error) } => {
            (Code::CanonicalUnproven, format!("canonical could not be read after the push was refused: {error}"))
        }
        Facts::Remote { write: WriteAnswer::Refused(_), read_after: Ok(()) } => return None,
        Facts::Local(Ok(LocalAccess::ReadOnly)) => return None,
        Facts::Local(Ok(LocalAccess::Writable(path))) => {
            (Code::CanonicalWritable, format!("this account can write {}", path.display()))
        }
        Facts::Local(Err(error)) => {
            (Code::CanonicalUnproven, format!("whether this account can write canonical was not found out: {error}"))
        }
    };
    Some(Violation::new(code, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_connection() -> GitError {
        GitError::Unreachable { url: "ssh://forge.example/x".to_owned(), detail: "Connection refused".to_owned() }
    }

    #[test]
    fn only_a_refusal_between_two_readings_or_a_closed_file_system_passes() {
        use Code::{CanonicalUnproven, CanonicalWritable};
        let refused = || WriteAnswer::Refused("read-only key".to_owned());
        for (facts, expected) in [
            (Facts::Remote { write: refused(), read_after: Ok(()) }, None),
            (Facts::Remote { write: refused(), read_after: Err(no_connection()) }, Some(CanonicalUnproven)),
            (Facts::Remote { write: WriteAnswer::Receives, read_after: Ok(()) }, Some(CanonicalWritable)),
            (Facts::Remote { write: WriteAnswer::Receives, read_after: Err(no_connection()) }, Some(CanonicalWritable)),
            (
                Facts::Remote { write: WriteAnswer::Unknown(no_connection()), read_after: Ok(()) },
                Some(CanonicalUnproven),
            ),
            (Facts::Local(Ok(LocalAccess::ReadOnly)), None),
            (Facts::Local(Ok(LocalAccess::Writable("/srv".into()))), Some(CanonicalWritable)),
            (Facts::Local(Err(io::Error::other("lost"))), Some(CanonicalUnproven)),
        ] {
            assert_eq!(judge(&facts).map(|v| v.code), expected, "{facts:?}");
        }
    }
}
