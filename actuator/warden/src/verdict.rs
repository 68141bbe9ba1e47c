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
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

const AUDIT_LOG: &str = "/var/log/audit/audit.log";
/// Bytes of new audit records that are read.
const AUDIT_MAX: u64 = 64 << 20;
/// Logs set aside that are looked through for the one that was written before.
const ROTATED_MAX: u32 = 20;

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

/// New denials since the mark.
fn denials(journal: &Journal) -> Result<(), String> {
    let news = news(Path::new(AUDIT_LOG), journal.audit);
    let news = news.map_err(|error| format!("the audit log cannot be read: {error}"))?;
    match news.iter().find_map(|text| denial(text)) {
        Some(line) => Err(format!("SELinux denied something: {line}")),
        None => Ok(()),
    }
}

/// What was written since the mark, newest first. A log that was begun anew is read from its beginning, and those that auditd
/// set aside meanwhile (`audit.log.1` is the newest, auditd.conf(5), `num_logs`) back to the one that has the mark.
fn news(log: &Path, mark: Option<(u64, u64)>) -> io::Result<Vec<String>> {
    let mut texts = Vec::new();
    for number in 0..=ROTATED_MAX {
        let path = if number == 0 { log.to_owned() } else { PathBuf::from(format!("{}.{number}", log.display())) };
        let mut file = match File::open(path) {
            // Between setting one aside and beginning the next there is none.
            Err(error) if error.kind() == io::ErrorKind::NotFound && number == 0 && mark.is_some() => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            other => other?,
        };
        let meta = file.metadata()?;
        let from = match mark {
            Some((inode, length)) if inode == meta.ino() && length <= meta.len() => length,
            _ => 0,
        };
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(AUDIT_MAX).read_to_end(&mut bytes)?;
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
        // Without a mark, or where the log was emptied, nobody knows what is older than the application.
        if mark.is_none_or(|(inode, _)| inode == meta.ino()) {
            return Ok(texts);
        }
    }
    texts.truncate(1);
    Ok(texts)
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
    fn what_was_set_aside_meanwhile_is_read_from_the_mark_on() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let log = at("audit.log");
        fs::write(at("audit.log.1"), "long ago\n").unwrap();
        fs::write(&log, "before\n").unwrap();
        let mark = fs::metadata(&log).ok().map(|meta| (meta.ino(), meta.len()));
        assert_eq!(news(&log, mark).unwrap(), [""]);
        fs::write(&log, "before\nsince\n").unwrap();
        assert_eq!(news(&log, mark).unwrap(), ["since\n"]);
        for (rounds, expected) in [(1, vec!["new 1\n", "since\n"]), (2, vec!["new 2\n", "new 1\n", "since\n"])] {
            for number in (1..=rounds + 1).rev().filter(|number| at(&format!("audit.log.{number}")).exists()) {
                fs::rename(at(&format!("audit.log.{number}")), at(&format!("audit.log.{}", number + 1))).unwrap();
            }
            fs::rename(&log, at("audit.log.1")).unwrap();
            fs::write(&log, format!("new {rounds}\n")).unwrap();
            assert_eq!(news(&log, mark).unwrap(), expected, "{rounds}");
        }
        // The one with the mark is gone, the log was emptied, there was none.
        assert_eq!(news(&log, Some((0, 0))).unwrap(), ["new 2\n"]);
        let here = fs::metadata(&log).unwrap().ino();
        assert_eq!(news(&log, Some((here, 1000))).unwrap(), ["new 2\n"]);
        assert_eq!(news(&log, None).unwrap(), ["new 2\n"]);
        assert_eq!(news(&at("none"), mark).unwrap(), Vec::<String>::new());
        fs::remove_file(&log).unwrap();
        assert_eq!(news(&log, mark).unwrap(), ["new 1\n", "since\n"]);
        assert_eq!(news(&log, None).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_denial_is_found_among_other_records() {
        let denied = "type=AVC msg=audit(1.0:1): avc:  denied  { read } for pid=1";
        let text = format!("type=SERVICE_START msg=audit(1.0:1): denied \n{denied}\n");
        assert_eq!(denial(&text), Some(denied));
        assert_eq!(denial("type=AVC msg=audit(1.0:1): avc:  granted  { read }\n"), None);
    }
}
