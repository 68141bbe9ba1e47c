//! One night's publishing: push, then pull requests, then what is gone goes. Whatever breaks in between, the next run
//! finds what is there and goes on from it.

use super::forge::{Forge, ForgeError, Kept, Ladder, wishes};
use super::repository::{self, Change, Place, Synced};
use super::{PublishError, Ready};
use countersign_shared::git::{CommitId, ProposalRef, Pushed};
use countersign_shared::manifest::ssh_key::PublicKey;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a night brought.
#[derive(Debug)]
pub struct Night {
    /// The branches.
    pub synced: Synced,
    /// The pull requests, if there is a forge.
    pub pulls: Option<Result<Kept, ForgeError>>,
    /// Branches that should have gone and did not, and why.
    pub left: Vec<(ProposalRef, Pushed)>,
}

/// What a run knows beside its proposals.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Runners about which this run can say nothing: what they were offered stays.
    pub unjudged: BTreeSet<String>,
    /// Public keys of observers, from `fleet.toml`.
    pub declared: Vec<PublicKey>,
    /// The tip of main that the last run saw.
    pub seen: Option<CommitId>,
}

/// The forge, as far as there is one.
#[derive(Clone, Copy)]
pub enum Door<'a> {
    /// There is none: branches are all.
    None,
    /// There is one, but it cannot be used in this run. Branches are pushed, and none is taken away.
    Shut,
    /// It can be used.
    Open(&'a Forge),
}

/// Publishes. An error means that not even the branches could be looked at or pushed.
pub async fn publish(
    place: Place,
    door: Door<'_>,
    ready: Vec<Ready>,
    known: Known,
    ladder: Ladder,
) -> Result<Night, PublishError> {
    let (place, ready) = (Arc::new(place), Arc::new(ready));
    let synced = {
        let (place, ready) = (Arc::clone(&place), Arc::clone(&ready));
        away(move || repository::sync(&place, &ready, &known.unjudged, &known.declared, known.seen)).await?
    };
    let pulls = match door {
        Door::Open(forge) => {
            let base = place.main_branch();
            let (wanted, unwanted) = wishes(&synced, &ready, base);
            Some(forge.keep(&wanted, &unwanted, base, ladder).await)
        }
        Door::None | Door::Shut => None,
    };
    // A forge closes a pull request whose branch is gone, and that would look like a person's doing: the branch goes last.
    let free = |branch: &ProposalRef| match &pulls {
        None => matches!(door, Door::None),
        Some(Ok(kept)) => !kept.still_open.contains(branch.short()),
        Some(Err(_)) => false,
    };
    let gone = |change: &Change| matches!(change, Change::Gone | Change::Superseded);
    let going: Vec<_> = synced.branches.iter().filter(|b| gone(&b.change) && free(&b.branch)).cloned().collect();
    let left = away(move || repository::remove(&place, &going.iter().collect::<Vec<_>>())).await?;
    Ok(Night { synced, pulls, left })
}

/// Runs what blocks (git) away from the runtime.
async fn away<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PublishError> + Send + 'static,
) -> Result<T, PublishError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // A bug there is a bug here.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
