//! The git side of publishing: what the branches of proposals are, what they should be, and the push between the two.
//! Blocks (the git CLI, libgit2): call it inside `spawn_blocking`.

use super::branches::{self, Members};
use super::commit::{Content, Own, Workshop};
use super::{PublishError, Ready};
use crate::config;
use countersign_shared::git::{CommitId, Mirror, ProposalRef, Pushed, Reference, Remote, RemoteUrl, SshAccess, Update};
use countersign_shared::manifest::ssh_key::PublicKey;
use countersign_shared::ssh::Identity;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How often branches are looked at again when another observer was faster.
const ROUNDS: usize = 3;

/// Where proposals go.
#[derive(Debug, Clone)]
pub struct Place {
    /// Bare mirror; a cache, safe to delete.
    pub mirror: PathBuf,
    /// Remote and credential.
    pub remote: Remote,
    /// The branch into which people merge.
    pub main: Reference,
    /// The commit from which on history counts.
    pub anchor: Option<CommitId>,
    /// The key that signs.
    pub signer: Identity,
    /// A commit of canonical: a repository that has it is canonical, whatever its URL says.
    pub canonical: Option<CommitId>,
}

impl Place {
    /// Takes `[proposed]` apart; the mirror goes to `state_dir/proposed.git`.
    pub fn new(config: &config::Config, proposed: &config::Proposed) -> Result<Self, PublishError> {
        if same_place(&proposed.url, &config.canonical.url) {
            return Err(PublishError::SameRepository);
        }
        // What people merge into is never what is pushed to.
        if proposed.branch.starts_with("proposals/") {
            return Err(PublishError::OwnBranch);
        }
        let key = proposed.signing_key.as_deref().ok_or(PublishError::NoSigningKey)?;
        let signer = Identity::from_files(key, None).map_err(PublishError::SigningKey)?;
        let ssh = SshAccess { key: proposed.ssh_key.clone(), known_hosts: proposed.known_hosts.clone() };
        let state: &Path = &config.state_dir;
        Ok(Self {
            mirror: std::path::absolute(state).unwrap_or_else(|_| state.to_owned()).join("proposed.git"),
            remote: Remote::new(RemoteUrl::parse(&proposed.url)?, ssh),
            main: Reference::branch(&proposed.branch)?,
            anchor: proposed.anchor.as_deref().map(CommitId::parse).transpose()?,
            signer,
            canonical: None,
        })
    }

    /// Short name of the branch into which people merge.
    pub fn main_branch(&self) -> &str {
        self.main.as_str().trim_start_matches("refs/heads/")
    }
}

/// Whether two URLs lead to one repository, as far as their text tells.
fn same_place(a: &str, b: &str) -> bool {
    place_of(a) == place_of(b)
}

/// Host and path, however they are written: `ssh://git@host:22/path.git`, `git@host:path` and `https://host/path/` are one.
fn place_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = if scheme == "file" || rest.starts_with('/') {
        rest.to_owned()
    } else {
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) if !scheme.is_empty() || !authority.contains(':') => (authority, path),
            _ => rest.split_once(':').unwrap_or((rest, "")),
        };
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let port = [("ssh", ":22"), ("https", ":443"), ("http", ":80"), ("git", ":9418")];
        let port = port.into_iter().find(|(known, _)| *known == scheme).map_or("", |(_, port)| port);
        format!("{}/{}", host.strip_suffix(port).unwrap_or(host), path.trim_start_matches('/'))
    };
    let rest = rest.trim_end_matches('/');
    rest.strip_suffix(".git").unwrap_or(rest).trim_end_matches('/').to_ascii_lowercase()
}

/// What became of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Created,
    /// It holds other proposals than before.
    Updated,
    /// It is as it was.
    Kept,
    /// Its drift is gone, or was merged: it is there still, to be taken away by [`remove`] once its pull request is closed.
    Gone,
    /// Its runners are offered something else on other branches: to be taken away in the same way.
    Superseded,
    /// Somebody else's commits are on it; it is left alone.
    Foreign,
    /// Another observer was faster, again and again; the next run looks again.
    Moved,
    /// The remote refuses it, in its own words.
    Refused(String),
}

/// A branch after the push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its name.
    pub branch: ProposalRef,
    /// Its tip, if the remote has it now.
    pub tip: Option<CommitId>,
    /// What happened.
    pub change: Change,
    /// Which proposals of this run it offers, by their place in the list that was given.
    pub offers: Vec<usize>,
    /// All that it offers, kept ones of runners that could not be judged included: runner and sha256.
    pub holds: Vec<(String, String)>,
}

/// The outcome of the git side.
#[derive(Debug)]
pub struct Synced {
    /// The tip of main that was seen.
    pub main: CommitId,
    /// Branches, by name.
    pub branches: Vec<Branch>,
    /// Proposals that main has already, by their place in the list.
    pub merged: Vec<usize>,
    /// Proposals for which there is no branch, by their place in the list, and why.
    pub unnamed: Vec<(usize, String)>,
}

impl Synced {
    /// Branches that could not be made what they should be.
    pub fn problems(&self) -> impl Iterator<Item = &Branch> {
        self.branches.iter().filter(|b| matches!(b.change, Change::Foreign | Change::Moved | Change::Refused(_)))
    }
}

/// Makes the remote's branches offer exactly `ready`, and what they offered before for runners in `unjudged`.
///
/// `declared` are the keys of observers; `seen` is the tip of main that the last run saw. Runs again without harm.
pub fn sync(
    place: &Place,
    ready: &[Ready],
    unjudged: &BTreeSet<String>,
    declared: &[PublicKey],
    seen: Option<CommitId>,
) -> Result<Synced, PublishError> {
    let mirror = Mirror::open_or_create(&place.mirror)?;
    let main = mirror.fetch(&place.remote, &place.main)?;
    for known in place.anchor.into_iter().chain(seen) {
        mirror.refuse_rewritten(main, known).map_err(PublishError::Rewritten)?;
    }
    if let Some(canonical) = place.canonical
        && mirror.is_descendant(main, canonical)?
    {
        return Err(PublishError::SameRepository);
    }
    let workshop = Workshop::new(&mirror)?;
    let mut merged = Vec::new();
    let mut open = Vec::new();
    for (index, proposal) in ready.iter().enumerate() {
        let (key, _) = workshop.store(proposal)?;
        if workshop.merged(main, &key)? { merged.push(index) } else { open.push(proposal.clone()) }
    }
    let mut done: BTreeMap<ProposalRef, Branch> = BTreeMap::new();
    let mut unnamed = Vec::new();
    let runners: BTreeSet<&str> = open.iter().map(|proposal| proposal.runner.as_str()).collect();
    for _ in 0..ROUNDS {
        let tips = mirror.fetch_proposals(&place.remote)?;
        let round = Round { workshop: &workshop, place, main, unjudged, declared, tips: &tips, runners: &runners };
        let (plan, refused) = round.plan(&open)?;
        unnamed = refused;
        let updates: Vec<Update> = plan.iter().filter_map(|step| step.update.clone()).collect();
        let answers = if updates.is_empty() { Vec::new() } else { mirror.push_proposals(&place.remote, &updates)? };
        let mut answers = answers.into_iter();
        let mut again = false;
        for mut step in plan {
            if step.update.is_some() {
                match answers.next().unwrap_or(Pushed::Unanswered) {
                    Pushed::Done => {}
                    Pushed::Moved | Pushed::Unanswered => {
                        again = true;
                        step.fails(Change::Moved);
                    }
                    Pushed::Refused(words) => step.fails(Change::Refused(words)),
                }
            }
            let mut branch = step.branch;
            // A later round finds as it should be what an earlier one has pushed.
            if branch.change == Change::Kept
                && let Some(before) = done.get(&branch.branch)
                && matches!(before.change, Change::Created | Change::Updated)
            {
                branch.change = before.change.clone();
            }
            done.insert(branch.branch.clone(), branch);
        }
        if !again {
            break;
        }
    }
    let place_of = |runner: &str, id: &str| ready.iter().position(|r| r.runner == runner && r.id == id);
    let mut all: Vec<Branch> = done.into_values().collect();
    for branch in &mut all {
        branch.offers = branch.holds.iter().filter_map(|(runner, id)| place_of(runner, id)).collect();
    }
    let unnamed = unnamed
        .into_iter()
        .filter_map(|(runner, why)| Some((ready.iter().position(|r| r.runner == runner)?, why)))
        .collect();
    Ok(Synced { main, branches: all, merged, unnamed })
}

/// Takes branches away that are [`Change::Gone`] or [`Change::Superseded`], each only if it is where it was seen. One that
/// was moved meanwhile stays; the next run looks again. Answers with those that stay.
pub fn remove(place: &Place, branches: &[&Branch]) -> Result<Vec<(ProposalRef, Pushed)>, PublishError> {
    let mirror = Mirror::open_or_create(&place.mirror)?;
    let updates: Vec<Update> = branches
        .iter()
        .filter(|branch| matches!(branch.change, Change::Gone | Change::Superseded))
        .map(|branch| Update { branch: branch.branch.clone(), expected: branch.tip, new: None })
        .collect();
    if updates.is_empty() {
        return Ok(Vec::new());
    }
    let answers = mirror.push_proposals(&place.remote, &updates)?;
    let names = updates.into_iter().map(|update| update.branch);
    Ok(names.zip(answers).filter(|(_, answer)| *answer != Pushed::Done).collect())
}

/// One look at the remote.
struct Round<'a> {
    workshop: &'a Workshop<'a>,
    place: &'a Place,
    main: CommitId,
    unjudged: &'a BTreeSet<String>,
    declared: &'a [PublicKey],
    tips: &'a BTreeMap<ProposalRef, CommitId>,
    /// Of the open proposals.
    runners: &'a BTreeSet<&'a str>,
}

/// Runners, and why there is no branch for them.
type Refusals = Vec<(String, String)>;

/// What is to be done with one branch, and what will have become of it then.
struct Step {
    branch: Branch,
    update: Option<Update>,
}

impl Step {
    fn fails(&mut self, change: Change) {
        self.branch.change = change;
        self.branch.tip = self.update.as_ref().and_then(|update| update.expected);
    }
}

impl Round<'_> {
    /// One step for each branch, and the runners that cannot have one, with the reason.
    fn plan(&self, ready: &[Ready]) -> Result<(Vec<Step>, Refusals), PublishError> {
        let (mut wanted, refused) = branches::assign(ready, |branch| self.tips.contains_key(branch));
        for branch in self.tips.keys() {
            wanted.entry(branch.clone()).or_default();
        }
        let steps = wanted.into_iter().map(|(branch, members)| self.step(branch, &members));
        let refused = refused.into_iter().map(|(ready, error)| (ready.runner.clone(), error.to_string())).collect();
        Ok((steps.collect::<Result<_, _>>()?, refused))
    }

    fn step(&self, branch: ProposalRef, members: &Members<'_>) -> Result<Step, PublishError> {
        let tip = self.tips.get(&branch).copied();
        let own = match tip {
            Some(tip) => match self.workshop.own(tip, self.main, self.declared)? {
                Some(own) => Some(own),
                None => return Ok(self.left_alone(branch, tip)),
            },
            None => None,
        };
        let (content, at) = self.content(members, own.as_ref())?;
        let holds = content.keys().cloned().collect();
        let done = |tip, change| Branch { branch: branch.clone(), tip, change, offers: Vec::new(), holds };
        if content.is_empty() {
            let elsewhere = |(runner, _): &(String, String)| self.runners.contains(runner.as_str());
            let superseded = own.is_some_and(|own| own.adds.keys().any(elsewhere));
            let change = if superseded { Change::Superseded } else { Change::Gone };
            return Ok(Step { branch: done(tip, change), update: None });
        }
        if own.is_some_and(|own| own.adds == content) {
            return Ok(Step { branch: done(tip, Change::Kept), update: None });
        }
        let new = Some(self.workshop.build(self.main, &content, at, &branch, &self.place.signer)?);
        let change = if tip.is_some() { Change::Updated } else { Change::Created };
        let update = Update { branch: branch.clone(), expected: tip, new };
        Ok(Step { branch: done(new, change), update: Some(update) })
    }

    /// What the branch should add to main: what is proposed now, and what was for runners of which nothing is known.
    fn content(&self, members: &Members<'_>, own: Option<&Own>) -> Result<(Content, i64), PublishError> {
        let mut content = Content::new();
        let mut at = 0;
        for member in members {
            let (key, blobs) = self.workshop.store(member)?;
            content.insert(key, blobs);
            at = at.max(member.created);
        }
        for (key, blobs) in own.iter().flat_map(|own| &own.adds) {
            if self.unjudged.contains(&key.0) && !self.workshop.merged(self.main, key)? {
                content.insert(key.clone(), *blobs);
                at = at.max(own.map_or(0, |own| own.at));
            }
        }
        Ok((content, at))
    }

    fn left_alone(&self, branch: ProposalRef, tip: CommitId) -> Step {
        let change = Change::Foreign;
        Step { branch: Branch { branch, tip: Some(tip), change, offers: Vec::new(), holds: Vec::new() }, update: None }
    }
}

#[cfg(test)]
mod tests {
    use super::same_place;

    #[test]
    fn canonical_under_another_spelling_is_still_canonical() {
        for (a, b) in [
            ("/srv/a.git", "file:///srv/a.git"),
            ("/srv/a.git", "/srv/a/"),
            ("ssh://git@forge.example/ops/a", "ssh://git@Forge.example/ops/a.git"),
            ("ssh://git@forge.example/ops/a", "ssh://bot@forge.example:22/ops/a/"),
            ("ssh://git@forge.example/ops/a", "git@forge.example:ops/a.git"),
            ("https://forge.example/ops/a", "ssh://git@forge.example/ops/a"),
            ("https://forge.example:443/ops/a", "https://token@forge.example/ops/a.git"),
        ] {
            assert!(same_place(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("ssh://git@forge.example/ops/a", "ssh://git@forge.example:2222/ops/a"),
            ("ssh://git@forge.example/ops/a", "ssh://git@other.example/ops/a"),
            ("git@forge.example:ops/a", "git@forge.example:ops/b"),
        ] {
            assert!(!same_place(a, b), "{a} {b}");
        }
        assert!(!same_place("ssh://git@forge.example/ops/a", "ssh://git@forge.example/ops/b"));
    }
}
