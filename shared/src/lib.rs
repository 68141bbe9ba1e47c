//! What the observer and the actuator both need, and nothing that can change a runner.
//!
//! The way of the data is the way of the modules: [`observation`] (what a runner was seen to be), [`manifest`] (what
//! it should be), [`drift`] (the difference), [`proposal`] (the closed transaction that would remove it).
//! Identity comes first: [`nevra`], [`evr`].
//! Everything in here is pure, except the features `git` and `ssh`, which read, and `push`, which can push branches
//! `proposals/*` and no other; only the observer asks for it. `receipts`, for which only the actuator asks, keeps a copy
//! of its ledger on `main` of a repository of its own.
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test may stop at the first surprise"))]

pub mod answer;
#[cfg(feature = "approval")]
pub mod approval;
pub mod canonical_json;
pub mod diagnostic;
pub mod drift;
pub mod duration;
#[cfg(feature = "approval")]
pub mod enroll;
pub mod evr;
pub mod exit;
#[cfg(feature = "git")]
pub mod git;
pub mod halt;
pub mod journal;
pub mod manifest;
pub mod nevra;
pub mod notary;
pub mod observation;
pub mod proposal;
pub mod settings;
#[cfg(feature = "approval")]
pub mod signing_key;
pub mod solver;
#[cfg(feature = "ssh")]
pub mod ssh;
pub mod state_lock;
pub mod terminal;
pub mod warden;
