//! The actuator: applies only what people have countersigned, exactly as approved. It links nothing of the observer.
//!
//! So far it can be stopped, and do nothing else: [`countersign_shared::halt`] is the first thing that is asked before each mutation, and it
//! comes before everything that could mutate.
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test may stop at the first surprise"))]

pub use countersign_shared::halt;
