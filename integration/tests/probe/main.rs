//! The probe on real runners, behind a real sshd: what it says is what rpm and dnf say, and nothing on the runner
//! changes, whatever its key is used for.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise, and says what it read"
)]

mod answers;
mod attacks;
mod corners;
mod enrolling;
mod place;
