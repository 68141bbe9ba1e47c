//! The warden on real runners, with real keys, real packages and a real dnf: what people signed is applied and nothing
//! else, and what did not come out as predicted, or was not confirmed, is undone.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise, and says what it did"
)]

mod alone;
mod elsewhere;
mod enrolling;
mod faults;
mod forge;
mod happy;
mod hooks;
mod house;
mod outcomes;
mod people;
mod power;
mod refusals;
mod restart;
mod room;
