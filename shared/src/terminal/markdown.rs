//! Text of others inside Markdown: shown as it is, never obeyed, also not by what forges add (mentions, references,
//! links made of bare addresses).

use std::fmt::Write as _;

use crate::terminal::visible;

/// The text as code, on one line, also inside a table.
pub fn code(text: &str) -> String {
    let text = visible(text);
    let text = text.as_ref();
    let odd = text.is_empty() || text.contains(['`', '|', '\\']) || text.starts_with(' ') || text.ends_with(' ');
    if !odd {
        return format!("`{text}`");
    }
    // A code span cannot show a bar inside a table, nor a backtick at its edge, the same way in every renderer.
    let mut html = String::from("<code>");
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            write!(html, "&#{};", u32::from(c)).expect("NOTE: a String never fails");
        } else {
            html.push(c);
        }
    }
    html.push_str("</code>");
    html
}

/// A sentence in which words that could mean something to Markdown or to a forge become code. Never for the start of a
/// line.
pub fn prose(text: &str) -> String {
    let text = visible(text);
    let words = text.split(' ').filter(|word| !word.is_empty());
    words.map(|word| if is_plain(word) { word.to_owned() } else { code(word) }).collect::<Vec<_>>().join(" ")
}

fn is_plain(word: &str) -> bool {
    let letters =
        word.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | ',' | ';' | ':' | '\'' | '(' | ')' | '-'));
    let rule = word.chars().all(|c| c == '-');
    let address = word.to_ascii_lowercase().contains("www.");
    // Forges link commit ids and `GH-12`.
    let id = word.len() >= 7 && word.chars().all(|c| c.is_ascii_hexdigit());
    letters && !address && !id && (!rule || word == "-") && !word.to_ascii_lowercase().starts_with("gh-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn code_shows_every_character() {
        let cases = [
            ("llvm-20.1.0-1.fc41", "`llvm-20.1.0-1.fc41`"),
            ("<script>alert(1)</script>", "`<script>alert(1)</script>`"),
            ("@everyone #1 https://evil.example", "`@everyone #1 https://evil.example`"),
            ("a`b", "<code>a&#96;b</code>"),
            ("a|b", "<code>a&#124;b</code>"),
            ("a\nb", "<code>a&#92;x0ab</code>"),
            (" x ", "<code> x </code>"),
            ("", "<code></code>"),
        ];
        for (text, shown) in cases {
            assert_eq!(code(text), shown, "{text:?}");
        }
    }

    #[test]
    fn prose_keeps_words_and_quotes_the_rest() {
        let cases = [
            ("connection refused (port 22), tried 2 times", "connection refused (port 22), tried 2 times"),
            ("see https://evil.example now", "see `https://evil.example` now"),
            ("ping @team and #12", "ping `@team` and `#12`"),
            ("*bold* [x](y) <b>", "`*bold*` `[x](y)` `<b>`"),
            ("www.evil.example", "`www.evil.example`"),
            ("a\u{202e}b", "<code>a&#92;u&#123;202e&#125;b</code>"),
            ("a - b --- c", "a - b `---` c"),
        ];
        for (text, shown) in cases {
            assert_eq!(prose(text), shown, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_structure_of_markdown_survives(text in any::<String>()) {
            let shown = code(&text);
            prop_assert!(!shown.contains(['\n', '|', '\\']), "{shown:?}");
            let inside = shown.strip_prefix('`').and_then(|s| s.strip_suffix('`'));
            match inside {
                Some(inside) => prop_assert!(!inside.contains('`') && !inside.is_empty()),
                None => {
                    let inside = shown.strip_prefix("<code>").and_then(|s| s.strip_suffix("</code>")).unwrap_or("<");
                    prop_assert!(!inside.contains(['<', '>', '`', '*', '_', '[']), "{shown:?}");
                }
            }
        }
    }
}
