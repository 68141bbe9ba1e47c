//! A pull request as the APIs of Forgejo, Gitea and GitHub show it, and the marks by which ours are known again.

use serde_json::Value;

/// In the body: which class of drift it is about.
const CLASS: &str = "<!-- countersign:class=";
/// In the body: that the observer itself closed it.
const CLOSED: &str = "<!-- countersign:closed-by-observer -->";

/// What is needed of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// Whether it is open.
    pub open: bool,
    /// Whether it was merged.
    pub merged: bool,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Short name of the branch.
    pub branch: String,
    /// Login of who opened it.
    pub author: String,
    /// Whether the branch is in the same repository.
    pub same_repository: bool,
}

impl Pull {
    /// Reads what all three forges call the same.
    pub fn read(value: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let repository = |side: &str| value[side]["repo"]["full_name"].as_str().map(str::to_ascii_lowercase);
        Some(Self {
            number: value["number"].as_u64()?,
            open: value["state"].as_str()? == "open",
            // GitHub's lists have no `merged`.
            merged: value["merged"].as_bool().unwrap_or(false) || value["merged_at"].is_string(),
            title: text(&value["title"])?,
            body: text(&value["body"]).unwrap_or_default(),
            branch: text(&value["head"]["ref"])?,
            author: text(&value["user"]["login"])?,
            // The repository of a fork that was deleted is null.
            same_repository: repository("head").is_some() && repository("head") == repository("base"),
        })
    }

    /// The class it is about, if it says so.
    pub fn class(&self) -> Option<&str> {
        let (_, rest) = self.body.rsplit_once(CLASS)?;
        let (class, _) = rest.split_once(' ')?;
        Some(class)
    }

    /// Whether a person closed it: neither merged nor closed by the observer.
    pub fn closed_by_person(&self) -> bool {
        !self.open && !self.merged && !self.body.contains(CLOSED)
    }
}

/// The last lines of a body.
pub(super) fn marks(class: &str) -> String {
    format!("\n{CLASS}{class} -->\n")
}

/// The body with the mark that the observer closed it.
pub(super) fn closed(body: &str) -> String {
    if body.contains(CLOSED) { body.to_owned() } else { format!("{}\n{CLOSED}\n", body.trim_end()) }
}

/// The prefixes by which Forgejo and Gitea know a draft.
const DRAFT: [&str; 2] = ["WIP:", "[WIP]"];

/// A title without what makes it a draft.
pub(super) fn without_draft(title: &str) -> &str {
    let title = title.trim();
    DRAFT.iter().find_map(|prefix| title.strip_prefix(prefix)).unwrap_or(title).trim_start()
}

/// The new title, a draft if the old one was: whether it is one is the people's to change.
pub(super) fn retitled(old: &str, new: &str) -> String {
    let prefix = &old[..old.len() - without_draft(old).len()];
    format!("{prefix}{new}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn marks_are_found_again_and_a_draft_stays_what_it_is() {
        let value = |body: &str, state: &str| {
            json!({"number": 7, "state": state, "title": "t", "body": body, "user": {"login": "bot"},
                "head": {"ref": "proposals/r-1", "repo": {"full_name": "Ops/proposed"}},
                "base": {"ref": "main", "repo": {"full_name": "ops/proposed"}}, "merged_at": null})
        };
        let body = format!("text{}", marks("abc"));
        let pull = Pull::read(&value(&body, "closed")).unwrap();
        assert_eq!((pull.class(), pull.same_repository, pull.closed_by_person()), (Some("abc"), true, true));
        let by_us = Pull::read(&value(&closed(&body), "closed")).unwrap();
        assert_eq!((by_us.class(), by_us.closed_by_person()), (Some("abc"), false));
        assert_eq!(closed(&by_us.body), by_us.body);
        assert!(!Pull::read(&value(&body, "open")).unwrap().closed_by_person());
        assert!(Pull::read(&json!({"number": "7"})).is_none());
        for (old, expected) in [("WIP: a", "WIP: b"), ("[WIP] a", "[WIP] b"), ("a", "b"), ("", "b")] {
            assert_eq!(retitled(old, "b"), expected);
        }
    }
}
