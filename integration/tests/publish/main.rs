//! Publishing: branches in a real repository, pull requests at a forge with that repository behind it.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod attacks;
mod branches;
mod contract;
mod merging;
mod nights;
mod refusals;
mod stage;
