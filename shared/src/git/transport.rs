//! Starts the git CLI: the only place in the observer's graph that starts a program.
//!
//! What may be run is a closed list (`Verb`), with an environment built from nothing and a configuration of our own.
//! A command that does not end in time is ended with everything that it started.

pub(super) use super::child::Ended;
use super::child::wait;
use super::error::GitError;
use super::remote::{Kind, Reference, Remote, plain_path};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Characters of git's message that are shown.
const SHOWN: usize = 600;

/// Everything that git is ever asked to do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verb<'a> {
    /// `git fetch` of one reference or commit into one reference of the mirror.
    Fetch {
        /// Full reference name or commit id.
        from: &'a str,
        /// In the mirror.
        to: &'a str,
    },
    /// `git ls-remote` of the branches.
    ListRemote,
    /// `git push --dry-run`: connects to receive-pack, sends nothing, creates nothing.
    RefusedPush {
        /// An object of the mirror.
        object: &'a str,
        /// A reference that does not exist on the other side.
        to: &'a Reference,
    },
    /// `git fetch` of all branches of proposals; those that are gone are forgotten.
    FetchProposals,
    /// `git push` of branches of proposals, each only if it is where it is expected to be.
    #[cfg(feature = "push")]
    PushProposals {
        /// What is to change.
        updates: &'a [super::push::Update],
    },
    /// `git push` of the copy of the ledger, only if it is where it is expected to be.
    #[cfg(feature = "receipts")]
    PushReceipts {
        /// A commit of the mirror.
        new: super::CommitId,
        /// The tip that the remote must have now; `None` = none.
        expected: Option<super::CommitId>,
    },
}

impl Verb<'_> {
    /// Whether something changes on the other side.
    fn writes(self) -> bool {
        match self {
            Verb::Fetch { .. } | Verb::ListRemote | Verb::RefusedPush { .. } | Verb::FetchProposals => false,
            #[cfg(feature = "push")]
            Verb::PushProposals { .. } => true,
            #[cfg(feature = "receipts")]
            Verb::PushReceipts { .. } => true,
        }
    }

    /// The arguments after git's global options.
    fn argv(self, url: &str) -> Vec<String> {
        let fixed: &[&str] = match self {
            Verb::Fetch { .. } => &[
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-maintenance",
                "--no-recurse-submodules",
            ],
            Verb::ListRemote => &["ls-remote", "--heads"],
            Verb::RefusedPush { .. } => &["push", "--dry-run", "--no-verify", "--porcelain"],
            Verb::FetchProposals => &[
                "fetch",
                "--quiet",
                "--prune",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-maintenance",
                "--no-recurse-submodules",
            ],
            #[cfg(feature = "push")]
            Verb::PushProposals { .. } => {
                &["push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no"]
            }
            #[cfg(feature = "receipts")]
            Verb::PushReceipts { .. } => {
                &["push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no"]
            }
        };
        let mut argv: Vec<String> = fixed.iter().map(|s| (*s).to_owned()).collect();
        #[cfg(feature = "push")]
        if let Verb::PushProposals { updates } = self {
            let id = |commit: Option<_>| commit.map(|c: super::CommitId| c.to_string()).unwrap_or_default();
            // An empty expectation means: there is no such branch (git-push(1)).
            argv.extend(updates.iter().map(|u| format!("--force-with-lease={}:{}", u.branch.as_str(), id(u.expected))));
        }
        #[cfg(feature = "receipts")]
        if let Verb::PushReceipts { expected, .. } = self {
            let expected = expected.map(|commit| commit.to_string()).unwrap_or_default();
            argv.push(format!("--force-with-lease={}:{expected}", super::receipts::BRANCH));
        }
        argv.push("--".to_owned());
        argv.push(url.to_owned());
        match self {
            // The leading + lets a rewritten branch arrive, so that it can be seen and named.
            Verb::Fetch { from, to } => argv.push(format!("+{from}:{to}")),
            Verb::ListRemote => {}
            Verb::RefusedPush { object, to } => argv.push(format!("{object}:{to}")),
            Verb::FetchProposals => {
                argv.push("+refs/heads/proposals/*:refs/countersign/heads/proposals/*".to_owned());
            }
            #[cfg(feature = "push")]
            Verb::PushProposals { updates } => argv.extend(updates.iter().map(|update| {
                let new = update.new.map(|commit| commit.to_string()).unwrap_or_default();
                format!("{new}:{}", update.branch.as_str())
            })),
            #[cfg(feature = "receipts")]
            Verb::PushReceipts { new, .. } => argv.push(format!("{new}:{}", super::receipts::BRANCH)),
        }
        argv
    }
}

/// Runs one verb against `remote` with the mirror as git directory.
pub(super) fn run(mirror: &Path, remote: &Remote, verb: Verb<'_>) -> Result<Ended, GitError> {
    let config = write_config(mirror, remote, verb)?;
    let path = search_path();
    let mut command = Command::new(program(&path));
    command
        .env_clear()
        // git finds ssh by it; nothing else of the caller's environment gets through.
        .env("PATH", path)
        .env("HOME", mirror)
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", config)
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_SSH_VARIANT", "ssh")
        .env("GIT_SSH_COMMAND", ssh_command(remote, verb)?)
        .current_dir(mirror)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if matches!(verb, Verb::RefusedPush { .. }) {
        // The packets are the evidence of which service answered; protocol 0 is the only one that pushes.
        command.env("GIT_TRACE_PACKET", "1").env("GIT_TRACE_BARE", "1").args(["-c", "protocol.version=0"]);
    }
    if verb.writes() {
        // Our own hooks only: given so, git hides it from the receive-pack of a local repository, whose hooks count.
        command.args(["-c", "core.hooksPath=/dev/null"]);
    }
    command.arg("--git-dir=.").args(verb.argv(remote.url.as_str()));
    let child = command.spawn().map_err(GitError::Start)?;
    match wait(child, remote.timeout).map_err(GitError::Start)? {
        Some(ended) => Ok(ended),
        None => Err(GitError::TimedOut { url: remote.url.to_string(), seconds: remote.timeout.as_secs() }),
    }
}

fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}

/// Where git is. The standard library copies this whole process to start a name that is looked up in a `PATH` of its own
/// choice, but not to start a file.
fn program(search_path: &OsStr) -> PathBuf {
    let found = std::env::split_paths(search_path).map(|directory| directory.join("git"));
    let mut executable = found.filter(|file| {
        file.is_absolute() && file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
    });
    executable.next().unwrap_or_else(|| "git".into())
}

/// Our own git configuration, read instead of the system's and the user's.
///
/// A file and not `-c`, because git hides `-c` from the `upload-pack` of a local repository.
fn write_config(mirror: &Path, remote: &Remote, verb: Verb<'_>) -> Result<OsString, GitError> {
    let (name, mut text) = if verb.writes() {
        ("hermetic-push.gitconfig", String::new())
    } else {
        ("hermetic.gitconfig", "[core]\n\thooksPath = /dev/null\n".to_owned())
    };
    text.push_str(
        "[core]\n\tfsmonitor = false\n\taskPass =\n\tattributesFile = /dev/null\n\
         [credential]\n\thelper =\n\
         [transfer]\n\tfsckObjects = true\n\
         [gc]\n\tauto = 0\n\
         [http]\n\tfollowRedirects = false\n\
         [protocol]\n\tallow = never\n",
    );
    let scheme = match remote.url.kind() {
        Kind::Ssh => "ssh",
        Kind::Http => "http",
        Kind::Daemon => "git",
        Kind::Local(_) => "file",
    };
    let _ = writeln!(text, "[protocol {scheme:?}]\n\tallow = always");
    if scheme == "http" {
        text.push_str("[protocol \"https\"]\n\tallow = always\n");
    }
    if let Kind::Local(path) = remote.url.kind() {
        // A canonical that belongs to somebody else is the point: whoever looks cannot write it.
        for directory in [path.clone(), path.join(".git")] {
            let quoted = directory.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
            let _ = writeln!(text, "[safe]\n\tdirectory = \"{quoted}\"");
        }
    }
    let path = mirror.join(name);
    if fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
        fs::write(&path, &text).map_err(|source| GitError::Prepare { path: path.clone(), source })?;
    }
    Ok(path.into_os_string())
}

/// The whole ssh command; git gives it to `sh -c`, so only plain paths come in, see [`plain_path`].
fn ssh_command(remote: &Remote, verb: Verb<'_>) -> Result<String, GitError> {
    let mut line = String::from("ssh -F none");
    let mut option = |text: &str| {
        let _ = write!(line, " -o {text}");
    };
    for fixed in [
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "PreferredAuthentications=publickey",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "VerifyHostKeyDNS=no",
        "ControlMaster=no",
        "ControlPath=none",
        "ForwardAgent=no",
        "ForwardX11=no",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "ConnectTimeout=20",
        "ServerAliveInterval=15",
    ] {
        option(fixed);
    }
    match &remote.ssh.known_hosts {
        Some(path) => {
            option(&format!("UserKnownHostsFile={}", plain_path(path)?));
            option("GlobalKnownHostsFile=/dev/null");
        }
        None => option("UserKnownHostsFile=/dev/null"),
    }
    match &remote.ssh.key {
        Some(path) => option(&format!("IdentityFile={}", plain_path(path)?)),
        None => option("IdentityFile=none"),
    }
    // At DEBUG1 ssh says that it was let in and with which status the remote command ended.
    option(match verb {
        Verb::RefusedPush { .. } => "LogLevel=DEBUG1",
        _ => "LogLevel=ERROR",
    });
    Ok(line)
}

/// The end of git's message on one line: printable ASCII, bounded, without the password of the URL.
pub(super) fn shown(stderr: &str, remote: &Remote) -> String {
    let mut line = String::new();
    for part in stderr.lines().map(str::trim).filter(|l| !l.is_empty()) {
        // Packets and ssh's own log are evidence for us, not news for people.
        if part.starts_with("packet:") || part.starts_with("debug1:") {
            continue;
        }
        if !line.is_empty() {
            line.push_str("; ");
        }
        line.push_str(part);
    }
    if let Some(secret) = super::remote::password(remote.url.as_str()) {
        line = line.replace(secret, "***");
    }
    let skip = line.chars().count().saturating_sub(SHOWN);
    line.chars()
        .skip(skip)
        .flat_map(|c| {
            let plain = c == ' ' || c.is_ascii_graphic();
            let escaped = (!plain).then(|| c.escape_default());
            plain.then_some(c).into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::remote::{RemoteUrl, SshAccess};

    fn remote(url: &str) -> Remote {
        Remote::new(RemoteUrl::parse(url).unwrap(), SshAccess::default())
    }

    fn probe() -> Reference {
        Reference::branch("probe").unwrap()
    }

    #[test]
    fn only_reading_verbs_and_a_dry_run_push_can_be_said() {
        let to = probe();
        for (verb, first) in [
            (Verb::Fetch { from: "refs/heads/main", to: "refs/x" }, "fetch"),
            (Verb::ListRemote, "ls-remote"),
            (Verb::RefusedPush { object: "0", to: &to }, "push"),
        ] {
            let argv = verb.argv("/srv/a.git");
            assert_eq!(argv[0], first);
            assert_eq!(first == "push", argv.contains(&"--dry-run".to_owned()), "{argv:?}");
            let dashes = argv.iter().position(|a| a == "--").unwrap();
            assert!(argv[dashes + 1..].iter().all(|a| !a.starts_with('-')), "{argv:?}");
        }
    }

    #[cfg(feature = "receipts")]
    #[test]
    fn the_copy_of_the_ledger_goes_to_one_branch_and_never_over_another_tip() {
        let id = |digit: &str| crate::git::CommitId::parse(&digit.repeat(40)).unwrap();
        for (expected, lease) in [(None, String::new()), (Some(id("2")), "2".repeat(40))] {
            let argv = Verb::PushReceipts { new: id("1"), expected }.argv("/srv/receipts.git");
            let tail = ["--", "/srv/receipts.git", &format!("{}:refs/heads/main", "1".repeat(40))];
            assert!(argv.ends_with(&tail.map(str::to_owned)), "{argv:?}");
            assert!(argv.contains(&format!("--force-with-lease=refs/heads/main:{lease}")), "{argv:?}");
            assert!(!argv.iter().any(|word| word == "--force" || word.starts_with('+') || word == "-f"));
        }
    }

    #[cfg(feature = "push")]
    #[test]
    fn a_push_names_branches_of_proposals_with_what_it_expects_there_and_never_forces() {
        use crate::git::{ProposalRef, Update};
        let id = |digit: &str| Some(crate::git::CommitId::parse(&digit.repeat(40)).unwrap());
        let update = |name: &str, expected, new| Update { branch: ProposalRef::runner(name).unwrap(), expected, new };
        let updates = [update("new", None, id("1")), update("moved", id("2"), id("3")), update("gone", id("4"), None)];
        let argv = Verb::PushProposals { updates: &updates }.argv("/srv/a.git");
        let dashes = argv.iter().position(|a| a == "--").unwrap();
        let lease = |name: &str, id: &str| format!("--force-with-lease=refs/heads/proposals/{name}:{id}");
        let leases: Vec<_> = argv[..dashes].iter().filter(|a| a.contains("force")).cloned().collect();
        assert_eq!(leases, [lease("new", ""), lease("moved", &"2".repeat(40)), lease("gone", &"4".repeat(40))]);
        assert_eq!(argv[dashes + 1], "/srv/a.git");
        for refspec in &argv[dashes + 2..] {
            let (from, to) = refspec.split_once(':').unwrap();
            assert!(from.is_empty() || from.len() == 40, "{refspec}");
            assert!(to.starts_with("refs/heads/proposals/"), "{refspec}");
        }
        assert_eq!(argv.len(), dashes + 2 + updates.len());
    }

    #[test]
    fn ssh_gets_one_key_and_no_trust_on_first_use() {
        let mut remote = remote("ssh://git@forge.example/x.git");
        remote.ssh.key = Some("/keys/read".into());
        remote.ssh.known_hosts = Some("/keys/known_hosts".into());
        let line = ssh_command(&remote, Verb::ListRemote).unwrap();
        for needed in [
            "-F none",
            "IdentitiesOnly=yes",
            "IdentityFile=/keys/read",
            "StrictHostKeyChecking=yes",
            "UserKnownHostsFile=/keys/known_hosts",
            "BatchMode=yes",
            "ControlMaster=no",
        ] {
            assert!(line.contains(needed), "{needed} is not in {line}");
        }
        remote.ssh.key = Some("/keys/a b; touch x".into());
        assert!(matches!(ssh_command(&remote, Verb::ListRemote), Err(GitError::SshPath(_))));
    }

    #[test]
    fn a_message_is_escaped_bounded_and_without_password() {
        let remote = remote("https://bot:hunter2@forge.example/x.git");
        let text = format!(
            "fatal: \u{1b}[31mred\u{202e}\nhttps://bot:hunter2@forge.example\npacket: push< x\n{}",
            "y".repeat(5000)
        );
        let line = shown(&text, &remote);
        assert!(line.chars().all(|c| c == ' ' || c.is_ascii_graphic()));
        assert!(line.len() < 2000 && !line.contains("hunter2"), "{line}");
        let short = shown("fatal: \u{1b}[31m hunter2", &remote);
        assert_eq!(short, "fatal: \\u{1b}[31m ***");
    }
}
