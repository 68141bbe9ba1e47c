//! The undo that needs nobody: a process of its own session that outlives its parent and the connection, and a check
//! that runs at boot and every minute, for when that process died too.

use crate::refused::Refused;
use crate::settle::{Due, due, settle};
use crate::store::Store;
use countersign_manifests_schema::warden::Stage;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Longest sleep: suspended time counts, and sleeping does not see it.
const NAP: Duration = Duration::from_secs(20);

/// What `check` says when nothing is under way. `remove` goes on at these words alone.
const NOTHING: &str = "nothing is under way";

/// Starts the process that undoes by itself.
pub(crate) fn arm(state_dir: &Path) -> io::Result<()> {
    let child = Command::new("/proc/self/exe")
        .arg("watch")
        .arg(state_dir)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    // It is not waited for: it outlives us.
    drop(child);
    Ok(())
}

/// Waits until nothing is under way, and undoes what is due. It gets the lock when whoever applies is done, or dead.
pub(crate) fn watch(state_dir: &Path) -> Result<(), Refused> {
    let _ = rustix::process::setsid();
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let store = Store::open(state_dir)?;
    loop {
        let lock = store.lock_at_last()?;
        match due(&store)? {
            Due::Nothing => return Ok(()),
            Due::Undo(_) => match settle(&store, &lock)? {
                // The machine cannot be read yet.
                Some(application) if application.stage == Stage::Started => {
                    drop(lock);
                    std::thread::sleep(NAP);
                }
                _ => return Ok(()),
            },
            Due::Waits(seconds) => {
                drop(lock);
                std::thread::sleep(Duration::from_secs(seconds).min(NAP));
            }
        }
    }
}

/// Undoes what is due now, clears away what an end has left, and says what is under way. A request that is at work is left to its work.
pub(crate) fn check(state_dir: &Path) -> Result<String, Refused> {
    let store = Store::open(state_dir)?;
    let lock = match store.lock(Duration::ZERO) {
        Ok(lock) => lock,
        Err(refused) if refused.code == "runner-busy" => return Ok("at work".to_owned()),
        Err(refused) => return Err(refused),
    };
    if let Some(application) = settle(&store, &lock)? {
        let detail = application.detail.unwrap_or_default();
        return Ok(format!("{}: {:?}: {detail}", application.proposal, application.stage).to_lowercase());
    }
    Ok(match due(&store)? {
        Due::Waits(seconds) => format!("an application waits {seconds} s more for its confirmation"),
        Due::Nothing | Due::Undo(_) => NOTHING.to_owned(),
    })
}
