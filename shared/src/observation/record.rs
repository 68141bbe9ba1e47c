//! Records as they are stored: which parts a warm answer leaves out, and how to put them back.

use super::Failure;
use super::frame::{Close, Frame, garbage, sections};
use super::request::{Tokens, is_token};

/// The sections that a warm answer may leave out: the long ones.
pub const LISTS: [&str; 3] = ["packages", "needed", "history"];

/// Whether any list of this record was left out because it had not moved.
pub fn is_warm(record: &str) -> bool {
    sections(record).is_ok_and(|frames| frames.iter().any(|frame| frame.close == Close::Warm))
}

/// Names of the lists of this record that were left out because they had not moved.
pub fn left_out(record: &str) -> Vec<&str> {
    // No section is closed as left out without these bytes, and most records are whole.
    if memchr::memmem::find(record.as_bytes(), b" warm\n").is_none() {
        return Vec::new();
    }
    let warm = |frame: &Frame<'_>| frame.close == Close::Warm;
    sections(record).map(|frames| frames.iter().filter(|f| warm(f)).map(|f| f.name).collect()).unwrap_or_default()
}

/// The tokens to send with the next request to the same runner; none for a list that was not read.
pub fn tokens(record: &str) -> Tokens {
    let Ok(frames) = sections(record) else {
        return Tokens::default();
    };
    let read = |name: &str| frames.iter().any(|frame| frame.name == name && !matches!(frame.close, Close::Bad(_)));
    let row = frames.iter().find(|frame| frame.name == "tokens").and_then(|frame| frame.lines().next());
    let Some((packages, history)) = row.and_then(|(_, row)| row.split_once('\t')) else {
        return Tokens::default();
    };
    let keep = |token: &str, lists: &[&str]| {
        (is_token(token) && lists.iter().all(|name| read(name))).then(|| token.to_owned())
    };
    Tokens { packages: keep(packages, &["packages", "needed"]), history: keep(history, &["history"]) }
}

/// Completes a warm record with the lists of the stored record whose tokens were sent.
pub fn merge(stored: &str, warm: &str) -> Result<String, Failure> {
    let stored = sections(stored)?;
    let warm = sections(warm)?;
    let mut text = String::with_capacity(stored.iter().chain(&warm).map(|frame| frame.text.len()).sum());
    for frame in &warm {
        let whole = match frame.close {
            Close::Warm => list(&stored, frame.name)?,
            Close::Good | Close::Bad(_) => frame.text,
        };
        text.push_str(whole);
    }
    text.push_str(&format!("end {}\n", warm.len()));
    Ok(text)
}

/// A list that was read completely.
fn list<'a>(stored: &[Frame<'a>], name: &str) -> Result<&'a str, Failure> {
    stored
        .iter()
        .find(|frame| frame.name == name && frame.close == Close::Good && LISTS.contains(&name))
        .map(|frame| frame.text)
        .ok_or_else(|| garbage(format!("{name} was left out, and the stored record does not have it")))
}
