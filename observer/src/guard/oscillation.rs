//! *oscillation*: drift that was gone and is back as it was, or a rule that is again what it was before it changed.

use super::{Footprint, RuleChange, WINDOW, Watched};
use crate::assess::Key;
use std::collections::BTreeMap;

pub(super) fn find(watched: &Watched<'_>) -> Vec<String> {
    let within = || watched.earlier.iter().take_while(|footprint| footprint.at >= watched.now.at - WINDOW);
    let mut found = Vec::new();
    for key in &watched.now.items {
        // Footprints that say nothing of the code are no proof that the drift was gone.
        let mut judged = within().filter(|footprint| footprint.judged(&key.code));
        let was_gone = judged.next().is_some_and(|before| !had(before, key));
        if was_gone && judged.any(|footprint| had(footprint, key)) {
            found.push(format!("{} {} was gone and is back as it was", key.code, key.subject()));
        }
    }
    let changes: Vec<&RuleChange> =
        within().collect::<Vec<_>>().into_iter().rev().chain([watched.now]).flat_map(|f| &f.rules).collect();
    let mut values: BTreeMap<&str, Vec<&Option<String>>> = BTreeMap::new();
    for change in changes {
        let values = values.entry(&change.what).or_insert_with(|| vec![&change.before]);
        if values.last() != Some(&&change.after) {
            values.push(&change.after);
        }
    }
    for (what, values) in values {
        let changed_now = watched.now.rules.iter().any(|change| change.what == what);
        let Some((last, before)) = values.split_last() else { continue };
        if changed_now && before.contains(last) {
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "no rule".to_owned());
            let between = before.last().map(|value| text(value)).unwrap_or_default();
            found.push(format!("the rule for {what} went from `{}` to `{between}` and back", text(last)));
        }
    }
    found
}

/// Whether it was there, waived or not.
fn had(footprint: &Footprint, key: &Key) -> bool {
    footprint.items.iter().chain(&footprint.waived).any(|other| same(other, key))
}

/// The same thing in the same state; what is wanted of it may differ.
fn same(a: &Key, b: &Key) -> bool {
    a.code == b.code && a.package == b.package && a.arch == b.arch && a.seen == b.seen
}
