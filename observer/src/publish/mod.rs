//! Proposals leave the machine: signed commits on branches of the sibling repository, and one pull request per class.
//!
//! The way of the data: [`Ready`] → `branches` (who shares a branch) → `commit` (objects in the mirror, signed) →
//! [`repository`] (pushed, each branch only if it is where it was) → [`forge`] (pull requests) or [`summary`].
//! What cannot be done from here: writing any branch but `proposals/*`, rewriting what was merged, merging, commenting.

mod branches;
mod commit;
mod error;
pub mod forge;
mod gather;
mod merge;
mod night;
pub mod repository;
pub mod summary;

pub use error::PublishError;
pub use gather::gather;
pub use night::{Door, Known, Night, publish};
pub use repository::{Branch, Change, Place, Synced, remove, sync};

/// One proposal that is to be offered to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The runner's name in `fleet.toml`.
    pub runner: String,
    /// The group whose runners share a pull request; `None` = this runner has its own.
    pub group: Option<String>,
    /// 64 hex digits that proposals of one class share.
    pub class: String,
    /// sha256 of `proposal_json`, 64 hex digits.
    pub id: String,
    /// When it was made, Unix seconds; the time of the commit that brings it.
    pub created: i64,
    /// The machine's truth.
    pub proposal_json: Vec<u8>,
    /// The same for a reader.
    pub readme: String,
    /// What it does, in numbers.
    pub counts: Counts,
    /// Whom it concerns: an e-mail address, or a name on the forge.
    pub owner: Option<String>,
}

/// How much a transaction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Items of drift that go away.
    pub drift: usize,
    /// Packages that come in anew.
    pub installs: usize,
    /// Packages that get another version.
    pub changes: usize,
    /// Packages that go.
    pub removals: usize,
    /// Whether a protected package is among them.
    pub protected: bool,
}
