//! `countersign-actuator apply`: on the embedded fleet, stopped at every step; and in the lab, on nine real runners.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise, and says what it did"
)]

mod again;
mod attempts;
mod faults;
#[path = "../observe/forge.rs"]
mod forge;
mod kept;
mod lost;
mod nine;
mod outcomes;
mod reach;
mod refusals;
mod scene;
mod stopped;
mod worker;
#[expect(dead_code, reason = "another test needs the rest")]
#[path = "../warden/forge.rs"]
mod workshop;
mod yard;
