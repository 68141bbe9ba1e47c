//! The lab by hand; `cargo lab help` says how.

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    countersign_integration::lab::cli::main(countersign_integration::lab::cli::Arguments::parse())
}
