//! The frame in which a runner's warden is asked and answers: one line with length and sha256, that many bytes of JSON,
//! and the end of the stream. What is cut off, doubled or has something behind it is no frame.

use crate::canonical_json;
use crate::observation::{Failure, Nonce, open as open_record};
use countersign_manifests_schema::warden::{Inspection, WardenAnswer, WardenRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// First word of a request.
pub const REQUEST_MAGIC: &str = "countersign-warden/1";
/// First word of an answer.
pub const ANSWER_MAGIC: &str = "countersign-warden-answer/1";
/// Bytes of JSON in a request at most.
pub const REQUEST_MAX: usize = 8 << 20;
/// Bytes of JSON in an answer at most.
pub const ANSWER_MAX: usize = 64 << 20;
/// Bytes of the first line at most: magic, length, digest, blanks and newline.
pub const HEADER_MAX: usize = 128;

/// Why bytes are no request, or no answer.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Nothing came.
    #[error("nothing was sent")]
    Empty,
    /// The first line is not one of this version.
    #[error("the first line is not `{0} LENGTH SHA256`")]
    Header(&'static str),
    /// It says that more follows than is read.
    #[error("{length} bytes; at most {most} are read")]
    TooLong {
        /// As the header says.
        length: usize,
        /// What is read.
        most: usize,
    },
    /// It ends too early, or something follows.
    #[error("{seen} bytes follow the first line, and {said} should")]
    Length {
        /// As the header says.
        said: usize,
        /// What is there.
        seen: usize,
    },
    /// Changed on its way.
    #[error("the bytes do not have the sha256 that the first line says")]
    Digest,
    /// Not exactly one document of its kind.
    #[error("it is not what belongs there")]
    Json(#[source] serde_json::Error),
}

/// The bytes of a request.
pub fn request(content: &WardenRequest) -> Vec<u8> {
    frame(REQUEST_MAGIC, content)
}

/// The bytes of an answer.
pub fn answer(content: &WardenAnswer) -> Vec<u8> {
    frame(ANSWER_MAGIC, content)
}

/// Reads the bytes of a whole request.
pub fn open_request(bytes: &[u8]) -> Result<WardenRequest, FrameError> {
    open(REQUEST_MAGIC, REQUEST_MAX, bytes)
}

/// Reads the bytes of a whole answer.
pub fn open_answer(bytes: &[u8]) -> Result<WardenAnswer, FrameError> {
    open(ANSWER_MAGIC, ANSWER_MAX, bytes)
}

/// The record of an inspection's observation, as [`crate::observation::Observation::parse`] reads it. The runner's own
/// root answers itself, so the nonce is the one that the answer names.
pub fn record(inspection: &Inspection) -> Result<String, Failure> {
    let first = inspection.observation.lines().next().unwrap_or_default();
    let nonce = first.rsplit(' ').next().and_then(nonce).unwrap_or(Nonce::new([0; 16]));
    open_record(inspection.observation.clone().into_bytes(), &nonce)
}

/// sha256 of a `warden.toml`'s rules: of its content without the runner's name, so that runners with the same rules have
/// the same. `None` when it is not TOML.
pub fn policy_digest(text: &str) -> Option<String> {
    let mut table: toml::Table = text.parse().ok()?;
    table.remove("runner");
    let bytes = canonical_json::to_bytes(&table).ok()?;
    Some(canonical_json::sha256(&bytes))
}

fn nonce(hex: &str) -> Option<Nonce> {
    let mut bytes = [0; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(Nonce::new(bytes)).filter(|nonce| nonce.as_str() == hex)
}

fn frame<T: Serialize>(magic: &str, content: &T) -> Vec<u8> {
    let json = serde_json::to_vec(content).expect("NOTE: texts, numbers and lists of them are always JSON");
    let mut bytes = format!("{magic} {} {}\n", json.len(), canonical_json::sha256(&json)).into_bytes();
    bytes.extend_from_slice(&json);
    bytes
}

fn open<T: DeserializeOwned>(magic: &'static str, most: usize, bytes: &[u8]) -> Result<T, FrameError> {
    if bytes.is_empty() {
        return Err(FrameError::Empty);
    }
    let head = &bytes[..bytes.len().min(HEADER_MAX)];
    let end = head.iter().position(|byte| *byte == b'\n').ok_or(FrameError::Header(magic))?;
    let line = std::str::from_utf8(&head[..end]).map_err(|_| FrameError::Header(magic))?;
    let [word, length, digest] =
        line.split(' ').collect::<Vec<_>>().try_into().map_err(|_| FrameError::Header(magic))?;
    let said = decimal(length).filter(|_| word == magic && is_digest(digest)).ok_or(FrameError::Header(magic))?;
    if said > most {
        return Err(FrameError::TooLong { length: said, most });
    }
    let json = &bytes[end + 1..];
    if json.len() != said {
        return Err(FrameError::Length { said, seen: json.len() });
    }
    if canonical_json::sha256(json) != digest {
        return Err(FrameError::Digest);
    }
    serde_json::from_slice(json).map_err(FrameError::Json)
}

/// A number as it is written, and in no other way.
fn decimal(text: &str) -> Option<usize> {
    text.parse::<usize>().ok().filter(|number| number.to_string() == text)
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn confirm() -> WardenRequest {
        WardenRequest::Confirm { proposal: "ab".repeat(32), keep: true }
    }

    #[test]
    fn what_is_written_reads_back() {
        assert_eq!(open_request(&request(&confirm())).unwrap(), confirm());
        let refused = WardenAnswer::Refused { code: "spent".to_owned(), message: "it was\nstarted".to_owned() };
        assert_eq!(open_answer(&answer(&refused)).unwrap(), refused);
    }

    #[test]
    fn anything_but_one_whole_frame_is_refused() {
        let good = request(&confirm());
        let text = String::from_utf8(good.clone()).unwrap();
        assert!(matches!(open_request(b""), Err(FrameError::Empty)));
        for cut in 1..good.len() {
            assert!(open_request(&good[..cut]).is_err(), "{cut} bytes");
        }
        assert!(matches!(open_request(&[&good[..], b"\n"].concat()), Err(FrameError::Length { .. })));
        assert!(open_request(&[&good[..], &good[..]].concat()).is_err(), "doubled");
        assert!(open_answer(&good).is_err(), "a request is no answer");
        assert!(matches!(open_request(text.replace("true", "null").as_bytes()), Err(FrameError::Digest)));
        let length = text.split(' ').nth(1).unwrap();
        for other in [format!("0{length}"), format!("+{length}"), "18446744073709551616".to_owned(), String::new()] {
            let changed = text.replacen(length, &other, 1);
            assert!(matches!(open_request(changed.as_bytes()), Err(FrameError::Header(_))), "{other:?}");
        }
        let long = text.replacen(length, &(REQUEST_MAX + 1).to_string(), 1);
        assert!(matches!(open_request(long.as_bytes()), Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn unknown_and_repeated_fields_are_refused() {
        for json in [
            r#"{"verb":"inspect","more":1}"#,
            r#"{"verb":"confirm","proposal":"a","keep":true,"keep":false}"#,
            r#"{"verb":"undo"}"#,
            r#"{"verb":"inspect"} {"verb":"inspect"}"#,
        ] {
            let bytes = format!("{REQUEST_MAGIC} {} {}\n{json}", json.len(), canonical_json::sha256(json.as_bytes()));
            assert!(matches!(open_request(bytes.as_bytes()), Err(FrameError::Json(_))), "{json}");
        }
    }

    #[test]
    fn the_same_rules_have_the_same_digest_on_every_runner() {
        let one = policy_digest("runner = \"a\"\nrequired = 2 # two\n").unwrap();
        assert_eq!(policy_digest("required=2\nrunner=\"b\"").unwrap(), one);
        assert_ne!(policy_digest("runner = \"a\"\nrequired = 1").unwrap(), one);
        assert_eq!(policy_digest("runner = "), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = open_request(&bytes);
            let _ = open_answer(&bytes);
        }
    }
}
