//! On each runner, as root, behind a forced command: judges a bundle by its own keys and policy, applies it with dnf, and
//! undoes it unless it is confirmed in time. It believes nothing else.
//!
//! It cannot decide: what it applies is a closed transaction that people have signed, byte for byte. It cannot be told a
//! program, an option or a path: all of them are in here, or in a file that only root can write.
//!
//! | way of a request | where |
//! |---|---|
//! | one frame on stdin, to a worker in a session of its own | `front`, `serve` |
//! | what it is judged by | `config`, `owned` |
//! | what was ever started | `memory`, `store` |
//! | is it approved, is it new | `judge` |
//! | resolve, fetch, check | `stage`, `fetch`, `dnf` |
//! | spend, drain, replay, compare | `apply`, `drain`, `verdict` |
//! | keep, or take back | `settle`, `undo`, `scope`, `watch` |
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test may stop at the first surprise"))]

pub mod cli;

mod apply;
mod children;
mod clock;
mod config;
mod digest;
mod dnf;
mod drain;
mod faults;
mod fetch;
mod front;
mod glass;
mod hook;
mod inspect;
mod journal;
mod judge;
mod memory;
mod observe;
mod owned;
mod refused;
mod run;
mod scope;
mod serve;
mod set;
mod settle;
mod snapshot;
mod stage;
mod staged;
mod store;
mod undo;
mod verdict;
mod watch;
