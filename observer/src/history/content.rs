//! Texts kept once, by digest.
//!
//! A record is cut where a section begins (a line that does not start with a space). Large sections are stored by the
//! sha256 of their text, the list of packages in two [`halves`](super::halves); the rest, which changes every night,
//! stays in the recipe.

use super::HistoryError;
use super::halves::{self, Halves};
use super::texts::{TextDigest, Texts};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::rc::Rc;

/// Sections at least this long are stored by digest.
const LARGE: usize = 2048;

/// How to put a record together again.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Piece {
    /// The text itself.
    #[serde(rename = "t")]
    Text(String),
    /// The digest of a stored text.
    #[serde(rename = "d")]
    Digest(String),
    /// The digests of both halves of a list: what, when.
    #[serde(rename = "h")]
    Halves(String, String),
}

/// Cuts a record into sections; joined, they are the record again.
fn sections(record: &str) -> impl Iterator<Item = &str> {
    let mut rest = record;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        loop {
            end = match memchr::memchr(b'\n', &rest.as_bytes()[end..]) {
                None => rest.len(),
                Some(newline) => end + newline + 1,
            };
            if end == rest.len() || rest.as_bytes()[end] != b' ' {
                break;
            }
        }
        let (section, after) = rest.split_at(end);
        rest = after;
        Some(section)
    })
}

/// Stores a record and returns its recipe with the digests that it names.
pub(super) fn put(
    db: &Connection,
    texts: &mut Texts,
    record: &str,
) -> Result<(Vec<u8>, Vec<TextDigest>), HistoryError> {
    let failed = |e| HistoryError::Query("written", e);
    let mut known: CachedStatement<'_> =
        db.prepare_cached("SELECT 1 FROM content WHERE digest = ?1").map_err(failed)?;
    let mut add: CachedStatement<'_> = db.prepare_cached("INSERT INTO content VALUES (?1, ?2, ?3)").map_err(failed)?;
    let mut digests = Vec::new();
    let mut store = |text: &str| -> Result<String, HistoryError> {
        let digest = texts.digest(text);
        if !known.exists([&digest[..]]).map_err(failed)? {
            let lz4 = lz4_flex::block::compress(text.as_bytes());
            add.execute(params![&digest[..], text.len() as i64, lz4]).map_err(failed)?;
        }
        digests.push(digest);
        Ok(hex(&digest))
    };
    let mut pieces = Vec::new();
    let mut small = String::new();
    for section in sections(record) {
        if section.len() < LARGE {
            small.push_str(section);
            continue;
        }
        if !small.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut small)));
        }
        pieces.push(match halves::split(section) {
            Some(Halves { what, when }) => Piece::Halves(store(&what)?, store(&when)?),
            None => Piece::Digest(store(section)?),
        });
    }
    if !small.is_empty() {
        pieces.push(Piece::Text(small));
    }
    let recipe = serde_json::to_vec(&pieces).map_err(|e| HistoryError::Damaged(e.to_string()))?;
    Ok((recipe, digests))
}

/// Puts a record together again, checking every digest.
pub(super) fn get(db: &Connection, texts: &mut Texts, recipe: &[u8]) -> Result<String, HistoryError> {
    let damaged = |what: &str| HistoryError::Damaged(what.to_owned());
    let pieces: Vec<Piece> = serde_json::from_slice(recipe).map_err(|e| damaged(&e.to_string()))?;
    let mut found = Vec::with_capacity(pieces.len());
    for piece in &pieces {
        found.push(match piece {
            Piece::Text(_) => (None, None),
            Piece::Digest(digest) => (Some(text(db, texts, digest)?), None),
            Piece::Halves(what, when) => (Some(text(db, texts, what)?), Some(text(db, texts, when)?)),
        });
    }
    let length = |text: &Option<Rc<str>>| text.as_ref().map_or(0, |text| text.len());
    let stored: usize = found.iter().map(|(first, second)| length(first) + length(second)).sum();
    let mut record = String::with_capacity(stored + recipe.len());
    for (piece, texts) in pieces.iter().zip(&found) {
        match (piece, texts) {
            (Piece::Halves(..), (Some(what), Some(when))) => {
                halves::join(&mut record, what, when).ok_or_else(|| damaged("two halves of a list differ"))?;
            }
            (Piece::Digest(_), (Some(text), _)) => record.push_str(text),
            (Piece::Text(text), _) => record.push_str(text),
            _ => return Err(damaged("a text is gone")),
        }
    }
    Ok(record)
}

/// The stored text of a digest.
fn text(db: &Connection, texts: &mut Texts, digest: &str) -> Result<Rc<str>, HistoryError> {
    let damaged = |what: &str| HistoryError::Damaged(what.to_owned());
    let wanted = unhex(digest).ok_or_else(|| damaged("a recipe names no digest"))?;
    if let Some(text) = texts.get(&wanted) {
        return Ok(text);
    }
    let failed = |e| HistoryError::Query("read", e);
    let mut find = db.prepare_cached("SELECT size, lz4 FROM content WHERE digest = ?1").map_err(failed)?;
    let read = |row: &rusqlite::Row<'_>| {
        let lz4 = row.get_ref(1)?.as_blob()?;
        Ok(lz4_flex::block::decompress(lz4, row.get::<_, i64>(0)? as usize))
    };
    let found = find.query_row([&wanted[..]], read).optional().map_err(failed)?;
    let text = found.ok_or_else(|| damaged("a text is gone"))?.map_err(|e| damaged(&e.to_string()))?;
    if Sha256::digest(&text)[..] != wanted {
        return Err(damaged("a text differs from its digest"));
    }
    let text: Rc<str> = String::from_utf8(text).map_err(|e| damaged(&e.to_string()))?.into();
    texts.keep(wanted, Rc::clone(&text));
    Ok(text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::sections;
    use proptest::prelude::*;

    #[test]
    fn a_section_begins_where_a_line_does_not_start_with_a_space() {
        let record = "head\nsection a\n 1\n 2\nend a\n 3\n\n x";
        let cut: Vec<_> = sections(record).collect();
        assert_eq!(cut, ["head\n", "section a\n 1\n 2\n", "end a\n 3\n", "\n x"]);
    }

    proptest! {
        #[test]
        fn sections_joined_are_the_record(record in "[ a\n\u{e9}]{0,200}") {
            prop_assert_eq!(sections(&record).collect::<String>(), record);
        }
    }
}
