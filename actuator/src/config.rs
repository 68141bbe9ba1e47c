//! `actuator.toml`: what the person who runs the actuator decided. Nothing in it can approve anything.

use crate::stop::Stop;
use countersign_shared::duration::Span;
use countersign_shared::exit::Outcome;
use countersign_shared::settings::{self, Settings};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Where the configuration is unless `--config` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/countersign/actuator.toml";

/// The whole file, with paths made absolute.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Mirrors, the ledger, what was seen last, the halt.
    #[serde(default = "default_state_dir")]
    pub state_dir: PathBuf,
    /// The specification.
    pub canonical: Repository,
    /// The repository in which people merge proposals.
    pub proposed: Repository,
    /// How wardens are reached.
    pub ssh: Ssh,
    /// What is taken on trust.
    pub trust: Trust,
    /// Who gives tokens.
    pub notary: Notary,
    /// What was done.
    pub ledger: Ledger,
    /// By what wardens are known.
    #[serde(default)]
    pub warden: Warden,
    /// The files that decide over all this, this one first; whoever can write them decides.
    #[serde(skip)]
    pub file: PathBuf,
}

/// A git repository and how it is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// Anything git accepts.
    pub url: String,
    /// The branch that counts.
    #[serde(default = "default_branch")]
    pub branch: String,
    /// Private key for `ssh`; git's own way without one.
    pub ssh_key: Option<PathBuf>,
    /// Host keys for `ssh`; required for an ssh url.
    pub known_hosts: Option<PathBuf>,
    /// The commit from which on history is judged.
    pub anchor: Option<String>,
}

/// How wardens are reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ssh {
    /// Private key file.
    pub key: Option<PathBuf>,
    /// Use the agent at `SSH_AUTH_SOCK` instead.
    pub agent: bool,
    /// User certificate for the key, in a file or in the agent.
    pub certificate: Option<PathBuf>,
    /// Host keys for runners that have none in `fleet.toml`.
    pub known_hosts: Option<PathBuf>,
    /// Handshakes in flight per address or bastion.
    pub per_server: usize,
    /// For the connection and the handshake, each.
    pub connect_timeout: Span,
    /// For one answer of a warden that changes nothing.
    pub run_timeout: Span,
}

impl Default for Ssh {
    fn default() -> Self {
        Self {
            key: None,
            agent: false,
            certificate: None,
            known_hosts: None,
            per_server: 8,
            connect_timeout: Span::from_secs(10),
            run_timeout: Span::from_secs(60),
        }
    }
}

/// What is taken on trust.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// Pinned local copy of canonical's `approvers`.
    pub approvers: PathBuf,
    /// Public keys that no longer count, one per line, as `ssh-keygen -Y verify -r` takes.
    pub revoked: Option<PathBuf>,
    /// Violated proofs that are let pass, and shout in every answer.
    #[serde(default)]
    pub accept: Vec<Accept>,
}

impl Trust {
    /// Whether this violation is let pass.
    pub fn accepts(&self, what: Accept) -> bool {
        self.accept.contains(&what)
    }
}

/// A proof whose violation can be let pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accept {
    /// Canonical's history is not all signed by people.
    CanonicalUnsigned,
    /// The credential for canonical can push.
    CanonicalWritable,
    /// The credential for proposed can push.
    ProposedWritable,
    /// The key gets more than the warden.
    PlainExec,
    /// The account on a runner could change it; has no effect here, as nothing looks at accounts.
    AccountPrivileged,
    /// Approvals by keys that ask for no touch.
    SoftwareKeys,
}

/// Who gives tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notary {
    /// Its unix socket.
    pub socket: PathBuf,
}

/// What was done.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// The private key that signs its entries: ed25519, OpenSSH's format.
    pub signing_key: PathBuf,
    /// A git repository that keeps a copy, and nothing else.
    pub mirror: Option<String>,
    /// Private key for `ssh` that may write the mirror.
    pub mirror_ssh_key: Option<PathBuf>,
    /// Host keys for `ssh`; required for an ssh url.
    pub mirror_known_hosts: Option<PathBuf>,
}

/// By what wardens are known: sha256 digests, 64 hex digits each. An empty list fits nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Warden {
    /// Of the binary.
    pub binary: Vec<String>,
    /// Of the file of approvers; without it, that of `[trust] approvers`.
    pub approvers: Vec<String>,
    /// Of warden.toml.
    pub policy: Vec<String>,
    /// Of the notary's public key file.
    pub notary_key: Vec<String>,
}

fn default_state_dir() -> PathBuf {
    "/var/lib/countersign-actuator".into()
}

fn default_branch() -> String {
    "main".to_owned()
}

impl Config {
    /// Reads and checks the file; relative paths are relative to it.
    pub fn load(path: &Path) -> Result<Self, Stop> {
        let text = settings::read(path).map_err(|failure| Stop::new(Outcome::Invalid, *failure))?;
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self::parse(&text, &absolute)
    }

    /// Parses the text of the file at `path`, which is absolute.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Stop> {
        let shown = path.to_string_lossy();
        let settings = Settings::new(&shown, text, "man countersign-actuator lists every key");
        let parsed = settings.parse::<Config>().and_then(|mut config| {
            config.resolve(path);
            match config.problem() {
                None => Ok(config),
                Some((key, message)) => Err(settings.wrong(key, message)),
            }
        });
        parsed.map_err(|failure| Stop::new(Outcome::Invalid, *failure))
    }

    fn resolve(&mut self, path: &Path) {
        let base = path.parent().unwrap_or(Path::new("/")).to_owned();
        path.clone_into(&mut self.file);
        let at = |path: &mut PathBuf| *path = base.join(&*path);
        at(&mut self.state_dir);
        for repository in [&mut self.canonical, &mut self.proposed] {
            for path in [&mut repository.ssh_key, &mut repository.known_hosts] {
                path.iter_mut().for_each(at);
            }
            if countersign_shared::git::remote::is_relative_path(&repository.url) {
                repository.url = base.join(&repository.url).to_string_lossy().into_owned();
            }
        }
        for path in [&mut self.ssh.key, &mut self.ssh.certificate, &mut self.ssh.known_hosts, &mut self.trust.revoked] {
            path.iter_mut().for_each(at);
        }
        for path in [&mut self.trust.approvers, &mut self.notary.socket, &mut self.ledger.signing_key] {
            at(path);
        }
        for path in [&mut self.ledger.mirror_ssh_key, &mut self.ledger.mirror_known_hosts] {
            path.iter_mut().for_each(at);
        }
        if let Some(url) =
            self.ledger.mirror.as_mut().filter(|url| countersign_shared::git::remote::is_relative_path(url))
        {
            *url = base.join(&*url).to_string_lossy().into_owned();
        }
    }

    /// The key that cannot be meant, and why.
    fn problem(&self) -> Option<(&'static [&'static str], &'static str)> {
        let hex = |text: &String| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let bad = |digests: &[String]| !digests.iter().all(hex);
        let sha256 = "a sha256 digest is 64 lower-case hex digits";
        let (ssh, warden) = (&self.ssh, &self.warden);
        let others = [&self.canonical.url, &self.proposed.url];
        let rules: [(bool, &[&str], &str); 9] = [
            (ssh.key.is_some() == ssh.agent, &["ssh"], "[ssh] needs either `key = \"…\"` or `agent = true`"),
            (
                others.map(Some).contains(&self.ledger.mirror.as_ref()),
                &["ledger", "mirror"],
                "`mirror` must be a repository of its own",
            ),
            (!(1..=1024).contains(&ssh.per_server), &["ssh", "per_server"], "`per_server` must be from 1 to 1024"),
            (ssh.connect_timeout.as_secs() == 0, &["ssh", "connect_timeout"], "`connect_timeout` must be at least 1s"),
            (ssh.run_timeout.as_secs() == 0, &["ssh", "run_timeout"], "`run_timeout` must be at least 1s"),
            (bad(&warden.binary), &["warden", "binary"], sha256),
            (bad(&warden.approvers), &["warden", "approvers"], sha256),
            (bad(&warden.policy), &["warden", "policy"], sha256),
            (bad(&warden.notary_key), &["warden", "notary_key"], sha256),
        ];
        rules.into_iter().find_map(|(wrong, key, message)| wrong.then_some((key, message)))
    }

    /// The local halt.
    pub fn halt_file(&self) -> PathBuf {
        self.state_dir.join("HALT")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "[canonical]\nurl = \"canonical.git\"\n[proposed]\nurl = \"/srv/proposed.git\"\n[ssh]\nkey = \"keys/act\"\n\
        [trust]\napprovers = \"approvers\"\n[notary]\nsocket = \"/run/countersign/notary.sock\"\n[ledger]\nsigning_key = \"keys/ledger\"\n";

    fn parse(text: &str) -> Result<Config, Stop> {
        Config::parse(text, Path::new("/etc/countersign/actuator.toml"))
    }

    #[test]
    fn paths_are_relative_to_the_file_and_urls_with_a_host_are_left_alone() {
        let config = parse(MINIMAL).unwrap();
        assert_eq!(config.canonical.url, "/etc/countersign/canonical.git");
        assert_eq!(config.proposed.url, "/srv/proposed.git");
        assert_eq!(config.ssh.key.as_deref(), Some(Path::new("/etc/countersign/keys/act")));
        assert_eq!(config.trust.approvers, Path::new("/etc/countersign/approvers"));
        assert_eq!(config.ledger.signing_key, Path::new("/etc/countersign/keys/ledger"));
        assert_eq!(config.halt_file(), Path::new("/var/lib/countersign-actuator/HALT"));
        let config = parse(&MINIMAL.replace("canonical.git", "git@forge.example:ops/canonical.git")).unwrap();
        assert_eq!(config.canonical.url, "git@forge.example:ops/canonical.git");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        for (from, to, word) in [
            ("key = \"keys/act\"", "kee = \"keys/act\"", "unknown field"),
            ("key = \"keys/act\"", "agent = false", "either"),
            ("key = \"keys/act\"", "key = \"k\"\nagent = true", "either"),
            ("key = \"keys/act\"", "key = \"k\"\nper_server = 0", "per_server"),
            ("key = \"keys/act\"", "key = \"k\"\nrun_timeout = \"0s\"", "run_timeout"),
            ("key = \"keys/act\"", "key = \"k\"\nrun_timeout = \"1 h\"", "not a length of time"),
            ("approvers =", "accept = [\"everything\"]\napprovers =", "unknown variant"),
            ("[notary]\nsocket = \"/run/countersign/notary.sock\"\n", "", "missing field `notary`"),
            ("[ledger]", "[ledger]\nmirror = \"canonical.git\"", "of its own"),
            ("[ledger]", "[ledger]\nmirror = \"/srv/proposed.git\"", "of its own"),
            ("[ledger]", "[warden]\nbinary = [\"AB\"]\n[ledger]", "sha256"),
            ("[ledger]", "[warden]\npolicy = [\"\"]\n[ledger]", "sha256"),
            ("[canonical]", "[canonical", "expected"),
        ] {
            let text = MINIMAL.replace(from, to);
            assert_ne!(text, MINIMAL, "the table must change something: {from}");
            let stop = parse(&text).unwrap_err();
            assert_eq!((stop.outcome, stop.failures.len()), (Outcome::Invalid, 1));
            let document = stop.failures[0].document();
            assert_eq!(document.code, "config");
            assert!(document.message.contains(word), "{to}: {}", document.message);
            let at = document.at.unwrap();
            assert!(at.starts_with("/etc/countersign/actuator.toml"), "{at}");
        }
    }
}
