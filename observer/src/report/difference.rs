//! What differs between the wanted and the installed text of one item, so that the eye finds it.

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Longer texts are not compared piece by piece.
const MOST_PIECES: usize = 200;

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// The same in both.
    Same(&'t str),
    /// Only here.
    Changed(&'t str),
}

impl<'t> Piece<'t> {
    /// The text, marked or not.
    pub(super) fn text(self) -> &'t str {
        match self {
            Piece::Same(text) | Piece::Changed(text) => text,
        }
    }
}

/// Both texts in pieces. Without a common word nothing is marked: then the whole differs and marks would not help.
pub(super) fn compare<'t>(wanted: &'t str, seen: &'t str) -> (Vec<Piece<'t>>, Vec<Piece<'t>>) {
    let whole = (vec![Piece::Same(wanted)], vec![Piece::Same(seen)]);
    // The operator of a rule has no counterpart in what is installed.
    let operator = wanted.len() - wanted.trim_start_matches(['=', '<', '>', ' ']).len();
    let (operator, version) = wanted.split_at(operator);
    let (old, new) = (pieces(version), pieces(seen));
    if old.len().max(new.len()) > MOST_PIECES || version.is_empty() || seen.is_empty() {
        return whole;
    }
    let mut left = Vec::new();
    let mut right = Vec::new();
    if !operator.is_empty() {
        left.push(Piece::Same(operator));
    }
    let mut common = false;
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        let (old, new) = (&old[op.old_range()], &new[op.new_range()]);
        if let DiffOp::Equal { .. } = op {
            common |= old.iter().any(|piece| piece.chars().any(char::is_alphanumeric));
            left.extend(old.iter().map(|piece| Piece::Same(piece)));
            right.extend(new.iter().map(|piece| Piece::Same(piece)));
        } else {
            left.extend(old.iter().map(|piece| Piece::Changed(piece)));
            right.extend(new.iter().map(|piece| Piece::Changed(piece)));
        }
    }
    if common { (left, right) } else { whole }
}

/// Runs of letters and digits, and what is between them.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let kind = c.is_alphanumeric();
        if last.is_some_and(|last| last != kind || !kind) {
            pieces.push(&text[start..at]);
            start = at;
        }
        last = Some(kind);
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(pieces: &[Piece<'_>]) -> String {
        pieces
            .iter()
            .map(|piece| match piece {
                Piece::Same(text) => (*text).to_owned(),
                Piece::Changed(text) => format!("[{text}]"),
            })
            .collect()
    }

    #[test]
    fn only_what_differs_is_marked() {
        let cases = [
            ("= 19.1.0-1.fc41", "20.1.0-1.fc41", "= [19].1.0-1.fc41", "[20].1.0-1.fc41"),
            ("= 2:9.1-3.fc41", "2:9.1-4.fc41", "= 2:9.1-[3].fc41", "2:9.1-[4].fc41"),
            ("enforcing", "permissive", "enforcing", "permissive"),
            ("*", "", "*", ""),
            ("= 1.0", "1.0", "= 1.0", "1.0"),
        ];
        for (wanted, seen, left, right) in cases {
            let (old, new) = compare(wanted, seen);
            assert_eq!((shown(&old).as_str(), shown(&new).as_str()), (left, right), "{wanted} / {seen}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(wanted in any::<String>(), seen in any::<String>()) {
            let (left, right) = compare(&wanted, &seen);
            let text = |pieces: &[Piece<'_>]| pieces.iter().map(|piece| piece.text()).collect::<String>();
            prop_assert_eq!(text(&left), wanted.as_str());
            prop_assert_eq!(text(&right), seen.as_str());
        }
    }
}
