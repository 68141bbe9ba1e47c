//! Objects of proposals in the mirror: made, signed, and read back. No work tree, no index, nothing of this machine.

use super::{PublishError, Ready};
use countersign_shared::approval::commit::RawCommit;
use countersign_shared::approval::sshsig::{Signer, SshSignature};
use countersign_shared::git::{CommitId, Mirror, ProposalRef};
use countersign_shared::manifest::fleet::is_runner_name;
use countersign_shared::manifest::ssh_key::PublicKey;
use countersign_shared::ssh::Identity;
use git2::{FileMode, Oid, Signature, Time};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Who every commit is by. Fixed, so that two observers make the same commit of the same proposals.
const NAME: &str = "Countersign observer";
/// An address that reaches nobody, RFC 2606.
const EMAIL: &str = "observer@countersign.invalid";
/// Files of one proposal.
const JSON: &str = "proposal.json";
const README: &str = "README.md";
/// Proposals that are read from one branch.
const MOST: usize = 20_000;

/// Which proposal: runner and full sha256.
pub(super) type Key = (String, String);

/// The two files of a proposal, as blobs of the mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blobs {
    json: Oid,
    readme: Oid,
}

/// What a branch holds beyond main.
pub(super) type Content = BTreeMap<Key, Blobs>;

/// A tip that one of our keys has signed, and that does what such commits do.
#[derive(Debug)]
pub(super) struct Own {
    /// What it adds.
    pub(super) adds: Content,
    /// Its committer time, Unix seconds.
    pub(super) at: i64,
}

/// Makes and reads commits of proposals.
pub(super) struct Workshop<'a> {
    repository: git2::Repository,
    path: PathBuf,
    mirror: &'a Mirror,
}

impl<'a> Workshop<'a> {
    pub(super) fn new(mirror: &'a Mirror) -> Result<Self, PublishError> {
        let path = mirror.path().to_owned();
        let repository = git2::Repository::open_bare(&path)
            .map_err(|source| PublishError::Objects { path: path.clone(), source })?;
        Ok(Self { repository, path, mirror })
    }

    fn failed(&self, source: git2::Error) -> PublishError {
        PublishError::Objects { path: self.path.clone(), source }
    }

    /// Writes the files of a proposal.
    pub(super) fn store(&self, ready: &Ready) -> Result<(Key, Blobs), PublishError> {
        let blob = |bytes: &[u8]| self.repository.blob(bytes).map_err(|error| self.failed(error));
        let blobs = Blobs { json: blob(&ready.proposal_json)?, readme: blob(ready.readme.as_bytes())? };
        Ok(((ready.runner.clone(), ready.id.clone()), blobs))
    }

    /// Whether a commit of main has these proposals already, in any form: what was merged is not offered again.
    pub(super) fn merged(&self, main: CommitId, (runner, id): &Key) -> Result<bool, PublishError> {
        let tree = self.tree(main)?;
        let path = format!("proposals/{runner}/{id}");
        match tree.get_path(path.as_ref()) {
            Ok(_) => Ok(true),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn tree(&self, commit: CommitId) -> Result<git2::Tree<'_>, PublishError> {
        let id = Oid::from_str(&commit.to_string()).map_err(|error| self.failed(error))?;
        self.repository.find_commit(id).and_then(|commit| commit.tree()).map_err(|error| self.failed(error))
    }

    /// Makes the commit that adds `content` to `base`. The same input gives the same commit, with keys that sign so
    /// (ed25519 and RSA do).
    pub(super) fn build(
        &self,
        base: CommitId,
        content: &Content,
        at: i64,
        branch: &ProposalRef,
        signer: &Identity,
    ) -> Result<CommitId, PublishError> {
        let failed = |error| self.failed(error);
        let parent = Oid::from_str(&base.to_string()).and_then(|id| self.repository.find_commit(id)).map_err(failed)?;
        let tree = self.with(&parent.tree().map_err(failed)?, content)?;
        let tree = self.repository.find_tree(tree).map_err(failed)?;
        let by = Signature::new(NAME, EMAIL, &Time::new(at, 0)).map_err(failed)?;
        let message = message(branch, content);
        let buffer = self.repository.commit_create_buffer(&by, &by, &message, &tree, &[&parent]).map_err(failed)?;
        let signature = signer.sign_message("git", &buffer).map_err(PublishError::SigningKey)?;
        let text = std::str::from_utf8(&buffer).map_err(|_| self.failed(git2::Error::from_str("not UTF-8")))?;
        let id = self.repository.commit_signed(text, signature.trim_end(), Some("gpgsig")).map_err(failed)?;
        Ok(CommitId::parse(&id.to_string())?)
    }

    fn with(&self, base: &git2::Tree<'_>, content: &Content) -> Result<Oid, PublishError> {
        let mut update = git2::build::TreeUpdateBuilder::new();
        for ((runner, id), blobs) in content {
            update.upsert(format!("proposals/{runner}/{id}/{JSON}"), blobs.json, FileMode::Blob);
            update.upsert(format!("proposals/{runner}/{id}/{README}"), blobs.readme, FileMode::Blob);
        }
        update.create_updated(&self.repository, base).map_err(|error| self.failed(error))
    }

    /// Reads a tip back: `None` when it is not signed by one of `keys`, or is not exactly one commit of proposals on
    /// top of main's history. Such a tip is somebody else's work, and is left alone.
    pub(super) fn own(&self, tip: CommitId, main: CommitId, keys: &[PublicKey]) -> Result<Option<Own>, PublishError> {
        let Ok(raw) = RawCommit::parse(&self.mirror.raw_commit(tip)?) else {
            return Ok(None);
        };
        let Some(signed) = &raw.signed else {
            return Ok(None);
        };
        let signer = SshSignature::parse(&signed.signature).and_then(|s| s.verify("git", &signed.payload));
        let declared = |signer: &Signer| {
            let own = ssh_line(&signer.key);
            own.is_some_and(|own| keys.iter().any(|key| same_key(&key.to_string(), &own)))
        };
        if !signer.is_ok_and(|signer| signer.certificate.is_none() && declared(&signer)) {
            return Ok(None);
        }
        let [parent] = &raw.parents[..] else {
            return Ok(None);
        };
        let base = CommitId::parse(parent)?;
        if !self.mirror.is_descendant(main, base)? {
            return Ok(None);
        }
        let Some(adds) = self.added(base, tip)? else {
            return Ok(None);
        };
        Ok(Some(Own { adds, at: self.mirror.commit(tip)?.committed_at }))
    }

    /// The proposals that `tip` adds to `base`; `None` when it does anything else as well.
    fn added(&self, base: CommitId, tip: CommitId) -> Result<Option<Content>, PublishError> {
        let (before, after) = (self.tree(base)?, self.tree(tip)?);
        let diff = self.repository.diff_tree_to_tree(Some(&before), Some(&after), None);
        let diff = diff.map_err(|error| self.failed(error))?;
        if diff.deltas().len() > 2 * MOST {
            return Ok(None);
        }
        let mut files: BTreeMap<Key, [Option<Oid>; 2]> = BTreeMap::new();
        for delta in diff.deltas() {
            let file = delta.new_file();
            let parts: Option<Vec<&str>> =
                file.path().and_then(|path| path.to_str()).map(|path| path.split('/').collect());
            let (git2::Delta::Added, FileMode::Blob, Some([_, runner, id, name])) =
                (delta.status(), file.mode(), parts.as_deref().filter(|parts| parts.first() == Some(&"proposals")))
            else {
                return Ok(None);
            };
            // Names of kept proposals come from a remote, and go into commands for people.
            if !is_runner_name(runner) || !is_id(id) {
                return Ok(None);
            }
            let at = match *name {
                JSON => 0,
                README => 1,
                _ => return Ok(None),
            };
            files.entry(((*runner).to_owned(), (*id).to_owned())).or_default()[at] = Some(file.id());
        }
        let whole = files.into_iter().map(|(key, [json, readme])| Some((key, Blobs { json: json?, readme: readme? })));
        Ok(whole.collect())
    }
}

fn is_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn message(branch: &ProposalRef, content: &Content) -> String {
    let count = content.len();
    let what = if count == 1 { "1 proposal".to_owned() } else { format!("{count} proposals") };
    let mut text = format!("Add {what} as {branch}\n\n");
    for (runner, id) in content.keys() {
        // Not the words of an approval: this signature approves nothing.
        text.push_str(&format!("Proposes: {runner} sha256:{id}\n"));
    }
    text
}

fn ssh_line(key: &countersign_shared::ssh::ssh_key::public::KeyData) -> Option<String> {
    countersign_shared::ssh::ssh_key::PublicKey::from(key.clone()).to_openssh().ok()
}

/// Type and key; the comment does not count.
fn same_key(a: &str, b: &str) -> bool {
    let identity = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    identity(a).is_some() && identity(a) == identity(b)
}
