//! Collects what the gates judge by: both repositories, the people, the notary. All of it before any gate is asked.
//!
//! | file | what |
//! |---|---|
//! | `spec` | canonical: fetched, its history judged, loaded |
//! | `people` | who counts: listed in canonical and in the pinned copy |
//! | `main` | proposed: what main's first-parent way brought and took away |
//! | `candidate` | one proposal: bytes, README, the observer's commit, approvals, rejections |
//! | `notary` | halts, leases, budgets, what was burned |
//! | `ledger` | what was started, how it ended, what was used of the budgets |
//! | `seen` | the tips that were seen last, and what main brought: the only memory |

mod candidate;
mod ledger;
mod main;
mod notary;
mod people;
mod seen;
mod spec;

pub use ledger::{Past, Recorded, RecordedEnd};
pub(crate) use main::is_id as is_digest;
pub use main::{Brought, Main};
pub use notary::Reset;
pub(crate) use notary::{chain as notary_chain, state as notary_state};
pub use people::Lists;
pub use spec::Spec;

use crate::config::{Accept, Config, Repository};
use crate::facts::{Candidate, Kind, Place, Tally, World};
use crate::halt;
use crate::stop::Stop;
use countersign_manifests_schema::report::Notice;
use countersign_shared::exit::Outcome;
use countersign_shared::git::{CommitId, GitError, Mirror, Reference, Remote, RemoteUrl, SshAccess};
use countersign_shared::terminal::Failure;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Proposals that can no longer be applied and are shown without being asked for; the newest of them.
const SETTLED_SHOWN: usize = 200;

/// Everything about every proposal that is looked at.
#[derive(Debug)]
pub struct Gathered {
    /// What holds for every proposal.
    pub world: World,
    /// canonical.
    pub spec: Spec,
    /// proposed.
    pub main: Main,
    /// Sorted by runner, then id.
    pub candidates: Vec<Candidate>,
    /// Settled ones that are not among them.
    pub left_out: usize,
    /// What is accepted although it should not be.
    pub trust: Vec<Notice>,
    /// What the ledger says; `Err` = nothing is known.
    pub past: Result<Past, String>,
    /// The last reset of the notary's breaker that a person has signed; whoever writes the ledger records it.
    pub reset: Option<Reset>,
}

/// Whether the remotes are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Fetches first.
    Remotes,
    /// As it was fetched last.
    Mirrors,
}

/// What was ever started.
#[derive(Debug)]
pub(crate) struct Started {
    /// By the notary.
    burned: BTreeSet<String>,
    /// By the ledger.
    recorded: BTreeMap<String, Recorded>,
}

impl Started {
    /// Where that is recorded of a proposal.
    fn place(&self, id: &str) -> Option<String> {
        let entry = self.recorded.get(id).map(|recorded| format!("entry {} of the ledger", recorded.number));
        entry.or_else(|| self.burned.contains(id).then(|| "the notary has burned it".to_owned()))
    }
}

/// One of the two repositories: its mirror and its way there.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) mirror: PathBuf,
    pub(crate) remote: Remote,
    pub(crate) branch: Reference,
    pub(crate) anchor: Option<CommitId>,
}

impl Source {
    /// The mirror goes to `state_dir/NAME.git`.
    pub(crate) fn new(name: &str, repository: &Repository, state_dir: &Path) -> Result<Self, GitError> {
        let ssh = SshAccess { key: repository.ssh_key.clone(), known_hosts: repository.known_hosts.clone() };
        Ok(Self {
            mirror: state_dir.join(format!("{name}.git")),
            remote: Remote::new(RemoteUrl::parse(&repository.url)?, ssh),
            branch: Reference::branch(&repository.branch)?,
            anchor: repository.anchor.as_deref().map(CommitId::parse).transpose()?,
        })
    }

    /// The mirror and the tip, fetched if asked for.
    pub(crate) fn tip(&self, from: From) -> Result<(Mirror, CommitId), GitError> {
        let mirror = Mirror::open_or_create(&self.mirror)?;
        let tip = match from {
            From::Remotes => mirror.fetch(&self.remote, &self.branch)?,
            From::Mirrors => mirror.tip(&self.branch)?,
        };
        Ok((mirror, tip))
    }

    /// One sentence when the tip does not descend from the anchor and from the tip that was seen last.
    pub(crate) fn rewritten(
        &self,
        name: &str,
        mirror: &Mirror,
        tip: CommitId,
        seen: Option<CommitId>,
    ) -> Result<Option<String>, GitError> {
        match mirror.refuse_rewritten_since(tip, self.anchor, seen) {
            Ok(()) => Ok(None),
            Err(error @ GitError::HistoryRewritten { .. }) => Ok(Some(format!("{name}: {error}"))),
            Err(error) => Err(error),
        }
    }
}

/// canonical alone, at a tip behind which people stand: for what is decided by it without any proposal.
pub(crate) fn canonical(config: &Config, from: From, now: i64) -> Result<Spec, Stop> {
    let seen = seen::Seen::open(&config.state_dir)?;
    let (spec, _) = spec::gather(config, from, &seen, now)?;
    let refused = |code, why: &String| Stop::new(Outcome::Refused, Failure::new(code, why.clone()));
    match (&spec.rewritten, &spec.people) {
        (Some(why), _) => Err(refused("history-rewritten", why)),
        (None, Err(why)) => Err(refused("canonical-unsigned", why)
            .hint("have a listed person sign it, or vouch for it with `countersign endorse`")),
        (None, Ok(_)) => Ok(spec),
    }
}

/// Collects. `wanted` are full ids, or empty for all that main has; `now` is Unix seconds. Blocks.
pub fn gather(config: &Config, from: From, wanted: &[String], now: i64) -> Result<Gathered, Stop> {
    gather_with(config, from, wanted, now, None)
}

/// The same, by what the one who writes the ledger knows of it.
pub(crate) fn gather_with(
    config: &Config,
    from: From,
    wanted: &[String],
    now: i64,
    known: Option<Past>,
) -> Result<Gathered, Stop> {
    let mut seen = seen::Seen::open(&config.state_dir)?;
    let (spec, lists) = spec::gather(config, from, &seen, now)?;
    let main = main::gather(config, from, &mut seen)?;
    let asked = notary::ask(&config.notary.socket, &lists);
    let past = match known {
        Some(past) => Ok(past),
        None => ledger::read(config, now, asked.reset.as_ref().map(|reset| reset.at)),
    };
    let started = match (&asked.started, &past) {
        (Err(why), _) => Err(why.clone()),
        (_, Err(why)) => Err(format!("the ledger: {why}")),
        (Ok(burned), Ok(past)) => Ok(Started { burned: burned.clone(), recorded: past.started.clone() }),
    };
    let tally = match (&asked.budget, &past) {
        (Err(why), _) => Err(why.clone()),
        (_, Err(why)) => Err(format!("the ledger: {why}")),
        (Ok((tripped, tokens_today)), Ok(past)) => match forgotten(&asked, past) {
            Some(why) => Err(why),
            None => Ok(Tally { tripped: tripped.clone(), tokens_today: *tokens_today, usage: past.usage.clone() }),
        },
    };
    let rewritten: Vec<String> = spec.rewritten.iter().chain(&main.rewritten).cloned().collect();
    let world = World {
        now,
        halts: halts(config, &main, &asked)?,
        leases: asked.leases,
        void_leases: asked.void,
        rewritten,
        canonical: spec.people.clone(),
        policy: spec.canonical.policy.clone(),
        tally,
    };
    let court =
        candidate::Court { main: &main, spec: &spec, lists: &lists, started: &started, approved: RefCell::default() };
    let (candidates, left_out) = chosen(&court, wanted, now)?;
    let mut trust = spec.notices.clone();
    trust.extend(software_keys(config, &candidates));
    trust.extend(without_effect(config));
    if from == From::Remotes {
        seen.remember(&spec, &main)?;
    }
    Ok(Gathered { world, candidates, left_out, trust, spec, main, past, reset: asked.reset })
}

/// What has ended had a token. A notary that does not know of it would give out another one.
fn forgotten(asked: &notary::Asked, past: &Past) -> Option<String> {
    let burned = asked.started.as_ref().ok()?;
    let (id, recorded) = past.started.iter().find(|(id, recorded)| recorded.end.is_some() && !burned.contains(*id))?;
    let number = recorded.number;
    Some(format!("the notary does not know {id}, which entry {number} has started: its memory was taken back"))
}

fn halts(config: &Config, main: &Main, asked: &notary::Asked) -> Result<Vec<(String, halt::Halt)>, Stop> {
    let of_proposed = halt_of_proposed(main)?;
    let of_notary = match &asked.halted {
        Ok(None) => halt::Halt::Clear,
        Ok(Some(reason)) => halt::Halt::Set(reason.clone()),
        Err(why) => halt::Halt::Unreadable(std::io::Error::other(why.clone())),
    };
    let local = config.halt_file();
    Ok(vec![
        (local.display().to_string(), halt::read(&local)),
        ("the notary".to_owned(), of_notary),
        ("HALT in proposed".to_owned(), of_proposed),
    ])
}

/// Anything of that name at the top stops, whatever it is.
fn halt_of_proposed(main: &Main) -> Result<halt::Halt, Stop> {
    let top = main.mirror.directory(main.tip, "")?.unwrap_or_default();
    if !top.iter().any(|entry| entry.name == "HALT") {
        return Ok(halt::Halt::Clear);
    }
    Ok(match main.mirror.file(main.tip, "HALT", 64 * 1024) {
        Ok(Some(reason)) => halt::Halt::Set(String::from_utf8_lossy(&reason).trim().to_owned()),
        Ok(None) => halt::Halt::Unreadable(std::io::Error::other("it is not a file")),
        Err(error) => halt::Halt::Unreadable(std::io::Error::other(error.to_string())),
    })
}

/// The candidates that are shown, sorted, and how many are not.
fn chosen(court: &candidate::Court<'_>, wanted: &[String], now: i64) -> Result<(Vec<Candidate>, usize), Stop> {
    let main = court.main;
    let (ids, left_out): (Vec<String>, usize) = if wanted.is_empty() {
        let (live, settled): (Vec<&Brought>, Vec<&Brought>) =
            main.newest_first().partition(|brought| court.is_live(brought, now));
        let left_out = settled.len().saturating_sub(SETTLED_SHOWN);
        (live.into_iter().chain(settled.into_iter().take(SETTLED_SHOWN)).map(|b| b.id.clone()).collect(), left_out)
    } else {
        (wanted.iter().map(|text| resolve(court, text)).collect::<Result<_, _>>()?, 0)
    };
    let mut candidates = Vec::with_capacity(ids.len());
    for id in ids {
        let mut candidate = court.hear(&id)?.ok_or_else(|| no_such(&id))?;
        candidate.newer = court.newer(&candidate)?;
        candidates.push(candidate);
    }
    candidates.sort_by(|a, b| (&a.runner, &a.id).cmp(&(&b.runner, &b.id)));
    Ok((candidates, left_out))
}

/// The full id that a person means by a short one.
fn resolve(court: &candidate::Court<'_>, text: &str) -> Result<String, Stop> {
    if main::is_id(text) {
        return Ok(text.to_owned());
    }
    let hex = text.len() >= 4 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !hex {
        return Err(Stop::invalid(
            "usage",
            format!("{text:?} is not the sha256 of a proposal, nor the beginning of one"),
        ));
    }
    let all: BTreeSet<String> = court.ids()?.into_iter().filter(|id| id.starts_with(text)).collect();
    match all.iter().collect::<Vec<_>>().as_slice() {
        [] => Err(no_such(text)),
        [one] => Ok((*one).clone()),
        several => {
            Err(Stop::invalid("ambiguous-id", format!("{text} is the beginning of {} proposals", several.len()))
                .hint("write more of it, or all"))
        }
    }
}

fn no_such(id: &str) -> Stop {
    Stop::invalid("no-such-proposal", format!("{id} is neither merged nor on a branch of proposals"))
}

/// Approvals by keys in software shout.
fn software_keys(config: &Config, candidates: &[Candidate]) -> Option<Notice> {
    let software = |candidate: &&Candidate| {
        matches!(candidate.place, Place::Main(_))
            && candidate.approvals.iter().any(|approval| approval.touched != Some(true))
    };
    let count = candidates.iter().filter(software).count();
    (config.trust.accepts(Accept::SoftwareKeys) && count > 0).then(|| Notice {
        code: "software-keys".to_owned(),
        message: format!("{count} proposals were approved by keys that ask for no touch"),
    })
}

/// What is accepted though nothing here looks at it.
fn without_effect(config: &Config) -> Option<Notice> {
    config.trust.accepts(Accept::AccountPrivileged).then(|| Notice {
        code: "account-privileged".to_owned(),
        message: "accepted without an effect: the key gets the warden alone, whatever its account could do".to_owned(),
    })
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Merge => "a signed merge",
            Kind::Signature => "a detached signature",
        })
    }
}
