//! `enroll`.

use super::Done;
use super::prepare::Desk;
use super::stop::Stop;
use crate::probe::Enrollment;
use countersign_shared::diagnostic::closest;
use countersign_shared::exit::Outcome;
use countersign_shared::manifest::fleet::Fleet;

/// Prints what an administrator must do on a runner. Nothing is installed by us. The keys in it are from a
/// canonical behind which people stand, or nothing is printed.
pub async fn enroll(mut desk: Desk, runner: &str, ansible: bool, remove: bool) -> Result<Done, Stop> {
    let (loaded, notices) = desk.canonical().await?;
    for notice in &notices {
        tracing::warn!("{}: {}", notice.code, notice.message);
    }
    let fleet = &loaded.canonical.fleet;
    let Some(found) = fleet.runner(runner) else {
        return Err(no_such_runner(fleet, runner));
    };
    let keys: Vec<String> = fleet.keys.observer_ssh.iter().map(ToString::to_string).collect();
    let enrollment = Enrollment::new(&found.name, &found.user, keys.iter().map(String::as_str))
        .map_err(|error| Stop::of(Outcome::Invalid, "enroll", &error))?;
    let text = match (ansible, remove) {
        (true, _) => enrollment.playbook(),
        (false, true) => enrollment.removal(),
        (false, false) => enrollment.script(),
    };
    Ok(Done::text(Outcome::Clean, text))
}

/// The name is not one of the fleet.
pub(super) fn no_such_runner(fleet: &Fleet, name: &str) -> Stop {
    let names = fleet.runners.iter().map(|runner| runner.name.as_str());
    let stop = Stop::invalid("usage", format!("there is no runner {name:?} in fleet.toml"));
    match closest(name, names) {
        Some(close) => stop.hint(format!("did you mean {close}?")),
        None => stop.hint("the names are those under [runners] in fleet.toml"),
    }
}
