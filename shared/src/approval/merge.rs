//! A merge of proposed adds exactly the proposal directories that it names: regular files, absent before, the same on
//! the merged branch, and nothing else. Judged on raw objects, each held against its id.

use super::commit::{CommitError, RawCommit};
use super::statement::{LineError, Named, named_in};
use super::tree::{Collision, Entry, Kind, Mode, RawTree, TreeError, object_id};
use crate::canonical_json::sha256;
use std::collections::BTreeMap;

/// The directory that holds the proposals.
const PROPOSALS: &str = "proposals";
/// What a proposal's directory holds, in git's order.
const FILES: [&str; 2] = ["README.md", "proposal.json"];
/// Bytes of an object at most; a README is the longest.
#[cfg(feature = "git")]
const OBJECT_MAX: usize = 16 << 20;
/// Bytes of all files that one merge adds at most.
const HELD_MAX: usize = 256 << 20;
/// Entries that differ in one merge at most: every runner of the largest fleet, with room.
const DIFFERENCES_MAX: usize = 100_000;

/// Where objects come from. What it answers is held against the id.
pub trait Objects {
    /// The bytes of an object of this kind; `None` when there is none.
    fn read(&self, kind: Kind, id: &str) -> Option<Vec<u8>>;
}

#[cfg(feature = "git")]
impl Objects for crate::git::Mirror {
    fn read(&self, kind: Kind, id: &str) -> Option<Vec<u8>> {
        let kind = match kind {
            Kind::Blob => git2::ObjectType::Blob,
            Kind::Tree => git2::ObjectType::Tree,
            Kind::Commit => git2::ObjectType::Commit,
        };
        // What cannot be read is not there: nothing is approved by it.
        self.raw_object(id, kind, OBJECT_MAX).ok().flatten()
    }
}

/// A proposal that a merge adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The runner and the proposal's sha256, as the message and the directory name them.
    pub named: Named,
    /// The bytes of `proposal.json`. Their sha256 is the name of the directory.
    pub proposal: Vec<u8>,
    /// The bytes of `README.md`.
    pub readme: Vec<u8>,
}

/// A merge that adds exactly what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// What it adds, by runner and sha256.
    pub added: Vec<Added>,
    /// The commit that it merges, 40 hex digits: the observer's.
    pub branch: String,
}

/// Why a commit approves nothing by its tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeRefusal {
    /// An object is not there.
    #[error("the {} {id} is not there", .kind.as_str())]
    Missing {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: String,
    },
    /// An object is not the one that its id names.
    #[error("the object {0} has not the content that its id names")]
    OtherContent(String),
    /// An object was made to collide with another.
    #[error("the object {0} was made to collide with another")]
    Collision(String),
    /// A commit cannot be read.
    #[error("a commit cannot be read: {0}")]
    Commit(#[from] CommitError),
    /// A tree cannot be read.
    #[error("a tree cannot be read: {0}")]
    Tree(#[from] TreeError),
    /// Not a commit of two parents: a fast-forward, a squash, or an octopus.
    #[error("it has {0} parents and not two")]
    NotAMerge(usize),
    /// The lines of its message cannot be taken.
    #[error("its message cannot be taken: {0}")]
    Lines(#[from] LineError),
    /// It names nothing.
    #[error("its message names no proposal")]
    NamesNothing,
    /// Something else than a proposal changes.
    #[error("it changes {0:?}, which is no new proposal")]
    Else(String),
    /// A proposal's directory is there already.
    #[error("{0:?} is there already")]
    Existing(String),
    /// A proposal's directory does not hold exactly two regular files.
    #[error("{0:?} does not hold exactly README.md and proposal.json as regular files")]
    Directory(String),
    /// A proposal's bytes have another sha256 than its directory is called.
    #[error("the bytes of {0:?} have another sha256")]
    Edited(String),
    /// The merged branch has it otherwise, or not at all.
    #[error("{0:?} is not so on the merged branch")]
    NotOnBranch(String),
    /// Added and not named.
    #[error("it adds {0:?} and does not name it")]
    NotNamed(String),
    /// Named and not added.
    #[error("it names {0:?} and does not add it")]
    NotAdded(String),
    /// Too much changes.
    #[error("it changes more than {DIFFERENCES_MAX} entries, or adds more than {HELD_MAX} bytes")]
    TooMuch,
}

impl MergeRefusal {
    /// The code of the gate that a proposal fails at that came in by such a commit.
    pub fn code(&self) -> &'static str {
        match self {
            MergeRefusal::Edited(_) | MergeRefusal::OtherContent(_) | MergeRefusal::Collision(_) => "edited",
            _ => "not-human",
        }
    }
}

/// Judges the commit `id`. That it lies on main's way along first parents is for the caller to know.
pub fn judge(objects: &impl Objects, id: &str) -> Result<Merge, MergeRefusal> {
    let commit = RawCommit::parse(&read(objects, Kind::Commit, id)?)?;
    let [before, branch] = commit.parents.as_slice() else {
        return Err(MergeRefusal::NotAMerge(commit.parents.len()));
    };
    let mut named = named_in(&commit.message)?;
    if named.is_empty() {
        return Err(MergeRefusal::NamesNothing);
    }
    named.sort();
    let tree_of = |id: &str| Ok::<_, MergeRefusal>(RawCommit::parse(&read(objects, Kind::Commit, id)?)?.tree);
    let mut found = new_directories(objects, &tree_of(before)?, &commit.tree)?;
    found.sort_by(|a, b| a.named.cmp(&b.named));
    let path = |named: &Named| format!("{PROPOSALS}/{}/{}", named.runner, named.proposal);
    let is_found = |one: &Named| found.binary_search_by(|new| new.named.cmp(one)).is_ok();
    if let Some(missing) = named.iter().find(|one| !is_found(one)) {
        return Err(MergeRefusal::NotAdded(path(missing)));
    }
    let merged = BranchDirectories::read(objects, &tree_of(branch)?)?;
    let mut added = Vec::new();
    let mut held = 0_usize;
    for new in found {
        let path = path(&new.named);
        if named.binary_search(&new.named).is_err() {
            return Err(MergeRefusal::NotNamed(path));
        }
        if merged.tree_of(objects, &new.named)?.as_deref() != Some(&new.tree) {
            return Err(MergeRefusal::NotOnBranch(path));
        }
        let one = files(objects, new, &path)?;
        held += one.proposal.len() + one.readme.len();
        if held > HELD_MAX {
            return Err(MergeRefusal::TooMuch);
        }
        added.push(one);
    }
    Ok(Merge { added, branch: branch.clone() })
}

/// A directory that is there and was not.
struct New {
    named: Named,
    tree: String,
}

/// What differs between the trees of two commits, as long as it is new directories of proposals.
fn new_directories(objects: &impl Objects, before: &str, after: &str) -> Result<Vec<New>, MergeRefusal> {
    let mut found = Vec::new();
    let mut seen = 0_usize;
    let mut more = |n: usize| {
        seen += n;
        if seen > DIFFERENCES_MAX { Err(MergeRefusal::TooMuch) } else { Ok(()) }
    };
    let Some((old, new)) = only_below(objects, before, after)? else {
        return Ok(found);
    };
    let (old, new) = (subtree(objects, old)?, tree(objects, &new)?);
    for (runner, change) in differences(&old, &new) {
        more(1)?;
        let path = format!("{PROPOSALS}/{runner}");
        let (old, new) = directories(change, &path)?;
        let (old, new) = (subtree(objects, old)?, tree(objects, &new)?);
        for (proposal, change) in differences(&old, &new) {
            more(1)?;
            let path = format!("{path}/{proposal}");
            match change {
                (None, Some(entry)) if entry.mode == Mode::Directory => {
                    let named = Named { runner: runner.to_owned(), proposal: proposal.to_owned() };
                    found.push(New { named, tree: entry.id.clone() });
                }
                (Some(_), Some(_)) => return Err(MergeRefusal::Existing(path)),
                _ => return Err(MergeRefusal::Else(path)),
            }
        }
    }
    Ok(found)
}

/// The trees of `proposals` before and after, when nothing else differs; `None` when that does not differ either.
fn only_below(
    objects: &impl Objects,
    before: &str,
    after: &str,
) -> Result<Option<(Option<String>, String)>, MergeRefusal> {
    let (old, new) = (tree(objects, before)?, tree(objects, after)?);
    let mut below = None;
    for (name, change) in differences(&old, &new) {
        if name != PROPOSALS {
            return Err(MergeRefusal::Else(name.to_owned()));
        }
        below = Some(directories(change, name)?);
    }
    Ok(below)
}

type Change<'a> = (Option<&'a Entry>, Option<&'a Entry>);

/// Entries that are not the same in both, by name.
fn differences<'a>(old: &'a RawTree, new: &'a RawTree) -> Vec<(&'a str, Change<'a>)> {
    let mut by_name: BTreeMap<&str, Change<'a>> = BTreeMap::new();
    for entry in &old.entries {
        by_name.entry(&entry.name).or_default().0 = Some(entry);
    }
    for entry in &new.entries {
        by_name.entry(&entry.name).or_default().1 = Some(entry);
    }
    by_name.into_iter().filter(|(_, (old, new))| old != new).collect()
}

/// The ids of a directory before, if it was there, and after.
fn directories(change: Change<'_>, path: &str) -> Result<(Option<String>, String), MergeRefusal> {
    match change {
        (None, Some(new)) if new.mode == Mode::Directory => Ok((None, new.id.clone())),
        (Some(old), Some(new)) if old.mode == Mode::Directory && new.mode == Mode::Directory => {
            Ok((Some(old.id.clone()), new.id.clone()))
        }
        _ => Err(MergeRefusal::Else(path.to_owned())),
    }
}

/// The directories of runners on the merged branch, with their ids.
struct BranchDirectories(BTreeMap<String, String>);

impl BranchDirectories {
    fn read(objects: &impl Objects, root: &str) -> Result<Self, MergeRefusal> {
        let root = tree(objects, root)?;
        let proposals = root.get(PROPOSALS).filter(|entry| entry.mode == Mode::Directory);
        let runners = subtree(objects, proposals.map(|entry| entry.id.clone()))?.entries.into_iter();
        let directories = runners.filter(|entry| entry.mode == Mode::Directory);
        Ok(Self(directories.map(|entry| (entry.name, entry.id)).collect()))
    }

    fn tree_of(&self, objects: &impl Objects, named: &Named) -> Result<Option<String>, MergeRefusal> {
        let runner = subtree(objects, self.0.get(&named.runner).cloned())?;
        let proposal = runner.get(&named.proposal).filter(|entry| entry.mode == Mode::Directory);
        Ok(proposal.map(|entry| entry.id.clone()))
    }
}

fn files(objects: &impl Objects, new: New, path: &str) -> Result<Added, MergeRefusal> {
    let directory = tree(objects, &new.tree)?;
    let regular = |entry: &Entry| entry.mode == Mode::File;
    let names = directory.entries.iter().map(|entry| entry.name.as_str());
    let [readme, proposal] = match directory.entries.as_slice() {
        [readme, proposal] if names.eq(FILES) && regular(readme) && regular(proposal) => [readme, proposal],
        _ => return Err(MergeRefusal::Directory(path.to_owned())),
    };
    let bytes = read(objects, Kind::Blob, &proposal.id)?;
    if sha256(&bytes) != new.named.proposal {
        return Err(MergeRefusal::Edited(path.to_owned()));
    }
    let readme = read(objects, Kind::Blob, &readme.id)?;
    Ok(Added { named: new.named, proposal: bytes, readme })
}

fn subtree(objects: &impl Objects, id: Option<String>) -> Result<RawTree, MergeRefusal> {
    id.map_or_else(|| Ok(RawTree::default()), |id| tree(objects, &id))
}

fn tree(objects: &impl Objects, id: &str) -> Result<RawTree, MergeRefusal> {
    Ok(RawTree::parse(&read(objects, Kind::Tree, id)?)?)
}

fn read(objects: &impl Objects, kind: Kind, id: &str) -> Result<Vec<u8>, MergeRefusal> {
    let bytes = objects.read(kind, id).ok_or_else(|| MergeRefusal::Missing { kind, id: id.to_owned() })?;
    match object_id(kind, &bytes) {
        Ok(found) if found == id => Ok(bytes),
        Ok(_) => Err(MergeRefusal::OtherContent(id.to_owned())),
        Err(Collision) => Err(MergeRefusal::Collision(id.to_owned())),
    }
}
