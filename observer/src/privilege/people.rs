//! People stand behind every commit of canonical since the anchor.

use super::{Code, Violation};
use countersign_shared::approval::KeyData;
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::history::{self, Judgement, Rules};
use countersign_shared::approval::people::read_keys;
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

/// Who counts, by what is on this machine and in canonical's policy.
#[derive(Debug, Clone, Copy)]
pub struct Trusted<'a> {
    /// The local copy of `approvers`.
    pub pinned: &'a Path,
    /// The file of revoked keys, if there is one.
    pub revoked: Option<&'a Path>,
    /// Keys of machines in canonical's policy.
    pub bots: &'a [String],
}

/// Judges the history back to the anchor. Blocks. `now` is Unix seconds by our clock.
pub fn gather(mirror: &Mirror, tip: CommitId, anchor: Option<CommitId>, trusted: &Trusted<'_>, now: i64) -> Facts {
    let Some(anchor) = anchor else {
        return Facts::NoAnchor;
    };
    let (pinned, bots, revoked) = match read(trusted) {
        Ok(read) => read,
        Err(message) => return Facts::NoPeople(message),
    };
    match history::judge(mirror, tip, &Rules { anchor, pinned: &pinned, bots: &bots, revoked: &revoked, now }) {
        Ok(judgement) => Facts::Judged(judgement),
        Err(error) => Facts::Unknown(error),
    }
}

type Lists = (AllowedSigners, Vec<KeyData>, Vec<KeyData>);

fn read(trusted: &Trusted<'_>) -> Result<Lists, String> {
    let text = |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let pinned = AllowedSigners::parse(&text(trusted.pinned)?)
        .map_err(|error| format!("{}: {error}", trusted.pinned.display()))?;
    let revoked = match trusted.revoked {
        None => Vec::new(),
        Some(path) => read_keys(&text(path)?).map_err(|line| format!("{}: line {line} is no key", path.display()))?,
    };
    let bots = read_keys(&trusted.bots.join("\n")).map_err(|_| "a bot in canonical's policy is no key".to_owned())?;
    Ok((pinned, bots, revoked))
}

/// Pure: facts in, at most one violation out.
pub fn judge(facts: &Facts) -> Option<Violation> {
    let message = match facts {
        Facts::Judged(Judgement::ByPeople { untouched: None, .. }) => return None,
        Facts::Judged(Judgement::ByPeople { untouched: Some(commit), .. }) => {
            let message = format!(
                "canonical's policy requires touched security keys, and without others commit {commit} has too few people"
            );
            return Some(Violation::new(Code::SoftwareKeys, message));
        }
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
        let refused = Judgement::Refused { commit, why: Refusal::TooFew { found: 1, required: 2 } };
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
        let by_people = |untouched| Facts::Judged(Judgement::ByPeople { commits: 3, untouched });
        assert_eq!(judge(&by_people(None)), None);
        let violation = judge(&by_people(Some(commit))).unwrap();
        assert_eq!(violation.code, Code::SoftwareKeys);
        assert!(violation.message.contains("abababab"), "{}", violation.message);
    }
}
