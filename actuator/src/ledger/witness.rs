//! What others have seen of the ledger: an end that was cut off leaves no trace in it, only in them. Pure.

use crate::breaker::is_unheard;
use countersign_manifests_schema::ledger::{Entry, Event};
use countersign_manifests_schema::notary::{LedgerHead, NotaryState, Outcome};
use countersign_manifests_schema::warden::{Application, Stage};
use std::collections::BTreeMap;

/// What is kept of the ledger to compare it: a digest for each entry, a line for each proposal.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    digests: Vec<String>,
    starts: BTreeMap<String, Start>,
}

#[derive(Debug, Clone)]
struct Start {
    /// Number of the entry.
    number: u64,
    runner: String,
    ended: Option<Outcome>,
    /// Nobody heard how it ended.
    unheard: bool,
    refused: bool,
}

/// Who may have seen it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Witness {
    /// The notary: the head at each token and each outcome.
    Notary,
    /// The git mirror: whole lines.
    Mirror,
    /// The warden of a runner: what was started there.
    Warden(String),
}

/// What a witness says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Who.
    pub witness: Witness,
    /// What follows.
    pub verdict: Verdict,
}

/// What follows from what a witness has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It agrees, up to this entry; 0 when it has seen none.
    Agrees(u64),
    /// It does not; one sentence for each difference.
    Disagrees(Vec<String>),
    /// It could not be asked; why.
    Silent(String),
}

impl Outline {
    /// Takes in the next entry.
    pub fn take(&mut self, entry: &Entry, head: &LedgerHead) {
        self.digests.push(head.sha256.clone());
        match &entry.event {
            Event::Started { proposal, runner, .. } => {
                let (number, runner) = (entry.number, runner.clone());
                let start = Start { number, runner, ended: None, unheard: false, refused: false };
                self.starts.insert(proposal.clone(), start);
            }
            Event::Ended { proposal, outcome, .. } => {
                if let Some(start) = self.starts.get_mut(proposal) {
                    start.ended = Some(*outcome);
                    start.unheard = is_unheard(&entry.event);
                }
            }
            Event::Refused { proposal, .. } => {
                if let Some(start) = self.starts.get_mut(proposal) {
                    start.refused = true;
                }
            }
            Event::Halted { .. } | Event::Tripped { .. } | Event::Reset { .. } => {}
        }
    }

    /// Entries.
    pub fn entries(&self) -> u64 {
        self.digests.len() as u64
    }

    fn digest(&self, number: u64) -> Option<&str> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.digests.get(index).map(String::as_str)
    }

    /// Whether the notary remembers what is recorded here, and nothing else.
    pub fn with_notary(&self, state: &NotaryState) -> Verdict {
        let mut differences = Vec::new();
        let seen = state.head.as_ref().map_or(0, |head| head.number);
        if let Some(head) = &state.head {
            differences.extend(self.head_differs("the notary has", head));
        }
        for (proposal, start) in &self.starts {
            let known = state.burned.binary_search(proposal).is_ok();
            // What has ended had a token; what has only begun may still be waiting for one.
            if !known && !start.refused && start.ended.is_some() {
                differences.push(format!(
                    "entry {} started proposal {proposal}, and the notary does not know it: its memory was taken back",
                    start.number
                ));
            }
        }
        for proposal in state.burned.iter().filter(|proposal| !self.starts.contains_key(*proposal)) {
            differences.push(format!("the notary burned proposal {proposal}, of which nothing is recorded"));
        }
        verdict(differences, seen)
    }

    /// Whether the lines of the mirror are the first ones of the ledger. `heads` are those of its lines, in order.
    pub fn with_mirror(&self, heads: &[LedgerHead]) -> Verdict {
        let differences = heads.iter().find_map(|head| self.head_differs("the mirror has", head));
        verdict(differences.into_iter().collect(), heads.len() as u64)
    }

    /// Whether what a runner remembers is what is recorded for it.
    pub fn with_warden(&self, runner: &str, started: &[Application]) -> Verdict {
        let mut differences = Vec::new();
        let mut seen = 0;
        for application in started {
            let proposal = &application.proposal;
            match self.starts.get(proposal).filter(|start| start.runner == runner) {
                None => differences.push(format!("it started proposal {proposal}, of which nothing is recorded")),
                Some(start) => {
                    seen = seen.max(start.number);
                    if let (Some(ended), Some(stage)) = (start.ended, final_outcome(application.stage))
                        && ended != stage
                        && !start.unheard
                    {
                        let said = (word(ended), word(stage));
                        differences.push(format!("proposal {proposal} is recorded as {}, and was {}", said.0, said.1));
                    }
                }
            }
        }
        for (proposal, start) in &self.starts {
            let known = started.iter().any(|application| application.proposal == *proposal);
            if start.runner == runner && start.ended == Some(Outcome::Applied) && !known {
                differences.push(format!("proposal {proposal} is recorded as applied, and it does not know it"));
            }
        }
        verdict(differences, seen)
    }

    fn head_differs(&self, who: &str, head: &LedgerHead) -> Option<String> {
        match self.digest(head.number) {
            Some(digest) if digest == head.sha256 => None,
            Some(_) => Some(format!("{who} seen another entry {}: this is another ledger", head.number)),
            None => Some(format!(
                "{who} seen entry {}, and the ledger ends at {}: its end was cut off",
                head.number,
                self.entries()
            )),
        }
    }
}

fn verdict(differences: Vec<String>, seen: u64) -> Verdict {
    if differences.is_empty() { Verdict::Agrees(seen) } else { Verdict::Disagrees(differences) }
}

fn final_outcome(stage: Stage) -> Option<Outcome> {
    match stage {
        Stage::Started | Stage::Unconfirmed => None,
        Stage::Confirmed => Some(Outcome::Applied),
        Stage::Undone => Some(Outcome::Undone),
        Stage::Failed => Some(Outcome::Failed),
    }
}

/// As people read it.
pub(super) const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "applied",
        Outcome::Undone => "undone",
        Outcome::Failed => "failed",
    }
}
