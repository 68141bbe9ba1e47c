//! The texts used last, with their digests: what many runners have in common is hashed, compressed and read once.

use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::rc::Rc;

/// Bytes of texts that are kept.
const KEPT: usize = 3 * 1024 * 1024;

/// The sha256 of a text.
pub(super) type TextDigest = [u8; 32];

/// The texts used last, the newest first.
#[derive(Debug, Default)]
pub(super) struct Texts {
    list: VecDeque<(TextDigest, Rc<str>)>,
    bytes: usize,
}

impl Texts {
    /// The digest of a text, which is computed only when the text is not known.
    pub(super) fn digest(&mut self, text: &str) -> TextDigest {
        if let Some(known) = self.use_again(|(_, known)| **known == *text) {
            return known.0;
        }
        let digest = Sha256::digest(text.as_bytes()).into();
        self.keep(digest, text.into());
        digest
    }

    /// The text of a digest, if it is known.
    pub(super) fn get(&mut self, digest: &TextDigest) -> Option<Rc<str>> {
        self.use_again(|(known, _)| known == digest).map(|(_, text)| text)
    }

    /// Keeps a text whose digest has been checked.
    pub(super) fn keep(&mut self, digest: TextDigest, text: Rc<str>) {
        if text.len() > KEPT {
            return;
        }
        self.bytes += text.len();
        self.list.push_front((digest, text));
        while self.bytes > KEPT
            && let Some((_, oldest)) = self.list.pop_back()
        {
            self.bytes -= oldest.len();
        }
    }

    fn use_again(&mut self, is_it: impl FnMut(&(TextDigest, Rc<str>)) -> bool) -> Option<(TextDigest, Rc<str>)> {
        let place = self.list.iter().position(is_it)?;
        let found = self.list.remove(place)?;
        self.list.push_front(found.clone());
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut texts = Texts::default();
        let text = |n: u8| char::from(b'a' + n).to_string().repeat(KEPT / 4);
        let digests: Vec<_> = (0..4).map(|n| texts.digest(&text(n))).collect();
        assert_eq!(digests[2], TextDigest::from(Sha256::digest(text(2))));
        assert_eq!(texts.get(&digests[0]).as_deref(), Some(text(0).as_str()));
        texts.digest(&text(4));
        assert!(texts.get(&digests[0]).is_some(), "it was used after the others came");
        assert_eq!(texts.get(&digests[1]), None);
        assert!(texts.bytes <= KEPT);
        let huge = "x".repeat(KEPT + 1);
        let digest = texts.digest(&huge);
        assert_eq!(texts.get(&digest), None, "one text never takes the place of all others");
        assert!(texts.get(&digests[3]).is_some());
    }
}
