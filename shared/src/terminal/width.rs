//! Columns on a terminal: measuring, cutting, wrapping. Width is in columns, never in bytes or characters.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Shown where text was cut.
const SIGN: char = '…';

/// The columns that the text takes.
pub fn width(text: &str) -> usize {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) { text.len() } else { text.width() }
}

/// The text, or as much of it as fits with a sign that something is missing.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let mut taken = 0;
    let mut shown = String::new();
    for c in text.chars() {
        let columns_of_c = c.width().unwrap_or(0);
        if taken + columns_of_c > columns - 1 {
            break;
        }
        taken += columns_of_c;
        shown.push(c);
    }
    shown.push(SIGN);
    Cow::Owned(shown)
}

/// The text in lines of at most so many columns, broken at spaces, or inside a word that is longer than a line.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut taken = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let needed = width(word);
        if taken > 0 && taken + 1 + needed > columns {
            lines.push(std::mem::take(&mut line));
            taken = 0;
        }
        if taken > 0 {
            line.push(' ');
            taken += 1;
        }
        for c in word.chars() {
            let columns_of_c = c.width().unwrap_or(0);
            if taken + columns_of_c > columns {
                lines.push(std::mem::take(&mut line));
                taken = 0;
            }
            line.push(c);
            taken += columns_of_c;
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Like [`wrap`], at most so many lines; the last one carries the sign if there was more.
pub fn wrapped(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines = wrap(text, columns);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            let full = format!("{last} {SIGN}");
            *last =
                if width(&full) <= columns { full } else { cut(&format!("{last}{SIGN}{SIGN}"), columns).into_owned() };
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cutting_counts_columns_and_leaves_a_sign() {
        let cases = [
            ("llvm", 4, "llvm"),
            ("llvm-libs", 5, "llvm…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("日本語", 1, "…"),
            ("a", 0, ""),
        ];
        for (text, columns, shown) in cases {
            assert_eq!(cut(text, columns), shown, "{text} in {columns}");
        }
    }

    #[test]
    fn wrapping_breaks_at_spaces_and_only_then_in_words() {
        assert_eq!(wrap("one two  three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrapped("one two three four", 8, 2), ["one two", "three …"]);
        assert_eq!(wrapped("aaaa bbbb cccc", 4, 2), ["aaaa", "bbb…"]);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked(text in any::<String>(), columns in 2usize..60) {
            let text = crate::terminal::visible(&text).into_owned();
            prop_assert!(width(&cut(&text, columns)) <= columns);
            for line in wrap(&text, columns).iter().chain(&wrapped(&text, columns, 2)) {
                prop_assert!(width(line) <= columns, "{line:?} is wider than {columns}");
            }
            let letters = |s: &str| s.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&wrap(&text, columns).concat()), letters(&text));
        }
    }
}
