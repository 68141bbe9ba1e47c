//! The sibling repository, its observers, and people who merge.

use countersign_observer::publish::{self, Change, Counts, Place, PublishError, Ready, Synced};
use countersign_shared::git::{CommitId, Reference, Remote, RemoteUrl, SshAccess};
use countersign_shared::manifest::ssh_key::PublicKey;
use countersign_shared::ssh::Identity;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) struct Stage {
    pub(crate) root: tempfile::TempDir,
    pub(crate) declared: Vec<PublicKey>,
}

impl Stage {
    /// A repository `proposed.git` with one commit on main, and the keys of one observer.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut stage = Self { root, declared: Vec::new() };
        fs::create_dir(stage.proposed()).unwrap();
        stage.git(&["init", "--quiet", "--bare", "."]);
        stage.git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
        let tree = stage.git(&["hash-object", "-t", "tree", "-w", "/dev/null"]);
        let commit = stage.git(&["commit-tree", "-m", "Begin", &tree]);
        stage.git(&["update-ref", "refs/heads/main", &commit]);
        stage.key("observer");
        stage
    }

    pub(crate) fn proposed(&self) -> PathBuf {
        self.root.path().join("proposed.git")
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.proposed(), arguments).unwrap_or_else(|said| panic!("git {arguments:?}: {said}"))
    }

    /// Makes a key and declares it for observers.
    pub(crate) fn key(&mut self, name: &str) -> PathBuf {
        let path = self.undeclared_key(name);
        let line = fs::read_to_string(path.with_extension("pub")).unwrap();
        self.declared.push(PublicKey::parse(line.trim()).unwrap());
        path
    }

    pub(crate) fn undeclared_key(&self, name: &str) -> PathBuf {
        let path = self.root.path().join(name);
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&path).status();
        assert!(made.unwrap().success());
        path
    }

    /// An observer with its own state, signing with the key `key`.
    pub(crate) fn place(&self, state: &str, key: &str) -> Place {
        let url = RemoteUrl::parse(self.proposed().to_str().unwrap()).unwrap();
        Place {
            mirror: self.root.path().join(state).join("proposed.git"),
            remote: Remote::new(url, SshAccess::default()),
            main: Reference::branch("main").unwrap(),
            anchor: None,
            canonical: None,
            signer: Identity::from_files(&self.root.path().join(key), None).unwrap(),
        }
    }

    pub(crate) fn sync(&self, ready: &[Ready]) -> Synced {
        self.sync_from("state", ready, &[]).unwrap()
    }

    pub(crate) fn sync_from(&self, state: &str, ready: &[Ready], unjudged: &[&str]) -> Result<Synced, PublishError> {
        let unjudged: BTreeSet<String> = unjudged.iter().map(|name| (*name).to_owned()).collect();
        publish::sync(&self.place(state, "observer"), ready, &unjudged, &self.declared, None)
    }

    /// Takes away what is gone, as after pull requests were closed.
    pub(crate) fn remove(&self, synced: &Synced) {
        let branches: Vec<_> = synced.branches.iter().collect();
        assert_eq!(publish::remove(&self.place("state", "observer"), &branches).unwrap(), []);
    }

    /// Branches and tips of the repository, as it says itself.
    pub(crate) fn branches(&self) -> Vec<String> {
        let text = self.git(&["for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads"]);
        text.lines().filter(|line| !line.starts_with("main ")).map(str::to_owned).collect()
    }

    pub(crate) fn tip(&self, branch: &str) -> String {
        self.git(&["rev-parse", &format!("refs/heads/{branch}")])
    }

    /// A person merges a commit into main.
    pub(crate) fn merge(&self, commit: &str) -> String {
        let main = self.tip("main");
        let tree = self.git(&["merge-tree", "--write-tree", &main, commit]);
        let merge = self.git(&["commit-tree", "-m", "Merge", "-p", &main, "-p", commit, &tree]);
        self.git(&["update-ref", "refs/heads/main", &merge]);
        merge
    }

    /// `git verify-commit` with the declared keys as allowed signers.
    pub(crate) fn verifies(&self, commit: &str) -> bool {
        let signers = self.root.path().join("allowed");
        let lines: Vec<String> =
            self.declared.iter().map(|key| format!("observer namespaces=\"git\" {key}\n")).collect();
        fs::write(&signers, lines.concat()).unwrap();
        let file = format!("gpg.ssh.allowedSignersFile={}", signers.display());
        git(&self.proposed(), &["-c", "gpg.format=ssh", "-c", &file, "verify-commit", commit]).is_ok()
    }
}

pub(crate) fn git(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .current_dir(directory)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "A Person")
        .env("GIT_AUTHOR_EMAIL", "person@example.org")
        .env("GIT_COMMITTER_NAME", "A Person")
        .env("GIT_COMMITTER_EMAIL", "person@example.org")
        .env("GIT_AUTHOR_DATE", "1763600000 +0000")
        .env("GIT_COMMITTER_DATE", "1763600000 +0000")
        .output()
        .unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A proposal of a runner of the builders about the drift `drift`, made on night `night`.
pub(crate) fn ready(runner: &str, drift: &str, night: i64) -> Ready {
    let json = format!("{{\"created\":{night},\"drift\":\"{drift}\",\"runner\":\"{runner}\"}}\n");
    Ready {
        runner: runner.to_owned(),
        group: Some("builders".to_owned()),
        class: hex(drift.as_bytes()),
        id: hex(json.as_bytes()),
        created: 1_763_600_000 + night * 86_400,
        readme: format!("# {runner}\n"),
        proposal_json: json.into_bytes(),
        counts: Counts { drift: 1, changes: 2, ..Counts::default() },
        owner: Some("build-platform".to_owned()),
    }
}

pub(crate) fn many(runners: std::ops::RangeInclusive<usize>, drift: &str, night: i64) -> Vec<Ready> {
    runners.map(|number| ready(&format!("runner-{number:02}"), drift, night)).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The branch that a class of drift has.
pub(crate) fn class_branch(drift: &str) -> String {
    format!("proposals/@builders-{}", &hex(drift.as_bytes())[..12])
}

/// `branch: change` of each branch.
pub(crate) fn changes(synced: &Synced) -> Vec<String> {
    let word = |change: &Change| match change {
        Change::Refused(_) => "refused".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    synced.branches.iter().map(|branch| format!("{}: {}", branch.branch, word(&branch.change))).collect()
}

pub(crate) fn id(text: &str) -> CommitId {
    CommitId::parse(text).unwrap()
}
