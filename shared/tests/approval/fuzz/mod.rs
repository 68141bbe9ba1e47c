//! Fuzz targets for everything that reads what others have written and signed. `cargo test` runs a bounded burst over the
//! seeds in `__fuzz__`, over changed seeds, and over noise; `cargo bolero test -p countersign-shared --features approval,git
//! fuzz::targets::NAME` goes on for as long as one likes. `UPDATE_SEEDS=1` makes the seeds anew, with git and ssh-keygen.
//!
//! A target asserts more than that nothing panics: whatever is taken is one of the seeds, or is written as it was read.

mod mutate;
mod seeds;
mod targets;
