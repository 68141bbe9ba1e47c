//! The credential for canonical cannot push: receive-pack is refused where upload-pack works.

use super::{Code, Violation};
use countersign_shared::git::writable::Finding;

pub use countersign_shared::git::writable::{Facts, gather};

/// Pure: facts in, at most one violation out.
pub fn judge(facts: &Facts) -> Option<Violation> {
    match facts.judge("canonical") {
        Finding::Protected => None,
        Finding::Writable(message) => Some(Violation::new(Code::CanonicalWritable, message)),
        Finding::Unproven(message) => Some(Violation::new(Code::CanonicalUnproven, message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_shared::git::GitError;
    use countersign_shared::git::local_access::LocalAccess;
    use countersign_shared::git::write_probe::WriteAnswer;
    use std::io;

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
