//! Our own bounds, measured before anything else: what our credentials could do, and who could change what we go by.

mod files;
mod keys;

use crate::config::{Accept, Config, Trust};
use crate::gather::{Gathered, Source};
use crate::stop::Stop;
use countersign_manifests_schema::report::Notice;
use countersign_shared::exit::Outcome;
use countersign_shared::git::writable::{self, Finding};
use countersign_shared::git::{CommitId, Mirror};
use countersign_shared::terminal::Failure;

/// What can be wrong with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The credential for canonical can push.
    CanonicalWritable,
    /// Whether it can was not found out.
    CanonicalUnproven,
    /// The credential for proposed can push.
    ProposedWritable,
    /// Whether it can was not found out.
    ProposedUnproven,
    /// Our key is not declared for our role in `fleet.toml`.
    KeyNotDeclared,
    /// Our key is declared for another role as well.
    KeyInOtherRole,
    /// A private key of ours can be read or replaced by others.
    KeyExposed,
    /// Others can write what we are configured by.
    ConfigWritable,
}

impl Code {
    /// Every code.
    pub const ALL: [Code; 8] = [
        Code::CanonicalWritable,
        Code::CanonicalUnproven,
        Code::ProposedWritable,
        Code::ProposedUnproven,
        Code::KeyNotDeclared,
        Code::KeyInOtherRole,
        Code::KeyExposed,
        Code::ConfigWritable,
    ];

    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Code::CanonicalWritable => "canonical-writable",
            Code::CanonicalUnproven => "canonical-unproven",
            Code::ProposedWritable => "proposed-writable",
            Code::ProposedUnproven => "proposed-unproven",
            Code::KeyNotDeclared => "key-not-declared",
            Code::KeyInOtherRole => "key-in-other-role",
            Code::KeyExposed => "key-exposed",
            Code::ConfigWritable => "config-writable",
        }
    }

    /// What a person writes into `[trust] accept` to let it pass; `None` = nothing does.
    pub const fn accepted_by(self) -> Option<Accept> {
        match self {
            Code::CanonicalWritable | Code::CanonicalUnproven => Some(Accept::CanonicalWritable),
            Code::ProposedWritable | Code::ProposedUnproven => Some(Accept::ProposedWritable),
            Code::KeyNotDeclared | Code::KeyInOtherRole | Code::KeyExposed | Code::ConfigWritable => None,
        }
    }

    /// What to do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Code::CanonicalWritable | Code::ProposedWritable => {
                "make the deploy key read-only, and let another account own the repository"
            }
            Code::CanonicalUnproven | Code::ProposedUnproven => {
                "the next run tries again; check that the server refuses a push with a message"
            }
            Code::KeyNotDeclared => "add the public key to actuator_ssh under [keys] in fleet.toml",
            Code::KeyInOtherRole => "give each role a key of its own",
            Code::KeyExposed => "let the file belong to this account alone: chown, chmod 600",
            Code::ConfigWritable => {
                "let the file and its directory belong to root or to this account: chown, chmod go-w"
            }
        }
    }
}

/// One bound that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What kind.
    pub code: Code,
    /// One sentence; may hold text from outside, so it is escaped wherever it is shown.
    pub message: String,
}

impl Violation {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// What can be measured before anything is fetched. Blocks.
pub fn of_files(config: &Config) -> Vec<Violation> {
    files::look(config)
}

/// What can be measured once both repositories were read. Blocks.
pub fn of_credentials(config: &Config, gathered: &Gathered) -> Result<Vec<Violation>, Stop> {
    let mut violations = keys::look(config, &gathered.spec.canonical.fleet.keys);
    for (name, repository, mirror, tip, codes) in [
        (
            "canonical",
            &config.canonical,
            &gathered.spec.mirror,
            gathered.spec.tip,
            (Code::CanonicalWritable, Code::CanonicalUnproven),
        ),
        (
            "proposed",
            &config.proposed,
            &gathered.main.mirror,
            gathered.main.tip,
            (Code::ProposedWritable, Code::ProposedUnproven),
        ),
    ] {
        let source = Source::new(name, repository, &config.state_dir)?;
        violations.extend(can_push(name, &source, mirror, tip, codes)?);
    }
    Ok(violations)
}

fn can_push(
    name: &str,
    source: &Source,
    mirror: &Mirror,
    tip: CommitId,
    (writable, unproven): (Code, Code),
) -> Result<Option<Violation>, Stop> {
    Ok(match writable::gather(mirror, &source.remote, tip)?.judge(name) {
        Finding::Protected => None,
        Finding::Writable(message) => Some(Violation::new(writable, message)),
        Finding::Unproven(message) => Some(Violation::new(unproven, message)),
    })
}

/// Splits violations by what is accepted: what stops the run, and what is let pass and shouts.
pub fn settle(violations: Vec<Violation>, trust: &Trust) -> Result<Vec<Notice>, Stop> {
    let (accepted, refused): (Vec<_>, Vec<_>) = violations
        .into_iter()
        .partition(|violation| violation.code.accepted_by().is_some_and(|accept| trust.accepts(accept)));
    if refused.is_empty() {
        let notice = |v: Violation| Notice { code: v.code.as_str().to_owned(), message: v.message };
        return Ok(accepted.into_iter().map(notice).collect());
    }
    let say = |v: Violation| Failure::new(v.code.as_str(), v.message).hint(v.code.hint());
    Err(Stop { outcome: Outcome::Refused, failures: refused.into_iter().map(say).collect() })
}
