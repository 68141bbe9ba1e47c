//! What is under way is brought to its end: kept when people say so in time, otherwise undone.

use crate::clock;
use crate::drain;
use crate::faults::{Step, at};
use crate::journal::Journal;
use crate::memory::Memory;
use crate::refused::Refused;
use crate::staged::{CURRENT, STAGED, Staged};
use crate::store::{Lock, Store};
use crate::undo;
use crate::verdict;
use countersign_manifests_schema::warden::{Application, NEVER_STARTED, Stage};

/// What is to be done about an application under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing is under way.
    Nothing,
    /// It waits for its confirmation for so many more seconds.
    Waits(u64),
    /// It is to be undone, for this reason.
    Undo(String),
}

/// Judges what is under way. The lock is held, so nobody is at work on it.
pub(crate) fn due(store: &Store) -> Result<Due, Refused> {
    let memory = Memory::load(store)?;
    let Some(application) = memory.under_way() else { return Ok(Due::Nothing) };
    let (journal, _) = Journal::load(store)?;
    if let Some(why) = journal.undo {
        return Ok(Due::Undo(why));
    }
    let undo = |why: &str| Due::Undo(why.to_owned());
    if application.stage == Stage::Started {
        return Ok(undo("the warden was interrupted"));
    }
    let boot = clock::boot().map_err(|error| Refused::because("warden", &error))?;
    let now = clock::since_boot();
    Ok(match journal.deadline {
        _ if journal.boot != boot => undo("the machine restarted before it was confirmed"),
        Some(deadline) if now < deadline => Due::Waits(deadline - now),
        _ => undo("it was not confirmed in time"),
    })
}

/// Undoes what is due. What waits, waits on.
pub(crate) fn settle(store: &Store, lock: &Lock) -> Result<Option<Application>, Refused> {
    match due(store)? {
        Due::Undo(why) => undo::undo(store, lock, &why, Vec::new()).map(Some),
        Due::Nothing => tidy(store).map(|()| None),
        Due::Waits(_) => Ok(None),
    }
}

/// Clears away what is left of an application that has ended or was never spent. What could not be taken back is kept
/// for people, with the packages that they need.
pub(crate) fn tidy(store: &Store) -> Result<(), Refused> {
    let memory = Memory::load(store)?;
    if memory.under_way().is_some() || store.path(CURRENT).symlink_metadata().is_err() {
        return Ok(());
    }
    let failed = memory.last().filter(|last| last.stage == Stage::Failed);
    let other = |proposal: &str| {
        Staged::load(store, CURRENT).is_ok_and(|there| there.is_some_and(|it| it.contents.proposal != proposal))
    };
    let cleared = match failed {
        Some(last) if !other(&last.proposal) => store.rename(CURRENT, &aside(&last.proposal)),
        _ => store.remove(CURRENT),
    };
    cleared.map_err(|error| Refused::new("warden", format!("the last application cannot be cleared away: {error}")))
}

/// Where the packages of an application are that could not be taken back.
pub(crate) fn aside(proposal: &str) -> String {
    format!("failed-{proposal}")
}

/// Answers to `confirm`. The lock is held, and what was due is settled.
pub(crate) fn confirm(proposal: &str, keep: bool, store: &Store, lock: &Lock) -> Result<Application, Refused> {
    let memory = Memory::load(store)?;
    let Some(application) = memory.find(proposal) else {
        if !keep {
            unstage(proposal, store)?;
        }
        return Err(Refused::new(NEVER_STARTED, "this proposal was never started here"));
    };
    if application.stage != Stage::Unconfirmed {
        // Asked again, or too late: it is told how it ended, and nothing changes any more.
        return Ok(application.clone());
    }
    if !keep {
        return undo::undo(store, lock, "it was asked for", Vec::new());
    }
    let (journal, contents) = Journal::load(store)?;
    if let Err(why) = verdict::same(&contents) {
        return undo::undo(store, lock, &format!("at its confirmation: {why}"), Vec::new());
    }
    at(Step::ConfirmJudged);
    let mut records = Vec::new();
    let undrained = drain::undrain(&journal, &store.path(CURRENT), &mut records);
    let application = write(store, |application| {
        application.stage = Stage::Confirmed;
        application.detail = undrained.err().map(|why| Refused::new("", why).message);
        application.commands.extend(records.iter().cloned());
    })?;
    at(Step::ConfirmKept);
    let _ = tidy(store);
    Ok(application)
}

/// Whoever wants it undone does not want it to begin later: an `apply` that is still on its way finds nothing.
fn unstage(proposal: &str, store: &Store) -> Result<(), Refused> {
    match Staged::load(store, STAGED) {
        Ok(None) => Ok(()),
        Ok(Some(staged)) if staged.contents.proposal != proposal => Ok(()),
        Ok(Some(_)) | Err(_) => store.remove(STAGED),
    }
    .map_err(|error| Refused::new("warden", format!("the staging cannot be ended: {error}")))
}

/// Changes what is remembered of the newest application, and answers with it.
pub(crate) fn write(store: &Store, change: impl FnOnce(&mut Application)) -> Result<Application, Refused> {
    let mut memory = Memory::load(store)?;
    memory.update(|application| {
        change(application);
        application.at = clock::text(clock::now());
    });
    let saved = memory.save(store);
    saved.map_err(|error| Refused::new("warden", format!("it cannot be written down: {error}")))?;
    memory.last().cloned().ok_or_else(|| Refused::new("warden", "nothing was ever started"))
}
