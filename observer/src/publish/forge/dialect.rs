//! What the forges call differently. Pure: what is wanted in, a request out.

use super::http::{Method, Request};
use crate::config::ForgeKind;
use serde_json::{Value, json};

/// Pull requests asked for at once; both servers' largest is at least this.
const PAGE: u32 = 50;

/// A pull request to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPull<'a> {
    /// Short name of the branch.
    pub branch: &'a str,
    /// Short name of the branch to merge into.
    pub base: &'a str,
    /// Its title.
    pub title: &'a str,
    /// Its text.
    pub body: &'a str,
    /// Whether it is a draft.
    pub draft: bool,
}

/// One forge's way to say things. `repository` is `owner/name`.
pub trait Dialect: Send + Sync {
    /// How the token is sent, and which media type is asked for.
    fn manners(&self) -> (&'static str, &'static str);
    /// Opens a pull request.
    fn create(&self, repository: &str, pull: &NewPull<'_>) -> Request;
    /// Gives a person the pull request.
    fn assign(&self, repository: &str, number: u64, login: &str) -> Request;
    /// Looks for the person with an e-mail address.
    fn find_person(&self, address: &str) -> Request;
    /// The people in an answer to that.
    fn people<'a>(&self, answer: &'a Value) -> Option<&'a Vec<Value>>;
    /// Whether labels are named by number, and must be made first.
    fn labels_have_numbers(&self) -> bool;
    /// Query for a page of a list.
    fn page(&self, page: u32) -> String;

    /// Who we are.
    fn myself(&self) -> Request {
        get("asking for our own account", "/user".to_owned())
    }

    /// What we may do with a repository.
    fn repository(&self, repository: &str) -> Request {
        get("asking for our rights", format!("/repos/{repository}"))
    }

    /// A page of open or closed pull requests, the last changed first where that matters.
    fn list(&self, repository: &str, open: bool, page: u32) -> Request;

    /// Changes title, text or state.
    fn edit(&self, repository: &str, number: u64, change: Value) -> Request {
        Request {
            doing: "changing a pull request",
            method: Method::Patch,
            path: format!("/repos/{repository}/pulls/{number}"),
            body: Some(change),
        }
    }

    /// A page of the labels that the repository has.
    fn labels(&self, repository: &str, page: u32) -> Request {
        get("listing labels", format!("/repos/{repository}/labels?{}", self.page(page)))
    }

    /// Makes a label.
    fn create_label(&self, repository: &str, name: &str, color: &str) -> Request {
        let body = json!({ "name": name, "color": color });
        post("making a label", format!("/repos/{repository}/labels"), body)
    }

    /// Puts labels on a pull request, by number or by name.
    fn add_labels(&self, repository: &str, number: u64, labels: &[Value]) -> Request {
        post("putting labels on", format!("/repos/{repository}/issues/{number}/labels"), json!({ "labels": labels }))
    }
}

/// The dialect of a kind of forge.
pub fn of(kind: ForgeKind) -> Box<dyn Dialect> {
    match kind {
        ForgeKind::Forgejo | ForgeKind::Gitea => Box::new(Gitea),
        ForgeKind::Github => Box::new(Github),
    }
}

fn get(doing: &'static str, path: String) -> Request {
    Request { doing, method: Method::Get, path, body: None }
}

fn post(doing: &'static str, path: String, body: Value) -> Request {
    Request { doing, method: Method::Post, path, body: Some(body) }
}

/// A word of a query, RFC 3986.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Forgejo and Gitea: the same in all that is used here.
struct Gitea;

impl Dialect for Gitea {
    fn manners(&self) -> (&'static str, &'static str) {
        ("token", "application/json")
    }

    fn create(&self, repository: &str, pull: &NewPull<'_>) -> Request {
        // A draft is one by its title.
        let title = if pull.draft { format!("WIP: {}", pull.title) } else { pull.title.to_owned() };
        let body = json!({ "head": pull.branch, "base": pull.base, "title": title, "body": pull.body });
        post("opening a pull request", format!("/repos/{repository}/pulls"), body)
    }

    fn assign(&self, repository: &str, number: u64, login: &str) -> Request {
        let doing = "assigning a pull request";
        Request { doing, ..self.edit(repository, number, json!({ "assignees": [login] })) }
    }

    fn find_person(&self, address: &str) -> Request {
        get("looking for the owner", format!("/users/search?q={}&limit={PAGE}", encoded(address)))
    }

    fn people<'a>(&self, answer: &'a Value) -> Option<&'a Vec<Value>> {
        answer["data"].as_array()
    }

    fn labels_have_numbers(&self) -> bool {
        true
    }

    fn page(&self, page: u32) -> String {
        format!("limit={PAGE}&page={page}")
    }

    fn list(&self, repository: &str, open: bool, page: u32) -> Request {
        let state = if open { "state=open&sort=oldest" } else { "state=closed&sort=recentupdate" };
        get("listing pull requests", format!("/repos/{repository}/pulls?{state}&{}", self.page(page)))
    }
}

/// GitHub, REST API 2022-11-28.
struct Github;

impl Dialect for Github {
    fn manners(&self) -> (&'static str, &'static str) {
        ("Bearer", "application/vnd.github+json")
    }

    fn create(&self, repository: &str, pull: &NewPull<'_>) -> Request {
        let body = json!({
            "head": pull.branch, "base": pull.base, "title": pull.title, "body": pull.body, "draft": pull.draft,
            "maintainer_can_modify": false,
        });
        post("opening a pull request", format!("/repos/{repository}/pulls"), body)
    }

    fn assign(&self, repository: &str, number: u64, login: &str) -> Request {
        let path = format!("/repos/{repository}/issues/{number}/assignees");
        post("assigning a pull request", path, json!({ "assignees": [login] }))
    }

    fn find_person(&self, address: &str) -> Request {
        get("looking for the owner", format!("/search/users?q={}%20in%3Aemail", encoded(address)))
    }

    fn people<'a>(&self, answer: &'a Value) -> Option<&'a Vec<Value>> {
        // The search shows no addresses: only one hit is a hit.
        answer["items"].as_array().filter(|items| items.len() == 1)
    }

    fn labels_have_numbers(&self) -> bool {
        false
    }

    fn page(&self, page: u32) -> String {
        format!("per_page={PAGE}&page={page}")
    }

    fn list(&self, repository: &str, open: bool, page: u32) -> Request {
        let state =
            if open { "state=open&sort=created&direction=asc" } else { "state=closed&sort=updated&direction=desc" };
        get("listing pull requests", format!("/repos/{repository}/pulls?{state}&{}", self.page(page)))
    }
}
