//! SSH against OpenSSH's own sshd in its default configuration, and against servers that misbehave.
#![cfg(feature = "ssh")]
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod authentication;
mod connection;
mod faults;
mod log;
mod openssh;
mod reach;
mod run;
mod scripted;
mod sshd;
