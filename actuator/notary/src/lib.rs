//! A daemon behind a unix socket: takes people's leases, burns each proposal once, signs tokens. It reaches nothing.
//!
//! What it cannot do: decide. A token is given out only under a lease that a listed person has signed, once, and the
//! record of it is on the disk before the key signs. The way of a request is the way of the files: [`socket`] →
//! [`serve`] (who asks, by [`peer`]) → [`desk`] → [`judge`] over [`memory`] → [`record`] on the disk → the answer.
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test may stop at the first surprise"))]

pub mod cli;
pub mod clock;
pub mod config;
pub mod desk;
pub mod judge;
pub mod lists;
pub mod memory;
pub mod nonces;
pub mod peer;
pub mod record;
pub mod serve;
pub mod socket;
