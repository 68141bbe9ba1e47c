//! What canonical demanded of a runner over time: the versions of its manifest along first parents, newest first.
//!
//! Loaded from the mirror as far back as somebody asks, each distinct tree once; what is kept are the distinct
//! manifests, not the repositories that they came from. Commits in which canonical cannot be read are passed over:
//! nobody was judged by them.

use crate::assess::{SpecChange, Version, Versions};
use countersign_shared::drift::Compiled;
use countersign_shared::git::snapshot::Wanted;
use countersign_shared::git::{Commit, CommitId, GitError, Limits, Mirror};
use countersign_shared::manifest::Canonical;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Commits that are looked at, from the tip back.
pub const COMMITS: usize = 1_000;
/// Distinct trees that are loaded.
pub const LOADED: usize = 250;

/// What decides over an effective manifest.
const SPECIFICATION: Wanted<'static> =
    Wanted { files: &["fleet.toml"], directories: &["fleet.d", "locks", "manifests"] };
/// What decides which manifests a runner has.
const FLEET: Wanted<'static> = Wanted { files: &["fleet.toml"], directories: &["fleet.d"] };

/// How far back somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// As far as is looked at.
    Beginning,
    /// Back to what was in force at this time, Unix seconds, by the dates that commits have. Whoever makes a commit chooses
    /// its date.
    Time(i64),
    /// Back to what this commit demands.
    Commit(CommitId),
}

/// Canonical's past, read as far as it was asked for.
#[derive(Debug)]
pub struct Past {
    mirror: Mirror,
    /// The tip, where it was read before.
    tip: Option<Arc<Canonical>>,
    next: Option<CommitId>,
    commits: usize,
    loaded: usize,
    /// The tree that was read last, readable or not.
    last_key: Option<String>,
    last_readable: bool,
    steps: Vec<Step>,
    /// In which step a commit is.
    places: HashMap<CommitId, usize>,
    rosters: HashMap<String, Arc<Roster>>,
    manifests: HashMap<String, Arc<Compiled>>,
}

/// Commits next to one another that demand the same of everybody.
#[derive(Debug)]
struct Step {
    /// The oldest of them.
    change: SpecChange,
    roster: Arc<Roster>,
    /// By class of the roster.
    manifests: Vec<Option<Arc<Compiled>>>,
}

/// Which runners share a manifest. The same for all commits that do not touch the fleet.
#[derive(Debug)]
struct Roster {
    class_of: BTreeMap<String, usize>,
    /// One runner of each class.
    first_of: Vec<String>,
}

impl Past {
    /// Begins at `tip`; nothing is read yet.
    pub fn new(mirror: Mirror, tip: CommitId) -> Self {
        Self {
            mirror,
            tip: None,
            next: Some(tip),
            commits: 0,
            loaded: 0,
            last_key: None,
            last_readable: false,
            steps: Vec::new(),
            places: HashMap::new(),
            rosters: HashMap::new(),
            manifests: HashMap::new(),
        }
    }

    /// With what the tip says: it is not read again.
    pub fn knowing(self, tip: Arc<Canonical>) -> Self {
        Self { tip: Some(tip), ..self }
    }

    /// The repository that is read.
    pub fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// The versions of a runner's manifest, newest first, as far back as is wanted. Blocks.
    pub fn versions(&mut self, runner: &str, until: Until) -> Result<Versions, GitError> {
        let mut list: Vec<Version> = Vec::new();
        for index in 0.. {
            // A step is whole once the one before it in time is known, or when it is old enough as it is.
            while self.steps.len() <= index + 1 && !self.reaches(index, until) && self.advance()? {}
            let Some(step) = self.steps.get(index) else {
                break;
            };
            let manifest = step.manifest(runner);
            match list.last_mut() {
                Some(last) if same(last.manifest.as_ref(), manifest.as_ref()) => last.change = step.change.clone(),
                _ => list.push(Version { change: step.change.clone(), manifest }),
            }
            if self.reaches(index, until) {
                break;
            }
        }
        Ok(Versions { list, complete: self.next.is_none() })
    }

    fn reaches(&self, index: usize, until: Until) -> bool {
        match until {
            Until::Beginning => false,
            Until::Time(until) => self.steps.get(index).is_some_and(|step| step.change.at <= until),
            Until::Commit(commit) => self.places.get(&commit).is_some_and(|place| *place <= index),
        }
    }

    /// Takes one more commit in; `false` when there is none, or enough was looked at.
    fn advance(&mut self) -> Result<bool, GitError> {
        let Some(id) = self.next else {
            return Ok(false);
        };
        if self.commits >= COMMITS {
            return Ok(false);
        }
        let commit = self.mirror.commit(id)?;
        let key = self.mirror.snapshot_key(id, &SPECIFICATION)?;
        if self.last_key.as_ref() != Some(&key) {
            if self.loaded >= LOADED {
                return Ok(false);
            }
            self.loaded += 1;
            let canonical = match self.tip.take() {
                Some(tip) => Some(tip),
                None => match self.mirror.snapshot(id, &SPECIFICATION, &Limits::default()) {
                    Ok(snapshot) => Canonical::load(&snapshot.files).ok().map(Arc::new),
                    Err(error @ GitError::Mirror { .. }) => return Err(error),
                    Err(_) => None,
                },
            };
            self.last_readable = canonical.is_some();
            self.last_key = Some(key);
            if let Some(canonical) = canonical {
                self.push(&commit, &canonical)?;
            }
        } else if self.last_readable
            && let Some(step) = self.steps.last_mut()
        {
            step.change = change(&commit);
        }
        if self.last_readable {
            self.places.insert(id, self.steps.len() - 1);
        }
        self.commits += 1;
        self.next = commit.parents.first().copied();
        Ok(true)
    }

    fn push(&mut self, commit: &Commit, canonical: &Canonical) -> Result<(), GitError> {
        let fleet_key = self.mirror.snapshot_key(commit.id, &FLEET)?;
        let roster = Arc::clone(self.rosters.entry(fleet_key).or_insert_with(|| Arc::new(Roster::of(canonical))));
        let manifests = roster
            .first_of
            .iter()
            .map(|name| {
                let effective = canonical.effective(canonical.fleet.runner(name)?);
                let digest = effective.digest();
                if let Some(known) = self.manifests.get(&digest) {
                    return Some(Arc::clone(known));
                }
                let compiled = Arc::new(Compiled::new(effective).ok()?);
                self.manifests.insert(digest, Arc::clone(&compiled));
                Some(compiled)
            })
            .collect();
        self.steps.push(Step { change: change(commit), roster, manifests });
        Ok(())
    }
}

impl Step {
    fn manifest(&self, runner: &str) -> Option<Arc<Compiled>> {
        let class = *self.roster.class_of.get(runner)?;
        self.manifests.get(class)?.clone()
    }
}

impl Roster {
    fn of(canonical: &Canonical) -> Self {
        // Runners with the same manifests share one value.
        let mut classes: HashMap<*const (), usize> = HashMap::new();
        let mut roster = Self { class_of: BTreeMap::new(), first_of: Vec::new() };
        for runner in &canonical.fleet.runners {
            let shared = Arc::as_ptr(&canonical.effective(runner)).cast::<()>();
            let class = *classes.entry(shared).or_insert_with(|| {
                roster.first_of.push(runner.name.clone());
                roster.first_of.len() - 1
            });
            roster.class_of.insert(runner.name.clone(), class);
        }
        roster
    }
}

fn change(commit: &Commit) -> SpecChange {
    SpecChange { commit: commit.id.to_string(), at: commit.committed_at }
}

/// Manifests are interned, so the same demands are the same value.
fn same(a: Option<&Arc<Compiled>>, b: Option<&Arc<Compiled>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}
