//! Text that another machine sent, made safe to show.

use std::fmt;

use crate::terminal::visible;

/// Longest piece of remote text that a message shows, in characters before escaping.
const LONGEST: usize = 300;

/// Text from another machine: bounded, and [`visible`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RemoteText(String);

impl RemoteText {
    /// Escapes and bounds `text`.
    pub fn new(text: &str) -> Self {
        Self(match text.char_indices().nth(LONGEST) {
            None => visible(text).into_owned(),
            Some((end, _)) => format!("{}...", visible(&text[..end])),
        })
    }

    /// The same for bytes that should be UTF-8; others become replacement characters.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        // Four bytes per character at most: the rest could not be shown anyway.
        let head = &bytes[..bytes.len().min(LONGEST * 4 + 4)];
        Self::new(String::from_utf8_lossy(head).trim_end())
    }

    /// The escaped text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for RemoteText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RemoteText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_text_is_escaped_and_cut() {
        assert_eq!(RemoteText::new("a\x1b[2J\u{202e}b").as_str(), "a\\x1b[2J\\u{202e}b");
        assert_eq!(RemoteText::from_bytes(b"bye\xff\r\n").as_str(), "bye\u{fffd}");
        assert_eq!(RemoteText::new(&"x".repeat(LONGEST)).as_str().len(), LONGEST);
        assert_eq!(RemoteText::new(&"x".repeat(1_000_000)).as_str().len(), LONGEST + 3);
        assert!(RemoteText::from_bytes(&vec![0xff; 1_000_000]).as_str().ends_with("..."));
    }
}
