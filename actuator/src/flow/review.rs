//! `review --since D`: what was applied, by whom it was approved, and how it ended.

use crate::config::Config;
use crate::ledger::listing::Selection;
use crate::stop::{Done, Stop};
use countersign_shared::duration::Span;
use countersign_shared::exit::Outcome;
use countersign_shared::terminal::Screen;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Lists it.
pub fn review(config: &Config, since: &str, screen: Screen) -> Result<Done, Stop> {
    let since = Some(moment(since, Timestamp::now())?.as_second());
    let listing = super::ledger::list(config, Selection { since, proposal: None })?;
    Ok(Done { outcome: Outcome::Clean, text: listing.text(screen.palette), json: listing.json() })
}

/// A length of time before now, a day, or a time.
pub(super) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Stop> {
    if let Ok(span) = text.parse::<Span>() {
        let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        let then = now.as_second().checked_sub(seconds).and_then(|then| Timestamp::from_second(then).ok());
        return Ok(then.unwrap_or(Timestamp::MIN));
    }
    let day = || text.parse::<Date>().ok().filter(|_| text.len() == 10);
    let midnight = || Some(day()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    text.parse::<Timestamp>().ok().or_else(midnight).ok_or_else(|| {
        Stop::invalid("usage", format!("{text:?} is neither a length of time nor a time"))
            .hint("write 7d, 2026-11-20 or 2026-11-20T03:30:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_length_a_day_or_a_time() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("7d", "2026-11-13T12:00:00Z"),
            ("90m", "2026-11-20T10:30:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T06:00:00+02:00", "2026-11-01T04:00:00Z"),
        ] {
            assert_eq!(moment(text, now).unwrap().to_string(), expected, "{text}");
        }
        for text in ["", "soon", "7", "2026-13-01", "yesterday"] {
            assert!(moment(text, now).is_err(), "{text}");
        }
    }
}
