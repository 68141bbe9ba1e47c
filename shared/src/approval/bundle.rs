//! Everything that a runner judges one application by, in one file: verified with nothing but the approvers' and the
//! notary's public keys and the runner's own rules. Pure.

use super::people::{Approver, NotAPerson, People, distinct};
use super::signed::{self, SignedRefusal};
use super::sshsig::SshSignature;
use super::statement::{self, StatementRefusal};
use crate::canonical_json::{self, CanonicalError};
use crate::nevra::Nevra;
use crate::proposal::{SealError, Sealed};
use countersign_manifests_schema::bundle::{BUNDLE_SCHEMA, Bundle, SignedText, Statement};
use countersign_manifests_schema::lease::Lease;
use countersign_manifests_schema::proposal::Proposal;
use countersign_manifests_schema::token::Token;
use ssh_key::public::KeyData;
use std::collections::BTreeSet;
use std::time::Duration;

/// Larger bundles are refused unread.
pub const MAX_BYTES: usize = 8 << 20;
/// Statements that are judged at most.
const STATEMENTS_MAX: usize = 100;

/// By what a bundle is judged.
#[derive(Debug, Clone, Copy)]
pub struct BundleRules<'a> {
    /// The people, and the time.
    pub people: People<'a>,
    /// The runner's own name.
    pub runner: &'a str,
    /// Distinct people for an ordinary proposal; at least one, whatever is said here.
    pub required: u32,
    /// Names of packages whose change wants more.
    pub protected: &'a [String],
    /// Distinct people when one of them changes.
    pub protected_required: u32,
    /// Older proposals are refused, whatever they say of themselves.
    pub max_age: Duration,
    /// The notary's key. With it, lease and token must be there; without it, a token must not.
    pub notary: Option<&'a KeyData>,
}

/// A bundle that is in order. There is no other way to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    sealed: Sealed,
    approvers: Vec<Approver>,
    by: Vec<String>,
    protected: Vec<String>,
    lease: Option<(Lease, Approver)>,
    token: Option<Token>,
}

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum BundleRefusal {
    /// Not a bundle.
    #[error("it is not a bundle")]
    Malformed(#[source] CanonicalError),
    /// Of another version.
    #[error("its schema is not {BUNDLE_SCHEMA}")]
    Schema,
    /// Its proposal is not one.
    #[error("its proposal cannot be taken")]
    Proposal(#[source] SealError),
    /// For another runner.
    #[error("its proposal is for the runner {0}")]
    OtherRunner(String),
    /// From the future, by our clock.
    #[error("its proposal was created after now, by our clock")]
    FromTheFuture,
    /// Its time is over.
    #[error("its proposal has expired")]
    Expired,
    /// Older than this runner takes.
    #[error("its proposal is older than this runner takes")]
    TooOld,
    /// The statements are not sorted, or one is there twice, or there are too many.
    #[error("its statements are not sorted, or one is there twice, or there are more than {STATEMENTS_MAX}")]
    Statements,
    /// A signature is written in another way than ssh-keygen writes it.
    #[error("a signature is not spelled as ssh-keygen writes it")]
    Spelling,
    /// A statement is about something else, or does not hold.
    #[error("statement {number} does not approve this proposal")]
    Statement {
        /// From 1.
        number: usize,
        /// Why.
        #[source]
        why: StatementRefusal,
    },
    /// Nobody who counts approves it.
    #[error("nobody who counts approves it")]
    Nobody(#[source] Option<NotAPerson>),
    /// Too few people.
    #[error("{} of {required} people approve it", .by.len())]
    TooFew {
        /// Those who do.
        by: Vec<String>,
        /// How many are needed.
        required: u32,
    },
    /// No lease where one is needed.
    #[error("it has no lease")]
    NoLease,
    /// The lease cannot be taken.
    #[error("its lease cannot be taken")]
    Lease(#[source] SignedRefusal),
    /// The lease is for other proposals.
    #[error("its lease does not cover this proposal")]
    NotCovered,
    /// No token where one is needed.
    #[error("it has no token")]
    NoToken,
    /// A token where none can be judged.
    #[error("it has a token already")]
    UnexpectedToken,
    /// The token cannot be taken.
    #[error("its token cannot be taken")]
    Token(#[source] SignedRefusal),
    /// The token is for something else.
    #[error("its token is for another {0}")]
    OtherToken(&'static str),
}

impl BundleRefusal {
    /// The code of the gate that it fails at, or `request`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_)
            | Self::Schema
            | Self::OtherRunner(_)
            | Self::Statements
            | Self::Spelling
            | Self::UnexpectedToken => "request",
            Self::Proposal(_) => "edited",
            Self::FromTheFuture | Self::Expired | Self::TooOld => "expired",
            Self::Statement { .. } | Self::Nobody(_) => "not-human",
            Self::TooFew { .. } => "insufficient-approvals",
            Self::NoLease | Self::Lease(_) | Self::NotCovered => "no-lease",
            Self::NoToken | Self::Token(_) | Self::OtherToken(_) => "no-token",
        }
    }
}

impl Verified {
    /// The proposal.
    pub fn sealed(&self) -> &Sealed {
        &self.sealed
    }

    /// Every statement's maker who counts, in the order of the statements.
    pub fn approvers(&self) -> &[Approver] {
        &self.approvers
    }

    /// The distinct people, sorted.
    pub fn by(&self) -> &[String] {
        &self.by
    }

    /// Names of protected packages that change, sorted.
    pub fn protected(&self) -> &[String] {
        &self.protected
    }

    /// The lease and who signed it.
    pub fn lease(&self) -> Option<&(Lease, Approver)> {
        self.lease.as_ref()
    }

    /// The token. Whether its nonce and staged set are ours is for the runner to say.
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }
}

/// Judges the bytes of a bundle.
pub fn verify(bytes: &[u8], rules: &BundleRules<'_>) -> Result<Verified, BundleRefusal> {
    let bundle: Bundle = canonical_json::from_bytes(bytes, MAX_BYTES).map_err(BundleRefusal::Malformed)?;
    if bundle.schema != BUNDLE_SCHEMA {
        return Err(BundleRefusal::Schema);
    }
    spelling(&bundle)?;
    let sealed = Sealed::parse(bundle.proposal.as_bytes()).map_err(BundleRefusal::Proposal)?;
    if sealed.proposal().runner != rules.runner {
        return Err(BundleRefusal::OtherRunner(sealed.proposal().runner.clone()));
    }
    age(sealed.proposal(), rules)?;
    let protected = protected(sealed.proposal(), rules.protected);
    let approvers = approvers(&bundle.statements, &sealed, &rules.people)?;
    let by = distinct(&approvers);
    let required = match protected.is_empty() {
        true => rules.required,
        false => rules.required.max(rules.protected_required),
    };
    if by.len() < required.max(1) as usize {
        return Err(BundleRefusal::TooFew { by, required });
    }
    let (lease, token) = permission(&bundle, &sealed, rules)?;
    Ok(Verified { sealed, approvers, by, protected, lease, token })
}

/// One meaning has one spelling, down to where the lines of a signature break.
fn spelling(bundle: &Bundle) -> Result<(), BundleRefusal> {
    let signed = |text: &Option<SignedText>| text.as_ref().map(|text| text.signature.clone());
    let statements = bundle.statements.iter().map(|statement| match statement {
        Statement::Merge { signature, .. } | Statement::Signature { signature } => signature.clone(),
    });
    let all = statements.chain(signed(&bundle.lease)).chain(signed(&bundle.token));
    for signature in all {
        // What is no signature at all is refused where it is judged, with its reason.
        if SshSignature::parse(&signature).is_ok_and(|parsed| parsed.armoured() != signature) {
            return Err(BundleRefusal::Spelling);
        }
    }
    Ok(())
}

fn age(proposal: &Proposal, rules: &BundleRules<'_>) -> Result<(), BundleRefusal> {
    let now = rules.people.now;
    let read = |text: &str| signed::seconds("created", text).map_err(|_| BundleRefusal::Expired);
    let (created, expires) = (read(&proposal.created)?, read(&proposal.expires)?);
    let longest = i64::try_from(rules.max_age.as_secs()).unwrap_or(i64::MAX);
    match now {
        now if created > now.saturating_add(signed::CLOCK_SKEW) => Err(BundleRefusal::FromTheFuture),
        now if now >= expires => Err(BundleRefusal::Expired),
        now if now > created.saturating_add(longest) => Err(BundleRefusal::TooOld),
        _ => Ok(()),
    }
}

/// By the changes themselves; what the proposal says of its risk can only add.
fn protected(proposal: &Proposal, protected: &[String]) -> Vec<String> {
    let changes = proposal.transaction.rpms.iter().filter_map(|change| Nevra::parse(&change.nevra).ok());
    let ours = changes.map(|nevra| nevra.name.to_owned()).filter(|name| protected.contains(name));
    let names: BTreeSet<String> = ours.chain(proposal.risk.protected.iter().cloned()).collect();
    names.into_iter().collect()
}

/// A statement that does not hold spoils the bundle. One by somebody who does not count *here* only does not count:
/// the lists of people reach the runners one after another.
fn approvers(statements: &[Statement], sealed: &Sealed, people: &People<'_>) -> Result<Vec<Approver>, BundleRefusal> {
    if statements.len() > STATEMENTS_MAX || !statements.is_sorted_by(|a, b| a < b) {
        return Err(BundleRefusal::Statements);
    }
    let mut approvers = Vec::new();
    let mut uncounted = None;
    for (index, statement) in statements.iter().enumerate() {
        match statement::approves(statement, sealed, people) {
            Ok(approver) => approvers.push(approver),
            Err(StatementRefusal::Person(why)) if !why.is_forged() => {
                uncounted.get_or_insert(why);
            }
            Err(why) => return Err(BundleRefusal::Statement { number: index + 1, why }),
        }
    }
    if approvers.is_empty() { Err(BundleRefusal::Nobody(uncounted)) } else { Ok(approvers) }
}

type Permission = (Option<(Lease, Approver)>, Option<Token>);

fn permission(bundle: &Bundle, sealed: &Sealed, rules: &BundleRules<'_>) -> Result<Permission, BundleRefusal> {
    let people = &rules.people;
    let token = match (&bundle.token, rules.notary) {
        (None, None) => None,
        (Some(_), None) => return Err(BundleRefusal::UnexpectedToken),
        (None, Some(_)) => {
            return Err(if bundle.lease.is_none() { BundleRefusal::NoLease } else { BundleRefusal::NoToken });
        }
        (Some(signed), Some(notary)) => {
            Some(signed::open_token(signed, notary, people.now).map_err(BundleRefusal::Token)?)
        }
    };
    // A token that was drawn in time outlives its lease by minutes.
    let moment = token.as_ref().and_then(|token| signed::seconds("issued", &token.issued).ok()).unwrap_or(people.now);
    let lease = match &bundle.lease {
        None if token.is_some() => return Err(BundleRefusal::NoLease),
        None => None,
        Some(signed) => {
            let opened = signed::open_lease_at(signed, people, moment).map_err(BundleRefusal::Lease)?;
            if opened.0.proposals.iter().all(|id| id != sealed.id()) {
                return Err(BundleRefusal::NotCovered);
            }
            Some(opened)
        }
    };
    if let Some(token) = &token {
        let lease = bundle.lease.as_ref().map(|lease| canonical_json::sha256(lease.text.as_bytes()));
        for (what, fits) in [
            ("proposal", token.proposal == sealed.id()),
            ("runner", token.runner == rules.runner),
            ("lease", Some(&token.lease) == lease.as_ref()),
        ] {
            if !fits {
                return Err(BundleRefusal::OtherToken(what));
            }
        }
    }
    Ok((lease, token))
}
