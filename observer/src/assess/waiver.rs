//! Waivers: drift that people have accepted for a time.

use countersign_manifests_schema::report::Waived;
use countersign_shared::drift::Item;
use countersign_shared::manifest::waiver::Waiver;

/// A waiver that has ended while the drift that it covered is still there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expired {
    /// `file:line` in canonical.
    pub place: String,
    /// The last valid day, `2026-12-31`.
    pub until: String,
    /// Who answers for it.
    pub owner: String,
    /// What it is about: a package, a code, or both.
    pub about: String,
}

pub(super) struct Standing {
    pub(super) waived: Option<Waived>,
    pub(super) expired: Vec<Expired>,
}

/// Whether an item is waived now, and if not, by what it was.
pub(super) fn standing(item: &Item, waivers: &[&Waiver], now: i64) -> Standing {
    let difference = item.difference();
    let covering = || waivers.iter().filter(|waiver| waiver.covers(&difference));
    let valid = covering().filter(|waiver| waiver.is_valid_at(now)).max_by_key(|waiver| waiver.last_second);
    match valid {
        Some(waiver) => Standing {
            waived: Some(Waived { until: waiver.until.to_string(), owner: waiver.owner.clone() }),
            expired: Vec::new(),
        },
        None => Standing { waived: None, expired: covering().map(|waiver| expired(waiver)).collect() },
    }
}

fn expired(waiver: &Waiver) -> Expired {
    let package = waiver.package.as_ref().map(ToString::to_string);
    let code = waiver.code.map(|code| code.to_string());
    Expired {
        place: format!("{}:{}", waiver.place.file, waiver.place.line),
        until: waiver.until.to_string(),
        owner: waiver.owner.clone(),
        about: [package, code].into_iter().flatten().collect::<Vec<_>>().join(" "),
    }
}
