//! Whether an application came out as predicted: what dnf said, who is still at work, the set, `dnf check`, the kernel's
//! denials.

use crate::children;
use crate::clock;
use crate::dnf::{Dnf, Records};
use crate::journal::Journal;
use crate::observe;
use crate::run::Ran;
use crate::set;
use crate::staged::{CURRENT, Contents};
use crate::store::Store;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;

const AUDIT_LOG: &str = "/var/log/audit/audit.log";
/// Bytes of new audit records that are read.
const AUDIT_MAX: u64 = 64 << 20;

/// What dnf's own words mean: that it failed, or that a scriptlet did, which dnf may take for a success.
pub(crate) fn said(ran: &Ran) -> Result<(), String> {
    let lines = ran.stdout.lines().chain(ran.stderr.lines());
    match lines.map(str::trim).find(|line| is_scriptlet_failure(line)) {
        Some(line) => Err(format!("a scriptlet failed: {line}")),
        None if !ran.good() => Err(format!("dnf failed: {}", ran.words())),
        None => Ok(()),
    }
}

/// Sources: dnf5's transaction callbacks (`Error in %s scriptlet`, `>>> Non-critical error in %s scriptlet`), rpm's
/// `%s scriptlet failed, exit status %d`, `warning: %s scriptlet failed`.
fn is_scriptlet_failure(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.contains("scriptlet") && (line.contains("fail") || line.contains("error"))
}

/// Judges what is there now. The message is what is wrong, for people.
pub(crate) fn judge(
    contents: &Contents,
    journal: &Journal,
    store: &Store,
    records: &mut Records,
) -> Result<(), String> {
    children::wait()?;
    same(contents)?;
    let home = store.path(CURRENT);
    let dnf = Dnf { generation: contents.generation(), home: &home };
    let (problems, ran) = dnf.problems().map_err(|error| format!("dnf check cannot be run: {error}"))?;
    records.push(ran.record);
    if let Some(problem) = problems.difference(&journal.problems).next() {
        return Err(format!("dnf check: {problem}"));
    }
    denials(journal)
}

/// Whether the set is the predicted one: every build, every header, every reason.
pub(crate) fn same(contents: &Contents) -> Result<(), String> {
    let unread = |text: &str| format!("the outcome cannot be read: {text}");
    let record = observe::record().map_err(|failure| unread(&failure.message))?;
    let seen = observe::whole(&record, clock::now()).map_err(|refused| unread(&refused.message))?;
    let packages = seen.packages.seen().ok_or_else(|| unread("no packages"))?;
    let differences = set::differences(&contents.wanted, &set::of(&packages.list));
    if !differences.is_empty() {
        return Err(format!("the outcome is not the predicted one: {}", set::sentence(&differences)));
    }
    let history = seen.history.seen().ok_or_else(|| unread("no history of dnf"))?;
    let newest = history.entries.first().ok_or_else(|| unread("dnf remembers nothing"))?;
    if !newest.completed {
        return Err("dnf did not complete its last transaction".to_owned());
    }
    if !newest.rpmdb_end.is_empty() && newest.rpmdb_end != packages.rpmdb_digest {
        return Err("packages changed behind dnf's back".to_owned());
    }
    Ok(())
}

/// Where the audit log ends now.
pub(crate) fn audit_mark() -> Option<(u64, u64)> {
    fs::metadata(AUDIT_LOG).ok().map(|meta| (meta.ino(), meta.len()))
}

/// New denials since the mark. A log that was begun anew since then is read from its beginning.
fn denials(journal: &Journal) -> Result<(), String> {
    let Ok(mut log) = File::open(AUDIT_LOG) else {
        return Ok(());
    };
    let unread = |error: std::io::Error| format!("the audit log cannot be read: {error}");
    let meta = log.metadata().map_err(unread)?;
    let from = match journal.audit {
        Some((inode, length)) if inode == meta.ino() && length <= meta.len() => length,
        _ => 0,
    };
    log.seek(SeekFrom::Start(from)).map_err(unread)?;
    let mut bytes = Vec::new();
    log.take(AUDIT_MAX).read_to_end(&mut bytes).map_err(unread)?;
    match denial(&String::from_utf8_lossy(&bytes)) {
        Some(line) => Err(format!("SELinux denied something: {line}")),
        None => Ok(()),
    }
}

fn denial(text: &str) -> Option<&str> {
    text.lines()
        .find(|line| (line.starts_with("type=AVC ") || line.starts_with("type=USER_AVC ")) && line.contains(" denied "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_scriptlets_are_heard_though_dnf_calls_it_a_success() {
        for line in [
            ">>> Non-critical error in post-install scriptlet: late-1.0-1.noarch",
            "warning: %post(bad-1.0-1.noarch) scriptlet failed, exit status 1",
            "Error in POSTIN scriptlet in rpm package bad",
            "[RPM] %post(bad-1.0-1.noarch) scriptlet failed, exit status 1",
        ] {
            assert!(is_scriptlet_failure(line), "{line}");
        }
        for line in ["Running scriptlet: htop-3.3.0-4.fc41.x86_64", "Installing failover-1.0", "Complete!"] {
            assert!(!is_scriptlet_failure(line), "{line}");
        }
    }

    #[test]
    fn a_denial_is_found_among_other_records() {
        let denied = "type=AVC msg=audit(1.0:1): avc:  denied  { read } for pid=1";
        let text = format!("type=SERVICE_START msg=audit(1.0:1): denied \n{denied}\n");
        assert_eq!(denial(&text), Some(denied));
        assert_eq!(denial("type=AVC msg=audit(1.0:1): avc:  granted  { read }\n"), None);
    }
}
