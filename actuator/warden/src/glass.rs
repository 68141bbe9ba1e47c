//! Break-glass: for a while, whoever is root may do without approval. Only root can set it, it ends by itself, and it
//! stays written down.

use crate::clock;
use crate::refused::Refused;
use crate::run::Program;
use crate::store::Store;
use countersign_shared::terminal::visible;
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

const FILE: &str = "break-glass.json";
const LOG: &str = "hook.log";
/// Seconds that it lasts at most.
const LONGEST: u64 = 24 * 3600;

/// One that is in force.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Glass {
    boot: String,
    until: u64,
    pub(crate) reason: String,
}

/// Breaks it for so many seconds.
pub(crate) fn break_it(store: &Store, seconds: u64, reason: &str) -> Result<(), Refused> {
    if !(1..=LONGEST).contains(&seconds) {
        return Err(Refused::new("request", "it lasts from 1s to 24h"));
    }
    if reason.trim().is_empty() {
        return Err(Refused::new("request", "it needs a reason"));
    }
    let failed = |error: std::io::Error| Refused::because("warden", &error);
    let boot = clock::boot().map_err(failed)?;
    let glass = Glass { boot, until: clock::since_boot() + seconds, reason: visible(reason.trim()).into_owned() };
    // Written down first: one that nobody can read about is not in force.
    log(store, &format!("break-glass for {seconds} s: {}", glass.reason)).map_err(failed)?;
    store.write(FILE, &glass).map_err(failed)
}

/// The one that is in force, if there is one.
pub(crate) fn in_force(store: &Store) -> Option<Glass> {
    let glass: Glass = store.read(FILE).ok()??;
    let boot = clock::boot().ok()?;
    (glass.boot == boot && clock::since_boot() < glass.until).then_some(glass)
}

/// Appends a line to the hook's log, and to the system's.
pub(crate) fn log(store: &Store, text: &str) -> std::io::Result<()> {
    let line = format!("{} {}\n", clock::text(clock::now()), visible(text));
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(store.path(LOG))?;
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    // Best effort: the file is the record, and not every machine has a system log.
    let _ = Program::new("logger", Path::new("/"))
        .args(["-t", "countersign-warden", "-p", "authpriv.notice", "--"])
        .args([visible(text).into_owned()])
        .run();
    Ok(())
}
