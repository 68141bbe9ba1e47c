//! Lengths of time as people write them: `10s`, `5m`, `48h`, `7d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A whole number and one unit: `s`, `m`, `h`, `d` or `w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

impl Span {
    /// A span of so many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The length.
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    /// The length in seconds.
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }
}

/// The text is not a whole number and a unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a length of time: write a whole number and s, m, h, d or w, such as \"10s\" or \"7d\"")]
pub struct SpanError(String);

const UNITS: &[(&str, u64)] = &[("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let error = || SpanError(text.chars().take(40).collect());
        let (unit, factor) = UNITS.iter().find(|(unit, _)| text.ends_with(unit)).ok_or_else(error)?;
        let digits = &text[..text.len() - unit.len()];
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(error());
        }
        let seconds = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(*factor)).ok_or_else(error)?;
        Ok(Self::from_secs(seconds))
    }
}

/// In the largest unit that divides it.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.as_secs();
        let fits = |factor: u64| seconds != 0 && seconds.is_multiple_of(factor);
        let (unit, factor) = UNITS.iter().find(|(_, factor)| fits(*factor)).unwrap_or(&("s", 1));
        write!(f, "{}{unit}", seconds / factor)
    }
}

impl<'de> serde::Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_make_a_span_and_nothing_else_does() {
        for (text, seconds) in
            [("0s", 0), ("10s", 10), ("5m", 300), ("48h", 172_800), ("7d", 604_800), ("2w", 1_209_600)]
        {
            assert_eq!(text.parse(), Ok(Span::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "s",
            "10",
            "-1s",
            "+1s",
            "1.5h",
            "1h30m",
            "10 s",
            "10S",
            "99999999999999999999d",
            "18446744073709551615w",
            "\u{661}s",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn display_uses_the_largest_unit_that_divides() {
        for (seconds, text) in [(0, "0s"), (90, "90s"), (120, "2m"), (172_800, "2d"), (604_800, "1w")] {
            assert_eq!(Span::from_secs(seconds).to_string(), text);
        }
    }
}
