//! Read-only git: a bare mirror below the program's state directory, filled by the git CLI and read by libgit2.
//!
//! What this module cannot do: write to a remote. [`transport`] is the only place that starts git, its verbs are a
//! closed enum, and the one `push` in it is a dry run that proves that pushing is refused ([`write_probe`]).
//! There is never a work tree. Everything blocks: call it inside `spawn_blocking`.

pub mod error;
pub mod history;
pub mod mirror;
pub mod remote;
pub mod snapshot;
pub mod transport;
pub mod write_probe;

pub use error::GitError;
pub use history::{Commit, CommitId};
pub use mirror::Mirror;
pub use remote::{Kind, Reference, Remote, RemoteUrl, SshAccess};
pub use snapshot::{Limits, Snapshot, Wanted};
