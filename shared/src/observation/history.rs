//! dnf's history rows: `t` opens a transaction, `c` is a change of the transaction above it; `w` is what the warden says that
//! it started.

use super::frame::{Frame, bounded, garbage};
use super::packages::number;
use super::{Applied, Failure, History, HistoryChange, HistoryEntry};
use countersign_manifests_schema::warden::Stage;
use jiff::Timestamp;
use std::borrow::Cow;

/// Reads the rows of the `history` section.
pub(super) fn parse<'a>(frame: &Frame<'a>) -> Result<History<'a>, Failure> {
    let mut entries: Vec<HistoryEntry<'a>> = Vec::new();
    let mut applications = Vec::new();
    for (line_number, line) in frame.lines() {
        let wrong = || garbage(format!("line {line_number}: {} is not a row of dnf's history", bounded(line)));
        let (kind, row) = cut(line).ok_or_else(wrong)?;
        match kind {
            "t" => entries.push(entry(row).ok_or_else(wrong)?),
            "c" => {
                let (action, nevra) = cut(row).ok_or_else(wrong)?;
                let entry = entries.last_mut().ok_or_else(wrong)?;
                if let Some(incoming) = direction(action).ok_or_else(wrong)? {
                    entry.changes.push(HistoryChange { nevra: without_zero_epoch(nevra), incoming });
                }
            }
            "w" => applications.push(applied(row).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        }
    }
    applications.sort_by_key(|applied: &Applied<'_>| (applied.started, applied.proposal));
    entries.sort_by(|a, b| b.begin.cmp(&a.begin).then(b.id.cmp(&a.id)));
    Ok(History { entries, applications })
}

fn entry(row: &str) -> Option<HistoryEntry<'_>> {
    let mut columns = row.split('\t');
    let mut next = || columns.next();
    let id = number(next()?)?;
    let begin = number(next()?)?;
    let end = number(next()?)?;
    let completed = next()? == "Ok" && end > 0;
    let rpmdb_end = next()?;
    let user = login(&string(next()?)?);
    let command = string(next()?)?;
    // A dnf of before 4.7 has another kind of digest.
    let digest = super::request::is_token(rpmdb_end);
    columns.next().is_none().then_some(HistoryEntry {
        id,
        begin,
        end,
        completed,
        user,
        command,
        rpmdb_end: Cow::Borrowed(if digest { rpmdb_end } else { "" }),
        changes: Vec::new(),
    })
}

fn applied(row: &str) -> Option<Applied<'_>> {
    let [proposal, stage, started, at] = row.split('\t').collect::<Vec<_>>().try_into().ok()?;
    let hex = proposal.len() == 64 && proposal.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let stage = match stage {
        "started" => Stage::Started,
        "unconfirmed" => Stage::Unconfirmed,
        "confirmed" => Stage::Confirmed,
        "undone" => Stage::Undone,
        "failed" => Stage::Failed,
        _ => return None,
    };
    let seconds = |text: &str| text.parse::<Timestamp>().ok().map(Timestamp::as_second);
    hex.then_some(Applied { proposal, stage, started: seconds(started)?, at: seconds(at)? })
}

/// Whether the package was on the machine afterwards; `Some(None)` for an action that moves no package, `None` for one
/// that dnf does not have.
#[expect(clippy::option_option, reason = "unknown and neither are different answers")]
fn direction(action: &str) -> Option<Option<bool>> {
    Some(match action {
        "Install" | "Upgrade" | "Downgrade" | "Reinstall" | "Obsolete" => Some(true),
        "Remove" | "Removed" | "Replaced" | "Upgraded" | "Downgraded" | "Reinstalled" | "Obsoleted" => Some(false),
        "Reason Change" => None,
        _ => return None,
    })
}

/// A JSON string; borrowed when nothing in it is escaped.
fn string(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains(['\\', '"']) {
        return serde_json::from_str::<String>(json).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// The login name in dnf's `uid full name <login>`; `None` for an unset login uid, 4294967295.
fn login(user: &str) -> Option<String> {
    let uid = user.split(' ').next().unwrap_or_default();
    if matches!(uid, "" | "-1" | "4294967295") {
        return None;
    }
    let name = user.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')).map_or(user, |(_, name)| name);
    let name = if name.is_empty() { uid } else { name };
    Some(name.to_owned())
}

/// Leaves out an epoch of 0, which dnf5 writes and rpm does not.
fn without_zero_epoch(nevra: &str) -> String {
    let mut colons = memchr::memrchr_iter(b':', nevra.as_bytes());
    match colons.find(|colon| nevra[..*colon].ends_with("-0")) {
        Some(colon) => [&nevra[..colon - 1], &nevra[colon + 1..]].concat(),
        None => nevra.to_owned(),
    }
}

/// What is in front of the first tab and what is behind it. The standard library's own search is for any text.
fn cut(line: &str) -> Option<(&str, &str)> {
    let tab = memchr::memchr(b'\t', line.as_bytes())?;
    Some((&line[..tab], &line[tab + 1..]))
}
