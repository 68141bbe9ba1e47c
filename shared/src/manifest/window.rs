//! Maintenance windows: `Mon-Fri 22:00-05:00 Europe/Amsterdam`.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};
use std::sync::LazyLock;

/// The time zones that came with the program, so that a window means the same on every machine.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A time of the week in which runs may start. One that ends before it begins ends on the next day.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    text: String,
    /// Days on which it begins, Monday first.
    days: [bool; 7],
    begin: Time,
    end: Time,
    zone: TimeZone,
}

/// Why a text is not a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Not three words.
    #[error("a window is `days from-to zone`")]
    Form,
    /// A day that is none.
    #[error("`{0}` is not a day or a range of days")]
    Day(String),
    /// A time that is none.
    #[error("`{0}` is not a time range")]
    Time(String),
    /// Begin and end are the same.
    #[error("a window from `{0}` is empty")]
    Empty(String),
    /// A zone that the IANA database does not have.
    #[error("`{0}` is not a time zone of the IANA database")]
    Zone(String),
}

impl WindowError {
    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            WindowError::Form => "such as `Mon-Fri 22:00-05:00 Europe/Amsterdam`",
            WindowError::Day(_) => "days are Mon, Tue, Wed, Thu, Fri, Sat, Sun: `Mon-Fri`, `Sat,Sun`",
            WindowError::Time(_) => "times are hours and minutes: `22:00-05:00`",
            WindowError::Empty(_) => "write `00:00-24:00` for the whole day",
            WindowError::Zone(_) => "such as `Europe/Amsterdam` or `UTC`",
        }
    }
}

impl Window {
    /// Reads `days from-to zone`.
    pub fn parse(text: &str) -> Result<Self, WindowError> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [days, times, zone] = words[..] else {
            return Err(WindowError::Form);
        };
        let days = parse_days(days)?;
        let bad = || WindowError::Time(times.to_owned());
        let (begin, end) = times.split_once('-').ok_or_else(bad)?;
        let begin = parse_time(begin).ok_or_else(bad)?;
        // 24:00 is midnight at the end of the day, and a window to 00:00 ends there by the rule for the night.
        let end = match end {
            "24:00" => Time::midnight(),
            end => parse_time(end).ok_or_else(bad)?,
        };
        if begin == end && begin != Time::midnight() {
            return Err(WindowError::Empty(times.to_owned()));
        }
        if begin == end && !times.ends_with("24:00") {
            return Err(WindowError::Empty(times.to_owned()));
        }
        let known = ZONES.get(zone).map_err(|_| WindowError::Zone(zone.to_owned()))?;
        Ok(Self { text: words.join(" "), days, begin, end, zone: known })
    }

    /// Seconds until the window closes, if it is open at this Unix second.
    pub fn remaining(&self, now: i64) -> Option<i64> {
        let now = Timestamp::from_second(now).ok()?;
        let local = now.to_zoned(self.zone.clone()).datetime();
        let today = local.date();
        [today.yesterday().ok()?, today]
            .into_iter()
            .filter_map(|day| {
                let (begin, end) = self.on(day)?;
                (begin <= now && now < end).then(|| end.as_second() - now.as_second())
            })
            .max()
    }

    /// Begin and end of the window that begins on this day.
    fn on(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let index = day.weekday().since(Weekday::Monday) as usize;
        if !self.days[index] {
            return None;
        }
        let last = if self.end <= self.begin { day.checked_add(1.day()).ok()? } else { day };
        Some((
            self.instant(DateTime::from_parts(day, self.begin))?,
            self.instant(DateTime::from_parts(last, self.end))?,
        ))
    }

    fn instant(&self, local: DateTime) -> Option<Timestamp> {
        Some(local.to_zoned(self.zone.clone()).ok()?.timestamp())
    }
}

/// As it was written, with single spaces.
impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

fn parse_days(text: &str) -> Result<[bool; 7], WindowError> {
    let bad = || WindowError::Day(text.to_owned());
    let index = |name: &str| DAYS.iter().position(|day| *day == name);
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first = index(first).ok_or_else(bad)?;
        let last = index(last).ok_or_else(bad)?;
        let mut day = first;
        loop {
            days[day] = true;
            if day == last {
                break;
            }
            day = (day + 1) % 7;
        }
    }
    Ok(days)
}

fn parse_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let two =
        |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<i8>().ok())?;
    Time::new(two(hour)?, two(minute)?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let window = Window::parse("Mon-Fri 22:00-05:00 Europe/Amsterdam").unwrap();
        // 2026-11-20 is a Friday; Amsterdam is one hour ahead of UTC then.
        for (now, remaining) in [
            ("2026-11-20T20:59:59Z", None),
            ("2026-11-20T21:00:00Z", Some(7 * 3600)),
            ("2026-11-21T03:59:59Z", Some(1)),
            ("2026-11-21T04:00:00Z", None),
            ("2026-11-21T21:30:00Z", None),
            ("2026-11-23T00:00:00Z", None),
            ("2026-11-23T21:00:00Z", Some(7 * 3600)),
        ] {
            assert_eq!(window.remaining(at(now)), remaining, "{now}");
        }
    }

    #[test]
    fn a_night_in_which_the_clocks_change_is_an_hour_shorter_or_longer() {
        let window = Window::parse("Sat 22:00-05:00 Europe/Amsterdam").unwrap();
        assert_eq!(window.remaining(at("2026-03-28T21:00:00Z")), Some(6 * 3600));
        assert_eq!(window.remaining(at("2026-10-24T20:00:00Z")), Some(8 * 3600));
    }

    #[test]
    fn a_whole_day_and_a_week_that_wraps() {
        let day = Window::parse("Sun 00:00-24:00 UTC").unwrap();
        assert_eq!(day.remaining(at("2026-11-22T00:00:00Z")), Some(86_400));
        assert_eq!(day.remaining(at("2026-11-23T00:00:00Z")), None);
        let week = Window::parse("Sat-Mon 10:00-11:00 UTC").unwrap();
        assert!(week.remaining(at("2026-11-23T10:30:00Z")).is_some());
        assert!(week.remaining(at("2026-11-24T10:30:00Z")).is_none());
    }

    #[test]
    fn what_is_no_window_is_refused_with_its_reason() {
        for (text, error) in [
            ("", WindowError::Form),
            ("Mon 10:00-11:00", WindowError::Form),
            ("Mo 10:00-11:00 UTC", WindowError::Day("Mo".to_owned())),
            ("Mon, 10:00-11:00 UTC", WindowError::Day("Mon,".to_owned())),
            ("Mon 10-11 UTC", WindowError::Time("10-11".to_owned())),
            ("Mon 25:00-26:00 UTC", WindowError::Time("25:00-26:00".to_owned())),
            ("Mon 10:00-10:00 UTC", WindowError::Empty("10:00-10:00".to_owned())),
            ("Mon 00:00-00:00 UTC", WindowError::Empty("00:00-00:00".to_owned())),
            ("Mon 10:00-11:00 Europe/Amsterdm", WindowError::Zone("Europe/Amsterdm".to_owned())),
        ] {
            assert_eq!(Window::parse(text), Err(error), "{text}");
        }
    }
}
