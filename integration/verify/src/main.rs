//! `cargo verify`: everything that a contributor or CI must pass.
//!
//! Each step is announced with a line, none is ever skipped in silence, and the last line is `N passed, N failed`,
//! counted from the tests' own output; a failed step that is no test counts as one failure.

mod lanes;
mod needs;
mod steps;
mod tally;

fn main() -> std::process::ExitCode {
    steps::run()
}
