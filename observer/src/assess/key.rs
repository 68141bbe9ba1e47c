//! What makes an item the same item in another run.

use countersign_manifests_schema::report::DriftItem;
use countersign_shared::drift::adoption::Adopted;
use serde::{Deserialize, Serialize};

/// Code, package, arch, what is wanted and what is seen: a runner that drifts further has a new item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Drift code.
    pub code: String,
    /// Package; `None` for host items.
    pub package: Option<String>,
    /// Architecture.
    pub arch: Option<String>,
    /// The rule.
    pub wanted: Option<String>,
    /// What is there.
    pub seen: Vec<String>,
}

impl Key {
    /// The key of a reported item.
    pub fn of(item: &DriftItem) -> Self {
        Self {
            code: item.code.clone(),
            package: item.package.clone(),
            arch: item.arch.clone(),
            wanted: item.wanted.clone(),
            seen: item.seen.clone(),
        }
    }

    /// The item as a commit of canonical may adopt it for a runner.
    pub fn adopted<'k>(&'k self, runner: &'k str) -> Adopted<'k> {
        Adopted {
            runner,
            code: &self.code,
            package: self.package.as_deref(),
            arch: self.arch.as_deref(),
            wanted: self.wanted.as_deref(),
            seen: &self.seen,
        }
    }

    /// `name.arch`, `name`, or the code for host items.
    pub fn subject(&self) -> String {
        match (&self.package, &self.arch) {
            (Some(package), Some(arch)) => format!("{package}.{arch}"),
            (Some(package), None) => package.clone(),
            (None, _) => self.code.clone(),
        }
    }
}
