//! Reading repositories over every kind of connection, from real servers, and every way in which that fails.
#![cfg(feature = "git")]
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table says how many of its cases ran")]

mod hermetic;
#[cfg(feature = "push")]
mod push;
mod remotes;
#[path = "../repositories/mod.rs"]
mod repositories;
#[path = "../servers/mod.rs"]
mod servers;
mod trees;

use countersign_shared::git::{GitError, Mirror, Reference, Remote, RemoteUrl, SshAccess};
use servers::Sshd;
use std::path::{Path, PathBuf};

pub(crate) const FILES: &[(&str, &str)] = &[
    ("fleet.toml", "schema = \"countersign/fleet/1\"\n"),
    ("manifests/base.toml", "base\n"),
    ("manifests/teams/a.toml", "a\n"),
    ("README.md", "not wanted\n"),
];

pub(crate) struct Place {
    pub(crate) root: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn mirror(&self) -> Mirror {
        Mirror::open_or_create(&self.path("state/mirror.git")).unwrap()
    }
}

pub(crate) fn main_branch() -> Reference {
    Reference::branch("main").unwrap()
}

pub(crate) fn remote(url: &str) -> Remote {
    Remote::new(RemoteUrl::parse(url).unwrap(), SshAccess::default())
}

pub(crate) fn over_ssh(sshd: &Sshd, repository: &Path, key: &Path) -> Remote {
    let access = SshAccess { key: Some(key.to_owned()), known_hosts: Some(sshd.directory.join("known_hosts")) };
    Remote::new(RemoteUrl::parse(&sshd.url(repository)).unwrap(), access)
}

pub(crate) fn fetch_error(place: &Place, remote: &Remote) -> GitError {
    place.mirror().fetch(remote, &main_branch()).unwrap_err()
}
