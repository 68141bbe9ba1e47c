//! One proposal and all that its gates ask for, but for what its runner says.

use crate::config::Config;
use crate::facts::{Candidate, Expected, Facts, Reach, TokenFact, Wanted, World};
use crate::gates::{self, Judgement};
use crate::gather::Gathered;
use crate::stop::Stop;
use countersign_manifests_schema::bundle::{BUNDLE_SCHEMA, Bundle};
use countersign_shared::canonical_json;
use countersign_shared::drift::Compiled;
use countersign_shared::exit::Outcome;
use countersign_shared::manifest::fleet::Runner;
use countersign_shared::manifest::waiver::Waiver;
use std::fs;

/// What is known of it.
#[derive(Debug)]
pub(super) struct Case<'g> {
    pub(super) world: &'g World,
    pub(super) candidate: &'g Candidate,
    wanted: Option<(&'g Runner, Compiled, Vec<&'g Waiver>)>,
}

impl<'g> Case<'g> {
    /// Takes everything from what was gathered.
    pub(super) fn new(gathered: &'g Gathered, candidate: &'g Candidate) -> Result<Self, Stop> {
        let canonical = &gathered.spec.canonical;
        let wanted = match canonical.fleet.runner(&candidate.runner) {
            None => None,
            Some(runner) => {
                let compiled = Compiled::new(canonical.effective(runner))
                    .map_err(|error| Stop::of(Outcome::Invalid, "lint", &error))?;
                Some((runner, compiled, canonical.waivers_for(runner)))
            }
        };
        Ok(Self { world: &gathered.world, candidate, wanted })
    }

    /// Its runner, if it is in the fleet.
    pub(super) fn runner(&self) -> Option<&'g Runner> {
        self.wanted.as_ref().map(|(runner, ..)| *runner)
    }

    /// Names of the packages that its runner's manifest lists.
    pub(super) fn listed(&self) -> Vec<String> {
        let names = self.wanted.as_ref().map(|(_, compiled, _)| compiled.listed()).unwrap_or_default();
        names.into_iter().map(str::to_owned).collect()
    }

    /// Asks every gate.
    pub(super) fn judge(&self, reach: &Reach<'_>, token: &TokenFact) -> Judgement {
        let wanted = self.wanted.as_ref().map(|(runner, compiled, waivers)| Wanted {
            runner,
            compiled,
            waivers: waivers.as_slice(),
        });
        gates::judge(&Facts { world: self.world, candidate: self.candidate, wanted, reach, token })
    }

    /// What the runner gets, before there is a lease and a token; `None` when there are no bytes to send.
    pub(super) fn bundle(&self) -> Option<Bundle> {
        let sealed = self.candidate.sealed.as_ref().ok()?;
        Some(Bundle {
            schema: BUNDLE_SCHEMA.to_owned(),
            proposal: String::from_utf8(sealed.bytes().to_vec()).ok()?,
            statements: self.candidate.statements.clone(),
            lease: None,
            token: None,
        })
    }
}

/// A bundle as it is sent.
pub(super) fn text(bundle: &Bundle) -> Result<String, Stop> {
    let bytes = canonical_json::to_bytes(bundle).map_err(|error| Stop::of(Outcome::Failed, "bundle", &error))?;
    String::from_utf8(bytes).map_err(|error| Stop::of(Outcome::Failed, "bundle", &error))
}

/// By what wardens are known here.
pub(super) fn expected(config: &Config) -> Result<Expected, Stop> {
    let warden = &config.warden;
    let mut approvers = warden.approvers.clone();
    if approvers.is_empty() {
        let bytes = fs::read(&config.trust.approvers).map_err(|error| Stop::of(Outcome::Invalid, "trust", &error))?;
        approvers.push(canonical_json::sha256(&bytes));
    }
    Ok(Expected {
        binary: warden.binary.clone(),
        approvers,
        policy: warden.policy.clone(),
        notary_key: warden.notary_key.clone(),
    })
}
