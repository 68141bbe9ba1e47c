//! The ledger: no entry is lost or doubled, whatever the writer dies of; what was changed later is named; what was cut off
//! is seen by whoever has seen more.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::print_stderr, reason = "how many cases ran is part of the result")]

mod crash;
mod mirror;
mod place;
mod tampered;
mod witnesses;
