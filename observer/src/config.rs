//! `observer.toml`: what the person who runs the observer decided. Nothing in it can make the observer able to mutate.

use countersign_shared::duration::Span;
use countersign_shared::settings::{self, Settings};
use countersign_shared::terminal::Failure;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Where the configuration is unless `--config` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/countersign/observer.toml";

/// The whole file, with paths made absolute.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Mirrors, history and the lock.
    #[serde(default = "default_state_dir")]
    pub state_dir: PathBuf,
    /// Where reports are written; `state_dir/report` by default.
    pub report_dir: Option<PathBuf>,
    /// The specification.
    pub canonical: Repository,
    /// The sibling repository that takes proposals.
    pub proposed: Option<Proposed>,
    /// The forge in front of the sibling repository.
    pub forge: Option<Forge>,
    /// How runners are reached.
    pub ssh: Ssh,
    /// What is taken on trust.
    pub trust: Trust,
    /// What happens on news.
    #[serde(default)]
    pub notify: Notify,
    /// How long the past is kept.
    #[serde(default)]
    pub history: History,
}

/// The specification's git repository and how to read it.
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

/// The git repository for proposals and how to reach it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposed {
    /// Anything git accepts.
    pub url: String,
    /// The branch into which people merge.
    #[serde(default = "default_branch")]
    pub branch: String,
    /// Private key for `ssh`; git's own way without one.
    pub ssh_key: Option<PathBuf>,
    /// Host keys for `ssh`; required for an ssh url.
    pub known_hosts: Option<PathBuf>,
    /// A commit from which on history is not rewritten.
    pub anchor: Option<String>,
    /// Signs what is offered.
    pub signing_key: Option<PathBuf>,
}

/// The forge's API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forge {
    /// Which API it speaks.
    pub kind: ForgeKind,
    /// Base URL of the API.
    pub api: String,
    /// `owner/name`.
    pub repository: String,
    /// File that holds the token; a systemd credential of the same name is preferred.
    pub token_file: PathBuf,
    /// Certificates of an authority of your own, PEM; then no other is trusted.
    pub ca_file: Option<PathBuf>,
}

/// The forge APIs that are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForgeKind {
    /// Forgejo.
    Forgejo,
    /// Gitea.
    Gitea,
    /// GitHub.
    Github,
}

/// How runners are reached.
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
    /// Runners observed at once.
    pub parallel: usize,
    /// Handshakes in flight per address or bastion.
    pub per_server: usize,
    /// For the connection and the handshake, each.
    pub connect_timeout: Span,
    /// For the whole of one runner's answer.
    pub run_timeout: Span,
    /// A warm run is never older than this.
    pub full_every: Span,
}

impl Default for Ssh {
    fn default() -> Self {
        Self {
            key: None,
            agent: false,
            certificate: None,
            known_hosts: None,
            parallel: 64,
            per_server: 8,
            connect_timeout: Span::from_secs(10),
            run_timeout: Span::from_secs(60),
            full_every: Span::from_secs(7 * 86_400),
        }
    }
}

/// What is taken on trust.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// Pinned local copy of canonical's `approvers`.
    pub approvers: PathBuf,
    /// Public keys that count no more, one per line, as `ssh-keygen -Y verify -r` takes them.
    #[serde(default)]
    pub revoked: Option<PathBuf>,
    /// Violated proofs that are let pass, and shout in every report.
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
    /// The key gets more than the probe.
    PlainExec,
    /// The account on a runner could change it.
    AccountPrivileged,
    /// Approvals by keys that ask for no touch.
    SoftwareKeys,
}

impl Accept {
    /// As written in the file, which is also the code of the notice.
    pub const fn as_str(self) -> &'static str {
        match self {
            Accept::CanonicalUnsigned => "canonical-unsigned",
            Accept::CanonicalWritable => "canonical-writable",
            Accept::PlainExec => "plain-exec",
            Accept::AccountPrivileged => "account-privileged",
            Accept::SoftwareKeys => "software-keys",
        }
    }
}

/// What happens on news.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// Program and arguments, run without a shell.
    pub on_new_drift: Vec<String>,
    /// Prometheus text file.
    pub textfile: Option<PathBuf>,
}

/// How long the past is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct History {
    /// Runs and observations older than this are dropped; the newest observation of each runner stays.
    pub keep: Span,
    /// Report files kept in `report_dir`.
    pub reports: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { keep: Span::from_secs(180 * 86_400), reports: 90 }
    }
}

fn default_state_dir() -> PathBuf {
    "/var/lib/countersign-observer".into()
}

fn default_branch() -> String {
    "main".to_owned()
}

impl Config {
    /// Reads and checks the file; relative paths are relative to it.
    pub fn load(path: &Path) -> Result<Self, Box<Failure>> {
        let text = settings::read(path)?;
        Self::parse(&text, &std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
    }

    /// Parses the text of the file at `path`, which is absolute.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Box<Failure>> {
        let shown = path.to_string_lossy();
        let settings = Settings::new(&shown, text, "man countersign-observer lists every key");
        let mut config: Config = settings.parse()?;
        config.resolve(path.parent().unwrap_or(Path::new("/")));
        match config.problem() {
            None => Ok(config),
            Some((key, message)) => Err(settings.wrong(key, message)),
        }
    }

    fn resolve(&mut self, base: &Path) {
        let at = |path: &mut PathBuf| *path = base.join(&*path);
        at(&mut self.state_dir);
        self.report_dir = Some(match self.report_dir.take() {
            Some(dir) => base.join(dir),
            None => self.state_dir.join("report"),
        });
        let url = |url: &mut String| {
            if countersign_shared::git::remote::is_relative_path(url) {
                *url = base.join(&*url).to_string_lossy().into_owned();
            }
        };
        url(&mut self.canonical.url);
        for path in [&mut self.canonical.ssh_key, &mut self.canonical.known_hosts] {
            path.iter_mut().for_each(at);
        }
        if let Some(proposed) = &mut self.proposed {
            url(&mut proposed.url);
            for path in [&mut proposed.ssh_key, &mut proposed.known_hosts, &mut proposed.signing_key] {
                path.iter_mut().for_each(at);
            }
        }
        if let Some(forge) = &mut self.forge {
            at(&mut forge.token_file);
            forge.ca_file.iter_mut().for_each(at);
        }
        for path in [&mut self.ssh.key, &mut self.ssh.certificate, &mut self.ssh.known_hosts, &mut self.notify.textfile]
        {
            path.iter_mut().for_each(at);
        }
        at(&mut self.trust.approvers);
        self.trust.revoked.iter_mut().for_each(at);
    }

    /// What cannot be meant, and the key that it is about.
    fn problem(&self) -> Option<(&'static [&'static str], &'static str)> {
        let ssh = &self.ssh;
        [
            (
                self.forge.is_some() && self.proposed.is_none(),
                &["forge"][..],
                "[forge] has no effect without [proposed]",
            ),
            (ssh.key.is_some() == ssh.agent, &["ssh"], "[ssh] needs either `key = \"…\"` or `agent = true`"),
            (!(1..=4096).contains(&ssh.parallel), &["ssh", "parallel"], "[ssh] parallel must be from 1 to 4096"),
            (!(1..=1024).contains(&ssh.per_server), &["ssh", "per_server"], "[ssh] per_server must be from 1 to 1024"),
            (
                ssh.connect_timeout.as_secs() == 0,
                &["ssh", "connect_timeout"],
                "[ssh] connect_timeout must be at least 1s",
            ),
            (ssh.run_timeout.as_secs() == 0, &["ssh", "run_timeout"], "[ssh] run_timeout must be at least 1s"),
        ]
        .into_iter()
        .find_map(|(wrong, key, message)| wrong.then_some((key, message)))
    }

    /// Where reports are written.
    pub fn report_dir(&self) -> PathBuf {
        self.report_dir.clone().unwrap_or_else(|| self.state_dir.join("report"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "[canonical]\nurl = \"canonical.git\"\n[ssh]\nkey = \"keys/observe\"\n[trust]\napprovers = \"/etc/countersign/approvers\"\n";

    fn parse(text: &str) -> Result<Config, Box<Failure>> {
        Config::parse(text, Path::new("/etc/countersign/observer.toml"))
    }

    #[test]
    fn paths_are_relative_to_the_file_and_defaults_are_those_of_the_specification() {
        let config = parse(MINIMAL).unwrap();
        assert_eq!(config.canonical.url, "/etc/countersign/canonical.git");
        assert_eq!(config.canonical.branch, "main");
        assert_eq!(config.ssh.key.as_deref(), Some(Path::new("/etc/countersign/keys/observe")));
        assert_eq!(config.trust.approvers, Path::new("/etc/countersign/approvers"));
        assert_eq!(config.report_dir(), Path::new("/var/lib/countersign-observer/report"));
        assert_eq!((config.ssh.parallel, config.ssh.per_server, config.ssh.full_every.as_secs()), (64, 8, 604_800));
    }

    #[test]
    fn urls_with_a_host_are_left_alone() {
        for url in [
            "ssh://git@forge.example/ops/canonical.git",
            "git@forge.example:ops/canonical.git",
            "https://forge.example/x",
            "file:///srv/x",
            "/srv/x",
        ] {
            let config = parse(&MINIMAL.replace("canonical.git", url)).unwrap();
            assert_eq!(config.canonical.url, url);
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (from, to, word) in [
            ("key =", "kee =", "unknown field"),
            ("key = \"keys/observe\"", "agent = false", "either"),
            ("key = \"keys/observe\"", "key = \"k\"\nagent = true", "either"),
            ("key = \"keys/observe\"", "key = \"k\"\nparallel = 0", "parallel"),
            ("key = \"keys/observe\"", "key = \"k\"\nrun_timeout = \"0s\"", "run_timeout"),
            ("key = \"keys/observe\"", "key = \"k\"\nrun_timeout = \"1 h\"", "not a length of time"),
            ("approvers =", "accept = [\"everything\"]\napprovers =", "unknown variant"),
            ("[trust]\napprovers = \"/etc/countersign/approvers\"\n", "", "trust"),
            ("url = \"canonical.git\"", "url = \"c\"\nsigning_key = \"k\"", "unknown field"),
            (
                "[ssh]",
                "[forge]\nkind = \"gitea\"\napi = \"a\"\nrepository = \"o/n\"\ntoken_file = \"t\"\n[ssh]",
                "without [proposed]",
            ),
        ] {
            let text = MINIMAL.replace(from, to);
            assert_ne!(text, MINIMAL, "the table must change something: {from}");
            let document = parse(&text).unwrap_err().document();
            assert!(document.message.contains(word), "{to}: {}", document.message);
            assert!(document.at.is_some(), "{to}");
        }
    }
}
