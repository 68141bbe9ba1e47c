//! One proposal: its bytes, its README, the observer's commit, and what people have said about it.

use super::Started;
use super::main::{Brought, Main, is_id};
use super::notary::chain;
use super::people::{Lists, key_data};
use super::spec::Spec;
use crate::facts::{Approval, Candidate, Kind, Place};
use crate::gates;
use crate::stop::Stop;
use countersign_manifests_schema::bundle::{COMMIT_NAMESPACE, Statement};
use countersign_manifests_schema::policy::Evidence;
use countersign_shared::approval::commit::RawCommit;
use countersign_shared::approval::merge;
use countersign_shared::approval::people::{Approver, People, distinct};
use countersign_shared::approval::sshsig::SshSignature;
use countersign_shared::approval::statement::{approves, named_in, rejects};
use countersign_shared::canonical_json::sha256;
use countersign_shared::git::object::{DIRECTORY, FILE};
use countersign_shared::git::{CommitId, GitError, Mirror};
use countersign_shared::proposal::{MAX_BYTES, Sealed, render};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

/// Commits of a merged branch that are looked at for the one that the observer signed.
const BRANCH_MAX: usize = 1_000;
/// Detached signatures that are looked at, for one proposal.
const SIGNATURES_MAX: usize = 256;
/// Bytes of one.
const SIGNATURE_MAX: usize = 64 * 1024;
/// Bytes of a README that are read.
const README_MAX: usize = 16 << 20;

/// Hears what there is about a proposal.
pub(super) struct Court<'g> {
    pub(super) main: &'g Main,
    pub(super) spec: &'g Spec,
    pub(super) lists: &'g Lists,
    /// What was ever started.
    pub(super) started: &'g Result<Started, String>,
    /// Whether people have approved a proposal, for those that were asked about.
    pub(super) approved: RefCell<HashMap<String, bool>>,
}

/// What was found of approvals.
#[derive(Default)]
struct Heard {
    approvers: Vec<Approver>,
    approvals: Vec<Approval>,
    statements: BTreeSet<Statement>,
    void: Vec<String>,
    /// Why the bytes that came with the merge are not those that its directory is called for.
    edited: Option<String>,
}

impl Court<'_> {
    /// Whether it could still be applied, as far as is known without looking at it.
    pub(super) fn is_live(&self, brought: &Brought, now: i64) -> bool {
        let over = brought.times.as_ref().is_some_and(|times| {
            times.expires.parse::<jiff::Timestamp>().is_ok_and(|expires| expires.as_second() <= now)
        });
        let started = self.started.as_ref().is_ok_and(|started| started.place(&brought.id).is_some());
        !over && !started && self.main.gone(&brought.runner, &brought.id).is_none()
    }

    /// The id of every proposal, merged or not.
    pub(super) fn ids(&self) -> Result<Vec<String>, GitError> {
        let mut ids: Vec<String> = self.main.newest_first().map(|brought| brought.id.clone()).collect();
        let mirror = &self.main.mirror;
        for tip in self.main.branches.values() {
            for runner in mirror.directory(*tip, "proposals")?.unwrap_or_default() {
                let proposals = mirror.directory(*tip, &format!("proposals/{}", runner.name))?.unwrap_or_default();
                ids.extend(proposals.into_iter().map(|entry| entry.name).filter(|name| is_id(name)));
            }
        }
        Ok(ids)
    }

    /// Everything about one proposal, by its full id; `None` when it is nowhere.
    pub(super) fn hear(&self, id: &str) -> Result<Option<Candidate>, Stop> {
        let main = self.main;
        let (runner, place, at, others) = match main.brought(id) {
            Some(brought) => {
                let gone = main.gone(&brought.runner, id).is_some();
                // What was taken away is still shown, as it came.
                let at = if gone { brought.by } else { main.tip };
                let parents = main.mirror.commit(brought.by)?.parents;
                let others = if parents.len() < 2 { vec![brought.by] } else { parents[1..].to_vec() };
                (brought.runner.clone(), Place::Main(brought.by.to_string()), at, others)
            }
            None => match self.on_branch(id)? {
                Some((runner, branch, tip)) => (runner, Place::Branch(branch), tip, vec![tip]),
                None => return Ok(None),
            },
        };
        let directory = format!("proposals/{runner}/{id}");
        let bytes = main.mirror.file(at, &format!("{directory}/proposal.json"), MAX_BYTES);
        let mut sealed = seal(bytes, id, &runner)?;
        let mut heard = Heard::default();
        if let Place::Main(commit) = &place {
            self.hear_merge(commit, &runner, id, &mut heard)?;
        }
        let mut rejected_by = Vec::new();
        if let Ok(sealed) = &sealed {
            self.hear_detached(sealed, &mut heard)?;
            rejected_by = self.rejections(sealed)?;
        }
        if let Some(why) = heard.edited {
            sealed = Err(why);
        }
        let readme = self.readme(at, &directory, sealed.as_ref().ok())?;
        let started = match self.started {
            Err(why) => Err(why.clone()),
            Ok(started) => Ok(started.place(id)),
        };
        Ok(Some(Candidate {
            gone: main.gone(&runner, id).map(|commit| commit.to_string()),
            made: self.made(&others, &directory)?,
            id: id.to_owned(),
            runner,
            place,
            rejected_by,
            people: distinct(&heard.approvers),
            approvals: heard.approvals,
            statements: heard.statements.into_iter().collect(),
            void_approvals: heard.void,
            sealed,
            readme,
            newer: None,
            started,
        }))
    }

    /// The runner, the branch and its tip, of a proposal that nobody has merged.
    fn on_branch(&self, id: &str) -> Result<Option<(String, String, CommitId)>, GitError> {
        let mirror = &self.main.mirror;
        for (branch, tip) in &self.main.branches {
            for runner in mirror.directory(*tip, "proposals")?.unwrap_or_default() {
                if mirror.directory(*tip, &format!("proposals/{}/{id}", runner.name))?.is_some() {
                    return Ok(Some((runner.name, branch.to_string(), *tip)));
                }
            }
        }
        Ok(None)
    }

    /// The commit that brought the directory to the merged branch, which the observer must have signed.
    fn made(&self, tips: &[CommitId], directory: &str) -> Result<Result<String, String>, GitError> {
        let mirror = &self.main.mirror;
        let has = |commit: CommitId| Ok::<_, GitError>(mirror.directory(commit, directory)?.is_some());
        for tip in tips {
            for commit in mirror.first_parents(*tip).take(BRANCH_MAX) {
                let commit = commit?;
                if !has(commit.id)? {
                    break;
                }
                let before = match commit.parents.first() {
                    Some(parent) => has(*parent)?,
                    None => false,
                };
                if !before {
                    return Ok(self.signed_by_observer(mirror, commit.id)?.map(|()| commit.id.to_string()));
                }
            }
        }
        Ok(Err("the commit that made it is not on the merged branch".to_owned()))
    }

    fn signed_by_observer(&self, mirror: &Mirror, commit: CommitId) -> Result<Result<(), String>, GitError> {
        let refuse = |why: &dyn std::fmt::Display| Ok(Err(format!("commit {commit}: {why}")));
        let raw = match RawCommit::parse(&mirror.raw_commit(commit)?) {
            Ok(raw) => raw,
            Err(error) => return refuse(&error),
        };
        let Some(signed) = &raw.signed else {
            return refuse(&"it is not signed");
        };
        match SshSignature::parse(&signed.signature).and_then(|s| s.verify(COMMIT_NAMESPACE, &signed.payload)) {
            Err(error) => refuse(&error),
            Ok(signer) if signer.certificate.is_some() => refuse(&"it is signed by a certificate, not by a key"),
            Ok(signer) => {
                let mut declared = self.spec.canonical.fleet.keys.observer_sign.iter().filter_map(key_data);
                if self.lists.revoked.contains(&signer.key) {
                    refuse(&"the key that signed it is revoked")
                } else if declared.any(|key| key == signer.key) {
                    Ok(Ok(()))
                } else {
                    refuse(&"the key that signed it is not declared as observer_sign in fleet.toml")
                }
            }
        }
    }

    /// What the commit of main that brought it says.
    fn hear_merge(&self, commit: &str, runner: &str, id: &str, heard: &mut Heard) -> Result<(), Stop> {
        let mirror = &self.main.mirror;
        let mut void = |why: String| heard.void.push(format!("commit {commit}: {why}"));
        let raw = match RawCommit::parse(&mirror.raw_commit(CommitId::parse(commit)?)?) {
            Ok(raw) => raw,
            Err(error) => {
                void(error.to_string());
                return Ok(());
            }
        };
        let Some(signed) = &raw.signed else {
            void("it is not signed".to_owned());
            return Ok(());
        };
        let payload = String::from_utf8_lossy(&signed.payload).into_owned();
        let statement = Statement::Merge { payload, signature: signed.signature.clone() };
        let said = match merge::judge(mirror, commit) {
            Ok(merge) => {
                let added = merge.added.iter().find(|added| added.named.proposal == id && added.named.runner == runner);
                match added.map(|added| Sealed::parse(&added.proposal)) {
                    Some(Ok(sealed)) => {
                        self.lists.both(|people| approves(&statement, &sealed, people)).map_err(|e| chain(&e))
                    }
                    Some(Err(error)) => Err(chain(&error)),
                    None => Err("it does not name this proposal".to_owned()),
                }
            }
            // The person stands by the name; the bytes are for another gate.
            Err(refusal) if refusal.code() == "edited" => {
                let names = named_in(&raw.message)
                    .is_ok_and(|named| named.iter().any(|named| named.proposal == id && named.runner == runner));
                heard.edited = Some(format!("commit {commit}: {refusal}"));
                if names {
                    let who = |people: &People<'_>| people.who(&signed.signature, COMMIT_NAMESPACE, &signed.payload);
                    self.lists.both(who).map_err(|e| chain(&e))
                } else {
                    Err("it does not name this proposal".to_owned())
                }
            }
            Err(refusal) => Err(refusal.to_string()),
        };
        match said {
            Ok(approver) => self.count(approver, statement, heard),
            Err(why) => heard.void.push(format!("commit {commit}: {why}")),
        }
        Ok(())
    }

    fn hear_detached(&self, sealed: &Sealed, heard: &mut Heard) -> Result<(), GitError> {
        for (path, signature) in self.signatures("approvals", sealed.id())? {
            let statement = Statement::Signature { signature };
            match self.lists.both(|people| approves(&statement, sealed, people)) {
                Ok(approver) => self.count(approver, statement, heard),
                Err(error) => heard.void.push(format!("{path}: {}", chain(&error))),
            }
        }
        Ok(())
    }

    fn count(&self, approver: Approver, statement: Statement, heard: &mut Heard) {
        let evidence = match &statement {
            Statement::Merge { .. } => Kind::Merge,
            Statement::Signature { .. } => Kind::Signature,
        };
        let (Statement::Merge { signature, .. } | Statement::Signature { signature }) = &statement;
        let wanted = match self.spec.canonical.policy.approval.evidence {
            Evidence::Either => None,
            Evidence::Merge => Some(Kind::Merge),
            Evidence::Signature => Some(Kind::Signature),
        };
        let person = approver.person.principal.clone();
        if wanted.is_some_and(|wanted| wanted != evidence) {
            heard.void.push(format!("policy.toml does not take {evidence}, as that of {person}"));
            return;
        }
        heard.approvals.push(Approval { person, evidence, touched: touched(signature) });
        heard.approvers.push(approver);
        heard.statements.insert(spelled(statement));
    }

    /// People who have rejected it. Where more is in the way than is looked at, it counts as rejected.
    fn rejections(&self, sealed: &Sealed) -> Result<Vec<String>, GitError> {
        let mut people = BTreeSet::new();
        let found = self.signatures("rejections", sealed.id())?;
        if found.len() > SIGNATURES_MAX {
            people.insert(format!("somebody among more than {SIGNATURES_MAX} files"));
        }
        for (_, signature) in found {
            if let Ok(approver) = self.lists.both(|people| rejects(&signature, sealed, people)) {
                people.insert(approver.person.principal);
            }
        }
        Ok(people.into_iter().collect())
    }

    /// Path and text of the files `FOLDER/ID/*.sig` at the tip; one more than [`SIGNATURES_MAX`] when there are more.
    fn signatures(&self, folder: &str, id: &str) -> Result<Vec<(String, String)>, GitError> {
        let mirror = &self.main.mirror;
        let directory = format!("{folder}/{id}");
        let entries = mirror.directory(self.main.tip, &directory)?.unwrap_or_default();
        let mut found = Vec::new();
        for entry in entries.iter().filter(|e| e.name.ends_with(".sig")).take(SIGNATURES_MAX + 1) {
            let path = format!("{directory}/{}", entry.name);
            match mirror.file(self.main.tip, &path, SIGNATURE_MAX) {
                Ok(Some(bytes)) => found.push((path, String::from_utf8_lossy(&bytes).into_owned())),
                Ok(None) | Err(GitError::FileTooLarge { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn readme(&self, at: CommitId, directory: &str, sealed: Option<&Sealed>) -> Result<Result<(), String>, GitError> {
        let mirror = &self.main.mirror;
        let entries = mirror.directory(at, directory)?.unwrap_or_default();
        let names: Vec<(&str, i32)> = entries.iter().map(|entry| (entry.name.as_str(), entry.mode)).collect();
        if names != [("README.md", FILE), ("proposal.json", FILE)] {
            let odd = entries
                .iter()
                .find(|e| e.mode == DIRECTORY || !matches!(e.name.as_str(), "README.md" | "proposal.json"));
            let what = odd.map_or("not exactly README.md and proposal.json", |entry| entry.name.as_str());
            return Ok(Err(format!("its directory holds {what}")));
        }
        let Some(sealed) = sealed else {
            return Ok(Err("there is no proposal to render".to_owned()));
        };
        let shown = match mirror.file(at, &format!("{directory}/README.md"), README_MAX) {
            Ok(shown) => shown.unwrap_or_default(),
            Err(GitError::FileTooLarge { .. }) => return Ok(Err("its README is too large".to_owned())),
            Err(error) => return Err(error),
        };
        let rendered = render(sealed);
        if rendered.as_bytes() == shown {
            return Ok(Ok(()));
        }
        let lines = rendered.lines().zip(shown.split(|byte| *byte == b'\n'));
        let line = lines.take_while(|(ours, theirs)| ours.as_bytes() == *theirs).count() + 1;
        Ok(Err(format!("its README says something else than it does, from line {line} on")))
    }

    /// A newer one for the same runner that people have approved. What nobody approved is in nobody's way.
    pub(super) fn newer(&self, candidate: &Candidate) -> Result<Option<String>, Stop> {
        let Some(own) = self.main.brought(&candidate.id) else { return Ok(None) };
        let created = |brought: &Brought| {
            let created = brought.times.as_ref()?.created.parse::<jiff::Timestamp>().ok()?;
            Some((created.as_second(), std::cmp::Reverse(brought.age)))
        };
        let Some(ours) = created(own) else { return Ok(None) };
        let newer = self.main.of_runner(&candidate.runner).filter(|other| other.id != own.id);
        let mut newer: Vec<_> =
            newer.filter_map(|other| Some((created(other)?, other))).filter(|(at, _)| *at > ours).collect();
        newer.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
        for (_, other) in newer {
            if self.is_approved(&other.id)? {
                return Ok(Some(other.id.clone()));
            }
        }
        Ok(None)
    }

    fn is_approved(&self, id: &str) -> Result<bool, Stop> {
        if let Some(known) = self.approved.borrow().get(id) {
            return Ok(*known);
        }
        let candidate = self.hear(id)?;
        let approved = candidate.is_some_and(|candidate| gates::is_approved(&candidate, &self.spec.canonical.policy));
        self.approved.borrow_mut().insert(id.to_owned(), approved);
        Ok(approved)
    }
}

/// With the signature as ssh-keygen writes it: a bundle has one spelling.
fn spelled(mut statement: Statement) -> Statement {
    let (Statement::Merge { signature, .. } | Statement::Signature { signature }) = &mut statement;
    if let Ok(parsed) = SshSignature::parse(signature) {
        *signature = parsed.armoured();
    }
    statement
}

/// What a security key says; the signature has been verified.
fn touched(signature: &str) -> Option<bool> {
    SshSignature::parse(signature).ok().and_then(|signature| signature.touched())
}

/// The bytes as a proposal that is called `id` and is for `runner`.
fn seal(bytes: Result<Option<Vec<u8>>, GitError>, id: &str, runner: &str) -> Result<Result<Sealed, String>, GitError> {
    let bytes = match bytes {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Err("there is no proposal.json".to_owned())),
        Err(error @ GitError::FileTooLarge { .. }) => return Ok(Err(error.to_string())),
        Err(error) => return Err(error),
    };
    let digest = sha256(&bytes);
    if digest != id {
        return Ok(Err(format!("its bytes have the sha256 {digest}")));
    }
    Ok(match Sealed::parse(&bytes) {
        Err(error) => Err(chain(&error)),
        Ok(sealed) if sealed.proposal().runner != runner => Err(format!("it is for {}", sealed.proposal().runner)),
        Ok(sealed) => Ok(sealed),
    })
}
