//! The real program, with real repositories, keys, agents and remotes, as a person would use it.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod adopt;
mod approve;
mod attacks;
mod duty;
mod own;
mod places;
mod proposals;
mod review;
mod stage;
