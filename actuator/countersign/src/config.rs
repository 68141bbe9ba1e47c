//! `countersign.toml`: where a person's clones are. Nothing in it is a secret, and no key is named in it: git knows them.

use crate::stop::{Result, Stop};
use countersign_shared::exit::Outcome;
use countersign_shared::settings::{self, Settings};
use countersign_shared::terminal::Failure;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The whole file, with paths made absolute.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The specification.
    pub(crate) canonical: Option<Place>,
    /// The sibling repository.
    pub(crate) proposed: Option<Place>,
    pub(crate) notary: Notary,
    pub(crate) trust: Trust,
    pub(crate) adopt: Adopt,
}

/// A repository: the person's clone, or a URL, of which a bare copy is kept below the state directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    pub(crate) path: Option<PathBuf>,
    pub(crate) url: Option<String>,
    #[serde(default = "default_remote")]
    pub(crate) remote: String,
    #[serde(default = "default_branch")]
    pub(crate) branch: String,
    /// Canonical only: the commit after which every commit must be by people.
    pub(crate) anchor: Option<String>,
}

/// The notary's socket.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Notary {
    pub(crate) socket: PathBuf,
    /// As ssh takes it: the socket is on that host, and is reached with `ssh -L`.
    pub(crate) ssh: Option<String>,
}

impl Default for Notary {
    fn default() -> Self {
        Self { socket: "/run/countersign/notary.sock".into(), ssh: None }
    }
}

/// What is taken on trust.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Trust {
    /// A local copy of the approvers; without it those of canonical count.
    pub(crate) approvers: Option<PathBuf>,
    /// Keys that count no more, one per line.
    pub(crate) revoked: Option<PathBuf>,
    pub(crate) accept: Vec<Accept>,
}

/// What is let pass here, as it is on the actuator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Accept {
    /// Keys that ask for no touch.
    SoftwareKeys,
}

/// What `adopt` does with its commit.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Adopt {
    pub(crate) to: AdoptTo,
}

/// Where an adoption goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AdoptTo {
    /// A branch of its own, pushed under its name.
    #[default]
    Branch,
    /// Canonical's main branch.
    Main,
}

fn default_remote() -> String {
    "origin".to_owned()
}

fn default_branch() -> String {
    "main".to_owned()
}

impl Place {
    fn clone_at(path: PathBuf) -> Self {
        Self { path: Some(path), url: None, remote: default_remote(), branch: default_branch(), anchor: None }
    }
}

impl Config {
    /// The file that was named; else the person's own; else what the current directory tells.
    pub(crate) fn find(named: Option<&Path>) -> Result<Self> {
        let own = match named {
            Some(path) => Some(path.to_owned()),
            None => own_path().filter(|path| path.exists()),
        };
        match own {
            Some(path) => Self::load(&path),
            None => Ok(Self::around(&std::env::current_dir().unwrap_or_default())),
        }
    }

    fn load(path: &Path) -> Result<Self> {
        let loaded = settings::read(path)
            .and_then(|text| Self::parse(&text, &std::path::absolute(path).unwrap_or_else(|_| path.to_owned())));
        loaded.map_err(|failure| Stop { outcome: Outcome::Invalid, failures: vec![*failure] })
    }

    /// Parses the text of the file at `path`, which is absolute.
    fn parse(text: &str, path: &Path) -> std::result::Result<Self, Box<Failure>> {
        let shown = path.to_string_lossy();
        let settings = Settings::new(&shown, text, "man countersign describes every key");
        let mut config: Config = settings.parse()?;
        if let Some((key, message)) = config.problem() {
            return Err(settings.wrong(&key, message));
        }
        config.resolve(path.parent().unwrap_or(Path::new("/")));
        Ok(config)
    }

    /// What cannot be meant, and the key that it is about.
    fn problem(&self) -> Option<(Vec<&'static str>, String)> {
        for (name, place) in [("canonical", &self.canonical), ("proposed", &self.proposed)] {
            let Some(place) = place else { continue };
            if place.path.is_some() == place.url.is_some() {
                return Some((vec![name], format!("[{name}] needs either `path` or `url`")));
            }
            if place.remote.starts_with('-') || place.remote.is_empty() {
                let message = format!("[{name}] remote is the name of a remote, as `git remote` lists it");
                return Some((vec![name, "remote"], message));
            }
            if place.url.is_some() && place.remote != "origin" {
                let message = format!("[{name}] remote goes with `path` only: with `url`, the url is the remote");
                return Some((vec![name, "remote"], message));
            }
        }
        if self.proposed.as_ref().is_some_and(|place| place.anchor.is_some()) {
            let message = "[proposed] has no anchor: its history is judged proposal by proposal";
            return Some((vec!["proposed", "anchor"], message.to_owned()));
        }
        let host = self.notary.ssh.as_ref()?;
        if host.starts_with('-') || host.is_empty() {
            return Some((vec!["notary", "ssh"], "[notary] ssh is a host, as ssh takes it".to_owned()));
        }
        let message = "[notary] socket is an absolute path on that host";
        (!self.notary.socket.is_absolute()).then(|| (vec!["notary", "socket"], message.to_owned()))
    }

    fn resolve(&mut self, base: &Path) {
        let places = [&mut self.canonical, &mut self.proposed].into_iter().flatten().map(|place| &mut place.path);
        for path in places.chain([&mut self.trust.approvers, &mut self.trust.revoked]) {
            path.iter_mut().for_each(|path| *path = at(base, path));
        }
        if self.notary.ssh.is_none() {
            self.notary.socket = at(base, &self.notary.socket);
        }
    }

    /// Without a file: the clone that one stands in, and its neighbour.
    fn around(here: &Path) -> Self {
        let Some(top) = here.ancestors().find(|path| path.join(".git").exists()) else {
            return Self::default();
        };
        let is_canonical = top.join("fleet.toml").exists() || top.join("approvers").exists();
        let (own, other) = if is_canonical { ("canonical", "proposed") } else { ("proposed", "canonical") };
        // `ops-canonical` stands beside `ops-proposed`.
        let name = top.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let renamed = if name.contains(own) { name.replace(own, other) } else { other.to_owned() };
        let neighbour = top.parent().map(|parent| parent.join(renamed)).filter(|path| path.join(".git").exists());
        let (own, other) = (Some(Place::clone_at(top.to_owned())), neighbour.map(Place::clone_at));
        let (canonical, proposed) = if is_canonical { (own, other) } else { (other, own) };
        Self { canonical, proposed, ..Self::default() }
    }
}

/// `~/.config/countersign/countersign.toml`, or below `XDG_CONFIG_HOME`.
pub(crate) fn own_path() -> Option<PathBuf> {
    Some(below("XDG_CONFIG_HOME", ".config")?.join("countersign/countersign.toml"))
}

/// `~/.local/state/countersign`, or below `XDG_STATE_HOME`: the copies of repositories that are given by URL.
pub(crate) fn state_dir() -> Result<PathBuf> {
    let dir = below("XDG_STATE_HOME", ".local/state").map(|path| path.join("countersign"));
    dir.ok_or_else(|| Stop::new(Outcome::Invalid, "config", "HOME is not set, so there is no place to keep a copy"))
}

fn below(variable: &str, default: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(default)))
}

/// Relative to the file; `~/` is the person's home.
fn at(base: &Path, path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => base.join(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_name() {
        for (text, word) in [
            ("[proposed]\n", "either `path` or `url`"),
            ("[proposed]\npath = \"a\"\nurl = \"b\"\n", "either `path` or `url`"),
            ("[proposed]\npath = \"a\"\nremote = \"--upload-pack=x\"\n", "remote"),
            ("[proposed]\nurl = \"https://x/y\"\nremote = \"other\"\n", "with `path` only"),
            ("[proposed]\npath = \"a\"\nkey = \"b\"\n", "unknown field"),
            ("[proposed]\npath = \"a\"\nanchor = \"b\"\n", "no anchor"),
            ("[adopt]\nto = \"everywhere\"\n", "unknown variant"),
            ("[notary]\nssh = \"-oProxyCommand=x\"\n", "a host"),
            ("[notary]\nssh = \"host\"\nsocket = \"notary.sock\"\n", "absolute"),
        ] {
            let document = Config::parse(text, Path::new("/c/x.toml")).unwrap_err().document();
            assert!(document.message.contains(word), "{text}: {}", document.message);
            assert!(document.at.is_some(), "{text}");
        }
        let config =
            Config::parse("[proposed]\npath = \"a b\"\n[trust]\napprovers = \"/x\"\n", Path::new("/c/x.toml")).unwrap();
        let proposed = config.proposed.unwrap();
        assert_eq!(proposed.path.as_deref(), Some(Path::new("/c/a b")));
        assert_eq!((proposed.remote.as_str(), proposed.branch.as_str()), ("origin", "main"));
        assert_eq!(config.notary.socket, Path::new("/run/countersign/notary.sock"));
    }

    #[test]
    fn a_clone_is_known_by_what_is_in_it_and_its_neighbour_by_its_name() {
        let root = tempfile::tempdir().unwrap();
        for path in ["ops-canonical/.git", "ops-proposed/.git", "ops-proposed/proposals/r1"] {
            std::fs::create_dir_all(root.path().join(path)).unwrap();
        }
        std::fs::write(root.path().join("ops-canonical/fleet.toml"), "").unwrap();
        for here in ["ops-proposed/proposals/r1", "ops-canonical"] {
            let config = Config::around(&root.path().join(here));
            let path = |place: Option<Place>| place.unwrap().path.unwrap();
            assert_eq!(path(config.canonical), root.path().join("ops-canonical"));
            assert_eq!(path(config.proposed), root.path().join("ops-proposed"));
        }
    }

    #[test]
    fn the_example_of_the_man_page_has_every_key_and_can_be_used() {
        let page = include_str!("../man/more.roff").replace("\\-", "-");
        let (_, example) = page.split_once("\n.nf\n").unwrap();
        let (example, _) = example.split_once("\n.fi\n").unwrap();
        Config::parse(example, Path::new("/c/x.toml")).unwrap();
        let taken = |text: &str| {
            let message = Config::parse(text, Path::new("/c/x.toml")).unwrap_err().document().message;
            let (_, expected) = message.split_once(", expected ").unwrap_or_else(|| panic!("{message}"));
            expected.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        };
        for table in taken("zzz = 1\n") {
            let (_, section) = example.split_once(&format!("[{table}]\n")).unwrap_or_else(|| panic!("no [{table}]"));
            let section = section.split("\n[").next().unwrap();
            // A repository is described once.
            let keys =
                if table == "proposed" { vec!["path".to_owned()] } else { taken(&format!("[{table}]\nzzz = 1\n")) };
            for key in keys {
                assert!(section.contains(&format!("{key} = ")), "[{table}] {key}");
            }
        }
        for accept in taken("[trust]\naccept = [\"zzz\"]\n").into_iter().chain(taken("[adopt]\nto = \"zzz\"\n")) {
            assert!(example.contains(&format!("\"{accept}\"")), "{accept}");
        }
    }
}
