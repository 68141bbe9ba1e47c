//! The proposals that are in proposed: on branches, and merged.

use crate::desk::{Desk, Spec};
use crate::git::Repository;
use crate::stop::{Result, Stop};
use countersign_manifests_schema::person::Unreadable;
use countersign_shared::approval::commit::RawCommit;
use countersign_shared::approval::sshsig::SshSignature;
use countersign_shared::git::CommitId;
use countersign_shared::manifest::fleet::is_runner_name;
use countersign_shared::proposal::{MAX_BYTES, Sealed};
use std::collections::{BTreeMap, BTreeSet};

const JSON: &str = "proposal.json";
const README: &str = "README.md";
/// Files that one branch may add.
const MOST: usize = 20_000;
/// Digits of an id that tell enough, when they are unique.
const SHORTEST: usize = 4;

/// Runner and full sha256, as the directory is called.
pub(crate) type Key = (String, String);

/// Where a proposal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spot {
    /// On a branch, brought by this commit.
    Branch(String, CommitId),
    /// In the main branch.
    Merged,
}

/// A proposal as it is found, not yet judged.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) key: Key,
    pub(crate) spot: Spot,
    pub(crate) json: Vec<u8>,
    pub(crate) readme: Option<Vec<u8>>,
}

/// One branch of proposals.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) tip: CommitId,
    /// What it adds to main.
    pub(crate) brings: BTreeSet<Key>,
    /// Why its commit is not one that the observer makes.
    pub(crate) fault: Option<String>,
}

/// All of them, by what the trees say.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) main: CommitId,
    pub(crate) branches: BTreeMap<String, Branch>,
    pub(crate) merged: BTreeSet<Key>,
    /// Every proposal on a branch, each once: a branch without a fault before one with.
    pub(crate) open: BTreeMap<Key, String>,
    pub(crate) unreadable: Vec<Unreadable>,
}

impl Found {
    /// The path of its directory.
    pub(crate) fn directory(&self) -> String {
        directory(&self.key)
    }

    /// The proposal, if its bytes are one.
    pub(crate) fn sealed(&self) -> Result<Sealed> {
        Sealed::parse(&self.json)
            .map_err(|error| Stop::of(countersign_shared::exit::Outcome::Refused, "edited", &error))
    }
}

fn directory((runner, id): &Key) -> String {
    format!("proposals/{runner}/{id}")
}

impl Shelf {
    /// Reads what was fetched.
    pub(crate) fn read(desk: &Desk, spec: &Spec) -> Result<Self> {
        let proposed = &desk.proposed;
        let main = proposed.tip()?;
        let merged = directories(proposed, main, None)?;
        let mut shelf = Self { main, branches: BTreeMap::new(), merged, open: BTreeMap::new(), unreadable: Vec::new() };
        let (tips, odd) = proposed.branches()?;
        for name in odd {
            shelf.unreadable.push(Unreadable {
                branch: name,
                path: None,
                message: "no observer writes such a branch".into(),
            });
        }
        for (name, tip) in tips {
            // A branch that cannot be read costs itself, and nothing else.
            let read =
                || -> Result<_> { Ok((directories(proposed, tip, Some(main))?, fault(proposed, tip, main, spec)?)) };
            let (brings, fault) = read().unwrap_or_else(|stop| (BTreeSet::new(), Some(stop.summary())));
            if let Some(message) = &fault {
                shelf.unreadable.push(Unreadable { branch: name.clone(), path: None, message: message.clone() });
            }
            if !brings.is_empty() {
                shelf.branches.insert(name, Branch { tip, brings, fault });
            }
        }
        let mut branches: Vec<_> = shelf.branches.iter().collect();
        branches.sort_by_key(|(name, branch)| (branch.fault.is_some(), *name));
        for (name, branch) in branches {
            for key in &branch.brings {
                shelf.open.entry(key.clone()).or_insert_with(|| name.clone());
            }
        }
        Ok(shelf)
    }

    /// What a person means by a text: a full id, the beginning of one, or a branch with all that it brings.
    pub(crate) fn resolve(&self, text: &str) -> Result<Vec<Key>> {
        let name = text.strip_prefix("proposals/").unwrap_or(text);
        if let Some(branch) = self.branches.get(name) {
            return Ok(branch.brings.iter().cloned().collect());
        }
        let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !hex || text.len() < SHORTEST || text.len() > 64 {
            return Err(Stop::invalid(
                "usage",
                format!("{text:?} is neither the id of a proposal nor a branch of them"),
            )
            .hint("`countersign review` lists both; an id is 64 hex digits, and its beginning will do"));
        }
        let known: BTreeSet<&Key> =
            self.open.keys().chain(&self.merged).filter(|(_, id)| id.starts_with(text)).collect();
        let ids: BTreeSet<&str> = known.iter().map(|(_, id)| id.as_str()).collect();
        match (ids.len(), known.first()) {
            (0, _) | (_, None) => Err(Stop::invalid("no-proposal", format!("there is no proposal {text}"))
                .hint("`countersign review` lists them; an observer may have taken it back")),
            (1, Some(key)) if known.len() == 1 => Ok(vec![(*key).clone()]),
            _ => {
                let list: Vec<String> = known.iter().map(|(runner, id)| format!("{id} ({runner})")).collect();
                Err(Stop::invalid("ambiguous", format!("{text} is the beginning of {} proposals", known.len()))
                    .because(list.join(", "))
                    .hint("write more digits; all 64 are always enough"))
            }
        }
    }

    /// Where it is: merged counts before a branch.
    pub(crate) fn spot(&self, key: &Key) -> Option<Spot> {
        if self.merged.contains(key) {
            return Some(Spot::Merged);
        }
        let name = self.open.get(key)?;
        Some(Spot::Branch(name.clone(), self.branches.get(name)?.tip))
    }

    /// Its files.
    pub(crate) fn find(&self, proposed: &Repository, key: &Key) -> Result<Found> {
        let gone = || Stop::invalid("no-proposal", format!("there is no proposal {} any more", key.1));
        let spot = self.spot(key).ok_or_else(gone)?;
        let commit = match &spot {
            Spot::Branch(_, commit) => *commit,
            Spot::Merged => self.main,
        };
        let tree = proposed.tree(commit)?;
        let json = proposed.file(&tree, &format!("{}/{JSON}", directory(key)), MAX_BYTES)?;
        let json = json.ok_or_else(|| Stop::refused("edited", format!("{} has no {JSON}", directory(key))))?;
        let readme = proposed.file(&tree, &format!("{}/{README}", directory(key)), 4 * MAX_BYTES)?;
        Ok(Found { key: key.clone(), spot, json, readme })
    }
}

/// Directories of proposals in a commit that are not in `but`.
fn directories(proposed: &Repository, commit: CommitId, but: Option<CommitId>) -> Result<BTreeSet<Key>> {
    let top = proposed.tree(commit)?;
    let other = but.map(|commit| proposed.tree(commit)).transpose()?;
    let mut keys = BTreeSet::new();
    let Some(runners) = below(proposed, &top, "proposals")? else { return Ok(keys) };
    let known = other.map(|tree| below(proposed, &tree, "proposals")).transpose()?.flatten();
    for entry in &runners {
        let Ok(runner) = entry.name() else { continue };
        let same = known.as_ref().and_then(|known| known.get_name(runner));
        if !is_runner_name(runner) || same.as_ref().is_some_and(|same| same.id() == entry.id()) {
            continue;
        }
        let Some(ids) = below(proposed, &runners, runner)? else { continue };
        let known = match (&known, &same) {
            (Some(known), Some(_)) => below(proposed, known, runner)?,
            _ => None,
        };
        for entry in &ids {
            let Ok(id) = entry.name() else { continue };
            let is_id = id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            if is_id && known.as_ref().is_none_or(|known| known.get_name(id).is_none()) {
                keys.insert((runner.to_owned(), id.to_owned()));
            }
        }
    }
    Ok(keys)
}

fn below<'r>(proposed: &'r Repository, tree: &git2::Tree<'_>, name: &str) -> Result<Option<git2::Tree<'r>>> {
    match tree.get_name(name) {
        Some(entry) if entry.kind() == Some(git2::ObjectType::Tree) => Ok(Some(proposed.store.find_tree(entry.id())?)),
        _ => Ok(None),
    }
}

/// Whether the tip is one commit of the observer on top of main's history that adds proposals and nothing else.
fn fault(proposed: &Repository, tip: CommitId, main: CommitId, spec: &Spec) -> Result<Option<String>> {
    let said = |text: &str| Ok(Some(text.to_owned()));
    if let Some(fault) = not_by_observer(proposed, tip, spec)? {
        return Ok(Some(fault));
    }
    let parents = proposed.mirror.commit(tip)?.parents;
    let [base] = parents[..] else { return said("its commit has not exactly one parent") };
    if !proposed.mirror.is_descendant(main, base)? {
        return said("it does not begin in the main branch");
    }
    let diff = proposed.store.diff_tree_to_tree(Some(&proposed.tree(base)?), Some(&proposed.tree(tip)?), None)?;
    if diff.deltas().len() > MOST {
        return Ok(Some(format!("it changes more than {MOST} files")));
    }
    for delta in diff.deltas() {
        let file = delta.new_file();
        let path = file.path().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        let is_ours = matches!(parts[..], ["proposals", _, _, JSON | README]);
        if !is_ours || delta.status() != git2::Delta::Added || file.mode() != git2::FileMode::Blob {
            return Ok(Some(format!("it changes {path:?}, which is no new file of a proposal")));
        }
    }
    Ok(None)
}

/// Why a commit is not one that the declared observer signed.
pub(crate) fn not_by_observer(proposed: &Repository, commit: CommitId, spec: &Spec) -> Result<Option<String>> {
    let said = |text: &str| Ok(Some(text.to_owned()));
    let raw = match RawCommit::parse(&proposed.mirror.raw_commit(commit)?) {
        Ok(raw) => raw,
        Err(error) => return Ok(Some(format!("its commit cannot be read: {error}"))),
    };
    let Some(signed) = &raw.signed else { return said("its commit is not signed, and the observer signs") };
    let signer = SshSignature::parse(&signed.signature).and_then(|signature| signature.verify("git", &signed.payload));
    match signer {
        Err(error) => return Ok(Some(format!("the signature of its commit does not hold: {error}"))),
        Ok(signer) if signer.certificate.is_some() || !spec.observers.contains(&signer.key) => {
            return said("its commit is not signed by the observer's key that fleet.toml declares");
        }
        Ok(_) => {}
    }
    Ok(None)
}
