//! `enroll`: prints what an administrator does on a runner before anything can be applied there.

use super::show;
use crate::config::Config;
use crate::enroll::{Enrollment, Rules};
use crate::gather::{self, From};
use crate::stop::{Done, Stop};
use countersign_shared::canonical_json;
use countersign_shared::diagnostic::closest;
use countersign_shared::exit::Outcome;
use countersign_shared::state_lock::StateLock;
use jiff::Timestamp;
use serde::Serialize;
use std::path::Path;

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A shell script for root.
    Script,
    /// An Ansible playbook.
    Playbook,
    /// The script that takes it back.
    Removal,
}

/// `countersign/enroll/1`
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    runner: &'a str,
    text: &'a str,
}

/// Prints it. `program` is the warden's program as it will be on the runner, `notary` the notary's public key.
pub fn enroll(config: &Config, runner: &str, form: Form, program: &Path, notary: &Path) -> Result<Done, Stop> {
    let _lock = StateLock::take(&config.state_dir)?;
    let spec = gather::canonical(config, From::Remotes, Timestamp::now().as_second())?;
    for notice in &spec.notices {
        tracing::warn!("{}: {}", notice.code, notice.message);
    }
    let canonical = &spec.canonical;
    let fleet = &canonical.fleet;
    let Some(found) = fleet.runner(runner) else {
        let stop = Stop::invalid("usage", format!("there is no runner {runner:?} in fleet.toml"));
        return Err(match closest(runner, fleet.runners.iter().map(|runner| runner.name.as_str())) {
            Some(close) => stop.hint(format!("did you mean {close}?")),
            None => stop.hint("the names are those under [runners] in fleet.toml"),
        });
    };
    // The people of the runner are the pinned ones: what a commit says decides nothing here.
    let approvers = text(&config.trust.approvers)?;
    let notary = text(notary).map_err(|stop| stop.hint("--notary-key names the notary's public key"))?;
    let bytes = read(program).map_err(|stop| stop.hint("--warden names the program countersign-warden"))?;
    let rules = Rules { approvers: &approvers, notary: &notary, policy: &canonical.policy, machines: &fleet.keys };
    let keys: Vec<String> = fleet.keys.actuator_ssh.iter().map(ToString::to_string).collect();
    let keys = keys.iter().map(String::as_str);
    let enrollment = Enrollment::new(&found.name, &found.actuator_user, keys, &canonical_json::sha256(&bytes), &rules)
        .map_err(|error| Stop::of(Outcome::Invalid, "enroll", &error))?;
    let text = match form {
        Form::Script => enrollment.script(),
        Form::Playbook => enrollment.playbook(),
        Form::Removal => enrollment.removal(),
    };
    let json = show::json(&Document { schema: "countersign/enroll/1", runner: &found.name, text: &text })?;
    Ok(Done { outcome: Outcome::Clean, text, json })
}

fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    std::fs::read(path).map_err(|error| Stop::invalid("enroll", format!("{} cannot be read: {error}", path.display())))
}

fn text(path: &Path) -> Result<String, Stop> {
    String::from_utf8(read(path)?).map_err(|_| Stop::invalid("enroll", format!("{} is not UTF-8", path.display())))
}
