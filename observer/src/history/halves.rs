//! A list of packages in two halves: what is installed, which is the same on many runners, and when it came there,
//! which is each runner's own. So a fleet's common packages are stored once.

use countersign_shared::observation::places;

/// What a list begins with.
const HEAD: &str = "section packages\n";

/// Columns in front of install time and database instance, the two that differ from runner to runner.
const BEFORE: usize = 5;

/// Both halves of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Halves {
    /// The list without the two columns.
    pub(super) what: String,
    /// The two columns, one row in a line.
    pub(super) when: String,
}

/// Takes a list apart; `None` for anything that [`join`] could not put together again byte by byte.
pub(super) fn split(section: &str) -> Option<Halves> {
    let mut rows = section.strip_prefix(HEAD)?;
    let mut what = String::with_capacity(section.len());
    let mut when = String::with_capacity(section.len() / 8);
    what.push_str(HEAD);
    while !rows.is_empty() {
        let row;
        (row, rows) = rows.split_at(memchr::memchr(b'\n', rows.as_bytes()).map_or(rows.len(), |end| end + 1));
        let mut tabs = places(b'\t', row.as_bytes());
        let from = tabs.nth(BEFORE - 1)? + 1;
        let to = tabs.nth(1)?;
        what.push_str(&row[..from]);
        what.push_str(&row[to + 1..]);
        when.push_str(&row[from..to]);
        when.push('\n');
    }
    Some(Halves { what, when })
}

/// Puts a list together again at the end of `record`; `None` when the halves do not belong together.
pub(super) fn join(record: &mut String, what: &str, when: &str) -> Option<()> {
    record.push_str(HEAD);
    let mut own = when.split_terminator('\n');
    for row in what.strip_prefix(HEAD)?.split_inclusive('\n') {
        let (before, after) = row.split_at(places(b'\t', row.as_bytes()).nth(BEFORE - 1)? + 1);
        for part in [before, own.next()?, "\t", after] {
            record.push_str(part);
        }
    }
    own.next().is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined(halves: &Halves) -> Option<String> {
        let mut record = "head\n".to_owned();
        join(&mut record, &halves.what, &halves.when)?;
        record.strip_prefix("head\n").map(str::to_owned)
    }

    #[test]
    fn only_install_time_and_instance_are_a_runners_own() {
        let row = |time: &str| format!("{HEAD} bash\t0\t5.2\t1\tx86_64\t{time}\tab\tcd\tu\t-\tfedora\tFedora\n");
        let (one, other) = (split(&row("100\t7")).unwrap(), split(&row("2000\t8")).unwrap());
        assert_eq!(one.what, other.what);
        assert_eq!((one.when.as_str(), other.when.as_str()), ("100\t7\n", "2000\t8\n"));
        assert_eq!(joined(&one), Some(row("100\t7")));
        assert_eq!(split(&row("100\t7").replace("packages", "needed")), None);
        assert_eq!(split(" bash\n"), None);
    }

    #[test]
    fn halves_of_two_lists_are_not_joined() {
        let list = |rows: usize| split(&format!("{HEAD}{}", " a\tb\tc\td\te\tf\tg\th\n".repeat(rows))).unwrap();
        let (two, three) = (list(2), list(3));
        assert!(joined(&two).is_some());
        assert_eq!(joined(&Halves { what: two.what.clone(), when: three.when.clone() }), None);
        assert_eq!(joined(&Halves { what: three.what, when: two.when }), None);
        assert_eq!(joined(&Halves { what: two.what.replace('\t', " "), when: three.when }), None);
    }

    proptest! {
        #[test]
        fn whatever_is_taken_apart_comes_together_again(rows in "[ a\t\n\u{e9}]{0,200}") {
            let section = format!("{HEAD}{rows}");
            if let Some(halves) = split(&section) {
                prop_assert_eq!(joined(&halves), Some(section));
            }
        }

        #[test]
        fn every_list_of_full_rows_is_taken_apart(rows in proptest::collection::vec("( [a\u{e9}]{0,3}\t){8}[a\u{e9}]{0,3}\n", 0..5)) {
            let section = format!("{HEAD}{}", rows.concat());
            prop_assert_eq!(joined(&split(&section).unwrap()), Some(section));
        }
    }
}
