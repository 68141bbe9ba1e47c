//! The frame of an answer: header, sections, end. Nothing that a package or a file says can imitate it.
//!
//! ```text
//! countersign-probe/1 answer <nonce>
//! section <name>
//!  <payload, one space in front>
//! close <status> [<rows> | warm | <code>]
//! end <number of sections>
//! bye <nonce>
//! ```
//! What is between the header and `bye` is the *record*: it carries no nonce, ends with its own `end` line, and is
//! what is stored and parsed.

use super::Failure;
use super::request::{MAGIC, Nonce};

/// Bytes of the longest answer.
pub const ANSWER_MAX: usize = 16 * 1024 * 1024;
/// Bytes of the longest line.
const LINE_MAX: usize = 64 * 1024;
/// Sections of the longest answer.
const SECTIONS_MAX: usize = 64;

/// One section of a record, its rows not yet read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Payload lines, each with its leading space and line break.
    pub(crate) payload: &'a str,
    /// Line number of the first payload line in the record, from 1.
    pub(crate) line: usize,
    /// Number of payload lines.
    pub(crate) rows: usize,
    /// How it was closed.
    pub(crate) close: Close<'a>,
    /// The whole section with its control lines.
    pub(crate) text: &'a str,
}

/// How the probe closed a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close<'a> {
    /// Read.
    Good,
    /// Not repeated, because it is as the request's token says.
    Warm,
    /// Not read: a stable code.
    Bad(&'a str),
}

impl<'a> Frame<'a> {
    /// Payload lines without their leading space, with their line numbers in the record.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &'a str)> {
        let (mut number, mut rest) = (self.line, self.payload);
        std::iter::from_fn(move || {
            let end = memchr::memchr(b'\n', rest.as_bytes())?;
            let line = (number, &rest[1..end]);
            (number, rest) = (number + 1, &rest[end + 1..]);
            Some(line)
        })
    }
}

/// Takes the record out of an answer, in place; anything but one complete answer to this request is an error.
///
/// `truncated`: the beginning of a good answer. `garbage`: anything else that no probe of this version says. `changing`: packages came or went
/// while the probe looked, so ask again. A refusal of the probe comes back with the probe's own code.
pub fn open(bytes: Vec<u8>, nonce: &Nonce) -> Result<String, Failure> {
    if bytes.len() > ANSWER_MAX {
        return Err(garbage(format!("more than {ANSWER_MAX} bytes")));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| garbage("bytes that are not UTF-8"))?;
    let header = format!("{MAGIC} answer {nonce}\n");
    let Some(rest) = text.strip_prefix(header.as_str()) else {
        return Err(judge_start(&text, &header));
    };
    if let Some(byte) = first_control(rest) {
        return Err(garbage(format!("the control character {byte:#04x}")));
    }
    let bye = format!("\nbye {nonce}\n");
    let Some(body) = rest.strip_suffix(bye.as_str()) else {
        return Err(match rest.find(bye.as_str()) {
            Some(_) => garbage("something follows the end"),
            None => truncated(rest.len()),
        });
    };
    let end = header.len() + body.len() + 1;
    text.truncate(end);
    text.drain(..header.len());
    let moved = |frame: &Frame<'_>| frame.name == "stable" && frame.lines().any(|(_, line)| line == "no");
    if sections(&text)?.iter().any(moved) {
        return Err(changing());
    }
    Ok(text)
}

/// The first control character that is neither a line break nor a tab.
fn first_control(text: &str) -> Option<u8> {
    // No branches: the compiler then looks at many bytes at once.
    let is_control = |b: &u8| ((*b < b' ') & (*b != b'\n') & (*b != b'\t')) | (*b == 0x7f);
    let mut chunks = text.as_bytes().chunks(4096);
    let chunk = chunks.find(|chunk| chunk.iter().fold(false, |found, b| found | is_control(b)))?;
    chunk.iter().copied().find(is_control)
}

/// Judges an answer that does not begin with its header.
fn judge_start(text: &str, header: &str) -> Failure {
    if header.starts_with(text) {
        return truncated(text.len());
    }
    if let Some(rest) = text.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(" error ")) {
        let line = rest.strip_suffix('\n').unwrap_or(rest);
        let (code, message) = line.split_once(' ').unwrap_or((line, ""));
        if is_code(code) && !line.contains('\n') {
            return Failure::new(code, format!("the probe refused: {}", bounded(message)));
        }
    }
    if text.contains(header) {
        return garbage(format!(
            "something is printed in front of the answer: {}",
            bounded(text.lines().next().unwrap_or_default())
        ));
    }
    if text.starts_with("countersign-probe/") && !text.starts_with(&format!("{MAGIC} ")) {
        return Failure::new("probe-version", "the runner has another version of the probe; see enroll");
    }
    garbage(format!("not an answer of the probe: {}", bounded(text.lines().next().unwrap_or_default())))
}

/// Splits a record; strict about every control line.
pub(crate) fn sections(record: &str) -> Result<Vec<Frame<'_>>, Failure> {
    let mut frames: Vec<Frame<'_>> = Vec::with_capacity(20);
    let mut open: Option<(usize, Frame<'_>)> = None;
    let mut at = 0;
    let mut number = 0;
    while at < record.len() {
        number += 1;
        let Some(length) = memchr::memchr(b'\n', &record.as_bytes()[at..]) else {
            return Err(truncated(record.len()));
        };
        if length > LINE_MAX {
            return Err(garbage(format!("line {number} has more than {LINE_MAX} bytes")));
        }
        let line = &record[at..at + length];
        let next = at + length + 1;
        match &mut open {
            Some((_, frame)) if line.starts_with(' ') => frame.rows += 1,
            Some((start, frame)) => {
                let Some(status) = line.strip_prefix("close ") else {
                    return Err(garbage(format!("line {number} is neither payload nor the end of its section")));
                };
                frame.payload = &record[*start..at];
                frame.text = &record[frame_start(record, *start, frame.name)..next];
                frame.close = close(status, frame.rows)
                    .ok_or_else(|| garbage(format!("line {number} closes its section in no known way")))?;
                frames.push(*frame);
                open = None;
            }
            None => {
                if let Some(name) = line.strip_prefix("section ") {
                    if !is_code(name) || frames.iter().any(|frame| frame.name == name) || frames.len() == SECTIONS_MAX {
                        return Err(garbage(format!("line {number} opens a section that cannot be")));
                    }
                    let frame = Frame { name, payload: "", line: number + 1, rows: 0, close: Close::Good, text: "" };
                    open = Some((next, frame));
                } else if let Some(count) = line.strip_prefix("end ") {
                    if next != record.len() || count != frames.len().to_string() {
                        return Err(garbage(format!("line {number} does not end the sections in front of it")));
                    }
                    return Ok(frames);
                } else {
                    return Err(garbage(format!("line {number} is no control line")));
                }
            }
        }
        at = next;
    }
    Err(truncated(record.len()))
}

/// Where the `section` line of a payload that starts at `payload` begins.
fn frame_start(record: &str, payload: usize, name: &str) -> usize {
    debug_assert!(record[..payload].ends_with('\n'));
    payload - "section \n".len() - name.len()
}

/// Reads what follows `close `; `None` if the probe never writes that.
fn close(status: &str, rows: usize) -> Option<Close<'_>> {
    let (number, rest) = status.split_once(' ').unwrap_or((status, ""));
    let number: u8 = number.parse().ok()?;
    match (number, rest) {
        (0, "") => Some(Close::Good),
        (0, "warm") => (rows == 0).then_some(Close::Warm),
        (0, count) => (count == rows.to_string()).then_some(Close::Good),
        (_, code) => is_code(code).then_some(Close::Bad(code)),
    }
}

/// Lower-case letters, digits and dashes, a letter first, at most 40.
fn is_code(text: &str) -> bool {
    text.len() <= 40
        && text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// At most 200 characters of a text from the runner.
pub(crate) fn bounded(text: &str) -> &str {
    text.char_indices().nth(200).map_or(text, |(end, _)| &text[..end])
}

/// Not what a probe says.
pub(crate) fn garbage(message: impl Into<String>) -> Failure {
    Failure::new("garbage", message)
}

/// Not one state of the runner.
pub(crate) fn changing() -> Failure {
    Failure::new("changing", "packages came or went while the probe looked")
}

fn truncated(bytes: usize) -> Failure {
    Failure::new("truncated", format!("the answer ends after {bytes} bytes, before its end line"))
}
