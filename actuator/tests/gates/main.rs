//! Every gate about repositories, people and the notary: reached by real repositories, real signatures and real
//! sockets, and passed just beside.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "../../../shared/tests/repositories/mod.rs"]
mod repositories;

mod approvals;
mod attacks;
mod bounds;
mod breaker;
mod commands;
mod notary;
mod spec;
mod stage;
mod standing;
