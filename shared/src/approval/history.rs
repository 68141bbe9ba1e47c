//! Canonical's history, judged commit by commit along first parents since the anchor (DESIGN 3).
//!
//! A commit counts when a person stands behind it: by signing it, or by naming it in a later signed commit with the
//! line `Countersign-Endorses: <commit id>`. Who is a person is read from the `approvers` of its *parent*, so that no
//! commit lets its own author in, and from a pinned copy on this machine. What decides over people, policy and fleet
//! needs two.

use super::allowed_signers::{AllowedSigners, AllowedSignersError, Person};
use super::commit::{CommitError, RawCommit};
use super::sshsig::{SignatureError, Signer, SshSignature};
use crate::git::{Commit, CommitId, GitError, Limits, Mirror, Wanted};
use ssh_key::PublicKey;
use ssh_key::public::KeyData;
use std::collections::HashMap;

/// The namespace of signatures over commits, git-config(1) `gpg.format = ssh`.
const NAMESPACE: &str = "git";
/// The key of the line by which a person vouches for an earlier commit.
const ENDORSES: &str = "Countersign-Endorses";
/// Commits since the anchor that are judged at most.
const LONGEST: usize = 20_000;
/// What needs two people when it changes.
const FOR_TWO: Wanted<'static> =
    Wanted { files: &["approvers", "fleet.toml", "policy.toml"], directories: &["fleet.d"] };
const APPROVERS: Wanted<'static> = Wanted { files: &["approvers"], directories: &[] };

/// By what canonical's history is judged.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The commit that is taken as it is; everything after it is judged.
    pub anchor: CommitId,
    /// The local copy of the people, which nobody changes by a commit.
    pub pinned: &'a AllowedSigners,
    /// Public keys of machines, which never count: `policy.toml`, `[approval] bots`.
    pub bots: &'a [String],
    /// Now, Unix seconds by our clock. The commit's own time is a claim.
    pub now: i64,
}

/// The answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Judgement {
    /// People stand behind every commit.
    ByPeople {
        /// Commits since the anchor.
        commits: usize,
    },
    /// The newest commit behind which not enough people stand.
    Refused {
        /// It.
        commit: CommitId,
        /// Why.
        why: Refusal,
    },
}

/// Why a commit does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No signature, and nobody vouches for it.
    #[error("it is not signed")]
    Unsigned,
    /// Its object is not as git writes it.
    #[error("it cannot be read: {0}")]
    Commit(CommitError),
    /// Its signature does not hold.
    #[error("its signature does not hold: {0}")]
    Signature(SignatureError),
    /// Its parent lists nobody.
    #[error("its parent has no approvers")]
    NoApprovers,
    /// Its parent's list cannot be read.
    #[error("its parent's approvers cannot be read: {0}")]
    Approvers(AllowedSignersError),
    /// The signer is not in the parent's list.
    #[error("its signer is not among its parent's approvers")]
    NotListed,
    /// The signer is not in the pinned copy.
    #[error("its signer is not in the pinned copy of the approvers")]
    NotPinned,
    /// A machine signed it.
    #[error("a bot signed it")]
    Bot,
    /// One person stands behind what needs two.
    #[error("it changes approvers, policy or fleet, and only one person stands behind it")]
    OnePerson,
    /// The anchor is not on the way.
    #[error("the anchor is not among the first parents of this history")]
    NoAnchor,
    /// Too many commits since the anchor.
    #[error("there are more than {LONGEST} commits since the anchor")]
    TooLong,
}

/// Judges every commit from `tip` back to the anchor.
pub fn judge(mirror: &Mirror, tip: CommitId, rules: &Rules<'_>) -> Result<Judgement, GitError> {
    let mut court = Court { mirror, rules, endorsed: HashMap::new(), approvers: HashMap::new() };
    for (number, commit) in mirror.first_parents(tip).enumerate() {
        let commit = commit?;
        if commit.id == rules.anchor {
            return Ok(Judgement::ByPeople { commits: number });
        }
        let refused = |why| Ok(Judgement::Refused { commit: commit.id, why });
        if number >= LONGEST {
            return refused(Refusal::TooLong);
        }
        let Some(parent) = commit.parents.first() else {
            return refused(Refusal::NoAnchor);
        };
        if let Err(why) = court.hear(&commit, *parent)? {
            return refused(why);
        }
    }
    Ok(Judgement::Refused { commit: tip, why: Refusal::NoAnchor })
}

struct Court<'a> {
    mirror: &'a Mirror,
    rules: &'a Rules<'a>,
    /// Signers of later commits that name this one.
    endorsed: HashMap<String, Vec<Signer>>,
    approvers: HashMap<String, Result<AllowedSigners, Refusal>>,
}

impl Court<'_> {
    fn hear(&mut self, commit: &Commit, parent: CommitId) -> Result<Result<(), Refusal>, GitError> {
        let raw = self.mirror.raw_commit(commit.id)?;
        let parsed = match RawCommit::parse(&raw) {
            Ok(parsed) => parsed,
            Err(error) => return Ok(Err(Refusal::Commit(error))),
        };
        let signer = signer(&parsed);
        if let Ok(signer) = &signer {
            for id in parsed.statements(ENDORSES) {
                self.endorsed.entry(id.trim_end().to_owned()).or_default().push(signer.clone());
            }
        }
        let approvers = match self.approvers_of(parent)? {
            Ok(approvers) => approvers,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let endorsers = self.endorsed.remove(&commit.id.to_string()).unwrap_or_default();
        let mut people: Vec<(KeyData, Person)> = Vec::new();
        let mut first_refusal = None;
        for signer in std::iter::once(signer).chain(endorsers.into_iter().map(Ok)) {
            let found = signer.and_then(|signer| Ok((self.person(&signer, &approvers)?, signer.key)));
            match found {
                // One key is one person, and one name is one person.
                Ok((person, key)) => {
                    if people.iter().all(|(k, p)| *k != key && p.principal != person.principal) {
                        people.push((key, person));
                    }
                }
                Err(refusal) => {
                    first_refusal.get_or_insert(refusal);
                }
            }
        }
        let needed = if self.needs_two(commit.id, parent)? { 2 } else { 1 };
        Ok(match people.len() {
            n if n >= needed => Ok(()),
            0 => Err(first_refusal.unwrap_or(Refusal::Unsigned)),
            _ => Err(Refusal::OnePerson),
        })
    }

    fn person(&self, signer: &Signer, approvers: &AllowedSigners) -> Result<Person, Refusal> {
        let is_bot = |line: &String| PublicKey::from_openssh(line).is_ok_and(|bot| *bot.key_data() == signer.key);
        if self.rules.bots.iter().any(is_bot) {
            return Err(Refusal::Bot);
        }
        let person = approvers.person(signer, NAMESPACE, self.rules.now).map_err(|_| Refusal::NotListed)?;
        let pinned = self.rules.pinned.person(signer, NAMESPACE, self.rules.now).map_err(|_| Refusal::NotPinned)?;
        if pinned == person { Ok(person) } else { Err(Refusal::NotPinned) }
    }

    fn approvers_of(&mut self, commit: CommitId) -> Result<Result<AllowedSigners, Refusal>, GitError> {
        let key = self.mirror.snapshot_key(commit, &APPROVERS)?;
        if let Some(known) = self.approvers.get(&key) {
            return Ok(known.clone());
        }
        let snapshot = self.mirror.snapshot(commit, &APPROVERS, &Limits::default())?;
        let read = match snapshot.files.get("approvers") {
            None => Err(Refusal::NoApprovers),
            Some(bytes) => AllowedSigners::parse(&String::from_utf8_lossy(bytes)).map_err(Refusal::Approvers),
        };
        self.approvers.insert(key, read.clone());
        Ok(read)
    }

    fn needs_two(&self, commit: CommitId, parent: CommitId) -> Result<bool, GitError> {
        Ok(self.mirror.snapshot_key(commit, &FOR_TWO)? != self.mirror.snapshot_key(parent, &FOR_TWO)?)
    }
}

fn signer(commit: &RawCommit) -> Result<Signer, Refusal> {
    let signed = commit.signed.as_ref().ok_or(Refusal::Unsigned)?;
    let signature = SshSignature::parse(&signed.signature).map_err(Refusal::Signature)?;
    signature.verify(NAMESPACE, &signed.payload).map_err(Refusal::Signature)
}
