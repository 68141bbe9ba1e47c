//! Durations as people write them: `10s`, `10m`, `48h`, `7d`, `1h 30m`.

use std::fmt::Write as _;
use std::time::Duration;

const UNITS: &[(char, u64)] = &[
    ('w', 604_800),
    ('d', 86_400),
    ('h', 3_600),
    ('m', 60),
    ('s', 1),
];

/// Reads numbers with the units `w`, `d`, `h`, `m`, `s`, larger units first; at most a hundred years.
pub fn parse(text: &str) -> Option<Duration> {
    const LIMIT: u64 = 100 * 365 * 86_400;
    let mut rest = text.trim();
    let mut total: u64 = 0;
    let mut last = u64::MAX;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..end].parse().ok()?;
        let unit = rest[end..].chars().next()?;
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        if *seconds >= last {
            return None;
        }
        last = *seconds;
        total = total.checked_add(number.checked_mul(*seconds)?)?;
        rest = rest[end + 1..].trim_start();
    }
    (total <= LIMIT).then(|| Duration::from_secs(total))
}

/// The shortest form that [`parse`] reads back; a part below a second is left out.
pub fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let whole = UNITS[1..]
        .iter()
        .find(|(_, unit)| seconds >= *unit && seconds.is_multiple_of(*unit));
    let mut out = String::new();
    match whole {
        Some((name, unit)) => {
            let _ = write!(out, "{}{name}", seconds / unit);
        }
        None => {
            let _ = write!(out, "{seconds}s");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_and_their_combination_reads() {
        let table = [
            ("0s", 0),
            ("10s", 10),
            ("10m", 600),
            ("48h", 172_800),
            ("7d", 604_800),
            ("2w", 1_209_600),
            ("1h30m", 5_400),
            ("1d 2h 3m 4s", 93_784),
        ];
        for (text, seconds) in table {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_does_not_read() {
        for text in [
            "",
            "7",
            "d",
            "7 d",
            "-1h",
            "1.5h",
            "30m1h",
            "1h1h",
            "7days",
            "99999999999999999999s",
            "9999999999d",
            "1\u{b5}s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for seconds in [
            0, 1, 59, 60, 90, 3_600, 5_400, 86_400, 172_800, 604_800, 1_209_601,
        ] {
            let duration = Duration::from_secs(seconds);
            assert_eq!(parse(&show(duration)), Some(duration), "{seconds}");
        }
        assert_eq!(show(Duration::from_secs(172_800)), "2d");
    }
}
