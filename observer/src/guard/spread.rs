//! *spread*: one drift that came to too many runners at once.

use super::{Code, Finding};
use crate::assess::Key;
use countersign_manifests_schema::report::DriftItem;
use std::collections::BTreeMap;

/// Counts new drift over the runners of one run.
#[derive(Debug, Default)]
pub struct Spread {
    runners: Vec<String>,
    new: BTreeMap<(String, String, Vec<String>), Vec<u32>>,
}

/// Fewer runners are no spread, however small the fleet.
const FEWEST: usize = 2;

impl Spread {
    /// Notes a runner that was observed before, with what the report says of it. What canonical made drift is new
    /// everywhere at once by its nature, and waived drift counts for nothing.
    pub fn note(&mut self, runner: &str, items: &[DriftItem]) {
        let index = self.runners.len() as u32;
        let came = |item: &&DriftItem| item.new && item.waived.is_none() && item.spec_changed.is_none();
        let mut any = false;
        for item in items.iter().filter(came) {
            let drift = (item.code.clone(), Key::of(item).subject(), item.seen.clone());
            self.new.entry(drift).or_default().push(index);
            any = true;
        }
        if any {
            self.runners.push(runner.to_owned());
        }
    }

    /// Takes in what was noted elsewhere, of other runners.
    pub fn join(&mut self, other: Spread) {
        let shift = self.runners.len() as u32;
        self.runners.extend(other.runners);
        for (drift, indices) in other.new {
            self.new.entry(drift).or_default().extend(indices.into_iter().map(|index| index + shift));
        }
    }

    /// Every drift that is new on more than `percent` of the fleet.
    pub fn findings(&self, fleet: usize, percent: u32) -> Vec<Finding> {
        let mut by_message: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for ((code, subject, _), indices) in &self.new {
            if indices.len() < FEWEST || indices.len() * 100 <= percent as usize * fleet {
                continue;
            }
            let subject = if code == subject { String::new() } else { format!(" {subject}") };
            let message = format!("{code}{subject} is new on {} of {fleet} runners at once", indices.len());
            let runners = indices.iter().map(|&index| self.runners[index as usize].clone());
            by_message.entry(message).or_default().extend(runners);
        }
        by_message.into_iter().map(|(message, runners)| Finding { code: Code::Spread, message, runners }).collect()
    }
}
