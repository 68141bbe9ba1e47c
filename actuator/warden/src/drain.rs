//! Out of use for an application, and back into use after it: the runner's own programs.

use crate::config::Policy;
use crate::dnf::Records;
use crate::journal::Journal;
use crate::run::Program;
use std::path::Path;
use std::time::Duration;

/// Time that each may take.
const LIMIT: Duration = Duration::from_secs(1800);

/// Takes the runner out of use, where there is a program for it. The message is why it is not.
pub(crate) fn drain(policy: &Policy, home: &Path, records: &mut Records) -> Result<(), String> {
    run(policy.drain.as_deref(), home, records).map_err(|why| format!("the runner cannot be drained: {why}"))
}

/// Puts it back into use. The message is why it may not be.
pub(crate) fn undrain(journal: &Journal, home: &Path, records: &mut Records) -> Result<(), String> {
    let ran = run(journal.undrain.as_deref(), home, records);
    ran.map_err(|why| format!("the runner could not be put back into use: {why}"))
}

fn run(program: Option<&Path>, home: &Path, records: &mut Records) -> Result<(), String> {
    let Some(program) = program else { return Ok(()) };
    let program = Program::new(&program.to_string_lossy(), home).limit(LIMIT);
    let ran = program.run().map_err(|error| format!("it cannot be started: {error}"))?;
    records.push(ran.record.clone());
    match ran.good() {
        true => Ok(()),
        false => Err(ran.words()),
    }
}
