//! Canonical: fetched into a mirror, loaded from one commit, never from a work tree. Nothing here can write it.
//!
//! Everything blocks (the git CLI, libgit2): call it inside `spawn_blocking`.

mod error;
pub mod since;

pub use error::CanonicalError;

use crate::config;
use countersign_shared::git::snapshot::CANONICAL;
use countersign_shared::git::{CommitId, GitError, Limits, Mirror, Reference, Remote, RemoteUrl, Snapshot, SshAccess};
use countersign_shared::manifest::Canonical;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where canonical is, how it is reached, and where its mirror is.
#[derive(Debug, Clone)]
pub struct Source {
    /// Bare mirror; a cache, safe to delete.
    pub mirror: PathBuf,
    /// Remote and credential.
    pub remote: Remote,
    /// The branch that counts.
    pub branch: Reference,
    /// The commit from which on history is judged.
    pub anchor: Option<CommitId>,
}

impl Source {
    /// Takes `[canonical]` apart; the mirror goes to `state_dir/canonical.git`.
    pub fn new(repository: &config::Repository, state_dir: &Path) -> Result<Self, CanonicalError> {
        let ssh = SshAccess { key: repository.ssh_key.clone(), known_hosts: repository.known_hosts.clone() };
        Ok(Self {
            mirror: std::path::absolute(state_dir).unwrap_or_else(|_| state_dir.to_owned()).join("canonical.git"),
            remote: Remote::new(RemoteUrl::parse(&repository.url)?, ssh),
            branch: Reference::branch(&repository.branch)?,
            anchor: repository.anchor.as_deref().map(CommitId::parse).transpose()?,
        })
    }
}

/// Canonical at one commit.
#[derive(Debug, Clone)]
pub struct LoadedCanonical {
    /// The commit.
    pub commit: CommitId,
    /// Its committer time, Unix seconds.
    pub committed_at: i64,
    /// What people wrote, checked.
    pub canonical: Arc<Canonical>,
}

/// Fetches the branch, refuses a rewritten history, loads the tip.
///
/// `seen` is the tip of the last run. A person accepts a rewritten history by moving `anchor` to a commit of it.
pub fn fetch_and_load(source: &Source, seen: Option<CommitId>) -> Result<LoadedCanonical, CanonicalError> {
    refresh(&Mirror::open_or_create(&source.mirror)?, source, seen)
}

/// The same with the mirror open.
pub fn refresh(mirror: &Mirror, source: &Source, seen: Option<CommitId>) -> Result<LoadedCanonical, CanonicalError> {
    let tip = mirror.fetch(&source.remote, &source.branch)?;
    mirror.refuse_rewritten_since(tip, source.anchor, seen)?;
    load(mirror, tip)
}

/// Loads the tip as it was last fetched, without a connection.
pub fn load_fetched(source: &Source) -> Result<LoadedCanonical, CanonicalError> {
    let mirror = Mirror::open_or_create(&source.mirror)?;
    let tip = mirror.tip(&source.branch)?;
    load(&mirror, tip)
}

/// Fetches and loads another branch, tag, full reference name or full commit id. Changes nothing that a run looks at.
pub fn preview(source: &Source, reference: &str) -> Result<LoadedCanonical, CanonicalError> {
    let mirror = Mirror::open_or_create(&source.mirror)?;
    let fetched = match CommitId::parse(reference) {
        Ok(id) => mirror.fetch_commit(&source.remote, id).map(|()| id),
        Err(_) => fetch_named(&mirror, &source.remote, reference),
    };
    let commit = fetched.map_err(|error| match error {
        source @ GitError::NoReference { .. } => CanonicalError::NoSuchName { name: reference.to_owned(), source },
        other => other.into(),
    })?;
    load(&mirror, commit)
}

fn fetch_named(mirror: &Mirror, remote: &Remote, name: &str) -> Result<CommitId, GitError> {
    match mirror.fetch(remote, &Reference::parse(name)?) {
        Err(error @ GitError::NoReference { .. }) if !name.starts_with("refs/") => {
            let tag = Reference::parse(&format!("refs/tags/{name}"))?;
            // The branch is what was most likely meant, so its absence is what is said.
            mirror.fetch(remote, &tag).map_err(|second| match second {
                GitError::NoReference { .. } => error,
                other => other,
            })
        }
        other => other,
    }
}

/// Loads one commit that the mirror holds.
pub fn load(mirror: &Mirror, commit: CommitId) -> Result<LoadedCanonical, CanonicalError> {
    let Snapshot { commit, committed_at, files } = mirror.snapshot(commit, &CANONICAL, &Limits::default())?;
    match Canonical::load(&files) {
        Ok(canonical) => Ok(LoadedCanonical { commit, committed_at, canonical: Arc::new(canonical) }),
        Err(diagnostics) => Err(CanonicalError::Lint { commit, diagnostics }),
    }
}
