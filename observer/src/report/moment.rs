//! Times as people read them. All are UTC; a text that is no time is shown as it is.

/// `2026-11-19 16:20` of `2026-11-19T16:20:31Z`.
pub(super) fn minute(since: &str) -> String {
    if is_time(since) { format!("{} {}", &since[..10], &since[11..16]) } else { since.to_owned() }
}

/// `11-19 16:20` in the year of the run, else the day alone.
pub(super) fn short(since: &str, run: &str) -> String {
    if !is_time(since) {
        return since.to_owned();
    }
    let same_year = run.get(..4).is_some_and(|year| since.starts_with(year));
    if same_year { format!("{} {}", &since[5..10], &since[11..16]) } else { since[..10].to_owned() }
}

/// `2026-11-20 03:30 UTC` of the run `20261120T033000Z`.
pub(super) fn of_run(run: &str) -> String {
    if !fits(run.get(..16).unwrap_or(run), "ddddddddTddddddZ") {
        return run.to_owned();
    }
    format!("{}-{}-{} {}:{} UTC", &run[..4], &run[4..6], &run[6..8], &run[9..11], &run[11..13])
}

fn is_time(text: &str) -> bool {
    fits(text, "dddd-dd-ddTdd:dd:ddZ")
}

/// Whether the text has exactly this form, `d` being a digit.
pub(super) fn fits(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text
            .bytes()
            .zip(form.bytes())
            .all(|(byte, form)| if form == b'd' { byte.is_ascii_digit() } else { byte == form })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shortened_and_anything_else_is_left() {
        let since = "2026-11-19T16:20:31Z";
        assert_eq!(minute(since), "2026-11-19 16:20");
        assert_eq!(short(since, "20261120T033000Z"), "11-19 16:20");
        assert_eq!(short(since, "20270101T033000Z"), "2026-11-19");
        assert_eq!(of_run("20261120T033000Z"), "2026-11-20 03:30 UTC");
        assert_eq!(of_run("20261120T033000Z-2"), "2026-11-20 03:30 UTC");
        for odd in ["", "yesterday", "2026-11-19", "日本日本日本日本日本日本"] {
            assert_eq!((minute(odd).as_str(), short(odd, odd).as_str(), of_run(odd).as_str()), (odd, odd, odd));
        }
    }
}
