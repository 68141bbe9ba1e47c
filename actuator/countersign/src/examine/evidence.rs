//! Who has said yes or no to a proposal, as far as the signatures hold.

use crate::desk::{Desk, Spec};
use crate::git::Repository;
use crate::shelf::{Key, Shelf, not_by_observer};
use crate::stop::Result;
use countersign_manifests_schema::bundle::Statement;
use countersign_manifests_schema::policy::Evidence as Wanted;
use countersign_shared::approval::commit::RawCommit;
use countersign_shared::approval::merge::{self, Objects};
use countersign_shared::approval::people::{Approver, distinct};
use countersign_shared::approval::statement::{approves, rejects};
use countersign_shared::approval::tree::Kind;
use countersign_shared::git::CommitId;
use countersign_shared::proposal::Sealed;
use std::path::Path;

/// Bytes of one detached signature.
const SIGNATURE_MAX: usize = 64 << 10;
/// Signatures that are read for one proposal.
const SIGNATURES: usize = 100;
/// Commits in which the merge of a proposal is looked for.
const LONGEST: usize = 20_000;

/// Statements that hold.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    approvals: Vec<Approver>,
    rejections: Vec<Approver>,
    /// What lies there and counts for nothing.
    pub(crate) void: Vec<String>,
}

impl Evidence {
    pub(crate) fn approved_by(&self) -> Vec<String> {
        distinct(&self.approvals)
    }

    pub(crate) fn rejected_by(&self) -> Vec<String> {
        distinct(&self.rejections)
    }

    /// Reads the merge that brought it into main and the detached signatures there.
    pub(crate) fn gather(desk: &Desk, spec: &Spec, shelf: &Shelf, key: &Key, sealed: &Sealed) -> Result<Self> {
        let mut evidence = Self::default();
        if shelf.merged.contains(key)
            && let Some(commit) = introduced(&desk.proposed, shelf.main, key)?
        {
            match Self::statement_of(&desk.proposed, commit)? {
                Ok(_) if spec.canonical.policy.approval.evidence == Wanted::Signature => {
                    evidence.void.push(format!("the merge {commit}: the policy takes detached signatures only"));
                }
                Ok(statement) => match spec.ask(|people| approves(&statement, sealed, people)) {
                    Ok(approver) => evidence.approvals.push(approver),
                    Err(error) => evidence.void.push(format!("the merge {commit}: {}", chain(&error))),
                },
                Err(why) => evidence.void.push(format!("the merge {commit}: {why}")),
            }
        }
        for (path, signature) in signatures(&desk.proposed, shelf.main, &format!("approvals/{}", key.1))? {
            if spec.canonical.policy.approval.evidence == Wanted::Merge {
                evidence.void.push(format!("{path}: the policy takes signed merges only"));
                continue;
            }
            let statement = Statement::Signature { signature };
            match spec.ask(|people| approves(&statement, sealed, people)) {
                Ok(approver) => evidence.approvals.push(approver),
                Err(error) => evidence.void.push(format!("{path}: {}", chain(&error))),
            }
        }
        for (path, signature) in signatures(&desk.proposed, shelf.main, &format!("rejections/{}", key.1))? {
            match spec.ask(|people| rejects(&signature, sealed, people)) {
                Ok(approver) => evidence.rejections.push(approver),
                Err(error) => evidence.void.push(format!("{path}: {}", chain(&error))),
            }
        }
        Ok(evidence)
    }

    /// What a merge says, if it is signed and adds exactly what it names.
    pub(crate) fn statement_of(
        proposed: &Repository,
        commit: CommitId,
    ) -> Result<std::result::Result<Statement, String>> {
        if let Err(error) = merge::judge(proposed, &commit.to_string()) {
            return Ok(Err(chain(&error)));
        }
        let signed = RawCommit::parse(&proposed.mirror.raw_commit(commit)?).ok().and_then(|raw| raw.signed);
        Ok(match signed.map(|signed| (String::from_utf8(signed.payload), signed.signature)) {
            Some((Ok(payload), signature)) => Ok(Statement::Merge { payload, signature }),
            _ => Err("it is not signed".to_owned()),
        })
    }
}

/// Why what is merged did not come from the observer: by the commit of the merged branch that brought it, or the one that
/// is on main itself. Forges put merges of main on top of a branch; what counts is below them.
pub(super) fn not_brought_by_observer(desk: &Desk, spec: &Spec, shelf: &Shelf, key: &Key) -> Result<Option<String>> {
    let proposed = &desk.proposed;
    let Some(commit) = introduced(proposed, shelf.main, key)? else {
        return Ok(Some("no commit on the way of main brings it".to_owned()));
    };
    let parents = proposed.mirror.commit(commit)?.parents;
    let source = match parents.get(1) {
        Some(branch) => introduced(proposed, *branch, key)?.unwrap_or(*branch),
        None => commit,
    };
    if let Some(fault) = not_by_observer(proposed, source, spec)? {
        return Ok(Some(format!("{source}: {fault}")));
    }
    let path = format!("proposals/{}/{}", key.0, key.1);
    let entry = |commit| -> Result<_> { Ok(proposed.tree(commit)?.get_path(Path::new(&path)).ok().map(|e| e.id())) };
    Ok((entry(source)? != entry(shelf.main)?).then(|| format!("the observer's commit {source} has it otherwise")))
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The commit on main's way along first parents that brought a proposal.
fn introduced(proposed: &Repository, main: CommitId, (runner, id): &Key) -> Result<Option<CommitId>> {
    let path = format!("proposals/{runner}/{id}");
    let has = |commit: CommitId| -> Result<bool> { Ok(proposed.tree(commit)?.get_path(Path::new(&path)).is_ok()) };
    for commit in proposed.mirror.first_parents(main).take(LONGEST) {
        let commit = commit?;
        match commit.parents.first() {
            Some(parent) if has(*parent)? => {}
            _ => return Ok(has(commit.id)?.then_some(commit.id)),
        }
    }
    Ok(None)
}

/// Detached signatures in a directory of main.
fn signatures(proposed: &Repository, main: CommitId, directory: &str) -> Result<Vec<(String, String)>> {
    let top = proposed.tree(main)?;
    let tree = match top.get_path(Path::new(directory)) {
        Ok(entry) if entry.kind() == Some(git2::ObjectType::Tree) => proposed.store.find_tree(entry.id())?,
        _ => return Ok(Vec::new()),
    };
    let mut list = Vec::new();
    for entry in tree.iter().take(SIGNATURES) {
        let Some(name) = entry.name().ok().filter(|name| name.ends_with(".sig")) else { continue };
        let path = format!("{directory}/{name}");
        if let Some(bytes) = proposed.file(&top, &path, SIGNATURE_MAX)? {
            list.push((path, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(list)
}

impl Objects for Repository {
    fn read(&self, kind: Kind, id: &str) -> Option<Vec<u8>> {
        let wanted = match kind {
            Kind::Blob => git2::ObjectType::Blob,
            Kind::Tree => git2::ObjectType::Tree,
            Kind::Commit => git2::ObjectType::Commit,
        };
        let odb = self.store.odb().ok()?;
        let object = odb.read(git2::Oid::from_str(id).ok()?).ok()?;
        (object.kind() == wanted).then(|| object.data().to_vec())
    }
}
