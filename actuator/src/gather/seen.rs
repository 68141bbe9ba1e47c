//! The only memory: the tips that were seen last, and what each commit of main's way brought and took away.
//!
//! Nothing in it says that anything is approved. What is remembered of a commit is remembered by its id, and a commit
//! of that id never says anything else.

use super::main::{Main, Step};
use super::spec::Spec;
use crate::stop::Stop;
use countersign_shared::exit::Outcome;
use countersign_shared::git::CommitId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

/// Raised whenever a step is read in another way.
const FORMAT: u32 = 2;

/// What was seen.
#[derive(Debug)]
pub(super) struct Seen {
    directory: PathBuf,
    tips: BTreeMap<String, String>,
    steps: HashMap<CommitId, Step>,
    /// Steps that are not in the file yet.
    fresh: Vec<CommitId>,
}

/// One line of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    format: u32,
    commit: String,
    step: Step,
}

impl Seen {
    pub(super) fn open(state_dir: &Path) -> Result<Self, Stop> {
        let failed = |error: &io::Error| Stop::of(Outcome::Failed, "state", error).hint("check state_dir");
        let tips = match fs::read(state_dir.join("tips.json")) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                // Without it a rewritten history would look like a first run.
                Stop::of(Outcome::Failed, "state", &error)
                    .hint("tips.json in state_dir is damaged: compare the tips, then remove it")
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(failed(&error)),
        };
        let mut steps = HashMap::new();
        match File::open(state_dir.join("main.jsonl")) {
            Ok(file) => {
                for line in BufReader::new(file).lines() {
                    // A line that was cut by a crash is one that is not remembered.
                    let Ok(line) = serde_json::from_str::<Line>(&line.map_err(|error| failed(&error))?) else {
                        continue;
                    };
                    if let (FORMAT, Ok(commit)) = (line.format, CommitId::parse(&line.commit)) {
                        steps.insert(commit, line.step);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&error)),
        }
        Ok(Self { directory: state_dir.to_owned(), tips, steps, fresh: Vec::new() })
    }

    /// The tip of a repository that was seen last.
    pub(super) fn tip(&self, repository: &str) -> Option<CommitId> {
        self.tips.get(repository).and_then(|tip| CommitId::parse(tip).ok())
    }

    /// What is remembered of a commit.
    pub(super) fn step(&self, commit: CommitId) -> Option<&Step> {
        self.steps.get(&commit)
    }

    /// Remembers a commit.
    pub(super) fn learn(&mut self, commit: CommitId, step: Step) {
        self.steps.insert(commit, step);
        self.fresh.push(commit);
    }

    /// Writes what is new. A tip is remembered only when nothing is wrong with it: else the repaired repository would be
    /// the rewritten one.
    pub(super) fn remember(&mut self, spec: &Spec, main: &Main) -> Result<(), Stop> {
        let mut tips = self.tips.clone();
        if spec.rewritten.is_none() && spec.people.is_ok() {
            tips.insert("canonical".to_owned(), spec.tip.to_string());
        }
        if main.rewritten.is_none() {
            tips.insert("proposed".to_owned(), main.tip.to_string());
        }
        self.write(&tips).map_err(|error| Stop::of(Outcome::Failed, "state", &error).hint("check state_dir"))?;
        self.tips = tips;
        Ok(())
    }

    fn write(&mut self, tips: &BTreeMap<String, String>) -> io::Result<()> {
        if !self.fresh.is_empty() {
            let mut text = Vec::new();
            for commit in self.fresh.drain(..) {
                let step = self.steps[&commit].clone();
                serde_json::to_writer(&mut text, &Line { format: FORMAT, commit: commit.to_string(), step })?;
                text.push(b'\n');
            }
            let mut file = OpenOptions::new().create(true).append(true).open(self.directory.join("main.jsonl"))?;
            file.write_all(&text)?;
        }
        if *tips != self.tips {
            let path = self.directory.join("tips.json");
            let next = self.directory.join("tips.json.new");
            let mut file = File::create(&next)?;
            serde_json::to_writer(&mut file, tips)?;
            file.sync_all()?;
            fs::rename(&next, &path)?;
            File::open(&self.directory)?.sync_all()?;
        }
        Ok(())
    }
}
