//! proposed: what main's first-parent way since the anchor brought and took away.

use super::seen::Seen;
use super::{From, Source};
use crate::config::Config;
use crate::stop::Stop;
use countersign_shared::canonical_json::sha256;
use countersign_shared::exit::Outcome;
use countersign_shared::git::{Commit, CommitId, GitError, Mirror, ProposalRef};
use countersign_shared::manifest::fleet::is_runner_name;
use countersign_shared::proposal::MAX_BYTES;
use countersign_shared::terminal::Failure;
use serde::{Deserialize, Serialize};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Commits on main's way that are looked at.
const LONGEST: usize = 200_000;
/// Commits after which the mirror is opened anew, so that what libgit2 holds stays bounded.
const REOPEN: usize = 2_000;

/// proposed at its tip.
#[derive(Debug)]
pub struct Main {
    /// The mirror.
    pub mirror: Mirror,
    /// The tip.
    pub tip: CommitId,
    /// One sentence when the tip does not descend from the last one seen.
    pub rewritten: Option<String>,
    /// Tips of branches of proposals.
    pub branches: BTreeMap<ProposalRef, CommitId>,
    brought: HashMap<String, Brought>,
    gone: HashMap<(String, String), CommitId>,
}

/// A proposal that a commit of main's way brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// sha256, as its directory is called.
    pub id: String,
    /// The runner, as the directory above is called.
    pub runner: String,
    /// The commit.
    pub by: CommitId,
    /// Commits of main's way between it and the tip: 0 is the newest.
    pub age: usize,
    /// Whether its bytes are those that its directory is called for, and for the runner of the directory above. Of one
    /// id that is so in one place at most.
    pub genuine: bool,
    /// Its own times, if they can be read. Claims, until its bytes are judged.
    pub times: Option<Times>,
}

/// `created` and `expires`, as they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// RFC 3339.
    pub created: String,
    /// RFC 3339.
    pub expires: String,
}

/// What one commit of main's way did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Step {
    /// The proposals that are there with it and were not before.
    pub(super) brought: Vec<Arrival>,
    /// Runner and id of those that were there before and are not any more.
    pub(super) gone: Vec<(String, String)>,
}

/// A proposal's directory that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Arrival {
    runner: String,
    id: String,
    genuine: bool,
    times: Option<Times>,
}

pub(super) fn gather(config: &Config, from: From, seen: &mut Seen) -> Result<Main, Stop> {
    let source = Source::new("proposed", &config.proposed, &config.state_dir)?;
    let (mut mirror, tip) = source.tip(from)?;
    let rewritten = source.rewritten("proposed", &mirror, tip, seen.tip("proposed"))?;
    let branches = match from {
        From::Remotes => mirror.fetch_proposals(&source.remote)?,
        From::Mirrors => mirror.fetched_proposals()?,
    };
    let mut brought: HashMap<String, Brought> = HashMap::new();
    let mut gone = HashMap::new();
    let mut next = Some(tip);
    let mut age = 0;
    while let Some(id) = next.filter(|id| Some(*id) != source.anchor) {
        if age > LONGEST {
            let failure =
                Failure::new("history", format!("more than {LONGEST} commits since the anchor of [proposed]"));
            return Err(Stop::new(Outcome::Failed, failure.hint("move the anchor to a later commit")));
        }
        let commit = mirror.commit(id)?;
        if seen.step(id).is_none() {
            let step = look(&mirror, &commit)?;
            seen.learn(id, step);
            if age % REOPEN == REOPEN - 1 {
                mirror = Mirror::open(&source.mirror)?;
            }
        }
        for arrival in seen.step(id).map(|step| step.brought.as_slice()).unwrap_or_default() {
            let Arrival { runner, id: proposal, genuine, times } = arrival.clone();
            let found = Brought { id: proposal.clone(), runner, by: id, age, genuine, times };
            // The newest counts; but what only looks like a proposal stands in no proposal's way.
            match brought.entry(proposal) {
                Entry::Vacant(free) => {
                    free.insert(found);
                }
                Entry::Occupied(mut known) if found.genuine && !known.get().genuine => {
                    known.insert(found);
                }
                Entry::Occupied(_) => {}
            }
        }
        for key in seen.step(id).map(|step| step.gone.as_slice()).unwrap_or_default() {
            gone.insert(key.clone(), id);
        }
        next = commit.parents.first().copied();
        age += 1;
    }
    Ok(Main { mirror, tip, rewritten, branches, brought, gone })
}

/// What a commit did to the directories of proposals, against its first parent.
fn look(mirror: &Mirror, commit: &Commit) -> Result<Step, GitError> {
    let changed: BTreeSet<(String, String)> =
        mirror.changed_files(commit.id, "proposals")?.iter().filter_map(|path| of_path(path)).collect();
    let mut step = Step::default();
    for (runner, id) in changed {
        let directory = format!("proposals/{runner}/{id}");
        let before = match commit.parents.first() {
            Some(parent) => mirror.directory(*parent, &directory)?.is_some(),
            None => false,
        };
        let after = mirror.directory(commit.id, &directory)?.is_some();
        match (before, after) {
            (false, true) => {
                step.brought.push(arrival(mirror, commit.id, &directory, runner, id)?);
            }
            (true, false) => step.gone.push((runner, id)),
            _ => {}
        }
    }
    Ok(step)
}

/// Runner and id of a path inside the directory of a proposal.
fn of_path(path: &str) -> Option<(String, String)> {
    let mut parts = path.split('/');
    let (first, runner, id) = (parts.next()?, parts.next()?, parts.next()?);
    (first == "proposals" && is_runner_name(runner) && is_id(id)).then(|| (runner.to_owned(), id.to_owned()))
}

/// 64 lower-case hex digits.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn arrival(
    mirror: &Mirror,
    commit: CommitId,
    directory: &str,
    runner: String,
    id: String,
) -> Result<Arrival, GitError> {
    #[derive(Deserialize)]
    struct Loose {
        runner: String,
        created: String,
        expires: String,
    }
    let bytes = match mirror.file(commit, &format!("{directory}/proposal.json"), MAX_BYTES) {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(GitError::FileTooLarge { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let short = |text: &str| text.len() <= 40;
    let loose = serde_json::from_slice::<Loose>(&bytes).ok().filter(|l| short(&l.created) && short(&l.expires));
    let genuine = loose.as_ref().is_some_and(|loose| loose.runner == runner) && sha256(&bytes) == id;
    let times = loose.map(|loose| Times { created: loose.created, expires: loose.expires });
    Ok(Arrival { runner, id, genuine, times })
}

impl Main {
    /// A proposal that main's way brought, by its full id.
    pub fn brought(&self, id: &str) -> Option<&Brought> {
        self.brought.get(id)
    }

    /// Those for one runner.
    pub fn of_runner(&self, runner: &str) -> impl Iterator<Item = &Brought> {
        self.brought.values().filter(move |brought| brought.runner == runner)
    }

    /// All of them, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Brought> {
        let mut all: Vec<&Brought> = self.brought.values().collect();
        all.sort_by(|a, b| (a.age, &a.runner, &a.id).cmp(&(b.age, &b.runner, &b.id)));
        all.into_iter()
    }

    /// The commit that took it away, whether or not it came back.
    pub fn gone(&self, runner: &str, id: &str) -> Option<CommitId> {
        self.gone.get(&(runner.to_owned(), id.to_owned())).copied()
    }
}
