//! Opening, fetching, reading.

use crate::config::{self, Place};
use crate::shell::{Ended, Shell};
use crate::stop::{Result, Stop};
use countersign_shared::git::{CommitId, Mirror, Reference, RemoteUrl};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Where the tips that were fetched are kept: no branch and no remote branch of the person is moved.
const FETCHED: &str = "refs/countersign/heads/";
/// The last tip of main that was found in order.
const SEEN: &str = "refs/countersign/seen/";

/// One of the two repositories.
pub(crate) struct Repository {
    /// `canonical` or `proposed`.
    pub(crate) role: &'static str,
    /// For `git -C`.
    dir: PathBuf,
    /// A remote's name, or a URL.
    pub(crate) remote: String,
    /// Short name of the main branch.
    pub(crate) branch: String,
    pub(crate) mirror: Mirror,
    pub(crate) store: git2::Repository,
}

impl Repository {
    /// Opens the person's clone, or the copy of a URL, which is made when it is not there.
    pub(crate) fn open(shell: &Shell, role: &'static str, place: &Place) -> Result<Self> {
        Reference::branch(&place.branch)?;
        let (dir, remote) = match (&place.path, &place.url) {
            (Some(path), _) => (path.clone(), place.remote.clone()),
            (None, url) => {
                let url = url.clone().unwrap_or_default();
                RemoteUrl::parse(&url)?;
                (copy_of(shell, role, &url)?, url)
            }
        };
        let git_dir = match git2::Repository::open(&dir) {
            Ok(repository) => repository.commondir().to_owned(),
            Err(error) => {
                return Err(Stop::invalid("no-clone", format!("{} is not a clone of {role}", dir.display()))
                    .because(error.message().to_owned())
                    .hint(format!("write the path of your clone under [{role}] in countersign.toml")));
            }
        };
        let mirror = Mirror::open(&git_dir)?;
        let store = git2::Repository::open_bare(&git_dir)?;
        Ok(Self { role, dir, remote, branch: place.branch.clone(), mirror, store })
    }

    /// Whether both are one repository.
    pub(crate) fn is(&self, other: &Repository) -> bool {
        self.mirror.path() == other.mirror.path()
    }

    /// Where it is, for people.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs git in it. Hooks of the repository are not run, and no background work is begun in it.
    pub(crate) fn git(&self, shell: &Shell, arguments: &[&str]) -> Result<Ended> {
        shell.run(OsStr::new("git"), &self.arguments(arguments))
    }

    fn arguments(&self, arguments: &[&str]) -> Vec<OsString> {
        let fixed = ["-c", "core.hooksPath=/dev/null"].map(OsString::from);
        let own = arguments.iter().map(OsString::from);
        [OsString::from("-C"), self.dir.clone().into()].into_iter().chain(fixed).chain(own).collect()
    }

    /// A value of the person's configuration.
    pub(crate) fn setting(&self, shell: &Shell, name: &str) -> Result<Option<String>> {
        let ended = self.git(shell, &["config", "--get", name])?;
        Ok(Some(ended.text()).filter(|text| ended.success && !text.is_empty()))
    }

    /// Fetches the main branch, and the branches of proposals with `proposals`. A main branch that was rewritten since
    /// the last time is refused.
    pub(crate) fn fetch(&self, shell: &Shell, proposals: bool) -> Result<()> {
        let main = format!("+refs/heads/{0}:{FETCHED}{0}", self.branch);
        let mut arguments = vec![
            "-c",
            "fetch.fsckObjects=true",
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
            // The person's own remote branches stay where they are.
            "--refmap=",
        ];
        if proposals {
            arguments.push("--prune");
        }
        arguments.extend(["--", &self.remote, &main]);
        let branches = format!("+refs/heads/proposals/*:{FETCHED}proposals/*");
        if proposals {
            arguments.push(&branches);
        }
        let ended = self.git(shell, &arguments)?;
        if ended.success {
            return self.remember();
        }
        Err(Stop::failed("fetch", format!("{} cannot be fetched from {}", self.role, self.remote))
            .because(ended.words())
            .hint(format!("the same must work by hand: git -C {} fetch {}", self.dir.display(), self.remote)))
    }

    /// Notes the tip of main, unless it was rewritten. Not where it is fetched to: a remote that once has no main branch
    /// would take that away.
    fn remember(&self) -> Result<()> {
        let (tip, name) = (self.tip()?, format!("{SEEN}{}", self.branch));
        let seen = match self.store.find_reference(&name) {
            Ok(reference) => reference.target().map(|id| CommitId::parse(&id.to_string())).transpose()?,
            Err(error) if error.code() == git2::ErrorCode::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(seen) = seen
            && !self.mirror.is_descendant(tip, seen)?
        {
            let message =
                format!("{} of {} does not descend from {seen}, the last tip seen here", self.branch, self.role);
            let dir = crate::shell::quoted(&self.dir.to_string_lossy());
            let hint = format!("find out who force-pushed; if it was meant: git -C {dir} update-ref -d {name}");
            return Err(Stop::refused("history-rewritten", message).hint(hint));
        }
        self.store.reference(&name, git2::Oid::from_str(&tip.to_string())?, true, "seen by countersign")?;
        Ok(())
    }

    /// The main branch, as last fetched.
    pub(crate) fn tip(&self) -> Result<CommitId> {
        Ok(self.mirror.tip(&Reference::branch(&self.branch)?)?)
    }

    /// Branches of proposals as last fetched, by their names without `proposals/`. Names that no observer writes are
    /// answered separately.
    pub(crate) fn branches(&self) -> Result<(BTreeMap<String, CommitId>, Vec<String>)> {
        let (mut tips, mut odd) = (BTreeMap::new(), Vec::new());
        let prefix = format!("{FETCHED}proposals/");
        for reference in self.store.references_glob(&format!("{prefix}*"))? {
            let reference = reference?;
            let Some(name) = reference.name().ok().and_then(|name| name.strip_prefix(&prefix)) else { continue };
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            let bare = name.strip_prefix('@').unwrap_or(name);
            match reference.target() {
                Some(id) if bare.starts_with(plain) && bare.chars().all(|c| plain(c) || matches!(c, '.' | '-')) => {
                    tips.insert(name.to_owned(), CommitId::parse(&id.to_string())?);
                }
                _ => odd.push(name.to_owned()),
            }
        }
        Ok((tips, odd))
    }

    pub(crate) fn tree(&self, commit: CommitId) -> Result<git2::Tree<'_>> {
        Ok(self.store.find_commit(git2::Oid::from_str(&commit.to_string())?)?.tree()?)
    }

    /// The content of a regular file of at most `most` bytes; `None` if there is none.
    pub(crate) fn file(&self, tree: &git2::Tree<'_>, path: &str, most: usize) -> Result<Option<Vec<u8>>> {
        let entry = match tree.get_path(Path::new(path)) {
            Ok(entry) => entry,
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if entry.filemode() != i32::from(git2::FileMode::Blob) {
            return Ok(None);
        }
        let (size, _) = self.store.odb()?.read_header(entry.id())?;
        if size > most {
            return Err(Stop::refused("too-large", format!("{path} has {size} bytes, more than {most}")));
        }
        Ok(Some(self.store.find_blob(entry.id())?.content().to_vec()))
    }
}

/// A bare copy below the state directory; its name tells copies of different URLs apart.
fn copy_of(shell: &Shell, role: &str, url: &str) -> Result<PathBuf> {
    let digest = countersign_shared::canonical_json::sha256(url.as_bytes());
    let dir = config::state_dir()?.join(format!("{role}-{}.git", &digest[..12]));
    if !dir.join("HEAD").exists() {
        let init = ["init", "--quiet", "--bare", "--template=", "--"].map(OsString::from);
        let ended = shell.run(OsStr::new("git"), &[&init[..], &[dir.clone().into()]].concat())?;
        if !ended.success {
            return Err(Stop::failed("state", format!("{} cannot be made", dir.display())).because(ended.words()));
        }
    }
    Ok(dir)
}
