//! The log, on stderr.

use super::args::LogFormat;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Sends the log of this process to stderr.
pub(super) fn start(format: LogFormat, verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "countersign_actuator=info,countersign_shared=info,warn",
        _ => "countersign_actuator=debug,countersign_shared=debug,info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
    // A second start (in tests) keeps the first.
    let _ = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
