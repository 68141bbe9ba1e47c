//! The sequence guard: what no single difference shows, over the runs so far.
//!
//! Pure. Of each runner a [`Footprint`] is kept per run; [`watch`] looks at one runner after the other, so that nothing
//! is held for all of them; [`Spread`] and [`burst()`] look at the fleet and at canonical; [`gather`] makes the findings
//! of the report; [`standing()`] keeps the serious ones until people reset them.

mod burst;
mod follows;
mod footprint;
mod gap;
mod inflicted;
mod oscillation;
mod rules;
mod spread;
mod standing;
#[cfg(test)]
mod tests;

pub use burst::{ManifestChange, burst};
pub use footprint::{Footprint, Mark, Transaction};
pub use inflicted::Receipt;
pub use rules::{RuleChange, rule_changes};
pub use spread::Spread;
pub use standing::{Found, RESETS, reset_in, standing};

use crate::assess::{Assessment, Expired};
use countersign_manifests_schema::report::Guard;
use countersign_shared::drift::Drift;
use countersign_shared::observation::Observation;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What the guard can find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// Canonical came to say what a runner had drifted to, and no person has adopted that drift.
    SpecFollowsDrift,
    /// Too many manifests changed in a day.
    Burst,
    /// Something went from A to B and back to A.
    Oscillation,
    /// One drift came to too many runners at once.
    Spread,
    /// Drift that follows our own application.
    SelfInflicted,
    /// dnf's history lost what it had, or moved on further than it shows.
    HistoryGap,
    /// A waiver has ended and the drift is still there.
    WaiverExpired,
    /// dnf has lost its reasons.
    ReasonsUnknown,
}

impl Code {
    /// Every code, the serious ones first.
    pub const ALL: [Code; 8] = [
        Code::SpecFollowsDrift,
        Code::Burst,
        Code::Oscillation,
        Code::Spread,
        Code::SelfInflicted,
        Code::HistoryGap,
        Code::WaiverExpired,
        Code::ReasonsUnknown,
    ];

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Code::SpecFollowsDrift => "spec-follows-drift",
            Code::Burst => "burst",
            Code::Oscillation => "oscillation",
            Code::Spread => "spread",
            Code::SelfInflicted => "self-inflicted",
            Code::HistoryGap => "history-gap",
            Code::WaiverExpired => "waiver-expired",
            Code::ReasonsUnknown => "reasons-unknown",
        }
    }

    /// Whether it blocks proposals until people reset it.
    pub const fn is_serious(self) -> bool {
        match self {
            Code::SpecFollowsDrift | Code::Burst | Code::Oscillation | Code::Spread | Code::SelfInflicted => true,
            Code::HistoryGap | Code::WaiverExpired | Code::ReasonsUnknown => false,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One finding about some runners, or about canonical alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub code: Code,
    /// One sentence; the same sentence about several runners is one finding of the report.
    pub message: String,
    /// The runners concerned.
    pub runners: Vec<String>,
}

/// One runner in this run, for [`watch`].
#[derive(Debug, Clone, Copy)]
pub struct Watched<'w> {
    /// Its name.
    pub runner: &'w str,
    /// What it was seen to be.
    pub observation: &'w Observation<'w>,
    /// How it differs.
    pub drift: &'w Drift,
    /// What the report says of it.
    pub assessment: &'w Assessment,
    /// What will be kept of it.
    pub now: &'w Footprint,
    /// What was kept of it, newest first, as far back as [`oscillation`](Code::Oscillation) looks.
    pub earlier: &'w [Footprint],
    /// Our own applications on it, oldest first.
    pub receipts: &'w [Receipt],
    /// The account as which the actuator comes to it.
    pub actuator_user: &'w str,
}

/// Seconds over which oscillation is looked for: older footprints need not be loaded.
pub const WINDOW: i64 = 7 * 24 * 60 * 60;

/// Everything that shows on one runner.
pub fn watch(watched: &Watched<'_>) -> Vec<Finding> {
    let mut messages: Vec<(Code, String)> = Vec::new();
    messages.extend(follows::find(watched).into_iter().map(|text| (Code::SpecFollowsDrift, text)));
    messages.extend(oscillation::find(watched).into_iter().map(|text| (Code::Oscillation, text)));
    messages.extend(inflicted::find(watched).into_iter().map(|text| (Code::SelfInflicted, text)));
    messages.extend(gap::find(watched).map(|text| (Code::HistoryGap, text)));
    messages.extend(watched.assessment.expired.iter().map(|waiver| (Code::WaiverExpired, expired(waiver))));
    if watched.drift.reasons_unknown {
        let text = "dnf does not know why more than half of the packages are installed: nothing is removed as unlisted";
        messages.push((Code::ReasonsUnknown, text.to_owned()));
    }
    messages
        .into_iter()
        .map(|(code, message)| Finding { code, message, runners: vec![watched.runner.to_owned()] })
        .collect()
}

fn expired(waiver: &Expired) -> String {
    let Expired { place, until, owner, about } = waiver;
    format!("the waiver of {owner} for {about} ended on {until} ({place})")
}

/// Findings of one code that are told one by one; the rest is counted.
const TOLD: usize = 10;

/// The findings as the report has them: the same sentence once with all its runners, the serious codes first.
pub fn gather(findings: Vec<Finding>) -> Vec<Guard> {
    let mut by_code: BTreeMap<Code, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for finding in findings {
        by_code.entry(finding.code).or_default().entry(finding.message).or_default().extend(finding.runners);
    }
    let mut guards = Vec::new();
    for (code, messages) in by_code {
        let mut rest = BTreeSet::new();
        let more = messages.len().saturating_sub(TOLD);
        for (index, (message, runners)) in messages.into_iter().enumerate() {
            if index < TOLD {
                guards.push(guard(code, message, runners));
            } else {
                rest.extend(runners);
            }
        }
        if more > 0 {
            guards.push(guard(code, format!("{more} more findings of this kind"), rest));
        }
    }
    guards
}

fn guard(code: Code, message: String, runners: BTreeSet<String>) -> Guard {
    Guard { code: code.to_string(), message, runners: runners.into_iter().collect(), since_run: None }
}
