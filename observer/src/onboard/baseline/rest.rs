//! What the manifest of a baseline does not explain: waivers with an end, for exactly what is there.

use countersign_manifests_schema::waiver::{WAIVER_SCHEMA, WaiverFile, WaiverTable};
use countersign_shared::drift::{Code, Compiled, Item, drift};
use countersign_shared::manifest::Canonical;
use countersign_shared::manifest::fleet::Runner;
use countersign_shared::observation::{History, Observation, Section};
use std::collections::{BTreeMap, BTreeSet};

/// Package with its architecture, code, and what is accepted.
type About = (Option<String>, &'static str, Vec<String>);

/// What still differs, with the runners on which it does and what a reader sees of it.
#[derive(Debug, Default)]
pub(super) struct Rest(BTreeMap<About, (BTreeSet<String>, String)>);

impl Rest {
    pub(super) fn add(
        &mut self,
        canonical: &Canonical,
        runner: &Runner,
        compiled: &Compiled,
        observation: Observation<'_>,
        now: i64,
    ) {
        // The next observation asks what the packages of this manifest need; until then nothing counts as needed.
        let mut observation = Observation { needed: Section::Seen(Vec::new()), ..observation };
        let mut items = drift(compiled, &observation).map(|drift| drift.items).unwrap_or_default();
        if items.iter().any(|item| item.code == Code::OutOfBand) {
            // Once an earlier observation vouches for them, such packages are judged as any other.
            observation.history = Section::Seen(History::default());
            items.extend(drift(compiled, &observation).map(|drift| drift.items).unwrap_or_default());
        }
        let waivers = canonical.waivers_for(runner);
        for item in items {
            let difference = item.difference();
            if waivers.iter().any(|waiver| waiver.is_valid_at(now) && waiver.covers(&difference)) {
                continue;
            }
            let package = item.package.as_ref().map(|name| match &item.arch {
                Some(arch) => format!("{name}.{arch}"),
                None => name.clone(),
            });
            let accepted = difference.accepted().into_iter().map(str::to_owned).collect();
            let about = (package, item.code.as_str(), accepted);
            let (runners, _) = self.0.entry(about).or_insert_with(|| (BTreeSet::new(), seen(&item)));
            runners.insert(runner.name.clone());
        }
    }

    pub(super) fn waivers(self, owner: &str, day: &str, until: &str) -> WaiverFile {
        let waive = self
            .0
            .into_iter()
            .map(|((package, code, accepted), (runners, seen))| WaiverTable {
                runners: runners.into_iter().collect(),
                groups: Vec::new(),
                package,
                code: Some(code.to_owned()),
                seen: Some(accepted),
                reason: format!("there before the baseline of {day}: {seen}"),
                owner: owner.to_owned(),
                until: until.to_owned(),
            })
            .collect();
        WaiverFile { schema: WAIVER_SCHEMA.to_owned(), waive }
    }
}

/// What the reader of a waiver sees of an item.
fn seen(item: &Item) -> String {
    const LONGEST: usize = 200;
    let text = match (item.seen.as_slice(), &item.wanted) {
        ([], Some(wanted)) => format!("nothing where `{wanted}` is wanted"),
        ([], None) => "nothing to show".to_owned(),
        (seen, _) => seen.join(", "),
    };
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}
