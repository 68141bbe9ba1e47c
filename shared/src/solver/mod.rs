//! What a runner's own solver says that a wanted change would take.
//!
//! dnf5 prints a table, dnf4 is asked for rows; both are read strictly: a section, a column or a count that is not
//! understood is a failure, never a guess. Nothing in here asks; see the probe for the questions.

mod answer;
mod attempt;
mod rows;
mod table;

pub use answer::{Keeps, Offer, Offers, PlanAnswer, Repo, base_digest};
pub use attempt::{Attempt, Verdict};
pub use table::{Table, TableError};

use countersign_manifests_schema::transaction::{Action, Reason};

/// One change of a resolved transaction, as far as the solver's words tell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// `name-[epoch:]version-release.arch`, epoch 0 left out.
    pub nevra: String,
    /// What happens.
    pub action: Action,
    /// Why; `None` where dnf5's table does not say.
    pub reason: Option<Reason>,
    /// Where it comes from; `@System` for what leaves.
    pub repo_id: String,
    /// sha256 of the file, where the solver says it.
    pub sha256: Option<String>,
    /// What comes in the place of this package: `nevra`s of other steps.
    pub replaced_by: Vec<String>,
}

/// dnf's words for a reason, of either generation: `Weak Dependency`, `weak-dependency`.
pub fn reason(word: &str) -> Option<Reason> {
    Some(match word.to_ascii_lowercase().replace('-', " ").as_str() {
        "none" | "unknown" => Reason::None,
        "dependency" => Reason::Dependency,
        "user" => Reason::User,
        "clean" => Reason::Clean,
        "weak dependency" => Reason::WeakDependency,
        "group" => Reason::Group,
        "external user" => Reason::ExternalUser,
        _ => return None,
    })
}
