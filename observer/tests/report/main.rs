//! What people and programs are told about a run, from sample reports.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod files;
mod html;
mod markdown;
mod metrics;
mod sample;
mod text;
