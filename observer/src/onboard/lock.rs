//! `lock RUNNER`: the complete package set of a runner as a lock file.

use crate::assess::rfc3339;
use countersign_shared::manifest::write;
use countersign_shared::observation::{Failure, Observation};

/// The text of a lock file, with a comment that says whose set it is and of when.
pub fn lock(runner: &str, observation: &Observation<'_>) -> Result<String, Failure> {
    let file = write::lock_of(observation)?;
    let at = rfc3339(observation.at).unwrap_or_else(|| "an unknown time".to_owned());
    let comment =
        format!("The packages of {runner} at {at}.\nA manifest is closed by it with `lock = \"locks/NAME.toml\"`.");
    Ok(write::lock(&comment, &file))
}
