//! Signatures and allowed signers, next to `ssh-keygen -Y verify` and `git verify-commit`, and over real commits.
#![cfg(all(feature = "git", feature = "approval"))]
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table says how many of its cases ran")]

mod attacks;
mod bundles;
mod differences;
mod fuzz;
mod history_rules;
mod keys;
mod merges;
mod people;
#[path = "../repositories/mod.rs"]
mod repositories;
mod sample;
mod security_key;
mod signatures;
mod signed;
mod statements;

/// 2026-11-20 12:00 UTC.
const NOW: i64 = 1_795_176_000;
