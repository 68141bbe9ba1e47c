//! Whether what came of it is what people approved: the warden's word and our own look must both say so. Pure.

use countersign_manifests_schema::proposal::Proposal;
use countersign_manifests_schema::warden::Application;
use countersign_shared::observation::{Observation, set_digest};
use countersign_shared::proposal::Predicted;

/// What the set must be afterwards, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Foretold {
    /// This one: sha256 of the package set.
    Exactly(String),
    /// The set before was another one than at the proposal, and is no longer known: the warden's word counts.
    ByTheWarden,
}

impl Foretold {
    /// By what the runner was right before.
    pub(super) fn from(before: &Observation<'_>, proposal: &Proposal) -> Result<Self, String> {
        let packages = before.packages.seen().ok_or("the packages were not read")?;
        let after = Predicted::new(&packages.list, &proposal.transaction).map_err(|error| error.to_string())?;
        Ok(Self::Exactly(after.set_digest()))
    }

    /// By what the ledger says of the set before.
    pub(super) fn recorded(before: &str, proposal: &Proposal) -> Self {
        match before == proposal.base.set_digest {
            true => Self::Exactly(proposal.predicted.set_digest.clone()),
            false => Self::ByTheWarden,
        }
    }
}

/// One sentence about what is not as foretold.
pub(super) fn judge(foretold: &Foretold, said: &Application, seen: &Observation<'_>) -> Result<(), String> {
    let packages = seen.packages.seen().ok_or("the packages could not be read afterwards")?;
    let now = set_digest(&packages.list);
    if said.after.as_ref() != Some(&now) {
        return Err("the packages are not those that the warden reported".to_owned());
    }
    match foretold {
        Foretold::Exactly(digest) if *digest != now => Err("the packages are not those that were foretold".to_owned()),
        Foretold::Exactly(_) | Foretold::ByTheWarden => Ok(()),
    }
}
