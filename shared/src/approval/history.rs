//! Canonical's history, judged commit by commit along first parents since the anchor.
//!
//! A commit counts when a person stands behind it: by signing it, or by naming it in a later signed commit with the
//! line `Countersign-Endorses: <commit id>`. Who is a person, and how many are needed, is read from `approvers` and
//! `policy.toml` of its *parent*, so that no commit lets its own author in, and from a pinned copy on this machine.
//! What decides over people, policy and fleet needs `root_required` people.

use super::allowed_signers::{AllowedSigners, AllowedSignersError};
use super::commit::{CommitError, RawCommit};
use super::people::{Approver, NotAPerson, People, distinct};
use super::sshsig::{SignatureError, Signer, SshSignature};
use super::tree::{Kind, object_id};
use crate::git::{Commit, CommitId, GitError, Limits, Mirror, Wanted};
use countersign_manifests_schema::bundle::COMMIT_NAMESPACE;
use countersign_manifests_schema::policy::{ApprovalTable, PolicyFile};
use ssh_key::PublicKey;
use ssh_key::public::KeyData;
use std::collections::HashMap;

/// What stands in front of the id of an earlier commit for which a person vouches.
pub const ENDORSES: &str = "Countersign-Endorses: ";
/// Commits since the anchor that are judged at most.
const LONGEST: usize = 20_000;
/// What needs more people when it changes.
const ROOT: Wanted<'static> = Wanted { files: &["approvers", "fleet.toml", "policy.toml"], directories: &["fleet.d"] };
const BENCH: Wanted<'static> = Wanted { files: &["approvers", "policy.toml"], directories: &[] };

/// By what canonical's history is judged.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The commit that is taken as it is; everything after it is judged.
    pub anchor: CommitId,
    /// The local copy of the people, which nobody changes by a commit.
    pub pinned: &'a AllowedSigners,
    /// Keys of machines, which never count, besides those of the policy that was in force.
    pub bots: &'a [KeyData],
    /// Keys that count no more, whenever they signed.
    pub revoked: &'a [KeyData],
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
        /// The newest commit with too few people if keys that nobody touched did not count, where the policy that was
        /// in force requires a touch. Whether that is accepted is for the caller to say.
        untouched: Option<CommitId>,
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
    /// Nobody whom the parent lists, or who counts, stands behind it.
    #[error("by its parent's approvers, {0}")]
    Person(NotAPerson),
    /// The pinned copy does not have the signer, or has another name for the key.
    #[error("its signer is not in the pinned copy of the approvers")]
    NotPinned,
    /// Its bytes are not what its id names, or were made to collide with others.
    #[error("its object is not the one that its id names")]
    OtherContent,
    /// Too few people stand behind what needs more.
    #[error("it changes approvers, policy or fleet, and {found} of {required} people stand behind it")]
    TooFew {
        /// People behind it.
        found: usize,
        /// People that the parent's policy requires.
        required: u32,
    },
    /// The anchor is not on the way.
    #[error("the anchor is not among the first parents of this history")]
    NoAnchor,
    /// Too many commits since the anchor.
    #[error("there are more than {LONGEST} commits since the anchor")]
    TooLong,
}

/// Judges every commit from `tip` back to the anchor.
pub fn judge(mirror: &Mirror, tip: CommitId, rules: &Rules<'_>) -> Result<Judgement, GitError> {
    let mut court = Court { mirror, rules, endorsed: HashMap::new(), benches: HashMap::new(), untouched: None };
    for (number, commit) in mirror.first_parents(tip).enumerate() {
        let commit = commit?;
        if commit.id == rules.anchor {
            return Ok(Judgement::ByPeople { commits: number, untouched: court.untouched });
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
    benches: HashMap<String, Result<Bench, Refusal>>,
    untouched: Option<CommitId>,
}

/// Who judges a commit: people and policy of its parent.
#[derive(Debug, Clone)]
struct Bench {
    approvers: AllowedSigners,
    bots: Vec<KeyData>,
    approval: ApprovalTable,
}

impl Court<'_> {
    fn hear(&mut self, commit: &Commit, parent: CommitId) -> Result<Result<(), Refusal>, GitError> {
        let raw = self.mirror.raw_commit(commit.id)?;
        if object_id(Kind::Commit, &raw).ok() != Some(commit.id.to_string()) {
            return Ok(Err(Refusal::OtherContent));
        }
        let parsed = match RawCommit::parse(&raw) {
            Ok(parsed) => parsed,
            Err(error) => return Ok(Err(Refusal::Commit(error))),
        };
        let signer = signer(&parsed);
        if let Ok(signer) = &signer {
            for id in parsed.statements(ENDORSES) {
                self.endorsed.entry(id.to_owned()).or_default().push(signer.clone());
            }
        }
        let bench = match self.bench(parent)? {
            Ok(bench) => bench,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let endorsers = self.endorsed.remove(&commit.id.to_string()).unwrap_or_default();
        let signers: Vec<_> = std::iter::once(signer).chain(endorsers.into_iter().map(Ok)).collect();
        let root = self.is_root(commit.id, parent)?;
        let judged = |require_touch| self.enough(&signers, &bench, root, require_touch);
        if judged(bench.approval.require_touch).is_ok() {
            return Ok(Ok(()));
        }
        // Without regard to touch: what is missing then is missing more.
        let verdict = judged(false);
        if verdict.is_ok() {
            self.untouched.get_or_insert(commit.id);
        }
        Ok(verdict)
    }

    /// Whether enough of those who signed are people.
    fn enough(
        &self,
        signers: &[Result<Signer, Refusal>],
        bench: &Bench,
        root: bool,
        require_touch: bool,
    ) -> Result<(), Refusal> {
        let mut people = Vec::new();
        let mut first_refusal = None;
        for signer in signers {
            match signer.clone().and_then(|signer| self.person(&signer, bench, require_touch)) {
                Ok(person) => people.push(person),
                Err(refusal) => {
                    first_refusal.get_or_insert(refusal);
                }
            }
        }
        let found = distinct(&people).len();
        let required = if root { bench.approval.root_required.max(1) } else { 1 };
        match found {
            0 => Err(first_refusal.unwrap_or(Refusal::Unsigned)),
            _ if found < required as usize => Err(Refusal::TooFew { found, required }),
            _ => Ok(()),
        }
    }

    fn person(&self, signer: &Signer, bench: &Bench, require_touch: bool) -> Result<Approver, Refusal> {
        let Rules { pinned, bots, revoked, now, .. } = *self.rules;
        let listed = People { listed: &bench.approvers, bots: &bench.bots, revoked, require_touch, now };
        let approver = listed.admit(signer, COMMIT_NAMESPACE).map_err(Refusal::Person)?;
        match (People { listed: pinned, bots, ..listed }).admit(signer, COMMIT_NAMESPACE) {
            Ok(pinned) if pinned == approver => Ok(approver),
            Err(NotAPerson::Bot) => Err(Refusal::Person(NotAPerson::Bot)),
            _ => Err(Refusal::NotPinned),
        }
    }

    fn bench(&mut self, commit: CommitId) -> Result<Result<Bench, Refusal>, GitError> {
        let key = self.mirror.snapshot_key(commit, &BENCH)?;
        if let Some(known) = self.benches.get(&key) {
            return Ok(known.clone());
        }
        let snapshot = self.mirror.snapshot(commit, &BENCH, &Limits::default())?;
        let text = |name: &str| snapshot.files.get(name).map(|bytes| String::from_utf8_lossy(bytes));
        let approval = text("policy.toml").map(|text| read_policy(&text)).unwrap_or_default();
        let bots = approval.bots.iter().filter_map(|line| PublicKey::from_openssh(line).ok());
        let bots = bots.map(|key| key.key_data().clone()).collect();
        let read = match text("approvers") {
            None => Err(Refusal::NoApprovers),
            Some(text) => AllowedSigners::parse(&text)
                .map(|approvers| Bench { approvers, bots, approval })
                .map_err(Refusal::Approvers),
        };
        self.benches.insert(key, read.clone());
        Ok(read)
    }

    /// Whether a commit changes what decides over people, policy and fleet.
    fn is_root(&self, commit: CommitId, parent: CommitId) -> Result<bool, GitError> {
        Ok(self.mirror.snapshot_key(commit, &ROOT)? != self.mirror.snapshot_key(parent, &ROOT)?)
    }
}

/// The rules of approval. A policy that cannot be read is one with the defaults, which are the safe ones: lint refuses it
/// at the tip.
fn read_policy(text: &str) -> ApprovalTable {
    toml::from_str::<PolicyFile>(text).map(|policy| policy.approval).unwrap_or_default()
}

fn signer(commit: &RawCommit) -> Result<Signer, Refusal> {
    let signed = commit.signed.as_ref().ok_or(Refusal::Unsigned)?;
    let signature = SshSignature::parse(&signed.signature).map_err(Refusal::Signature)?;
    signature.verify(COMMIT_NAMESPACE, &signed.payload).map_err(Refusal::Signature)
}
