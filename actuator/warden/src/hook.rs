//! What dnf5's actions plugin asks: inside our own replay, whether the set is the approved one; inside everybody's
//! transaction, where the runner wants that, whether it may be at all.

use crate::config::{HookMode, Policy};
use crate::dnf::{compare_inside, told};
use crate::glass;
use crate::refused::chain;
use crate::store::Store;
use serde_json::json;
use std::fs;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::path::Path;

/// Bytes of dnf's reply that are read.
const REPLY_MAX: u64 = 32 << 20;
/// Packages that are written down of one transaction.
const TOLD_MAX: usize = 50;

/// Inside our own replay. Everything but the expected set stops dnf.
pub(crate) fn replay(when: &str, directory: &Path) {
    if let Err(why) = compare_inside(when, directory, packages) {
        stop(&why);
    }
}

/// Inside everybody's transaction. dnf takes silence for consent, so everything that is not understood stops it.
pub(crate) fn everybody(config: &Path) {
    let policy = match Policy::load(config) {
        Ok(policy) => policy,
        Err(error) => return stop(&format!("countersign: {}", chain(&error))),
    };
    if policy.hook == HookMode::Off {
        return;
    }
    let store = match Store::open(&policy.state_dir) {
        Ok(store) => store,
        Err(refused) => return stop(&format!("countersign: {}", refused.message)),
    };
    let told = packages().as_deref().and_then(told).unwrap_or_default();
    let list: Vec<String> =
        told.iter().take(TOLD_MAX).map(|package| format!("{}{}", package.direction, package.full_nevra)).collect();
    let list = list.join(" ");
    let who = who();
    let glass = glass::in_force(&store);
    let (word, may) = match (policy.hook, &glass) {
        (HookMode::Block, None) => ("refused", false),
        (HookMode::Block, Some(_)) => ("let pass by break-glass", true),
        _ => ("seen", true),
    };
    let reason = glass.map(|glass| format!(" ({})", glass.reason)).unwrap_or_default();
    let logged = glass::log(&store, &format!("{word}{reason}: {who}: {list}"));
    if policy.hook == HookMode::Audit {
        return;
    }
    if let Err(error) = logged {
        return stop(&format!("countersign: it cannot be written down: {error}"));
    }
    if !may {
        stop(
            "countersign: nobody approved this transaction. Change the manifest, or in an emergency: \
             countersign-warden break-glass --for 15m --reason TEXT",
        );
    }
}

/// Asks dnf for the packages of its transaction: the whole reply.
fn packages() -> Option<String> {
    let ask = json!({
        "op": "get", "domain": "trans_packages",
        "args": { "output": ["direction", "action", "full_nevra", "repo_id"] },
    });
    say(&ask.to_string()).ok()?;
    let mut line = String::new();
    io::stdin().lock().take(REPLY_MAX).read_line(&mut line).ok()?;
    line.ends_with('\n').then_some(line)
}

fn stop(message: &str) {
    let said = say(&json!({ "op": "stop", "args": { "message": message } }).to_string());
    if said.is_err() {
        // Without an answer dnf goes on; with this exit status it does not.
        std::process::exit(1);
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// The login uid of whoever runs dnf, and its command line.
fn who() -> String {
    let login = fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
    let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    let command = fs::read(format!("/proc/{parent}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    format!("login uid {}, {}", login.trim(), command.trim())
}
