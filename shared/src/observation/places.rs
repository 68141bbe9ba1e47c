//! Where a byte is in a short text.

/// Bytes looked at together.
const WORD: usize = 8;

/// All places of `byte` in `text`. Columns are so short that a search for the end of each, as memchr makes it, costs more
/// than a look at every byte.
pub fn places(byte: u8, text: &[u8]) -> impl Iterator<Item = usize> {
    let (mut next, mut from, mut found) = (0, 0, 0);
    std::iter::from_fn(move || {
        while found == 0 {
            let left = text.len().checked_sub(next).filter(|left| *left > 0)?;
            found = match (text[next..].first_chunk(), text.last_chunk()) {
                (Some(word), _) => matches(byte, *word),
                // The last bytes once more, without those that were looked at before.
                (None, Some(word)) => matches(byte, *word) >> (8 * (WORD - left)),
                (None, None) => {
                    let mut word = [!byte; WORD];
                    word[..left].copy_from_slice(&text[next..]);
                    matches(byte, word)
                }
            };
            (from, next) = (next, next + WORD);
        }
        let place = from + found.trailing_zeros() as usize / 8;
        found &= found - 1;
        Some(place)
    })
}

/// The highest bit of each byte of the word that is this one, the first byte lowest.
fn matches(byte: u8, word: [u8; WORD]) -> u64 {
    const LOW: u64 = u64::from_ne_bytes([0x7f; WORD]);
    let differs = u64::from_le_bytes(word) ^ u64::from_ne_bytes([byte; WORD]);
    // The sum reaches the highest bit of every byte that is not 0, and never the next byte.
    !(((differs & LOW) + LOW) | differs | LOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_place_is_found_and_no_other(
            text in proptest::collection::vec(prop_oneof![Just(b'\t'), Just(b'\x08'), Just(b'\x89'), any::<u8>()], 0..40),
        ) {
            let expected: Vec<usize> = text.iter().enumerate().filter(|(_, b)| **b == b'\t').map(|(at, _)| at).collect();
            prop_assert_eq!(places(b'\t', &text).collect::<Vec<_>>(), expected);
        }
    }
}
