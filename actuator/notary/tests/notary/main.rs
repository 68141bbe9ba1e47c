//! The notary as a process, asked over its socket, with signatures of ssh-keygen.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::print_stderr, reason = "how many cases ran, and what could not run, is part of the result")]

mod budgets;
mod clock;
mod crash;
mod leases;
mod load;
mod peers;
mod process;
mod stage;
mod start;
mod tokens;
