//! Whoever can write what we are configured by decides in our place; whoever can read our keys is us.

use super::{Code, Violation};
use crate::config::Config;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

pub(super) fn look(config: &Config) -> Vec<Violation> {
    let me = rustix::process::geteuid().as_raw();
    let mut violations = Vec::new();
    let decides = [Some(&config.file), Some(&config.trust.approvers), config.trust.revoked.as_ref()];
    let known_hosts = [&config.ssh.known_hosts, &config.canonical.known_hosts, &config.proposed.known_hosts];
    for path in decides.into_iter().chain(known_hosts.map(Option::as_ref)).flatten() {
        violations.extend(writable(path, me));
    }
    let keys = [&config.ssh.key, &config.canonical.ssh_key, &config.proposed.ssh_key];
    for path in keys.into_iter().flatten().chain([&config.ledger.signing_key]) {
        violations.extend(exposed(path, me));
    }
    violations
}

/// Whether anybody but root and this account could write the file or put another in its place.
fn writable(path: &Path, me: u32) -> Option<Violation> {
    let open = |path: &Path| -> std::io::Result<Option<String>> {
        let metadata = fs::metadata(path)?;
        let (mode, owner) = (metadata.permissions().mode(), metadata.uid());
        let sticky = metadata.is_dir() && mode & 0o1000 != 0;
        if owner != 0 && owner != me {
            return Ok(Some(format!("{} belongs to user id {owner}", path.display())));
        }
        Ok((mode & 0o022 != 0 && !sticky)
            .then(|| format!("{} can be written by others (mode {:04o})", path.display(), mode & 0o7777)))
    };
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) => return Some(Violation::new(Code::ConfigWritable, format!("{}: {error}", path.display()))),
    };
    for path in real.ancestors() {
        match open(path) {
            Ok(None) => {}
            Ok(Some(message)) => return Some(Violation::new(Code::ConfigWritable, message)),
            Err(error) => return Some(Violation::new(Code::ConfigWritable, format!("{}: {error}", path.display()))),
        }
    }
    None
}

/// Whether a private key belongs to this account alone.
fn exposed(path: &Path, me: u32) -> Option<Violation> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        // A key that is not there is said by whoever needs it.
        Err(_) => return None,
    };
    let (mode, owner) = (metadata.permissions().mode() & 0o7777, metadata.uid());
    if owner != me && owner != 0 {
        return Some(Violation::new(Code::KeyExposed, format!("{} belongs to user id {owner}", path.display())));
    }
    // Root may hand a key to this account by its group.
    let others = if owner == me { 0o077 } else { 0o027 };
    (mode & others != 0).then(|| {
        Violation::new(Code::KeyExposed, format!("{} can be read by others (mode {mode:04o})", path.display()))
    })
}
