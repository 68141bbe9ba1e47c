//! `enroll`.

use super::Done;
use super::prepare::Desk;
use super::stop::Stop;
use countersign_shared::diagnostic::closest;
use countersign_shared::manifest::fleet::Fleet;

/// Prints what an administrator must do on a runner.
pub async fn enroll(_desk: Desk, _runner: &str, _ansible: bool, _remove: bool) -> Result<Done, Stop> {
    Err(Stop::invalid("usage", "not yet"))
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
