//! Canonical JSON: sorted keys, no spaces, one newline at the end. One content has one spelling, and so one sha256.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Why bytes are not the canonical form of something.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// Longer than the reader takes.
    #[error("{length} bytes; at most {most} are read")]
    TooLong {
        /// Bytes that are there.
        length: usize,
        /// Bytes that are read.
        most: usize,
    },
    /// Not JSON, or not with exactly the fields that belong there.
    #[error("it has not exactly the fields that belong there")]
    Json(#[source] serde_json::Error),
    /// The bytes are not those that the same content is written as.
    #[error("byte {0} is not what the same content is written as")]
    Spelling(usize),
}

/// The canonical bytes.
pub fn to_bytes<T: Serialize>(content: &T) -> serde_json::Result<Vec<u8>> {
    let mut text = String::new();
    write(&serde_json::to_value(content)?, &mut text);
    text.push('\n');
    Ok(text.into_bytes())
}

/// Reads exactly what [`to_bytes`] writes: other spellings, repeated fields and trailing bytes are errors. `T` must deny
/// unknown fields.
pub fn from_bytes<T: Serialize + DeserializeOwned>(bytes: &[u8], most: usize) -> Result<T, CanonicalError> {
    if bytes.len() > most {
        return Err(CanonicalError::TooLong { length: bytes.len(), most });
    }
    let content: T = serde_json::from_slice(bytes).map_err(CanonicalError::Json)?;
    let written = to_bytes(&content).map_err(CanonicalError::Json)?;
    if written != bytes {
        let differs = written.iter().zip(bytes).position(|(a, b)| a != b);
        return Err(CanonicalError::Spelling(differs.unwrap_or(written.len().min(bytes.len()))));
    }
    Ok(content)
}

/// sha256, 64 lower-case hex digits.
pub fn sha256(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Sorts by itself: whether `serde_json` keeps insertion order depends on features that others may switch on.
pub(crate) fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                let _ = write!(out, "{}:", Value::String(key.clone()));
                write(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (index, entry) in list.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(entry, out);
            }
            out.push(']');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_manifests_schema::bundle::{Bundle, SignedText};

    #[test]
    fn one_content_has_one_spelling() {
        let text = SignedText { text: "a\n".to_owned(), signature: "b".to_owned() };
        let bundle = Bundle {
            schema: "countersign/bundle/1".to_owned(),
            proposal: "{}\n".to_owned(),
            statements: Vec::new(),
            lease: Some(text),
            token: None,
        };
        let bytes = to_bytes(&bundle).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(from_bytes::<Bundle>(&bytes, 4096).unwrap(), bundle);
        for other in [
            text.trim_end().to_owned(),
            format!("{text}\n"),
            format!("{text}{text}"),
            text.replacen(':', ": ", 1),
            text.replace("\"token\":null", "\"token\":null,\"more\":1"),
            text.replace("\"token\":null", "\"token\":null,\"token\":null"),
            text.replace(",\"token\":null", ""),
            text.replace("\"b\"", "\"\\u0062\""),
        ] {
            assert!(from_bytes::<Bundle>(other.as_bytes(), 4096).is_err(), "{other}");
        }
        assert!(matches!(from_bytes::<Bundle>(&bytes, bytes.len() - 1), Err(CanonicalError::TooLong { .. })));
    }
}
