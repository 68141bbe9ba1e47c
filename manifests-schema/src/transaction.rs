//! A closed transaction: everything that dnf will do, dependencies included, and nothing else. Part of a proposal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `repo_id` of what leaves the machine.
pub const SYSTEM_REPO: &str = "@System";

/// What dnf will do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// Generation of the dnf that resolved it: 4 or 5.
    pub generation: u8,
    /// Sorted by nevra, then action, in byte order of their texts. A version change is two entries: the incoming one
    /// and [`Action::Replaced`].
    pub rpms: Vec<Change>,
}

/// One package change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// `name-[epoch:]version-release.arch`, epoch 0 left out.
    pub nevra: String,
    /// What happens to it.
    pub action: Action,
    /// Why dnf has it installed afterwards; for what leaves, why it had.
    pub reason: Reason,
    /// Where it comes from; [`SYSTEM_REPO`] for what leaves.
    pub repo_id: String,
    /// sha256 of the package file, 64 lower-case hex digits; null for what leaves and for changes of reason.
    pub sha256: Option<String>,
    /// Whether no item of drift asks for it: the runner's own solver says that it is needed.
    pub asserted: bool,
}

/// What happens to a package, in the words of dnf5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// Comes.
    Install,
    /// Comes in the place of an older one.
    Upgrade,
    /// Comes in the place of a newer one.
    Downgrade,
    /// Comes in its own place.
    Reinstall,
    /// Goes.
    Remove,
    /// Goes because another comes in its place.
    Replaced,
    /// Stays; dnf takes it to be there for another reason.
    #[serde(rename = "Reason Change")]
    ReasonChange,
}

/// Why dnf has a package installed, in the words of dnf5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Reason {
    /// dnf does not know.
    None,
    /// Another package needs it.
    Dependency,
    /// A person asked for it.
    User,
    /// Nothing needs it any more.
    Clean,
    /// Another package recommends it.
    #[serde(rename = "Weak Dependency")]
    WeakDependency,
    /// It came with a group.
    Group,
    /// Installed behind dnf's back.
    #[serde(rename = "External User")]
    ExternalUser,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 7] = [
        Action::Install,
        Action::Upgrade,
        Action::Downgrade,
        Action::Reinstall,
        Action::Remove,
        Action::Replaced,
        Action::ReasonChange,
    ];

    /// dnf5's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Action::Install => "Install",
            Action::Upgrade => "Upgrade",
            Action::Downgrade => "Downgrade",
            Action::Reinstall => "Reinstall",
            Action::Remove => "Remove",
            Action::Replaced => "Replaced",
            Action::ReasonChange => "Reason Change",
        }
    }

    /// Whether a package file comes onto the machine.
    pub const fn is_incoming(self) -> bool {
        matches!(self, Action::Install | Action::Upgrade | Action::Downgrade | Action::Reinstall)
    }

    /// Whether a package leaves the machine.
    pub const fn is_outgoing(self) -> bool {
        matches!(self, Action::Remove | Action::Replaced)
    }
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 7] = [
        Reason::None,
        Reason::Dependency,
        Reason::User,
        Reason::Clean,
        Reason::WeakDependency,
        Reason::Group,
        Reason::ExternalUser,
    ];

    /// dnf5's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::None => "None",
            Reason::Dependency => "Dependency",
            Reason::User => "User",
            Reason::Clean => "Clean",
            Reason::WeakDependency => "Weak Dependency",
            Reason::Group => "Group",
            Reason::ExternalUser => "External User",
        }
    }
}
