//! Whether yesterday's proposal still says what today's would.

use super::judge::time;
use super::sealed::Sealed;
use countersign_manifests_schema::proposal::Proposal;
use jiff::Timestamp;

/// Whether the stored proposal is kept byte for byte: it says the same, and at least a quarter of its life is left.
///
/// What says the same: everything but the clock, the version of the observer, and the commit of canonical, of which
/// only the manifest counts.
pub fn is_worth_keeping(stored: &Sealed, fresh: &Sealed, now: Timestamp) -> bool {
    let (Ok(created), Ok(expires)) =
        (time("created", &stored.proposal().created), time("expires", &stored.proposal().expires))
    else {
        return false;
    };
    let life = expires.as_second().saturating_sub(created.as_second());
    let left = expires.as_second().saturating_sub(now.as_second());
    let born = created.as_second() <= now.as_second();
    born && left > 0 && left.saturating_mul(4) >= life && same(stored.proposal(), fresh.proposal())
}

fn same(stored: &Proposal, fresh: &Proposal) -> bool {
    let mut then = stored.clone();
    then.created.clone_from(&fresh.created);
    then.expires.clone_from(&fresh.expires);
    then.base.observed_at.clone_from(&fresh.base.observed_at);
    then.canonical.commit.clone_from(&fresh.canonical.commit);
    then.observer.clone_from(&fresh.observer);
    then == *fresh
}
