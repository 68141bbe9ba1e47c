//! A machine of the lab that serves canonical over ssh, with a deploy key that can read and one that can write.

use std::path::PathBuf;

use countersign_integration::lab::Runner;

/// Where canonical is on the forge.
const REPOSITORY: &str = "/srv/git/canonical.git";

/// What the observer's deploy key may do there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    /// Fetch.
    Read,
    /// Fetch and push.
    Write,
}

/// Serves one repository and refuses everything else, as the deploy keys of forges do.
const READ_ONLY: &str = r#"#!/bin/sh
case $SSH_ORIGINAL_COMMAND in
"git-upload-pack '/srv/git/canonical.git'") exec git-upload-pack /srv/git/canonical.git ;;
esac
echo 'this deploy key is read-only' >&2
exit 1
"#;

/// Makes the account and an empty repository.
pub(crate) fn make(forge: &Runner) {
    forge
        .sh(&format!(
            "useradd --create-home --shell /bin/sh --password '*' git
             git config --system --add safe.directory '*'
             git init --quiet --bare --initial-branch=main {REPOSITORY}"
        ))
        .unwrap();
    forge.write("/usr/local/bin/read-only", READ_ONLY, 0o755).unwrap();
}

/// The repository, as this machine sees it.
pub(crate) fn repository(forge: &Runner) -> PathBuf {
    forge.root.join(REPOSITORY.trim_start_matches('/'))
}

/// The repository, as the observer reaches it.
pub(crate) fn url(forge: &Runner) -> String {
    format!("ssh://git@{}{REPOSITORY}", forge.address)
}

/// Lets `key` in, with these rights.
pub(crate) fn allow(forge: &Runner, key: &str, rights: Rights) {
    let command = match rights {
        Rights::Read => "/usr/local/bin/read-only",
        Rights::Write => r#"git-shell -c \"$SSH_ORIGINAL_COMMAND\""#,
    };
    forge.write("/home/git/.ssh/authorized_keys", format!("restrict,command=\"{command}\" {key}\n"), 0o644).unwrap();
    // A repository that a person may write belongs to that account, as on every forge.
    let owner = if rights == Rights::Write { "git" } else { "root" };
    forge.sh(&format!("chown -R {owner} {REPOSITORY}")).unwrap();
}
