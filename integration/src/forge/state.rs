//! What the forge knows.

use super::answer::Flavour;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::Command;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// GET, POST, PATCH.
    pub method: String,
    /// Path with its query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// JSON, or null.
    pub body: Value,
}

impl Seen {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A pull request.
#[derive(Debug, Clone)]
pub struct Pull {
    /// From 1.
    pub number: u64,
    /// Whether it is open.
    pub open: bool,
    /// Whether it was merged.
    pub merged: bool,
    /// Title.
    pub title: String,
    /// Text.
    pub body: String,
    /// Short name of the branch.
    pub head: String,
    /// Whether the branch is in a fork.
    pub fork: bool,
    /// Login.
    pub author: String,
    /// Whether it is a draft; Forgejo and Gitea go by the title.
    pub draft: bool,
    /// Names of its labels.
    pub labels: Vec<String>,
    /// Logins.
    pub assignees: Vec<String>,
    /// Order of the last change.
    pub updated: u64,
}

/// A label of the repository.
#[derive(Debug, Clone)]
pub struct Label {
    /// From 1.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Six hex digits.
    pub color: String,
}

/// How the forge misbehaves on a request: answered once each, in order.
#[derive(Debug, Clone)]
pub enum Fault {
    /// A status with headers, nothing done.
    Status(u16, Vec<(String, String)>),
    /// Done, and then the connection breaks.
    Lost,
    /// The connection breaks at once.
    Refused,
    /// Bytes instead of HTTP.
    Garbage(Vec<u8>),
}

/// The state.
#[derive(Debug)]
pub struct State {
    /// Which forge it is.
    pub flavour: Flavour,
    /// Bare git repository.
    pub repository: PathBuf,
    /// Pull requests by number.
    pub pulls: BTreeMap<u64, Pull>,
    /// Labels of the repository.
    pub labels: Vec<Label>,
    /// People who can be assigned: login and address.
    pub people: Vec<(String, String)>,
    /// Whether the bot administers the forge.
    pub site_admin: bool,
    /// What the bot may do in a repository: admin, push.
    pub rights: BTreeMap<String, (bool, bool)>,
    /// Faults by method and the beginning of the path below the API.
    pub faults: BTreeMap<(String, String), VecDeque<Fault>>,
    /// All requests.
    pub seen: Vec<Seen>,
    /// What was answered: request, status, body.
    pub said: Vec<(Seen, u16, Value)>,
    /// Largest page.
    pub page: usize,
    pub(super) clock: u64,
}

impl State {
    pub(super) fn new(flavour: Flavour, repository: PathBuf) -> Self {
        let rights = [(super::REPOSITORY.to_owned(), (false, true))].into();
        Self {
            flavour,
            repository,
            pulls: BTreeMap::new(),
            labels: Vec::new(),
            people: vec![("build-platform".to_owned(), "build-platform@example.org".to_owned())],
            site_admin: false,
            rights,
            faults: BTreeMap::new(),
            seen: Vec::new(),
            said: Vec::new(),
            page: 50,
            clock: 0,
        }
    }

    /// The tip of a branch in git, if it is there.
    pub fn tip(&self, branch: &str) -> Option<String> {
        let output = Command::new("git")
            .current_dir(&self.repository)
            // A server's repository belongs to the server's account.
            .args(["-c", "safe.directory=*", "rev-parse", "--quiet", "--verify", &format!("refs/heads/{branch}")])
            .output()
            .ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// What forges do by themselves: a pull request without its branch is closed.
    pub fn settle(&mut self) {
        let gone: Vec<u64> =
            self.pulls.values().filter(|p| p.open && self.tip(&p.head).is_none()).map(|p| p.number).collect();
        for number in gone {
            self.change(number, |pull| pull.open = false);
        }
    }

    /// Changes a pull request as its web page would.
    pub fn change(&mut self, number: u64, change: impl FnOnce(&mut Pull)) {
        self.clock += 1;
        let clock = self.clock;
        if let Some(pull) = self.pulls.get_mut(&number) {
            change(pull);
            pull.updated = clock;
        }
    }

    /// Opens one as somebody.
    pub fn open(&mut self, author: &str, head: &str, title: &str, body: &str) -> u64 {
        self.clock += 1;
        let number = self.pulls.len() as u64 + 1;
        let pull = Pull {
            number,
            open: true,
            merged: false,
            title: title.to_owned(),
            body: body.to_owned(),
            head: head.to_owned(),
            fork: false,
            author: author.to_owned(),
            draft: title.starts_with("WIP:"),
            labels: Vec::new(),
            assignees: Vec::new(),
            updated: self.clock,
        };
        self.pulls.insert(number, pull);
        number
    }

    /// The next request of this kind meets this.
    pub fn fault(&mut self, method: &str, path: &str, fault: Fault) {
        self.faults.entry((method.to_owned(), path.to_owned())).or_default().push_back(fault);
    }

    /// Open ones, by number.
    pub fn open_pulls(&self) -> Vec<&Pull> {
        self.pulls.values().filter(|pull| pull.open).collect()
    }
}
