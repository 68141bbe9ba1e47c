//! The notary's own time, and the memory of it: a clock that went backwards would give leases back that are over.

use countersign_shared::journal::sync_directory;
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Seconds by which a clock may be set back within one boot before it is noticed by the time since the boot: a daemon
/// that sets the clock right after the start is no attack.
const TOLERANCE: i64 = 60;
/// Seconds by which the clock may be behind the mark within one boot; time then stands still until it has caught up. A
/// step of NTP or another processor's clock is no attack, and takes nobody's lease away.
const BEHIND: i64 = 5;
/// Seconds after which the mark is written again, even if nothing is burned.
const EVERY: i64 = 30;
/// Bytes of the mark's file.
const LARGEST: u64 = 4096;

/// Where time comes from.
pub trait TimeSource: Send + Sync {
    /// Unix seconds.
    fn wall(&self) -> i64;
    /// Seconds since the boot, sleep included.
    fn since_boot(&self) -> i64;
    /// Another one for every boot.
    fn boot(&self) -> String;
}

/// The system's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemTime;

impl TimeSource for SystemTime {
    fn wall(&self) -> i64 {
        clock_gettime(ClockId::Realtime).tv_sec
    }

    fn since_boot(&self) -> i64 {
        clock_gettime(ClockId::Boottime).tv_sec
    }

    fn boot(&self) -> String {
        // Without it every start counts as a boot, and the time since the boot is not compared.
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        id.map_or_else(|_| format!("unknown, process {}", std::process::id()), |id| id.trim().to_owned())
    }
}

/// The latest time that was ever seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    /// Unix seconds.
    wall: i64,
    /// Of the boot in which it was seen.
    boot: String,
    /// Unix seconds of that boot, by the latest clock of that boot.
    booted: i64,
}

/// A clock that does not go back unnoticed.
pub struct Clock {
    source: Box<dyn TimeSource>,
    path: PathBuf,
    mark: Mark,
    written: i64,
}

/// Why there is no time.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// It is earlier than it was.
    #[error(
        "the clock says {}, which is {behind} s before the latest time that the notary has seen; if the clock is wrong, set \
         it right; if it is right now and was wrong before, look at what was burned meanwhile, then stop the notary, remove \
         {} and start it again", moment(*now), mark.display()
    )]
    Backwards {
        /// Unix seconds.
        now: i64,
        /// Seconds.
        behind: i64,
        /// The mark's file.
        mark: PathBuf,
    },
    /// The mark cannot be read or written.
    #[error("cannot keep the time in {}", path.display())]
    File {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// RFC 3339 UTC seconds.
pub(crate) fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_string()
}

/// Unix seconds of what [`moment`] wrote.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

impl Clock {
    /// Reads the mark. Without one, as on the first start, the clock is believed.
    pub fn open(path: &Path, source: Box<dyn TimeSource>) -> Result<Self, ClockError> {
        let failed = |source| ClockError::File { path: path.to_owned(), source };
        let mut text = Vec::new();
        let mark = match File::open(path) {
            Ok(file) => {
                io::Read::read_to_end(&mut io::Read::take(file, LARGEST), &mut text).map_err(failed)?;
                serde_json::from_slice(&text).map_err(|error| failed(error.into()))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let wall = source.wall();
                Mark { wall, boot: source.boot(), booted: wall - source.since_boot() }
            }
            Err(error) => return Err(failed(error)),
        };
        let mut clock = Self { source, path: path.to_owned(), mark, written: i64::MIN };
        match clock.now() {
            // It is said to everybody who asks, and the notary can still be stopped.
            Ok(_) | Err(ClockError::Backwards { .. }) => Ok(clock),
            Err(error) => Err(error),
        }
    }

    /// Unix seconds, never less than before.
    pub fn now(&mut self) -> Result<i64, ClockError> {
        let (now, boot) = (self.source.wall(), self.source.boot());
        let booted = now - self.source.since_boot();
        let same_boot = boot == self.mark.boot;
        let behind = if same_boot { self.mark.booted - booted } else { 0 };
        let (behind, borne) = match behind > TOLERANCE {
            true => (behind, 0),
            false => (self.mark.wall - now, if same_boot { BEHIND } else { 0 }),
        };
        if behind > borne {
            return Err(ClockError::Backwards { now, behind, mark: self.path.clone() });
        }
        let now = now.max(self.mark.wall);
        let booted = if same_boot { booted.max(self.mark.booted) } else { booted };
        let moved = !same_boot || booted > self.mark.booted + TOLERANCE;
        self.mark = Mark { wall: now, boot, booted };
        if moved || now >= self.written.saturating_add(EVERY) {
            self.write()?;
        }
        Ok(now)
    }

    /// Makes the latest time durable.
    pub fn write(&mut self) -> Result<(), ClockError> {
        let text = serde_json::to_vec(&self.mark).expect("NOTE: numbers and a string always serialise");
        let beside = self.path.with_extension("new");
        let written = File::create(&beside)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&beside, &self.path))
            .and_then(|()| sync_directory(&self.path));
        written.map_err(|source| ClockError::File { path: self.path.clone(), source })?;
        self.written = self.mark.wall;
        Ok(())
    }

    /// The time by the clock alone, for what may be said and done even when it went backwards.
    pub fn unchecked(&self) -> i64 {
        self.source.wall()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Clock").field(&self.mark).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone)]
    struct Given(Arc<Mutex<(i64, i64, &'static str)>>);

    impl TimeSource for Given {
        fn wall(&self) -> i64 {
            self.0.lock().unwrap().0
        }

        fn since_boot(&self) -> i64 {
            self.0.lock().unwrap().1
        }

        fn boot(&self) -> String {
            self.0.lock().unwrap().2.to_owned()
        }
    }

    #[test]
    fn a_clock_that_went_backwards_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clock");
        let given = Given(Arc::new(Mutex::new((1_000_000, 5_000, "a"))));
        let open = || Clock::open(&path, Box::new(given.clone())).unwrap();
        let set = |time| *given.0.lock().unwrap() = time;
        let mut clock = open();
        assert_eq!(clock.now().unwrap(), 1_000_000);
        for (time, fine, why) in [
            ((1_000_100, 5_100, "a"), true, "time passes"),
            ((1_000_095, 5_101, "a"), true, "five seconds back"),
            ((1_000_094, 5_101, "a"), false, "six seconds back"),
            ((1_000_101, 5_101, "a"), true, "and it goes on"),
            ((1_001_000, 6_100, "a"), false, "set back by 100 s within the boot, though later than the mark"),
            ((1_001_050, 6_100, "a"), true, "by 50 s"),
            ((1_001_050, 6_190, "a"), false, "and by 90 s more"),
            ((1_001_049, 10, "b"), false, "back by a second over a reboot"),
            ((1_001_060, 10, "b"), true, "on over a reboot"),
        ] {
            set(time);
            assert_eq!(clock.now().is_ok(), fine, "{why}");
            // A restart knows no less.
            clock.write().unwrap();
            clock = open();
            assert_eq!(clock.now().is_ok(), fine, "after a restart: {why}");
        }
        set((2_000_000, 1_000, "b"));
        assert_eq!(clock.now().unwrap(), 2_000_000);
        set((1_999_996, 1_001, "b"));
        assert_eq!(clock.now().unwrap(), 2_000_000, "it stands still");
        set((1_002_000, 1_010, "b"));
        let Err(error) = clock.now() else { panic!("it went back") };
        assert!(error.to_string().contains("remove"), "{error}");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(open().now().unwrap(), 1_002_000, "a person has resolved it");
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_no_first_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clock");
        for text in ["", "{", "{\"wall\":1}"] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Clock::open(&path, Box::new(SystemTime)), Err(ClockError::File { .. })), "{text:?}");
        }
    }
}
