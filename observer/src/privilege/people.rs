//! People stand behind every commit of canonical since the anchor.

use super::{Code, Violation};
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::history::{self, Judgement, Rules};
use countersign_shared::git::{CommitId, GitError, Mirror};
use std::path::Path;

/// What was found out about canonical's history.
#[derive(Debug)]
pub enum Facts {
    /// There is no `anchor` to begin at.
    NoAnchor,
    /// The pinned copy of the people cannot be used; why.
    NoPeople(String),
    /// It was judged.
    Judged(Judgement),
    /// It could not be judged.
    Unknown(GitError),
}

/// Judges the history back to the anchor. Blocks.
///
/// `pinned` is the local copy of `approvers`, `bots` are the keys of machines in canonical's policy, `now` is Unix
/// seconds by our clock.
pub fn gather(
    mirror: &Mirror,
    tip: CommitId,
    anchor: Option<CommitId>,
    pinned: &Path,
    bots: &[String],
    now: i64,
) -> Facts {
    let Some(anchor) = anchor else {
        return Facts::NoAnchor;
    };
    let pinned = match std::fs::read_to_string(pinned) {
        Ok(text) => AllowedSigners::parse(&text).map_err(|error| format!("{}: {error}", pinned.display())),
        Err(error) => Err(format!("{}: {error}", pinned.display())),
    };
    let pinned = match pinned {
        Ok(pinned) => pinned,
        Err(message) => return Facts::NoPeople(message),
    };
    match history::judge(mirror, tip, &Rules { anchor, pinned: &pinned, bots, now }) {
        Ok(judgement) => Facts::Judged(judgement),
        Err(error) => Facts::Unknown(error),
    }
}

/// Pure: facts in, at most one violation out.
pub fn judge(facts: &Facts) -> Option<Violation> {
    let message = match facts {
        Facts::Judged(Judgement::ByPeople { .. }) => return None,
        Facts::Judged(Judgement::Refused { commit, why }) => {
            format!("not all of canonical's history is by people: commit {commit}: {why}")
        }
        Facts::NoAnchor => "canonical's history is not judged: [canonical] has no anchor".to_owned(),
        Facts::NoPeople(why) => format!("canonical's history is not judged: the pinned approvers: {why}"),
        Facts::Unknown(error) => format!("canonical's history could not be judged: {error}"),
    };
    Some(Violation::new(Code::CanonicalUnsigned, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_shared::approval::history::Refusal;

    #[test]
    fn only_a_history_by_people_passes() {
        let commit = CommitId::parse(&"ab".repeat(20)).unwrap();
        let refused = Judgement::Refused { commit, why: Refusal::OnePerson };
        for (facts, word) in [
            (Facts::NoAnchor, "no anchor"),
            (Facts::NoPeople("line 1: there is no key".to_owned()), "there is no key"),
            (Facts::Judged(refused), "abababab"),
            (Facts::Unknown(GitError::NoCommit("x".to_owned())), "could not be judged"),
        ] {
            let violation = judge(&facts).unwrap();
            assert_eq!(violation.code, Code::CanonicalUnsigned);
            assert!(violation.message.contains(word), "{}", violation.message);
        }
        assert_eq!(judge(&Facts::Judged(Judgement::ByPeople { commits: 3 })), None);
    }
}
