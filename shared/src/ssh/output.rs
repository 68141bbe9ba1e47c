//! What a command sends back, and how much of it is taken.

use std::time::Duration;

use super::RemoteText;
use super::error::{Bound, SshError};

/// Bytes set aside for an answer at first. Many are held at once, so what `Vec` sets aside by itself is too much.
const SHORT_ANSWER: usize = 16 * 1024;

/// Bytes set aside for one that is longer: a whole package list (about 330 kB) fits.
const LONG_ANSWER: usize = 368 * 1024;

/// Bytes of standard error that are kept; the rest only counts.
const KEPT_STDERR: usize = 8 * 1024;

/// Bounds for one command. Breaking one ends the command with an error: half an answer is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Standard output and standard error together, in bytes.
    pub bytes: u64,
    /// Lines of standard output.
    pub lines: u64,
    /// Bytes in one line of standard output, without its end.
    pub line_bytes: u64,
    /// From the request to the last byte.
    pub deadline: Duration,
}

impl Default for Limits {
    /// Ten times what a large host sends: 16 MiB, 100,000 lines of at most 64 KiB, in 60 s.
    fn default() -> Self {
        Self { bytes: 16 * 1024 * 1024, lines: 100_000, line_bytes: 64 * 1024, deadline: Duration::from_secs(60) }
    }
}

/// How a command ended. That nothing was said about it is never success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It returned this status.
    Status(u32),
    /// A signal killed it.
    Signal(RemoteText),
    /// The channel was closed without a word about it.
    Unknown,
}

impl Exit {
    /// Whether the command said itself that all went well.
    pub fn is_success(&self) -> bool {
        *self == Self::Status(0)
    }
}

/// A command that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub exit: Exit,
    /// The first 8 KiB of standard error, as they came: escape them before they are shown.
    pub stderr: Vec<u8>,
    /// Whether there was more.
    pub stderr_cut: bool,
}

/// A command that has ended, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Standard output, whole.
    pub stdout: Vec<u8>,
    /// How it ended, and its standard error.
    pub ended: Ended,
}

/// Where standard output goes, in pieces as they come from the network.
pub trait Sink {
    /// Waits until there is room for so many bytes more. Until then no more is read from the server.
    fn room(&mut self, _bytes: usize) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Takes the next piece; bounds have been checked.
    fn take(&mut self, piece: &[u8]);
}

impl Sink for Vec<u8> {
    fn take(&mut self, piece: &[u8]) {
        if self.capacity() - self.len() < piece.len() {
            let short = self.len() + piece.len() <= SHORT_ANSWER;
            let more = if short { SHORT_ANSWER - self.len() } else { LONG_ANSWER.max(self.len() / 4) };
            self.reserve_exact(piece.len().max(more));
        }
        self.extend_from_slice(piece);
    }
}

/// Counts what comes against the bounds.
#[derive(Debug)]
pub(super) struct Meter {
    limits: Limits,
    bytes: u64,
    lines: u64,
    line: u64,
    pub(super) stderr: Vec<u8>,
    pub(super) stderr_cut: bool,
}

impl Meter {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, bytes: 0, lines: 0, line: 0, stderr: Vec::new(), stderr_cut: false }
    }

    pub(super) fn stdout(&mut self, piece: &[u8]) -> Result<(), SshError> {
        self.count(piece)?;
        let mut line_start = 0;
        for end in memchr::memchr_iter(b'\n', piece) {
            let length = self.line + (end - line_start) as u64;
            check(Bound::LineBytes, length, self.limits.line_bytes)?;
            self.lines += 1;
            self.line = 0;
            line_start = end + 1;
        }
        self.line += (piece.len() - line_start) as u64;
        check(Bound::LineBytes, self.line, self.limits.line_bytes)?;
        // A last line without its end is a line too.
        let lines = self.lines + u64::from(self.line > 0);
        check(Bound::Lines, lines, self.limits.lines)
    }

    pub(super) fn stderr(&mut self, piece: &[u8]) -> Result<(), SshError> {
        self.count(piece)?;
        let room = KEPT_STDERR - self.stderr.len();
        let kept = &piece[..piece.len().min(room)];
        self.stderr.extend_from_slice(kept);
        self.stderr_cut |= kept.len() < piece.len();
        Ok(())
    }

    fn count(&mut self, piece: &[u8]) -> Result<(), SshError> {
        self.bytes += piece.len() as u64;
        check(Bound::Bytes, self.bytes, self.limits.bytes)
    }
}

fn check(bound: Bound, value: u64, limit: u64) -> Result<(), SshError> {
    if value > limit {
        return Err(SshError::TooMuchOutput { bound, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(bytes: u64, lines: u64, line_bytes: u64) -> Limits {
        Limits { bytes, lines, line_bytes, deadline: Duration::from_secs(1) }
    }

    /// Which bound `text` breaks when it comes in pieces of `size` bytes.
    fn broken(limits: Limits, text: &[u8], size: usize) -> Option<Bound> {
        let mut meter = Meter::new(limits);
        for piece in text.chunks(size) {
            match meter.stdout(piece) {
                Ok(()) => {}
                Err(SshError::TooMuchOutput { bound, .. }) => return Some(bound),
                Err(other) => panic!("{other}"),
            }
        }
        None
    }

    #[test]
    fn each_bound_holds_up_to_its_value_and_not_beyond() {
        let text = b"aaa\nbb\ncccc";
        for (limits, expected) in [
            (limits(11, 3, 4), None),
            (limits(10, 3, 4), Some(Bound::Bytes)),
            (limits(11, 2, 4), Some(Bound::Lines)),
            (limits(11, 3, 3), Some(Bound::LineBytes)),
        ] {
            for size in 1..=text.len() {
                assert_eq!(broken(limits, text, size), expected, "pieces of {size}");
            }
        }
    }

    #[test]
    fn standard_error_is_kept_to_its_bound_and_counts_as_bytes() {
        let mut meter = Meter::new(limits(20_000, 1, 1));
        meter.stderr(&[b'e'; 8000]).unwrap();
        assert!(!meter.stderr_cut);
        meter.stderr(&[b'e'; 8000]).unwrap();
        assert_eq!((meter.stderr.len(), meter.stderr_cut), (KEPT_STDERR, true));
        assert!(meter.stderr(&[b'e'; 8000]).is_err());
    }

    proptest! {
        #[test]
        fn how_the_text_is_cut_into_pieces_changes_nothing(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a')], 1..60),
            size in 1_usize..60, lines in 0_u64..10, line_bytes in 0_u64..10,
        ) {
            let limits = limits(1000, lines, line_bytes);
            let expected = text.split(|b| *b == b'\n').any(|l| l.len() as u64 > line_bytes)
                || text.split_inclusive(|b| *b == b'\n').count() as u64 > lines;
            prop_assert_eq!(broken(limits, &text, size).is_some(), expected);
        }
    }
}
