//! Whether a bundle is approved by this runner's own keys and policy, and new to it.

use crate::clock;
use crate::config::Policy;
use crate::memory::Memory;
use crate::refused::{Refused, chain};
use crate::run::Program;
use countersign_shared::approval::bundle::{BundleRules, Verified, verify};
use countersign_shared::approval::people::People;
use countersign_shared::halt::{self, Halt};
use std::path::Path;
use std::time::Duration;

/// A bundle that may be staged, or with its token applied. There is no other way to one.
#[derive(Debug)]
pub(crate) struct Admitted(Verified);

impl Admitted {
    /// What was verified.
    pub(crate) fn verified(&self) -> &Verified {
        &self.0
    }
}

/// Judges a bundle; with `token`, lease and token must be there and in order.
pub(crate) fn admit(bundle: &str, policy: &Policy, memory: &Memory, token: bool) -> Result<Admitted, Refused> {
    if let Some(reason) = halted(policy) {
        return Err(Refused::new("halted", reason));
    }
    let people = People {
        listed: &policy.approvers,
        bots: &policy.bots,
        revoked: &policy.revoked,
        require_touch: policy.require_touch,
        now: clock::now(),
    };
    let rules = BundleRules {
        people,
        runner: &policy.runner,
        required: policy.required,
        protected: &policy.protected,
        protected_required: policy.protected_required,
        max_age: policy.max_age,
        notary: token.then_some(&policy.notary),
    };
    let verified = verify(bundle.as_bytes(), &rules).map_err(|why| Refused::new(why.code(), chain(&why)))?;
    let sealed = verified.sealed();
    memory.admits(sealed.id(), &sealed.proposal().created)?;
    Ok(Admitted(verified))
}

/// Why nothing new may start; `None` when it may.
pub(crate) fn halted(policy: &Policy) -> Option<String> {
    match halt::read(&policy.halt_file) {
        Halt::Clear => None,
        Halt::Set(reason) if reason.is_empty() => Some(format!("{} is there", policy.halt_file.display())),
        Halt::Set(reason) => Some(reason),
        Halt::Unreadable(error) => {
            Some(format!("nobody knows whether {} is there: {error}", policy.halt_file.display()))
        }
    }
}

/// Why the runner is in use, by its own program; `None` when it is not.
pub(crate) fn busy(policy: &Policy, home: &Path) -> Option<String> {
    let program = policy.busy.as_ref()?;
    match Program::new(&program.to_string_lossy(), home).limit(Duration::from_secs(60)).run() {
        Ok(ran) if ran.good() => None,
        Ok(ran) => Some(ran.words()),
        Err(error) => Some(format!("{} cannot be run: {error}", program.display())),
    }
}
