//! The person's tool: shows what waits, says yes or no with the person's own signature, and goes on duty.
//!
//! It runs as the person, with git and ssh-keygen as that person has set them up; it holds no key and decides nothing:
//! whatever it makes is judged again by the actuator and by the runner. It says exactly which commands it ran. It never
//! touches a checked-out tree, an index or a local branch that is there already, runs no hook, and deletes nothing.
//!
//! The way of the data: `desk` (both repositories, fetched) → `shelf` (the proposals in them) → `examine` (each one
//! recomputed) → `verb` (what the person wants done).
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test may stop at the first surprise"))]

mod adopt;
mod ask;
pub mod cli;
mod config;
mod desk;
mod examine;
mod git;
mod notary;
mod shelf;
mod shell;
mod signer;
mod stop;
mod verb;
