//! A bare repository below the state directory: filled by the git CLI, read by libgit2. A cache, safe to delete.

use super::error::GitError;
use super::history::CommitId;
use super::remote::{Reference, Remote};
use super::transport::{self, Ended, Verb};
use std::fs;
use std::path::{Path, PathBuf};

/// A bare mirror of one remote repository.
pub struct Mirror {
    path: PathBuf,
    repository: git2::Repository,
}

impl std::fmt::Debug for Mirror {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Mirror").field(&self.path).finish()
    }
}

impl Mirror {
    /// Opens the mirror at `path`, or makes an empty one.
    pub fn open_or_create(path: &Path) -> Result<Self, GitError> {
        if !path.join("HEAD").exists() {
            fs::create_dir_all(path).map_err(|source| GitError::Prepare { path: path.to_owned(), source })?;
            let mut options = git2::RepositoryInitOptions::new();
            // No template: it could bring hooks.
            options.bare(true).external_template(false);
            git2::Repository::init_opts(path, &options)
                .map_err(|source| GitError::Mirror { path: path.to_owned(), source })?;
        }
        Self::open(path)
    }

    /// Opens a mirror that is there.
    pub fn open(path: &Path) -> Result<Self, GitError> {
        let flags = git2::RepositoryOpenFlags::NO_SEARCH
            | git2::RepositoryOpenFlags::BARE
            | git2::RepositoryOpenFlags::NO_DOTGIT;
        let none: [&Path; 0] = [];
        let repository = git2::Repository::open_ext(path, flags, none).map_err(|source| {
            let path = path.to_owned();
            let message = source.message();
            // libgit2 has no code of its own for formats that it does not know.
            if message.contains("extension")
                || message.contains("object format")
                || message.contains("repository format version")
            {
                GitError::MirrorFormat { path, source }
            } else {
                GitError::Mirror { path, source }
            }
        })?;
        Ok(Self { path: path.to_owned(), repository })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fetches one branch; answers with its tip. A rewritten branch arrives too: see [`Mirror::refuse_rewritten`].
    pub fn fetch(&self, remote: &Remote, reference: &Reference) -> Result<CommitId, GitError> {
        let local = local_name(reference);
        self.fetch_into(remote, reference.as_str(), &local)?;
        self.read_reference(&local)?.ok_or_else(|| self.not_fetched(reference))
    }

    /// Fetches one commit by its full id, unless it is here. Servers give out only what a branch or tag reaches.
    pub fn fetch_commit(&self, remote: &Remote, id: CommitId) -> Result<(), GitError> {
        if self.find_commit(id).is_ok() {
            return Ok(());
        }
        let from = id.to_string();
        self.fetch_into(remote, &from, &format!("refs/countersign/commits/{from}"))?;
        self.find_commit(id).map(|_| ())
    }

    /// The tip of a branch as last fetched.
    pub fn tip(&self, reference: &Reference) -> Result<CommitId, GitError> {
        self.read_reference(&local_name(reference))?.ok_or_else(|| self.not_fetched(reference))
    }

    /// Whether the remote can be read at all; proves that the connection and the credential work.
    pub fn probe_read(&self, remote: &Remote) -> Result<(), GitError> {
        let ended = transport::run(&self.path, remote, Verb::ListRemote)?;
        if ended.success { Ok(()) } else { Err(classify(remote, None, &ended)) }
    }

    fn fetch_into(&self, remote: &Remote, from: &str, to: &str) -> Result<(), GitError> {
        check_key(remote)?;
        let ended = transport::run(&self.path, remote, Verb::Fetch { from, to })?;
        let shallow = || {
            ended.stderr.contains("shallow roots are not allowed")
                || ended.stderr.contains("shallow update not allowed")
                || self.repository.is_shallow()
        };
        if shallow() {
            return Err(GitError::Shallow { url: remote.url.to_string() });
        }
        if ended.success {
            return Ok(());
        }
        if ended.stderr.contains("couldn't find remote ref") {
            let listed = transport::run(&self.path, remote, Verb::ListRemote)?;
            if listed.success && listed.stdout.is_empty() {
                return Err(GitError::Empty { url: remote.url.to_string() });
            }
        }
        Err(classify(remote, Some(from), &ended))
    }

    fn read_reference(&self, name: &str) -> Result<Option<CommitId>, GitError> {
        match self.repository.find_reference(name) {
            Ok(reference) => {
                let commit = reference.peel_to_commit().map_err(|e| self.failed(e))?;
                Ok(Some(CommitId::new(commit.id())))
            }
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    pub(super) fn find_commit(&self, id: CommitId) -> Result<git2::Commit<'_>, GitError> {
        self.repository.find_commit(id.oid()).map_err(|error| match error.code() {
            git2::ErrorCode::NotFound => GitError::NoCommit(id.to_string()),
            _ => self.failed(error),
        })
    }

    pub(super) fn repository(&self) -> &git2::Repository {
        &self.repository
    }

    pub(super) fn failed(&self, source: git2::Error) -> GitError {
        GitError::Mirror { path: self.path.clone(), source }
    }

    fn not_fetched(&self, reference: &Reference) -> GitError {
        GitError::NotFetched { path: self.path.clone(), reference: reference.to_string() }
    }
}

/// Where a remote reference is kept: never below refs/heads, so that nothing here looks like a branch of ours.
fn local_name(reference: &Reference) -> String {
    let short = reference.as_str().trim_start_matches("refs/");
    format!("refs/countersign/{short}")
}

/// ssh would go on without the key and say "permission denied", which hides the cause.
fn check_key(remote: &Remote) -> Result<(), GitError> {
    match (&remote.ssh.key, remote.url.kind()) {
        (Some(path), super::remote::Kind::Ssh) => {
            fs::File::open(path).map(|_| ()).map_err(|source| GitError::SshKey { path: path.clone(), source })
        }
        _ => Ok(()),
    }
}

/// Names what git's message (in the C locale) says. The first rule that fits decides.
pub(super) fn classify(remote: &Remote, reference: Option<&str>, ended: &Ended) -> GitError {
    let url = remote.url.to_string();
    let detail = transport::shown(&ended.stderr, remote);
    let says = |needles: &[&str]| needles.iter().any(|n| ended.stderr.contains(n));
    if says(&["couldn't find remote ref", "not our ref"]) {
        return GitError::NoReference { url, reference: reference.unwrap_or_default().to_owned() };
    }
    if says(&["mismatched algorithms", "unknown object format", "wrong object format"]) {
        return GitError::Sha256 { url };
    }
    if says(&["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"]) {
        return GitError::HostKey { url, detail };
    }
    if says(&[
        "Permission denied (",
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "returned error: 401",
        "returned error: 403",
        "Too many authentication failures",
    ]) {
        return GitError::Auth { url, detail };
    }
    if says(&[
        "Connection refused",
        "Connection timed out",
        "Connection reset",
        "Connection closed by",
        "Operation timed out",
        "Could not resolve host",
        "Name or service not known",
        "Temporary failure in name resolution",
        "No route to host",
        "Network is unreachable",
        "unable to look up",
        "unable to connect to",
        "Failed to connect",
        "Couldn't connect",
        "kex_exchange_identification",
        "SSL certificate problem",
        "returned error: 5",
    ]) {
        return GitError::Unreachable { url, detail };
    }
    if says(&[
        "does not appear to be a git repository",
        "access denied or repository not exported",
        "' not found",
        "no such repository",
        "Repository not found",
        "returned error: 404",
        "not valid: is this a git repository",
    ]) {
        return GitError::NoRepository { url, detail };
    }
    if says(&["fsck error", "index-pack failed", "unpack-objects failed", "unpack failed", "bad object"]) {
        return GitError::Damaged { url, detail };
    }
    GitError::Other { url, detail }
}
