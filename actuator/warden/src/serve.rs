//! The worker: one request, one answer, in a session of its own, so that a lost connection ends nothing half-way.

use crate::config::Policy;
use crate::refused::Refused;
use crate::settle::{confirm, settle};
use crate::store::Store;
use crate::{apply, inspect, stage};
use countersign_manifests_schema::warden::{WardenAnswer, WardenRequest};
use countersign_shared::warden::{self, HEADER_MAX, REQUEST_MAX};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

/// How long a request waits for another one to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads the request from stdin, answers on stdout.
pub(crate) fn work(config: &Path) {
    let _ = rustix::process::setsid();
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let mut bytes = Vec::new();
    let most = (HEADER_MAX + REQUEST_MAX + 1) as u64;
    let answer = match io::stdin().lock().take(most).read_to_end(&mut bytes) {
        Ok(_) => answer(&bytes, config).unwrap_or_else(WardenAnswer::from),
        Err(error) => Refused::because("request", &error).into(),
    };
    // Whoever asked may be gone; what was done is remembered.
    let mut out = io::stdout().lock();
    let _ = out.write_all(&warden::answer(&answer)).and_then(|()| out.flush());
}

fn answer(bytes: &[u8], config: &Path) -> Result<WardenAnswer, Refused> {
    let request = warden::open_request(bytes).map_err(|error| Refused::because("request", &error))?;
    let policy = Policy::load(config).map_err(|error| Refused::because("warden", &error))?;
    let store = Store::open(&policy.state_dir)?;
    match request {
        WardenRequest::Status {} => inspect::status(&store),
        WardenRequest::Inspect { listed } => {
            // What is due is brought to its end whenever somebody comes by; who is at work is left to it.
            if let Ok(lock) = store.lock(Duration::ZERO) {
                settle(&store, &lock)?;
            }
            inspect::inspect(&listed, &policy, &store)
        }
        WardenRequest::Stage { bundle } => {
            let lock = store.lock(PATIENCE)?;
            settle(&store, &lock)?;
            stage::stage(&bundle, &policy, &store)
        }
        WardenRequest::Apply { bundle } => {
            let lock = store.lock(PATIENCE)?;
            settle(&store, &lock)?;
            apply::apply(&bundle, &policy, &store, &lock)
        }
        WardenRequest::Confirm { proposal, keep } => {
            let lock = store.lock(PATIENCE)?;
            settle(&store, &lock)?;
            confirm(&proposal, keep, &store, &lock).map(WardenAnswer::Outcome)
        }
    }
}
