//! Plans of real runners: what the observer says that dnf would do is what dnf does.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise, and says what it tried"
)]

#[path = "../probe/place.rs"]
mod place;

mod configuration;
mod incident;
mod property;
mod proposals;
mod refreshed;
mod requests;
mod stage;
mod universe;
