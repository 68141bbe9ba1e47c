//! A person's words about proposals, made with the person's key and judged before anybody else sees them.

use crate::desk::{Desk, Spec};
use crate::examine::Examined;
use crate::git::Files;
use crate::shell::Shell;
use crate::signer::Signer;
use crate::stop::{Result, Stop};
use countersign_manifests_schema::bundle::{APPROVE_NAMESPACE, COMMIT_NAMESPACE, REJECT_NAMESPACE, Statement};
use countersign_shared::approval::commit::RawCommit;
use countersign_shared::approval::people::{Approver, NotAPerson};
use countersign_shared::approval::sshsig;
use countersign_shared::approval::statement::{StatementRefusal, approves, rejects};
use countersign_shared::canonical_json::sha256;
use countersign_shared::git::CommitId;
use countersign_shared::proposal::Sealed;
use ssh_key::PublicKey;
use ssh_key::public::KeyData;

/// What a detached signature says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Yes,
    No,
}

impl Word {
    const fn namespace(self) -> &'static str {
        match self {
            Word::Yes => APPROVE_NAMESPACE,
            Word::No => REJECT_NAMESPACE,
        }
    }

    const fn directory(self) -> &'static str {
        match self {
            Word::Yes => "approvals",
            Word::No => "rejections",
        }
    }
}

/// The person's key; one that cannot count is refused before anything is asked.
pub(super) fn signer(shell: &Shell, desk_repository: &crate::git::Repository, spec: &Spec) -> Result<Signer> {
    let signer = Signer::of(shell, desk_repository)?;
    let Some(key) = signer.public() else { return Ok(signer) };
    let touched = matches!(key, KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_)).then_some(true);
    let probe = sshsig::Signer { key, certificate: None, touched };
    match spec.ask(|people| people.admit(&probe, COMMIT_NAMESPACE)) {
        Ok(_) => Ok(signer),
        // Listed for another purpose alone: the statement itself is judged when it is made.
        Err(NotAPerson::NotInForce) => Ok(signer),
        Err(error) => Err(not_accepted(&error.into())),
    }
}

/// Signs the bytes of a proposal; answers with the path in proposed and the armoured signature, which was judged.
pub(super) fn detached(
    desk: &Desk,
    spec: &Spec,
    signer: &Signer,
    word: Word,
    sealed: &Sealed,
) -> Result<(String, Vec<u8>)> {
    let signature = signer.sign(&desk.shell, word.namespace(), sealed.bytes())?;
    let approver = match word {
        Word::Yes => {
            let statement = Statement::Signature { signature: signature.clone() };
            spec.ask(|people| approves(&statement, sealed, people))
        }
        Word::No => spec.ask(|people| rejects(&signature, sealed, people)).map_err(StatementRefusal::from),
    };
    let approver = approver.map_err(|error| not_accepted(&error))?;
    Ok((format!("{}/{}/{}.sig", word.directory(), sealed.id(), file_name(&approver)), signature.into_bytes()))
}

/// One name for one key, so that nobody's signature takes the place of another's.
fn file_name(approver: &Approver) -> String {
    let line = PublicKey::from(approver.key.clone()).to_openssh().unwrap_or_default();
    sha256(line.as_bytes()).get(..16).unwrap_or_default().to_owned()
}

/// The files that are not in main yet.
pub(super) fn not_there_yet(desk: &Desk, main: CommitId, files: &Files) -> Result<Files> {
    let tree = desk.proposed.tree(main)?;
    Ok(files
        .iter()
        .filter(|(path, _)| tree.get_path(std::path::Path::new(path)).is_err())
        .map(|(path, bytes)| (path.clone(), bytes.clone()))
        .collect())
}

/// That a commit which is to be pushed is signed by a person who counts.
pub(super) fn judge_commit(repository: &crate::git::Repository, spec: &Spec, commit: CommitId) -> Result<Approver> {
    let raw = RawCommit::parse(&repository.mirror.raw_commit(commit)?)
        .map_err(|error| not_accepted(&StatementRefusal::from(error)))?;
    let signed = raw.signed.ok_or_else(|| {
        Stop::refused("not-human", format!("git made the commit {commit} without a signature"))
            .hint("nothing was pushed; `git config gpg.format` must be ssh")
    })?;
    let who = spec.ask(|people| people.who(&signed.signature, COMMIT_NAMESPACE, &signed.payload));
    who.map_err(|error| not_accepted(&error.into()))
}

/// What was made would not be accepted: said before it is pushed.
pub(super) fn not_accepted(error: &StatementRefusal) -> Stop {
    let hint = match error {
        StatementRefusal::Person(NotAPerson::Software | NotAPerson::NotTouched) => {
            "use a security key and touch it; where policy and the actuator accept keys in software, \
             [trust] accept = [\"software-keys\"] says so here"
        }
        StatementRefusal::Person(NotAPerson::NotListed | NotAPerson::NotInForce) => {
            "the file `approvers` of canonical lists the people and their keys; `git config user.signingkey` names yours"
        }
        StatementRefusal::Person(NotAPerson::Bot) => "sign with your own key",
        _ => "nothing was pushed; please report it with the commands above",
    };
    let stop = Stop::refused("not-human", "your signature would not be accepted");
    let causes = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
    causes.fold(stop, |stop, cause| stop.because(cause.to_string())).hint(hint)
}

/// The proposals of those that were examined.
pub(super) fn sealed(examined: &[Examined]) -> impl Iterator<Item = &Sealed> {
    examined.iter().filter_map(|one| one.sealed.as_ref())
}
