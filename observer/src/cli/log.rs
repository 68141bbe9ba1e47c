//! Logs and progress, both on stderr.

use super::args::LogFormat;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal as _, Write};
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// The bar of a run; hidden unless stderr is a terminal.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A hidden bar, for as long as the number of runners is not known.
    pub fn new() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    /// Shows the bar for so many runners, on a terminal.
    pub fn begin(&self, runners: usize) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        self.bar.set_length(runners as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} runners  {msg}") {
            self.bar.set_style(style);
        }
        self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    }

    /// Shows how far it is.
    pub fn show(&self, done: usize, failed: usize, running: usize) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(done as u64);
        self.bar.set_message(format!("{failed} failed, {running} running"));
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// Sends the log of this process to stderr, between two drawings of the bar.
pub(super) fn start(format: LogFormat, verbose: u8, progress: &Progress) {
    let level = match verbose {
        0 => "warn",
        1 => "countersign=info,countersign_observer=info,countersign_shared=info,warn",
        _ => "countersign=debug,countersign_observer=debug,countersign_shared=debug,info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let bar = Arc::new(progress.bar.clone());
    let writer = move || Stderr { bar: Arc::clone(&bar) };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colour);
    // A second start (in tests) keeps the first.
    let _ = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

struct Stderr {
    bar: Arc<ProgressBar>,
}

impl Write for Stderr {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.bar.suspend(|| std::io::stderr().write_all(buffer)).map(|()| buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
