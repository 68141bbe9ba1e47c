//! The actuator: applies only what people have countersigned, exactly as approved. It links nothing of the observer.
//!
//! It cannot decide: what may be applied is what listed people have signed and every gate lets pass. It cannot write
//! canonical nor the proposals: it measures that its credentials are refused. The way of the data is [`gather`]
//! (repositories, people, notary: proposals and approvals) → [`facts`] → [`gates`] → a verdict for each proposal →
//! [`mod@apply`] (a runner's warden, step by step) → [`ledger`] (the receipt).
//! [`halt`] is the first thing that is asked before each mutation, and never stops an undo.
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test may stop at the first surprise"))]

pub mod apply;
pub mod bounds;
pub mod breaker;
pub mod cli;
pub mod config;
pub mod enroll;
pub mod facts;
pub mod flow;
pub mod gates;
pub mod gather;
pub mod ledger;
pub mod stop;

pub use countersign_shared::halt;
