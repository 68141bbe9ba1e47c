//! Every gate about repositories, people and the notary: reached by real repositories, real signatures and real
//! sockets, and passed just beside.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "../../../shared/tests/repositories/mod.rs"]
mod repositories;
#[path = "../../../shared/tests/servers/mod.rs"]
#[expect(dead_code, reason = "some of these servers are for the tests of git itself")]
mod servers;

mod approvals;
mod attacks;
mod bounds;
mod breaker;
mod commands;
mod duty;
mod notary;
mod spec;
mod stage;
mod standing;
