//! Everything that the gates judge by, gathered before the first of them is asked. Values only: no clock, no file, no
//! connection.

use crate::breaker::Usage;
use crate::halt::Halt;
use countersign_manifests_schema::bundle::Statement;
use countersign_manifests_schema::warden::Inspection;
use countersign_shared::drift::Compiled;
use countersign_shared::manifest::fleet::Runner;
use countersign_shared::manifest::policy::Policy;
use countersign_shared::manifest::waiver::Waiver;
use countersign_shared::observation::{self, Failure, MAGIC, Nonce, Observation};
use countersign_shared::proposal::Sealed;
use std::collections::BTreeSet;

/// Seconds within which a runner that has not said otherwise confirms an application or undoes it.
pub const CONFIRM_WITHIN: i64 = 10 * 60;

/// What is known of one proposal.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f> {
    /// What holds for every proposal.
    pub world: &'f World,
    /// The proposal as the repository has it.
    pub candidate: &'f Candidate,
    /// What canonical says of its runner; `None` when the runner is not in the fleet.
    pub wanted: Option<Wanted<'f>>,
    /// What is known of the runner itself.
    pub reach: &'f Reach<'f>,
    /// Whether there is a token.
    pub token: &'f TokenFact,
}

/// What holds for every proposal of a run.
#[derive(Debug)]
pub struct World {
    /// Unix seconds by our clock.
    pub now: i64,
    /// Every place where a halt can be set, by name, and what was found there.
    pub halts: Vec<(String, Halt)>,
    /// The leases in force whose signatures hold; `Err` = they could not be asked for.
    pub leases: Result<Vec<Duty>, String>,
    /// Leases that do not count, and why.
    pub void_leases: Vec<String>,
    /// One sentence for each repository whose tip does not descend from the last one seen.
    pub rewritten: Vec<String>,
    /// Who stands behind canonical's history, or why not enough people do.
    pub canonical: Result<String, String>,
    /// canonical's policy.
    pub policy: Policy,
    /// What the breaker counts.
    pub tally: Result<Tally, String>,
}

/// What the breaker counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Why the notary's breaker tripped; `None` when it did not.
    pub tripped: Option<String>,
    /// Tokens that the notary gave in the last 24 hours.
    pub tokens_today: u32,
    /// What the ledger says.
    pub usage: Usage,
}

/// A person is on duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// As listed.
    pub by: String,
    /// sha256 of the proposals that it covers.
    pub proposals: BTreeSet<String>,
    /// Unix seconds.
    pub expires: i64,
    /// Tokens that may still be drawn under it.
    pub left: u32,
}

/// A proposal as the repository has it.
#[derive(Debug)]
pub struct Candidate {
    /// sha256, the name of its directory.
    pub id: String,
    /// The name of the directory above.
    pub runner: String,
    /// Where it is.
    pub place: Place,
    /// The commit of main that took it away; never changes back.
    pub gone: Option<String>,
    /// People who have rejected it.
    pub rejected_by: Vec<String>,
    /// The commit that the observer signed, or why none is.
    pub made: Result<String, String>,
    /// Each approval that counts for a person; one person may be there twice.
    pub approvals: Vec<Approval>,
    /// What those approvals are, as the runner gets them: sorted, each once.
    pub statements: Vec<Statement>,
    /// Why other statements do not count.
    pub void_approvals: Vec<String>,
    /// Distinct people, sorted.
    pub people: Vec<String>,
    /// Its bytes, or why they are not the proposal that its directory is named for.
    pub sealed: Result<Sealed, String>,
    /// Whether the README is the rendering of these bytes.
    pub readme: Result<(), String>,
    /// sha256 of a newer one for the same runner that people have approved.
    pub newer: Option<String>,
    /// Where it is recorded that it was started; `Err` = nobody knows.
    pub started: Result<Option<String>, String>,
}

/// Where a proposal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// This commit of main's first-parent way brought it.
    Main(String),
    /// On this branch, waiting for people.
    Branch(String),
}

/// One approval by a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// As listed.
    pub person: String,
    /// By what.
    pub evidence: Kind,
    /// Whether a security key says that it was touched; `None` for keys in software.
    pub touched: Option<bool>,
}

/// What approves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A signed merge.
    Merge,
    /// A detached signature.
    Signature,
}

/// What canonical says of a runner.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'f> {
    /// The runner.
    pub runner: &'f Runner,
    /// Its manifest in force, compiled.
    pub compiled: &'f Compiled,
    /// Its waivers, valid or not.
    pub waivers: &'f [&'f Waiver],
}

/// What is known of a runner.
#[derive(Debug)]
pub enum Reach<'f> {
    /// Nobody has asked it; one sentence.
    Unasked(String),
    /// It could not be asked: `host-key`, `unreachable`, `auth`, ...
    Failed(Failure),
    /// Its warden has answered.
    Answered(Box<Answered<'f>>),
}

/// What a runner's warden has answered.
#[derive(Debug)]
pub struct Answered<'f> {
    /// To `inspect`.
    pub inspection: &'f Inspection,
    /// The observation in it, parsed.
    pub observation: Result<Observation<'f>, Failure>,
    /// What the digests should be.
    pub expected: &'f Expected,
    /// The answer to `stage`.
    pub staging: Staging,
}

/// An inspection with the record in it, out of its frame.
#[derive(Debug)]
pub struct Heard {
    /// As the warden said it.
    pub inspection: Inspection,
    record: Result<String, Failure>,
    at: i64,
}

impl Heard {
    /// Takes the frame off. `at` is when it came, Unix seconds.
    pub fn new(inspection: Inspection, at: i64) -> Self {
        Self { record: record(&inspection.observation), inspection, at }
    }

    /// What the gates judge by.
    pub fn answered<'h>(&'h self, expected: &'h Expected, staging: Staging) -> Answered<'h> {
        let observation = match &self.record {
            Ok(record) => Observation::parse(record, self.at),
            Err(failure) => Err(failure.clone()),
        };
        Answered { inspection: &self.inspection, observation, expected, staging }
    }
}

/// The warden asked the probe with a nonce of its own: the frame must hold together, whoever chose it.
fn record(answer: &str) -> Result<String, Failure> {
    let garbage = || Failure::new("garbage", "the warden's observation does not begin as the probe's answers do");
    let nonce = answer.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(" answer ")).ok_or_else(garbage)?;
    let hex = nonce.get(..32).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit())).ok_or_else(garbage)?;
    let mut random = [0; 16];
    for (index, byte) in random.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).map_err(|_| garbage())?;
    }
    observation::open(answer.as_bytes().to_vec(), &Nonce::new(random))
}

/// The digests by which we know a warden: sha256, 64 hex digits each; an empty list = nothing is expected, so nothing
/// fits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expected {
    /// Of its binary.
    pub binary: Vec<String>,
    /// Of the file of its approvers.
    pub approvers: Vec<String>,
    /// Of warden.toml.
    pub policy: Vec<String>,
    /// Of the notary's public key file.
    pub notary_key: Vec<String>,
}

/// How far staging is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Staging {
    /// Not asked for.
    Unasked,
    /// The warden resolved, fetched and checked everything.
    Done,
    /// It refused.
    Refused {
        /// A gate's code, or `request`.
        code: String,
        /// One sentence.
        message: String,
    },
}

/// Whether there is a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFact {
    /// One is drawn right before it is used, and not before.
    NotYet,
    /// It is in hand, and holds.
    Held,
    /// There is none; why.
    None(String),
}

impl<'f> Facts<'f> {
    /// The proposal, if its bytes are in order.
    pub fn sealed(&self) -> Option<&'f Sealed> {
        self.candidate.sealed.as_ref().ok()
    }

    /// The warden's answer, or why there is none to judge by.
    pub fn answered(&self) -> Result<&'f Answered<'f>, String> {
        match self.reach {
            Reach::Answered(answered) => Ok(answered),
            Reach::Unasked(why) => Err(why.clone()),
            Reach::Failed(failure) => Err(format!("the runner did not answer ({})", failure.code)),
        }
    }
}
