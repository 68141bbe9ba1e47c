//! `enroll`.

use super::Done;
use super::prepare::Desk;
use super::stop::Stop;

/// Prints what an administrator must do on a runner.
pub async fn enroll(_desk: Desk, _runner: &str, _ansible: bool, _remove: bool) -> Result<Done, Stop> {
    Err(Stop::invalid("usage", "not yet"))
}
