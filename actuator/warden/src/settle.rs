//! What is under way is brought to its end: kept when people say so in time, otherwise undone.

use crate::clock;
use crate::faults::{Step, at};
use crate::journal::Journal;
use crate::memory::Memory;
use crate::refused::Refused;
use crate::run::Program;
use crate::staged::CURRENT;
use crate::store::{Lock, Store};
use crate::undo;
use crate::verdict;
use countersign_manifests_schema::warden::{Application, Stage};
use std::time::Duration;

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
        Due::Nothing | Due::Waits(_) => Ok(None),
    }
}

/// Answers to `confirm`. The lock is held, and what was due is settled.
pub(crate) fn confirm(proposal: &str, keep: bool, store: &Store, lock: &Lock) -> Result<Application, Refused> {
    let memory = Memory::load(store)?;
    let Some(application) = memory.find(proposal) else {
        return Err(Refused::new("request", "this proposal was never started here"));
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
    if let Some(program) = &journal.undrain {
        let home = store.path(CURRENT);
        let ran = Program::new(&program.to_string_lossy(), &home).limit(Duration::from_secs(1800)).run();
        records.extend(ran.ok().map(|ran| ran.record));
    }
    let application = write(store, |application| {
        application.stage = Stage::Confirmed;
        application.commands.extend(records.iter().cloned());
    })?;
    at(Step::ConfirmKept);
    let _ = store.remove(CURRENT);
    Ok(application)
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
