//! What is known of one runner when its drift is to become a proposal.

use countersign_manifests_schema::report::DriftItem;
use countersign_shared::drift::{Compiled, Item};
use countersign_shared::manifest::policy::Policy;
use countersign_shared::observation::Observation;
use countersign_shared::proposal::{Blocked, Sealed, Standing};
use jiff::Timestamp;

/// One item of drift, as it was judged and as the report has it.
#[derive(Debug, Clone)]
pub struct Member {
    /// As it was judged.
    pub item: Item,
    /// As the report has it.
    pub reported: DriftItem,
    /// What is known besides.
    pub standing: Standing,
}

/// One runner.
#[derive(Debug, Clone, Copy)]
pub struct Case<'c> {
    /// Its name.
    pub runner: &'c str,
    /// Commit id of canonical.
    pub commit: &'c str,
    /// The manifest in force.
    pub compiled: &'c Compiled,
    /// What was seen.
    pub observation: &'c Observation<'c>,
    /// Its drift.
    pub members: &'c [Member],
    /// The policy.
    pub policy: &'c Policy,
    /// Names of packages, or `name.arch`; empty = all.
    pub only: &'c [String],
    /// Why nothing is proposed for this runner at all, such as a finding of the sequence guard.
    pub barred: Option<&'c Blocked>,
    /// What was proposed for it before.
    pub stored: Option<&'c Sealed>,
    /// When it is made.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proposed {
    /// The proposal, when something can be proposed.
    pub sealed: Option<Sealed>,
    /// Why some items are not in it, by their index.
    pub blocked: Vec<(usize, Blocked)>,
    /// Whether the runner could not be asked to the end, so that nothing is known about what is possible.
    pub unasked: bool,
}

impl Case<'_> {
    /// Whether an item is among those that were asked for.
    pub fn is_asked_for(&self, item: &Item) -> bool {
        let Some(name) = item.package.as_deref() else { return false };
        let with_arch = item.arch.as_ref().map(|arch| format!("{name}.{arch}"));
        self.only.is_empty() || self.only.iter().any(|only| only == name || Some(only) == with_arch.as_ref())
    }
}
