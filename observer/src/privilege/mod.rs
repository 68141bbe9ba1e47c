//! Least privilege, measured: each proof is a pure judge over gathered facts, each violation has its own code.
//!
//! [`canonical`]: the credential for canonical cannot push. [`people`]: people have signed its history.
//! [`account`]: the account on a runner is an ordinary one.
//! [`reach`]: the key reaches the probe there and nothing else. [`declared`]: our keys are declared for our role alone.
//! [`forge`]: the forge's token cannot write canonical and administers nothing.
//! What is not proven is not a pass. [`settle`] is the one place where `[trust] accept` counts.

pub mod account;
pub mod canonical;
pub mod declared;
pub mod forge;
pub mod people;
pub mod reach;

pub use countersign_shared::git::local_access as local;

use crate::config::{Accept, Trust};
use countersign_manifests_schema::report::Notice;
use countersign_shared::observation::Failure;

/// What can be wrong with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The credential for canonical can push.
    CanonicalWritable,
    /// Whether the credential for canonical can push could not be found out.
    CanonicalUnproven,
    /// Canonical's history is not all signed by people.
    CanonicalUnsigned,
    /// Canonical's history rests on keys that nobody touched, where its policy requires a touch.
    SoftwareKeys,
    /// The account on the runner could change it.
    AccountPrivileged,
    /// What the account on the runner could do was not found out.
    AccountUnproven,
    /// The key gets more than the probe: a shell, another command, sftp or a terminal.
    PlainExec,
    /// The key gets a forwarding.
    ForwardingOpen,
    /// What the key gets was not found out.
    KeyUnproven,
    /// Our key is not declared for our role in `fleet.toml`.
    KeyNotDeclared,
    /// Our key is declared for another role as well.
    KeyInOtherRole,
    /// The forge's token can write canonical.
    ForgeWritesCanonical,
    /// The forge's token is one of an administrator.
    ForgeAdmin,
    /// What the forge's token can do was not found out.
    ForgeUnproven,
}

impl Code {
    /// Every code, for documentation and tests.
    pub const ALL: [Code; 14] = [
        Code::CanonicalWritable,
        Code::CanonicalUnproven,
        Code::CanonicalUnsigned,
        Code::SoftwareKeys,
        Code::AccountPrivileged,
        Code::AccountUnproven,
        Code::PlainExec,
        Code::ForwardingOpen,
        Code::KeyUnproven,
        Code::KeyNotDeclared,
        Code::KeyInOtherRole,
        Code::ForgeWritesCanonical,
        Code::ForgeAdmin,
        Code::ForgeUnproven,
    ];

    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Code::CanonicalWritable => "canonical-writable",
            Code::CanonicalUnproven => "canonical-unproven",
            Code::CanonicalUnsigned => "canonical-unsigned",
            Code::SoftwareKeys => "software-keys",
            Code::AccountPrivileged => "account-privileged",
            Code::AccountUnproven => "account-unproven",
            Code::PlainExec => "plain-exec",
            Code::ForwardingOpen => "forwarding-open",
            Code::KeyUnproven => "key-unproven",
            Code::KeyNotDeclared => "key-not-declared",
            Code::KeyInOtherRole => "key-in-other-role",
            Code::ForgeWritesCanonical => "forge-writes-canonical",
            Code::ForgeAdmin => "forge-admin",
            Code::ForgeUnproven => "forge-unproven",
        }
    }

    /// What a person writes into `[trust] accept` to let it pass; `None` = nothing does.
    ///
    /// Who accepts a violation accepts not knowing whether there is one. A key that runs any command can forward
    /// by that command, so `plain-exec` covers forwarding.
    pub const fn accepted_by(self) -> Option<Accept> {
        match self {
            Code::CanonicalWritable | Code::CanonicalUnproven | Code::ForgeWritesCanonical => {
                Some(Accept::CanonicalWritable)
            }
            Code::CanonicalUnsigned => Some(Accept::CanonicalUnsigned),
            Code::SoftwareKeys => Some(Accept::SoftwareKeys),
            Code::AccountPrivileged | Code::AccountUnproven => Some(Accept::AccountPrivileged),
            Code::PlainExec | Code::ForwardingOpen | Code::KeyUnproven => Some(Accept::PlainExec),
            Code::KeyNotDeclared | Code::KeyInOtherRole | Code::ForgeAdmin | Code::ForgeUnproven => None,
        }
    }

    /// What to do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Code::CanonicalWritable => "make the deploy key read-only, and let another account own the repository",
            Code::CanonicalUnproven => "the next run tries again; check that the server refuses a push with a message",
            Code::CanonicalUnsigned => {
                "sign commits with a listed key, have changes of people, policy and fleet endorsed by a second person, \
                 or look at the commit and set [canonical] anchor to it"
            }
            Code::SoftwareKeys => {
                "sign with security keys, or accept software-keys in [trust]; require_touch = false in policy.toml counts \
                 for the commits after it, so set [canonical] anchor to that commit"
            }
            Code::AccountPrivileged | Code::AccountUnproven => {
                "use an account of its own without sudo and privileged groups, as `enroll` prints it"
            }
            Code::PlainExec | Code::ForwardingOpen | Code::KeyUnproven => {
                "bind the key with restrict,command= in a root-owned AuthorizedKeysFile, as `enroll` prints it"
            }
            Code::KeyNotDeclared => {
                "add the public key to its role under [keys] in fleet.toml, or use the key that is there"
            }
            Code::KeyInOtherRole => "give each role a key of its own",
            Code::ForgeWritesCanonical => "take the forge account out of the people who may write canonical",
            Code::ForgeAdmin => "use an account of its own that administers neither the forge nor the repository",
            Code::ForgeUnproven => "the token needs to read its user and its repository; the next run tries again",
        }
    }
}

/// One proof that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What kind.
    pub code: Code,
    /// One sentence with what was seen; may hold text from outside, so it is escaped wherever it is shown.
    pub message: String,
}

impl Violation {
    /// A violation with what was seen.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// As a line of the report's `trust`.
    pub fn notice(&self) -> Notice {
        Notice { code: self.code.as_str().to_owned(), message: self.message.clone() }
    }

    /// As the error of a runner's row.
    pub fn failure(&self) -> Failure {
        Failure::new(self.code.as_str(), self.message.clone())
    }
}

/// Violations after `[trust] accept` has been asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// Stop the run (20) or fail the runner's row; the first decides the code.
    pub refused: Vec<Violation>,
    /// Let pass; shouted in every report.
    pub accepted: Vec<Violation>,
}

impl Settled {
    /// Whether nothing stands in the way.
    pub fn passes(&self) -> bool {
        self.refused.is_empty()
    }
}

/// Splits violations by what the person who runs the observer accepts.
pub fn settle(violations: impl IntoIterator<Item = Violation>, trust: &Trust) -> Settled {
    let mut settled = Settled::default();
    for violation in violations {
        match violation.code.accepted_by() {
            Some(accept) if trust.accepts(accept) => settled.accepted.push(violation),
            _ => settled.refused.push(violation),
        }
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn trust(accept: &[Accept]) -> Trust {
        Trust { approvers: "/etc/countersign/approvers".into(), revoked: None, accept: accept.to_vec() }
    }

    const EVERYTHING: &[Accept] = &[
        Accept::CanonicalUnsigned,
        Accept::CanonicalWritable,
        Accept::PlainExec,
        Accept::AccountPrivileged,
        Accept::SoftwareKeys,
    ];

    #[test]
    fn each_code_has_a_text_of_its_own() {
        let texts: BTreeSet<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        // Accepted by its own name wherever it is a name of the configuration.
        for accept in EVERYTHING.iter().filter(|a| **a != Accept::SoftwareKeys) {
            let code = Code::ALL.into_iter().find(|c| c.as_str() == accept.as_str()).unwrap();
            assert_eq!(code.accepted_by(), Some(*accept));
        }
    }

    #[test]
    fn a_violation_passes_only_when_exactly_it_is_accepted() {
        for code in Code::ALL {
            let violation = Violation::new(code, "seen");
            assert!(!settle([violation.clone()], &trust(&[])).passes(), "{code:?}");
            let others: Vec<Accept> = EVERYTHING.iter().copied().filter(|a| Some(*a) != code.accepted_by()).collect();
            assert!(!settle([violation.clone()], &trust(&others)).passes(), "{code:?}");
            let all = settle([violation.clone()], &trust(EVERYTHING));
            assert_eq!(all.passes(), code.accepted_by().is_some(), "{code:?}");
            // Whatever passes is still said.
            assert_eq!(all.accepted.len() + all.refused.len(), 1);
        }
    }

    #[test]
    fn keys_of_the_wrong_role_are_never_accepted() {
        let violations = [Code::KeyNotDeclared, Code::KeyInOtherRole].map(|c| Violation::new(c, ""));
        assert_eq!(settle(violations, &trust(EVERYTHING)).refused.len(), 2);
    }
}
