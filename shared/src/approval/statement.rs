//! What a person says about a proposal: a signed merge that names it, or a signature over its bytes.

use super::commit::{CommitError, RawCommit};
use super::people::{Approver, NotAPerson, People};
use crate::manifest::fleet::is_runner_name;
use crate::proposal::Sealed;
use countersign_manifests_schema::bundle::{
    APPROVE_NAMESPACE, APPROVES, COMMIT_NAMESPACE, REJECT_NAMESPACE, Statement,
};
use std::collections::BTreeSet;

/// Why a statement approves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementRefusal {
    /// Nobody who counts made it.
    #[error("it is not by a person who counts")]
    Person(#[from] NotAPerson),
    /// Its payload is not a commit as git writes it.
    #[error("it is not a commit")]
    Commit(#[from] CommitError),
    /// The payload still has a signature in its header.
    #[error("the payload has a signature in its header")]
    NotPayload,
    /// Not a commit of two parents.
    #[error("it has {0} parents and not two: it merges nothing")]
    NotAMerge(usize),
    /// Its lines cannot be taken.
    #[error("its message cannot be taken")]
    Lines(#[from] LineError),
    /// It does not name this proposal.
    #[error("it does not name this proposal")]
    NotNamed,
    /// It names this proposal for another runner.
    #[error("it names this proposal, but for the runner {0}")]
    OtherRunner(String),
}

/// What is wrong with the lines of a message that approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Almost of the form.
    #[error("line {0} is not exactly `{APPROVES}: RUNNER sha256:HEX`")]
    Malformed(usize),
    /// A proposal is named twice.
    #[error("line {0} names a proposal for the second time")]
    Doubled(usize),
}

/// One line of a message that approves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The runner's name.
    pub runner: String,
    /// The proposal's sha256, 64 hex digits.
    pub proposal: String,
}

impl Named {
    /// Reads a whole line.
    pub fn parse(line: &str) -> Option<Self> {
        let (runner, id) = line.strip_prefix(APPROVES)?.strip_prefix(": ")?.split_once(" sha256:")?;
        (is_runner_name(runner) && is_digest(id)).then(|| Self { runner: runner.to_owned(), proposal: id.to_owned() })
    }

    /// The line, without its end.
    pub fn line(&self) -> String {
        format!("{APPROVES}: {} sha256:{}", self.runner, self.proposal)
    }
}

/// What a message approves, in its order. A line that a reader could take for one and that is none spoils the message.
pub fn named_in(message: &str) -> Result<Vec<Named>, LineError> {
    let mut named = Vec::new();
    let mut seen = BTreeSet::new();
    // Only `\n` ends a line: what else might is part of a line that is then malformed.
    for (index, line) in message.split('\n').enumerate() {
        if !resembles(line) {
            continue;
        }
        let one = Named::parse(line).ok_or(LineError::Malformed(index + 1))?;
        if !seen.insert(one.proposal.clone()) {
            return Err(LineError::Doubled(index + 1));
        }
        named.push(one);
    }
    Ok(named)
}

/// Who approves this proposal by this statement.
pub fn approves(statement: &Statement, sealed: &Sealed, people: &People<'_>) -> Result<Approver, StatementRefusal> {
    match statement {
        Statement::Signature { signature } => Ok(people.who(signature, APPROVE_NAMESPACE, sealed.bytes())?),
        Statement::Merge { payload, signature } => {
            says(payload, sealed)?;
            Ok(people.who(signature, COMMIT_NAMESPACE, payload.as_bytes())?)
        }
    }
}

/// Who rejects this proposal by this signature over its bytes.
pub fn rejects(signature: &str, sealed: &Sealed, people: &People<'_>) -> Result<Approver, NotAPerson> {
    people.who(signature, REJECT_NAMESPACE, sealed.bytes())
}

/// That the payload of a signed merge names this proposal, whoever signed it.
fn says(payload: &str, sealed: &Sealed) -> Result<(), StatementRefusal> {
    let commit = RawCommit::parse(payload.as_bytes())?;
    if commit.signed.is_some() {
        return Err(StatementRefusal::NotPayload);
    }
    // A person's own commit, of work under way or of a squash, becomes main by a push as well: signatures bind no ref.
    if commit.parents.len() != 2 {
        return Err(StatementRefusal::NotAMerge(commit.parents.len()));
    }
    let named = named_in(&commit.message)?;
    let named = named.into_iter().find(|named| named.proposal == sealed.id()).ok_or(StatementRefusal::NotNamed)?;
    if named.runner == sealed.proposal().runner { Ok(()) } else { Err(StatementRefusal::OtherRunner(named.runner)) }
}

/// Whether a reader could take the line for one that approves: the key in any case, after anything but a letter or digit.
fn resembles(line: &str) -> bool {
    let text = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    text.get(..APPROVES.len()).is_some_and(|start| start.eq_ignore_ascii_case(APPROVES))
}

/// 64 lower-case hex digits.
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
