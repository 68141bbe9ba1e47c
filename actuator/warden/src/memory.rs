//! What was ever started here. Nothing is started without it, and it forgets nothing.

use crate::refused::Refused;
use crate::store::Store;
use countersign_manifests_schema::warden::{Application, Stage};
use serde::{Deserialize, Serialize};

const FILE: &str = "memory.json";
const SCHEMA: &str = "countersign/warden-memory/1";
/// Newest applications whose commands are kept; the receipts have those of all.
const WITH_COMMANDS: usize = 20;
/// Newest applications that everybody may know of.
const SHOWN: usize = 50;

/// Every application, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Memory {
    schema: String,
    applications: Vec<Application>,
}

impl Memory {
    /// Reads it. A memory that is not there is one that was lost: `enroll` makes the first.
    pub(crate) fn load(store: &Store) -> Result<Self, Refused> {
        match store.read::<Memory>(FILE) {
            Ok(Some(memory)) if memory.schema == SCHEMA => Ok(memory),
            Ok(Some(_)) => Err(Refused::new("spent", "the memory of what was started is of another version")),
            Ok(None) => Err(Refused::new("spent", "the memory of what was started is gone; enroll makes a new one")),
            Err(error) => Err(Refused::new("spent", format!("the memory of what was started cannot be read: {error}"))),
        }
    }

    /// An empty one for a runner that never had any; where there is one it stays.
    pub(crate) fn create(store: &Store) -> std::io::Result<()> {
        if store.path(FILE).symlink_metadata().is_ok() {
            return Ok(());
        }
        store.write(FILE, &Memory { schema: SCHEMA.to_owned(), applications: Vec::new() })
    }

    /// Writes it durably.
    pub(crate) fn save(&mut self, store: &Store) -> std::io::Result<()> {
        let old = self.applications.len().saturating_sub(WITH_COMMANDS);
        for application in &mut self.applications[..old] {
            application.commands.clear();
        }
        store.write(FILE, self)?;
        // Who only looks at this runner learns that a proposal is spent. It is not worth a refusal, or an undo.
        let _ = store.show(&self.shown());
        Ok(())
    }

    /// What everybody may know, a line each: proposal, stage, start, and when it reached the stage.
    fn shown(&self) -> String {
        let first = self.applications.len().saturating_sub(SHOWN);
        let mut text = String::new();
        for Application { proposal, stage, started, at, .. } in &self.applications[first..] {
            let stage = match stage {
                Stage::Started => "started",
                Stage::Unconfirmed => "unconfirmed",
                Stage::Confirmed => "confirmed",
                Stage::Undone => "undone",
                Stage::Failed => "failed",
            };
            text.push_str(&format!("{proposal}\t{stage}\t{started}\t{at}\n"));
        }
        text
    }

    /// All of them, oldest first.
    pub(crate) fn all(&self) -> &[Application] {
        &self.applications
    }

    /// The newest.
    pub(crate) fn last(&self) -> Option<&Application> {
        self.applications.last()
    }

    /// The one that is neither kept nor undone.
    pub(crate) fn under_way(&self) -> Option<&Application> {
        self.last().filter(|last| matches!(last.stage, Stage::Started | Stage::Unconfirmed))
    }

    /// The application of this proposal.
    pub(crate) fn find(&self, proposal: &str) -> Option<&Application> {
        self.applications.iter().find(|application| application.proposal == proposal)
    }

    /// Whether a proposal may be started: never started, nothing under way, newer than whatever was started.
    pub(crate) fn admits(&self, proposal: &str, created: &str) -> Result<(), Refused> {
        if let Some(past) = self.find(proposal) {
            return Err(Refused::new("spent", format!("it was started at {} here", past.started)));
        }
        if let Some(current) = self.under_way() {
            return Err(Refused::new("runner-busy", format!("{} is under way", current.proposal)));
        }
        // RFC 3339 UTC seconds, all of one length: byte order is the order of time.
        if let Some(newest) = self.applications.iter().map(|application| &application.created).max()
            && created <= newest.as_str()
        {
            return Err(Refused::new("superseded", format!("a proposal created at {newest} was started here")));
        }
        Ok(())
    }

    /// Remembers a start.
    pub(crate) fn start(&mut self, application: Application) {
        self.applications.push(application);
    }

    /// Changes the newest one.
    pub(crate) fn update(&mut self, change: impl FnOnce(&mut Application)) {
        if let Some(last) = self.applications.last_mut() {
            change(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(proposal: &str, created: &str, stage: Stage) -> Application {
        Application {
            proposal: proposal.to_owned(),
            created: created.to_owned(),
            stage,
            before: String::new(),
            after: None,
            detail: None,
            commands: Vec::new(),
            started: created.to_owned(),
            at: created.to_owned(),
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("warden");
        Store::create(&home).unwrap();
        let store = Store::open(&home).unwrap();
        (dir, store)
    }

    #[test]
    fn what_was_started_is_never_started_again_and_nothing_older_either() {
        let (_dir, store) = store();
        Memory::create(&store).unwrap();
        let mut memory = Memory::load(&store).unwrap();
        assert!(memory.admits("a", "2026-11-20T03:30:00Z").is_ok());
        memory.start(application("a", "2026-11-20T03:30:00Z", Stage::Undone));
        memory.save(&store).unwrap();
        Memory::create(&store).unwrap();
        let mut memory = Memory::load(&store).unwrap();
        let code = |memory: &Memory, id: &str, created: &str| memory.admits(id, created).unwrap_err().code;
        assert_eq!(code(&memory, "a", "2026-11-21T03:30:00Z"), "spent");
        assert_eq!(code(&memory, "b", "2026-11-20T03:30:00Z"), "superseded");
        assert!(memory.admits("b", "2026-11-20T03:30:01Z").is_ok());
        memory.start(application("b", "2026-11-20T03:30:01Z", Stage::Unconfirmed));
        assert_eq!(code(&memory, "c", "2026-11-22T03:30:00Z"), "runner-busy");
    }

    #[test]
    fn everybody_may_know_what_was_started_and_how_it_ended_and_nothing_else() {
        use std::os::unix::fs::PermissionsExt as _;
        let (dir, store) = store();
        let place = dir.path().join("warden.applications");
        Memory::create(&store).unwrap();
        let mut memory = Memory::load(&store).unwrap();
        for number in 0..SHOWN + 2 {
            memory.start(application(&format!("{number:064x}"), "2026-11-20T03:30:00Z", Stage::Undone));
            memory.save(&store).unwrap();
        }
        let text = std::fs::read_to_string(&place).unwrap();
        assert_eq!(text.lines().count(), SHOWN);
        let last = format!("{:064x}\tundone\t2026-11-20T03:30:00Z\t2026-11-20T03:30:00Z", SHOWN + 1);
        assert_eq!(text.lines().last(), Some(last.as_str()));
        assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o644);
        memory.update(|application| application.stage = Stage::Failed);
        // Where it cannot be shown it is remembered all the same.
        std::fs::remove_file(&place).unwrap();
        std::fs::create_dir(&place).unwrap();
        memory.save(&store).unwrap();
        assert_eq!(Memory::load(&store).unwrap().last().unwrap().stage, Stage::Failed);
    }

    #[test]
    fn a_memory_that_is_gone_or_damaged_lets_nothing_start() {
        let (_dir, store) = store();
        assert_eq!(Memory::load(&store).unwrap_err().code, "spent");
        for text in ["", "{}", "{\"schema\":\"countersign/warden-memory/2\",\"applications\":[]}", "[]"] {
            std::fs::write(store.path(FILE), text).unwrap();
            assert_eq!(Memory::load(&store).unwrap_err().code, "spent", "{text}");
        }
    }
}
