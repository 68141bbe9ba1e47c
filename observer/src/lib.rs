//! The observer: reads what is installed on a fleet, compares it with what people wrote, and says so.
//!
//! It cannot change a runner or canonical: there is no code here that could, and what its credentials could do is
//! measured at the start of every run. All that it can write outside its own directories are branches `proposals/*` of
//! the sibling repository and their pull requests; it never merges. The way of the data is `probe` (observation) →
//! `assess` (drift) → `report`, and from there `plan` → `propose` → `publish`.
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test may stop at the first surprise"))]

pub mod assess;
pub mod canonical;
pub mod cli;
pub mod config;
pub mod flow;
pub mod guard;
pub mod history;
pub mod notify;
pub mod observe;
pub mod onboard;
pub mod plan;
pub mod privilege;
pub mod probe;
pub mod propose;
pub mod publish;
pub mod report;
