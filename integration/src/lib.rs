//! Everything that needs more than one program: the lab of real runners, the embedded fleet, the demo, end-to-end tests.
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test may stop at the first surprise"))]

pub mod bench;
pub mod demo;
pub mod embedded;
pub mod forge;
pub mod lab;
