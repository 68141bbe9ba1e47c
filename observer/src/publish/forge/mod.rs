//! Pull requests at Forgejo, Gitea and GitHub. Opens, refreshes and closes its own; there is no code that merges one, that
//! approves one, or that writes a comment.

mod decide;
mod dialect;
mod error;
mod http;
mod pull;
mod text;
mod token;

pub use decide::{Act, Ladder, Unwanted, Wanted, decide};
pub use dialect::{Dialect, NewPull, of as dialect};
pub use error::ForgeError;
pub use http::{Method, Pause, Request, sleep};
pub use pull::Pull;
pub use text::wishes;
pub use token::{Token, TokenError};

use crate::config;
use crate::privilege::forge::{Facts, Power, on_this_forge};
use http::Http;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Pages of a list that are read: 2,000 pull requests.
const PAGES: u32 = 40;
/// Colour of labels that the observer makes.
const COLOR: &str = "#5319e7";

/// A forge, and the repository of proposals there.
pub struct Forge {
    http: Http,
    dialect: Box<dyn Dialect>,
    repository: String,
    api: String,
}

/// What became of the pull requests. Branches by their short names.
#[derive(Debug, Default)]
pub struct Kept {
    /// Opened: branch and number.
    pub opened: Vec<(String, u64)>,
    /// Title or text were changed.
    pub refreshed: Vec<u64>,
    /// As they were.
    pub unchanged: usize,
    /// Closed.
    pub closed: Vec<u64>,
    /// A person closed them, and their drift is the same.
    pub stay_closed: Vec<String>,
    /// Not opened, as too many are open.
    pub held_back: usize,
    /// Somebody else has opened one for these branches.
    pub theirs: Vec<String>,
    /// Branches of open pull requests that must stay.
    pub still_open: BTreeSet<String>,
    /// What went wrong without harm: labels, owners.
    pub notes: Vec<String>,
    /// What went wrong: branch and error.
    pub failed: Vec<(String, ForgeError)>,
}

impl Forge {
    /// Reads the token and prepares the connection; asks nothing yet.
    pub fn new(forge: &config::Forge, credentials: Option<&Path>, pause: Pause) -> Result<Self, ForgeError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let part = |text: &str| !text.is_empty() && !text.starts_with('.') && text.chars().all(plain);
        if !forge.repository.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name)) {
            return Err(ForgeError::Configuration(format!("{:?} is not OWNER/NAME", forge.repository)));
        }
        let token = Token::load(&forge.token_file, credentials).map_err(ForgeError::Token)?;
        let dialect = dialect::of(forge.kind);
        let http = Http::new(&forge.api, forge.ca_file.as_deref(), token, dialect.manners(), pause)?;
        Ok(Self { http, dialect, repository: forge.repository.clone(), api: forge.api.clone() })
    }

    /// Measures what the token can do. Changes nothing.
    pub async fn power(&self, canonical_url: &str) -> Facts {
        let site_admin = match self.http.send(&self.dialect.myself()).await {
            // Forgejo and Gitea; GitHub.
            Ok(answer) => {
                let flag = [&answer.body["is_admin"], &answer.body["site_admin"]].into_iter().find_map(Value::as_bool);
                flag.ok_or_else(|| "the forge does not say".to_owned())
            }
            Err(error) => Err(error.to_string()),
        };
        let proposed =
            self.power_over(&self.repository).await.and_then(|power| power.ok_or_else(|| "it is not there".to_owned()));
        let canonical = match on_this_forge(canonical_url, &self.api) {
            Some(name) => self.power_over(&name).await.transpose(),
            None => None,
        };
        Facts { site_admin, proposed, canonical }
    }

    /// `None` = it is not shown to us.
    async fn power_over(&self, repository: &str) -> Result<Option<Power>, String> {
        match self.http.send(&self.dialect.repository(repository)).await {
            Ok(answer) => {
                let may = |what: &str| answer.body["permissions"][what].as_bool();
                let (admin, push) = may("admin").zip(may("push")).ok_or("the forge does not say")?;
                Ok(Some(Power { admin, push }))
            }
            Err(ForgeError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Makes the pull requests what they should be. Runs again without harm.
    ///
    /// An error means that nothing was changed; what fails later is told in [`Kept::failed`].
    pub async fn keep(
        &self,
        wanted: &[Wanted],
        unwanted: &[Unwanted],
        base: &str,
        ladder: Ladder,
    ) -> Result<Kept, ForgeError> {
        let myself = self.http.send(&self.dialect.myself()).await?;
        let me = myself.body["login"].as_str().ok_or_else(|| malformed("it has no login"))?.to_owned();
        let mut pulls = self.list(true, |_| false).await?;
        let classes: BTreeSet<&str> = wanted.iter().filter_map(|wanted| wanted.class.as_deref()).collect();
        let mut unknown: BTreeSet<&str> = classes;
        for pull in &pulls {
            pull.class().map(|class| unknown.remove(class));
        }
        // The past is read only as far as it has something to say.
        if !unknown.is_empty() && ladder.open {
            let mut missing: BTreeSet<String> = unknown.into_iter().map(str::to_owned).collect();
            pulls.extend(
                self.list(false, |pull| {
                    pull.class().map(|class| missing.remove(class));
                    missing.is_empty()
                })
                .await?,
            );
        }
        let mut kept = Kept::default();
        let open = pulls.iter().filter(|pull| pull.open && pull.same_repository);
        kept.still_open = open.map(|pull| pull.branch.clone()).collect();
        for act in decide(wanted, unwanted, &pulls, &me, ladder) {
            let branch = match &act {
                Act::Close { branch, .. } => branch.clone(),
                Act::Refresh { wanted: at, .. }
                | Act::Keep { wanted: at }
                | Act::Theirs { wanted: at }
                | Act::StaysClosed { wanted: at, .. }
                | Act::Open { wanted: at }
                | Act::HeldBack { wanted: at } => wanted[*at].branch.clone(),
            };
            if let Err(error) = self.act(act, wanted, base, ladder, &branch, &mut kept).await {
                let goes_on = matches!(
                    error,
                    ForgeError::NotFound { .. }
                        | ForgeError::Conflict { .. }
                        | ForgeError::Invalid { .. }
                        | ForgeError::Malformed { .. }
                );
                kept.failed.push((branch, error));
                if !goes_on {
                    // The next request would fail in the same way.
                    break;
                }
            }
        }
        Ok(kept)
    }

    async fn act(
        &self,
        act: Act,
        wanted: &[Wanted],
        base: &str,
        ladder: Ladder,
        branch: &str,
        kept: &mut Kept,
    ) -> Result<(), ForgeError> {
        match act {
            Act::Keep { .. } => kept.unchanged += 1,
            Act::HeldBack { .. } => kept.held_back += 1,
            Act::Theirs { .. } => kept.theirs.push(branch.to_owned()),
            Act::StaysClosed { .. } => kept.stay_closed.push(branch.to_owned()),
            Act::Refresh { number, title, wanted: at } => {
                self.edit(number, json!({ "title": title, "body": wanted[at].body })).await?;
                kept.refreshed.push(number);
            }
            Act::Close { number, body, branch } => {
                // One request, so that a closed one is never without the mark of who closed it.
                self.edit(number, json!({ "state": "closed", "body": pull::closed(&body) })).await?;
                kept.still_open.remove(&branch);
                kept.closed.push(number);
            }
            Act::Open { wanted: at } => {
                let number = self.open(&wanted[at], base, ladder.draft).await?;
                kept.still_open.insert(branch.to_owned());
                kept.opened.push((branch.to_owned(), number));
                self.dress(number, &wanted[at], kept).await;
            }
        }
        Ok(())
    }

    async fn edit(&self, number: u64, change: Value) -> Result<(), ForgeError> {
        self.http.send(&self.dialect.edit(&self.repository, number, change)).await.map(drop)
    }

    async fn open(&self, wanted: &Wanted, base: &str, draft: bool) -> Result<u64, ForgeError> {
        let new = |draft| NewPull { branch: &wanted.branch, base, title: &wanted.title, body: &wanted.body, draft };
        let mut sent = self.http.send(&self.dialect.create(&self.repository, &new(draft))).await;
        if let Err(ForgeError::Invalid { detail, .. }) = &sent
            && draft
            && detail.to_ascii_lowercase().contains("draft pull requests are not supported")
        {
            // Private repositories of GitHub's free plan: the title says so then.
            let title = format!("[draft] {}", wanted.title);
            let plain = NewPull { title: &title, ..new(false) };
            sent = self.http.send(&self.dialect.create(&self.repository, &plain)).await;
        }
        sent?.body["number"].as_u64().ok_or_else(|| malformed("the new pull request has no number"))
    }

    /// Labels and owner: nice to have, so that a failure is a note.
    async fn dress(&self, number: u64, wanted: &Wanted, kept: &mut Kept) {
        if let Err(error) = self.label(number, &wanted.labels).await {
            kept.notes.push(format!("pull request {number} has no labels: {error}"));
        }
        let Some(owner) = &wanted.owner else {
            return;
        };
        match self.login_of(owner).await {
            Ok(Some(login)) => {
                if let Err(error) = self.http.send(&self.dialect.assign(&self.repository, number, &login)).await {
                    kept.notes.push(format!("pull request {number} is not assigned to {login}: {error}"));
                }
            }
            Ok(None) => {
                kept.notes.push(format!("the forge knows nobody as {owner}, so pull request {number} is nobody's"))
            }
            Err(error) => kept.notes.push(format!("pull request {number} is nobody's: {error}")),
        }
    }

    async fn login_of(&self, owner: &str) -> Result<Option<String>, ForgeError> {
        let plain =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !owner.contains('@') {
            return Ok(plain(owner).then(|| owner.to_owned()));
        }
        let answer = self.http.send(&self.dialect.find_person(owner)).await?;
        let people = self.dialect.people(&answer.body);
        let fits = |person: &&Value| person["email"].as_str().is_none_or(|email| email.eq_ignore_ascii_case(owner));
        let found: Vec<&Value> = people.into_iter().flatten().filter(fits).collect();
        let login = found.first().filter(|_| found.len() == 1).and_then(|person| person["login"].as_str());
        Ok(login.filter(|login| plain(login)).map(str::to_owned))
    }

    async fn label(&self, number: u64, names: &[String]) -> Result<(), ForgeError> {
        if names.is_empty() {
            return Ok(());
        }
        let labels = if self.dialect.labels_have_numbers() {
            let mut there = Vec::new();
            for page in 1..=PAGES {
                let answer = self.http.send(&self.dialect.labels(&self.repository, page)).await?;
                let list = answer.body.as_array().cloned().unwrap_or_default();
                let end = list.is_empty() || answer.next == Some(false);
                there.extend(list);
                if end {
                    break;
                }
            }
            let mut numbers = Vec::new();
            for name in names {
                let found = there.iter().find(|label| label["name"].as_str() == Some(name)).cloned();
                let label = match found {
                    Some(label) => label,
                    None => self.http.send(&self.dialect.create_label(&self.repository, name, COLOR)).await?.body,
                };
                numbers.push(label["id"].clone());
            }
            numbers
        } else {
            names.iter().map(|name| json!(name)).collect()
        };
        self.http.send(&self.dialect.add_labels(&self.repository, number, &labels)).await.map(drop)
    }

    /// Reads pages until the last, until `enough`, or until the bound. One that moved between pages counts once.
    async fn list(&self, open: bool, mut enough: impl FnMut(&Pull) -> bool) -> Result<Vec<Pull>, ForgeError> {
        let mut pulls: Vec<Pull> = Vec::new();
        let mut seen = BTreeSet::new();
        for page in 1..=PAGES {
            let answer = self.http.send(&self.dialect.list(&self.repository, open, page)).await?;
            let list = answer.body.as_array().ok_or_else(|| malformed("the list of pull requests is no list"))?;
            let mut done = list.is_empty() || answer.next == Some(false);
            for value in list {
                let pull = Pull::read(value).ok_or_else(|| malformed("a pull request lacks a field"))?;
                done |= enough(&pull);
                if seen.insert(pull.number) {
                    pulls.push(pull);
                }
            }
            if done {
                return Ok(pulls);
            }
        }
        // Of closed ones, older than these is too long ago; of open ones all must be known.
        if open { Err(malformed("there are more than 2,000 open pull requests")) } else { Ok(pulls) }
    }
}

fn malformed(detail: &str) -> ForgeError {
    ForgeError::Malformed { doing: "reading the forge's answer", detail: detail.to_owned() }
}
