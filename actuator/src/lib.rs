//! The actuator: applies only what people have countersigned, exactly as approved. It links nothing of the observer.
//!
//! So far it can be stopped, and do nothing else: [`countersign_shared::halt`] is the first thing that is asked before each mutation, and it
//! comes before everything that could mutate.

pub use countersign_shared::halt;
