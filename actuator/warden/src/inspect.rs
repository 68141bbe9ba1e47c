//! Inspect and status: what the runner is, and by what the warden judges.

use crate::config::Policy;
use crate::digest;
use crate::judge;
use crate::memory::Memory;
use crate::observe;
use crate::refused::Refused;
use crate::store::Store;
use countersign_manifests_schema::warden::{Inspection, WardenAnswer};
use std::path::Path;

/// Answers to `inspect`; the probe is asked about what the `listed` packages need.
pub(crate) fn inspect(listed: &[String], policy: &Policy, store: &Store) -> Result<WardenAnswer, Refused> {
    let memory = Memory::load(store)?;
    let observation = observe::answer(listed).map_err(|failure| Refused::new("unreachable", failure.message))?;
    Ok(WardenAnswer::Inspection(Box::new(Inspection {
        runner: policy.runner.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        // The program that is running, whatever is at its path by now.
        binary: digest::of_file(Path::new("/proc/self/exe")).map_err(|error| Refused::because("warden", &error))?,
        approvers: policy.digests.approvers.clone(),
        policy: policy.digests.policy.clone(),
        notary_key: policy.digests.notary_key.clone(),
        max_age: policy.max_age.as_secs(),
        confirm_within: policy.confirm_within.as_secs(),
        observation,
        halted: judge::halted(policy),
        busy: judge::busy(policy, Path::new("/")),
        last: memory.last().cloned(),
    })))
}

/// Answers to `status`.
pub(crate) fn status(store: &Store) -> Result<WardenAnswer, Refused> {
    Ok(WardenAnswer::Status { started: Memory::load(store)?.all().to_vec() })
}
