//! What was resolved, fetched and checked, and waits to be applied; afterwards, what an undo needs.

use crate::refused::Refused;
use crate::set::Instance;
use crate::store::Store;
use countersign_manifests_schema::proposal::WayBackKind;
use countersign_manifests_schema::transaction::Transaction;
use countersign_shared::canonical_json;
use serde::{Deserialize, Serialize};

/// Where it waits.
pub(crate) const STAGED: &str = "staged";
/// Where it is from its application until it is confirmed or undone.
pub(crate) const CURRENT: &str = "current";
/// Where it is made.
pub(crate) const STAGING: &str = "staging";
/// Its description, in each of them.
const FILE: &str = "staged.json";

/// A staging, with the nonce under which it may be applied once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Staged {
    /// 64 hex digits.
    pub(crate) nonce: String,
    /// The boot in which it is good.
    pub(crate) boot: String,
    /// Seconds since that boot until which it is good.
    pub(crate) until: u64,
    /// What it is.
    pub(crate) contents: Contents,
}

/// What the digest of a staging is over.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contents {
    /// sha256 of the proposal.
    pub(crate) proposal: String,
    /// When it was created.
    pub(crate) created: String,
    /// Everything that dnf will do.
    pub(crate) transaction: Transaction,
    /// How the proposal wants it to be undone.
    pub(crate) way_back: WayBackKind,
    /// The digest of the machine's state, as the proposal's `base`.
    pub(crate) base: String,
    /// The whole set before.
    pub(crate) former: Vec<Instance>,
    /// The package-set digest of that set.
    pub(crate) before: String,
    /// The whole set afterwards.
    pub(crate) wanted: Vec<Instance>,
    /// sha256 of that set.
    pub(crate) after: String,
    /// What comes.
    pub(crate) incoming: Vec<PackageFile>,
    /// What goes, fetched so that it can come back.
    pub(crate) outgoing: Vec<PackageFile>,
}

/// A checked package file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PackageFile {
    /// `name-[epoch:]version-release.arch`, from inside the file.
    pub(crate) nevra: String,
    /// Relative to the staging.
    pub(crate) file: String,
    /// Of the file, 64 hex digits.
    pub(crate) sha256: String,
    /// Of its header, as rpm's database has it once it is installed.
    pub(crate) header: String,
    /// Whether a key of the runner's own keyring signed it.
    pub(crate) signed: bool,
}

impl Contents {
    /// sha256 of its canonical JSON.
    pub(crate) fn digest(&self) -> Result<String, Refused> {
        let bytes = canonical_json::to_bytes(self).map_err(|error| Refused::because("warden", &error))?;
        Ok(canonical_json::sha256(&bytes))
    }

    /// The generation of dnf that does it.
    pub(crate) fn generation(&self) -> u8 {
        self.transaction.generation
    }
}

impl Staged {
    /// Writes the description into a directory of the store.
    pub(crate) fn save(&self, store: &Store, directory: &str) -> std::io::Result<()> {
        store.write(&format!("{directory}/{FILE}"), self)
    }

    /// Reads it; `None` where nothing is.
    pub(crate) fn load(store: &Store, directory: &str) -> std::io::Result<Option<Self>> {
        store.read(&format!("{directory}/{FILE}"))
    }
}
