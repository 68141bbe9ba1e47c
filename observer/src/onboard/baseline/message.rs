//! The message of the commit with which people take a baseline: they knew what they adopt, and say so.

use crate::assess::Key;
use countersign_shared::drift::adoption::{digest_of_all, trailer};
use std::fmt::Write as _;

/// `adopted` has, for each runner with a report, what the newest one says of it without what is waived. A runner
/// without drift has nothing to adopt.
pub fn message(group: &str, adopted: &[(String, Vec<Key>)]) -> String {
    let mut text = format!("Take what is there as the baseline of {group}\n");
    let adopted: Vec<_> = adopted.iter().filter(|(_, items)| !items.is_empty()).collect();
    if !adopted.is_empty() {
        text.push_str("\nAll drift of the newest report of these runners is adopted with it:\n\n");
    }
    for (runner, items) in adopted {
        let digest = digest_of_all(items.iter().map(|key| key.adopted(runner)));
        let _ = writeln!(text, "{}", trailer(runner, &digest));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_shared::drift::adoption::adopted_in;

    #[test]
    fn a_message_adopts_the_whole_report_of_each_runner_that_has_drift() {
        let key = |package: &str| Key {
            code: "unlisted".to_owned(),
            package: Some(package.to_owned()),
            arch: Some("x86_64".to_owned()),
            wanted: None,
            seen: vec!["1-1".to_owned()],
        };
        let adopted = [("r1".to_owned(), vec![key("a"), key("b")]), ("r2".to_owned(), Vec::new())];
        let text = message("builders", &adopted);
        let keys = &adopted[0].1;
        assert_eq!(adopted_in(&text, "r1"), [digest_of_all(keys.iter().map(|key| key.adopted("r1")))]);
        assert_eq!(adopted_in(&text, "r2"), [""; 0]);
        assert!(text.starts_with("Take what is there as the baseline of builders\n\n"), "{text}");
        assert_eq!(message("builders", &[]), "Take what is there as the baseline of builders\n");
    }
}
