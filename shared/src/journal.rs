//! Append-only files of JSON lines that survive the death of their writer at every moment: a line is on the disk when
//! [`Journal::append`] returns, and what a crash has left of a line that never was is told from damage.
//!
//! A line without its newline was never acknowledged. If it is whole, it is kept; if it is the beginning of one, it goes.
//! Everything else that does not belong is an error, and the file is left as it is.

use std::error::Error;
use std::fs::{File, TryLockError};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of the longest line, newline included.
pub const LONGEST_LINE: usize = 32 << 20;

/// A file of lines, open for one writer.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    broken: bool,
    watch: Watch,
}

/// Where a write stands. A process that dies at any of these loses nothing that was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The file is new; its directory does not know it durably.
    Created,
    /// What is left of a torn line is about to go.
    Mending,
    /// It has gone, or the missing newline has come; not yet durably.
    Mended,
    /// A line is about to be written.
    Begun,
    /// It is written, not yet durably.
    Written,
    /// It is on the disk.
    Synced,
}

impl Step {
    /// All of them.
    pub const ALL: [Step; 6] = [Step::Created, Step::Mending, Step::Mended, Step::Begun, Step::Written, Step::Synced];
}

/// Told of every step, with the file and the bytes that are to be written. Tests end the process there.
#[derive(Clone, Default)]
pub struct Watch(Option<Arc<Watcher>>);

type Watcher = dyn Fn(Step, &File, &[u8]) + Send + Sync;

impl Watch {
    /// Calls this at every step.
    pub fn with(watcher: impl Fn(Step, &File, &[u8]) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watcher)))
    }

    fn at(&self, step: Step, file: &File, bytes: &[u8]) {
        if let Some(watcher) = &self.0 {
            watcher(step, file, bytes);
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watch").field(&self.0.is_some()).finish()
    }
}

/// Why a journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system's error.
    #[error("cannot read or write {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("another process writes {}", path.display())]
    Locked {
        /// Which file.
        path: PathBuf,
    },
    /// A line is not what it should be.
    #[error("line {line} of {} is not in order", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A line longer than any that is written.
    #[error("line {line} of {} is longer than {LONGEST_LINE} bytes", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: u64,
    },
    /// What follows the last newline is not the beginning of a line.
    #[error("line {line} of {} is neither whole nor the beginning of a line", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: u64,
    },
    /// An earlier write failed, so that nobody knows what is on the disk.
    #[error("an earlier write to {} failed; start again", path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
    },
}

/// Judges one complete line, its newline included; the number is from 1.
pub type Judge<'a> = dyn FnMut(u64, &[u8]) -> Result<(), Box<dyn Error + Send + Sync>> + 'a;

/// What follows the last newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    None,
    /// A whole line that lacks its newline.
    Whole(Vec<u8>),
    /// The beginning of a line, so many bytes.
    Torn(u64),
}

/// What was read of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Complete lines.
    pub lines: u64,
    /// Their bytes.
    pub length: u64,
    /// What follows them.
    pub tail: Tail,
}

/// Reads a journal without changing it: every complete line goes to `judge`, in order.
pub fn read(path: &Path, file: &File, judge: &mut Judge<'_>) -> Result<Read, JournalError> {
    let failed = |source| JournalError::File { path: path.to_owned(), source };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut line = Vec::new();
    let (mut number, mut length) = (0_u64, 0);
    loop {
        number += 1;
        line.clear();
        let mut limited = io::Read::take(&mut reader, LONGEST_LINE as u64);
        let read = limited.read_until(b'\n', &mut line).map_err(failed)?;
        if line.ends_with(b"\n") {
            judge(number, &line).map_err(|source| JournalError::Line {
                path: path.to_owned(),
                line: number,
                source,
            })?;
            length += read as u64;
            continue;
        }
        if read == LONGEST_LINE {
            return Err(JournalError::TooLong { path: path.to_owned(), line: number });
        }
        let tail = tail(&line).ok_or_else(|| JournalError::Damaged { path: path.to_owned(), line: number })?;
        return Ok(Read { lines: number - 1, length, tail });
    }
}

/// Objects end in a brace: no beginning of one is one.
fn tail(bytes: &[u8]) -> Option<Tail> {
    // A file system may have given the file its length and not its bytes.
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let written = &bytes[..end];
    if bytes.is_empty() {
        return Some(Tail::None);
    }
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(written) {
        Ok(_) if end == bytes.len() => Some(Tail::Whole(bytes.to_vec())),
        Err(error) if error.is_eof() => Some(Tail::Torn(bytes.len() as u64)),
        _ => None,
    }
}

impl Journal {
    /// Opens the file for one writer, or makes it, readable by its owner alone. Every line goes to `judge`; the file is
    /// mended only when all of them were in order.
    pub fn open(path: &Path, watch: Watch, judge: &mut Judge<'_>) -> Result<Self, JournalError> {
        let failed = |source| JournalError::File { path: path.to_owned(), source };
        let file = open_file(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        watch.at(Step::Created, &file, b"");
        file.sync_all().and_then(|()| sync_directory(path)).map_err(failed)?;
        let found = read(path, &file, judge)?;
        let mut journal = Self { path: path.to_owned(), file, length: found.length, broken: false, watch };
        journal.mend(found, judge)?;
        Ok(journal)
    }

    fn mend(&mut self, found: Read, judge: &mut Judge<'_>) -> Result<(), JournalError> {
        let failed = |source| JournalError::File { path: self.path.clone(), source };
        match found.tail {
            Tail::None => return Ok(()),
            Tail::Whole(mut line) => {
                line.push(b'\n');
                self.watch.at(Step::Mending, &self.file, &line);
                // Not in order, and so not a line of ours that lacks its newline.
                let number = found.lines + 1;
                judge(number, &line).map_err(|source| JournalError::Line {
                    path: self.path.clone(),
                    line: number,
                    source,
                })?;
                self.file.write_all(b"\n").map_err(failed)?;
                self.length += line.len() as u64;
            }
            Tail::Torn(_) => {
                self.watch.at(Step::Mending, &self.file, b"");
                self.file.set_len(self.length).map_err(failed)?;
            }
        }
        self.watch.at(Step::Mended, &self.file, b"");
        self.file.sync_all().map_err(failed)
    }

    /// Appends one line, which must be one, with its newline. It is on the disk when this returns.
    pub fn append(&mut self, line: &[u8]) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Broken { path: self.path.clone() });
        }
        debug_assert!(line.ends_with(b"\n") && line.iter().filter(|byte| **byte == b'\n').count() == 1);
        if line.len() > LONGEST_LINE {
            return Err(JournalError::TooLong { path: self.path.clone(), line: 0 });
        }
        self.watch.at(Step::Begun, &self.file, line);
        if let Err(source) = self.file.write_all(line) {
            // What was written of it, as on a full disk, must not become the beginning of the next.
            self.broken = self.file.set_len(self.length).and_then(|()| self.file.sync_all()).is_err();
            return Err(JournalError::File { path: self.path.clone(), source });
        }
        self.watch.at(Step::Written, &self.file, line);
        if let Err(source) = self.file.sync_all() {
            // The kernel may have dropped the page and forgotten the error: only reading again tells.
            self.broken = true;
            return Err(JournalError::File { path: self.path.clone(), source });
        }
        self.length += line.len() as u64;
        self.watch.at(Step::Synced, &self.file, line);
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // A child that another thread is just starting has the file, too, until it becomes another program.
        let _ = self.file.unlock();
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options().read(true).append(true).create(true).mode(0o600).open(path)
}

/// Makes the names in the directory of `path` durable.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 3] = ["{\"a\":1}\n", "{\"b\":[\"}\",{\"\u{e9}\":null}]}\n", "{\"c\":\"\\\"\"}\n"];

    fn open(path: &Path) -> Result<(Journal, Vec<String>), JournalError> {
        let mut lines = Vec::new();
        let mut judge = |_: u64, line: &[u8]| {
            lines.push(String::from_utf8(line.to_vec())?);
            Ok(())
        };
        let journal = Journal::open(path, Watch::default(), &mut judge)?;
        Ok((journal, lines))
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "how many cases ran is part of the result")]
    fn whatever_is_left_of_the_last_line_no_line_is_lost_or_doubled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (mut journal, found) = open(&path).unwrap();
        assert!(found.is_empty());
        for line in LINES {
            journal.append(line.as_bytes()).unwrap();
        }
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole, LINES.concat().into_bytes());
        let mut cuts = 0;
        for cut in 0..=whole.len() {
            for zeros in [0, 5] {
                let mut bytes = whole[..cut].to_vec();
                bytes.resize(cut + zeros, 0);
                std::fs::write(&path, &bytes).unwrap();
                let complete = LINES.iter().scan(0, |end, line| {
                    *end += line.len();
                    Some(*end)
                });
                // A line that lacks nothing but its newline is kept, unless zeros stand in its place.
                let newline = usize::from(zeros == 0);
                let kept = complete.filter(|end| *end <= cut + newline).count();
                match open(&path) {
                    Ok((mut journal, found)) => {
                        assert_eq!(found, LINES[..kept], "cut at {cut}");
                        journal.append(b"{\"new\":0}\n").unwrap();
                        drop(journal);
                        let expected = LINES[..kept].concat() + "{\"new\":0}\n";
                        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected, "cut at {cut}");
                    }
                    // Whole but for its newline, and then zeros: nobody writes that.
                    Err(JournalError::Damaged { .. }) => assert!(zeros > 0, "cut at {cut}"),
                    Err(error) => panic!("cut at {cut}: {error:?}"),
                }
                cuts += 1;
            }
        }
        eprintln!("{cuts} ends of a journal");
    }

    #[test]
    fn what_no_crash_leaves_is_damage_and_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        for end in ["garbage", "{\"a\":1}x", "{\"a\":1}{", "{\"a\" 1", "[1]", "1", "}", "{\"a\":\u{1}"] {
            let bytes = format!("{}{end}", LINES[0]);
            std::fs::write(&path, &bytes).unwrap();
            assert!(matches!(open(&path), Err(JournalError::Damaged { line: 2, .. })), "{end:?}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bytes);
        }
        // A line before it that is refused: the torn end stays as well.
        let bytes = format!("{}{{\"b\":", LINES[0]);
        std::fs::write(&path, &bytes).unwrap();
        let refused = Journal::open(&path, Watch::default(), &mut |_, _| Err("no".into()));
        assert!(matches!(refused, Err(JournalError::Line { line: 1, .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), bytes);
    }

    #[test]
    fn there_is_one_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let first = open(&path).unwrap();
        assert!(matches!(open(&path), Err(JournalError::Locked { .. })));
        drop(first);
        open(&path).unwrap();
    }

    #[test]
    fn after_a_write_that_failed_nothing_is_torn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (mut journal, _) = open(&path).unwrap();
        journal.append(LINES[0].as_bytes()).unwrap();
        // Open for reading only: every write fails, and so does mending.
        journal.file = File::open(&path).unwrap();
        assert!(matches!(journal.append(LINES[1].as_bytes()), Err(JournalError::File { .. })));
        assert!(matches!(journal.append(LINES[1].as_bytes()), Err(JournalError::Broken { .. })));
        drop(journal);
        assert_eq!(open(&path).unwrap().1, LINES[..1]);
    }
}
