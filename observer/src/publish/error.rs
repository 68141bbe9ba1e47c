//! Why nothing, or not everything, could be published.

use countersign_shared::git::GitError;
use countersign_shared::ssh::IdentityError;
use std::path::PathBuf;

/// Why the git side stopped.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// `[proposed]` names the same repository as `[canonical]`.
    #[error("[proposed] and [canonical] are the same repository")]
    SameRepository,
    /// `[proposed] branch` is a branch of proposals.
    #[error("branch of [proposed] is one of those that the observer writes")]
    OwnBranch,
    /// There is no key to sign with.
    #[error("[proposed] names no signing_key")]
    NoSigningKey,
    /// The key cannot be used.
    #[error("the key that signs proposals cannot be used")]
    SigningKey(#[source] IdentityError),
    /// The sibling repository cannot be fetched or pushed to.
    #[error("the repository of proposals cannot be used")]
    Git(#[from] GitError),
    /// The sibling repository's main does not descend from the last one seen.
    #[error("the history of proposed was rewritten")]
    Rewritten(#[source] GitError),
    /// An object could not be made in the mirror.
    #[error("cannot make a commit in the mirror {path:?}")]
    Objects {
        /// The mirror.
        path: PathBuf,
        /// libgit2's message.
        source: git2::Error,
    },
}

impl PublishError {
    /// Stable, lower-case with dashes.
    pub fn code(&self) -> &'static str {
        match self {
            PublishError::SameRepository => "same-repository",
            PublishError::OwnBranch => "own-branch",
            PublishError::NoSigningKey | PublishError::SigningKey(_) => "signing-key",
            PublishError::Git(error) => error.code(),
            PublishError::Rewritten(_) => "history-rewritten",
            PublishError::Objects { .. } => "mirror",
        }
    }

    /// What to do about it, where one thing helps.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            PublishError::SameRepository => "proposals go to a repository of their own, which the observer may push to",
            PublishError::OwnBranch => "name the branch into which people merge, such as main",
            PublishError::NoSigningKey => {
                "ssh-keygen -t ed25519 makes one; declare its public half as observer_sign under [keys] in fleet.toml"
            }
            PublishError::SigningKey(error) => error.hint(),
            PublishError::Git(GitError::Empty { .. }) => {
                "proposals are based on its branch: commit a README there and push it"
            }
            PublishError::Git(GitError::Auth { .. }) => {
                "add the public half of [proposed] ssh_key to that repository as a deploy key that may push"
            }
            PublishError::Git(error) | PublishError::Rewritten(error) => return error.hint(),
            PublishError::Objects { .. } => "the mirror is a cache: delete it, and the next run fetches it again",
        })
    }
}
