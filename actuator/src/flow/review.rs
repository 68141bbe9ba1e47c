//! `review --since D`: what was applied, by whom it was approved, and how it ended.

use crate::config::Config;
use crate::stop::{Done, Stop};
use countersign_shared::terminal::Screen;

/// Lists it.
pub fn review(_config: &Config, _since: &str, _screen: Screen) -> Result<Done, Stop> {
    Err(Stop::invalid("no-ledger", "nothing was ever applied"))
}
