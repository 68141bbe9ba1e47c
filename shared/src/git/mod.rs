//! Git: a bare mirror below the program's state directory, filled by the git CLI and read by libgit2.
//!
//! What this module cannot do: write to canonical. [`transport`] is the only place that starts git, its verbs are a
//! closed enum, and the `push` in it is a dry run that proves that pushing is refused ([`write_probe`]). Built with the
//! feature `push`, as the observer alone is, it has one more, which can name branches `proposals/*` and nothing else; with
//! `receipts`, as the actuator alone is, one that writes `main` of the repository that keeps a copy of the ledger.
//! There is never a work tree. Everything blocks: call it inside `spawn_blocking`.

mod child;
pub mod error;
pub mod history;
pub mod local_access;
pub mod mirror;
pub mod object;
pub mod proposals;
#[cfg(feature = "push")]
pub mod push;
#[cfg(feature = "receipts")]
pub mod receipts;
pub mod remote;
pub mod snapshot;
pub mod transport;
pub mod writable;
pub mod write_probe;

pub use error::GitError;
pub use history::{Commit, CommitId};
pub use mirror::Mirror;
pub use object::Entry;
pub use proposals::ProposalRef;
#[cfg(feature = "push")]
pub use push::{Pushed, Update};
pub use remote::{Kind, Reference, Remote, RemoteUrl, SshAccess};
pub use snapshot::{Limits, Snapshot, Wanted};
