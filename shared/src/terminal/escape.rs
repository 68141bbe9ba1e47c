//! Remote text made visible.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// The text with every character that a terminal or a browser could obey or hide replaced by its number: `\x1b` for
/// control characters below U+0100, `\u{202e}` for the rest.
///
/// Replaced are all characters without a width of their own (controls, C1, bidirectional marks, joiners, combining
/// marks, variation selectors, tags), line and paragraph separators, and blanks other than the space. The result is
/// one line.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let Some(first) = text.find(is_hidden) else {
        return Cow::Borrowed(text);
    };
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(&text[..first]);
    for c in text[first..].chars() {
        if !is_hidden(c) {
            shown.push(c);
        } else if u32::from(c) < 0x100 {
            write!(shown, "\\x{:02x}", u32::from(c)).expect("NOTE: a String never fails");
        } else {
            write!(shown, "\\u{{{:x}}}", u32::from(c)).expect("NOTE: a String never fails");
        }
    }
    Cow::Owned(shown)
}

fn is_hidden(c: char) -> bool {
    if matches!(c, ' '..='~') {
        return false;
    }
    c.is_control()
        || c.is_whitespace()
        || c.width().unwrap_or(0) == 0
        || matches!(
            c,
            '\u{00ad}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        let cases = [
            ("llvm-20.1.0-1.fc41", "llvm-20.1.0-1.fc41"),
            ("a\x1b[2Jb", "a\\x1b[2Jb"),
            ("a\x1b]0;title\x07", "a\\x1b]0;title\\x07"),
            ("a\u{9b}31m", "a\\x9b31m"),
            ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
            ("evil\u{202e}gnp.exe", "evil\\u{202e}gnp.exe"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("e\u{301}", "e\\u{301}"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("a\u{a0}b", "a\\xa0b"),
            ("a\u{e0041}b", "a\\u{e0041}b"),
            ("日本語 José ×", "日本語 José ×"),
            ("", ""),
        ];
        for (hostile, shown) in cases {
            assert_eq!(visible(hostile), shown, "{hostile:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left_and_a_second_pass_changes_nothing(text in any::<String>()) {
            let shown = visible(&text).into_owned();
            prop_assert!(!shown.chars().any(is_hidden), "{shown:?}");
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert_eq!(visible(&shown), shown.as_str());
        }
    }
}
