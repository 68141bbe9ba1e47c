//! The first day: `init`, `enroll`, `baseline`, `lock`.

use super::Done;
use super::prepare::Desk;
use super::stop::Stop;
use std::path::Path;

/// Writes the skeleton of canonical from an Ansible inventory.
pub fn init(_inventory: &Path, _known_hosts: Option<&Path>, _into: &Path) -> Result<Done, Stop> {
    Err(Stop::invalid("usage", "not yet"))
}

/// Writes a manifest that fits most of a group.
pub async fn baseline(_desk: Desk, _group: &str, _into: &Path, _days: u16) -> Result<Done, Stop> {
    Err(Stop::invalid("usage", "not yet"))
}

/// Prints the complete package set of a runner as a lock.
pub async fn lock(_desk: Desk, _runner: &str) -> Result<Done, Stop> {
    Err(Stop::invalid("usage", "not yet"))
}

/// Prints what an administrator must do on a runner.
pub async fn enroll(_desk: Desk, _runner: &str, _ansible: bool, _remove: bool) -> Result<Done, Stop> {
    Err(Stop::invalid("usage", "not yet"))
}
