//! The desired package state: loading, merging and checking what people wrote.

pub mod approvers;
pub mod canonical;
pub(crate) mod digest;
pub mod effective;
pub mod file;
pub mod findings;
pub mod fleet;
mod lock;
mod merge;
pub mod policy;
pub mod read;
mod rule;
pub mod ssh_key;
pub mod version;
pub mod waiver;
pub mod window;
pub mod write;

pub use canonical::Canonical;
