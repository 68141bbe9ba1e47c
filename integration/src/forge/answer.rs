//! Requests in, answers out, as the descriptions of the APIs say.

use super::door::Reply;
use super::state::{Fault, Label, Pull, Seen, State};
use super::{LOGIN, REPOSITORY, TOKEN};
use serde_json::{Value, json};

/// Which forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Forgejo 11, and Gitea, which is the same here.
    Forgejo,
    /// GitHub.
    Github,
}

impl Flavour {
    /// What stands before the paths.
    pub fn base(self) -> &'static str {
        match self {
            Flavour::Forgejo => "/api/v1",
            Flavour::Github => "",
        }
    }

    fn authorization(self) -> String {
        match self {
            Flavour::Forgejo => format!("token {TOKEN}"),
            Flavour::Github => format!("Bearer {TOKEN}"),
        }
    }
}

type Said = (u16, Value, Vec<(String, String)>);

pub(super) fn answer(state: &mut State, seen: &Seen) -> Reply {
    state.seen.push(seen.clone());
    state.settle();
    let fault = fault(state, seen);
    match fault {
        Some(Fault::Refused) => return Reply::Nothing,
        Some(Fault::Garbage(bytes)) => return Reply::Raw(bytes),
        Some(Fault::Status(status, headers)) => {
            return Reply::Json(status, headers, json!({ "message": "a fault of the test" }));
        }
        Some(Fault::Lost) | None => {}
    }
    let (status, body, headers) = decide(state, seen);
    state.said.push((seen.clone(), status, body.clone()));
    if fault.is_some() { Reply::Nothing } else { Reply::Json(status, headers, body) }
}

fn fault(state: &mut State, seen: &Seen) -> Option<Fault> {
    let base = state.flavour.base();
    let path = seen.target.strip_prefix(base)?;
    let key = state.faults.keys().find(|(method, start)| *method == seen.method && path.starts_with(start))?.clone();
    let queue = state.faults.get_mut(&key)?;
    let fault = queue.pop_front();
    if queue.is_empty() {
        state.faults.remove(&key);
    }
    fault
}

fn decide(state: &mut State, seen: &Seen) -> Said {
    if seen.header("authorization") != Some(&state.flavour.authorization()) {
        return failed(401, "invalid username, password or token");
    }
    let Some(target) = seen.target.strip_prefix(state.flavour.base()) else {
        return failed(404, "not found");
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (seen.method.as_str(), &parts[..]) {
        ("GET", ["user"]) => ok(person(state, LOGIN, true)),
        ("GET", ["users", "search"]) => {
            let wanted = value(query, "q").unwrap_or_default().replace("%40", "@");
            ok(json!({ "ok": true, "data": found(state, &wanted) }))
        }
        ("GET", ["search", "users"]) => {
            let wanted = value(query, "q").unwrap_or_default().replace("%40", "@");
            let wanted = wanted.split("%20").next().unwrap_or_default().to_owned();
            ok(json!({ "total_count": 1, "incomplete_results": false, "items": found(state, &wanted) }))
        }
        ("GET", ["repos", owner, name]) => {
            let repository = format!("{owner}/{name}");
            match state.rights.get(&repository) {
                Some((admin, push)) => {
                    let rights = json!({ "admin": admin, "push": push, "pull": true });
                    ok(json!({ "full_name": repository, "name": name, "permissions": rights }))
                }
                None => failed(404, "not found"),
            }
        }
        (method, ["repos", owner, name, rest @ ..]) if format!("{owner}/{name}") == REPOSITORY => {
            repository(state, seen, method, rest, query)
        }
        _ => failed(404, "not found"),
    }
}

fn repository(state: &mut State, seen: &Seen, method: &str, rest: &[&str], query: &str) -> Said {
    match (method, rest) {
        ("GET", ["pulls"]) => list(state, seen, query),
        ("POST", ["pulls"]) => create(state, &seen.body),
        ("PATCH", ["pulls", number]) => match number.parse().ok().filter(|number| state.pulls.contains_key(number)) {
            Some(number) => edit(state, number, &seen.body),
            None => failed(404, "no such pull request"),
        },
        ("GET", ["labels"]) => {
            let labels: Vec<Value> = state.labels.iter().map(label).collect();
            paged(state, seen, &labels, query)
        }
        ("POST", ["labels"]) => {
            let (Some(name), Some(color)) = (seen.body["name"].as_str(), seen.body["color"].as_str()) else {
                return failed(422, "name and color are required");
            };
            if state.labels.iter().any(|label| label.name == name) {
                return failed(422, "label already exists");
            }
            let id = state.labels.len() as u64 + 1;
            let made = Label { id, name: name.to_owned(), color: color.trim_start_matches('#').to_owned() };
            state.labels.push(made.clone());
            (201, label(&made), Vec::new())
        }
        ("POST", ["issues", number, "labels"]) => {
            let Some(number) = number.parse().ok().filter(|number| state.pulls.contains_key(number)) else {
                return failed(404, "no such issue");
            };
            let names: Vec<String> = seen.body["labels"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|wanted| match wanted {
                    Value::String(name) => Some(name.clone()),
                    id => state.labels.iter().find(|l| Some(l.id) == id.as_u64()).map(|l| l.name.clone()),
                })
                .collect();
            state.change(number, |pull| pull.labels.extend(names));
            let shown = state.pulls[&number].labels.iter();
            ok(shown.map(|name| json!({ "id": 1, "name": name, "color": "5319e7" })).collect())
        }
        ("POST", ["issues", number, "assignees"]) if state.flavour == Flavour::Github => {
            let Some(number) = number.parse().ok().filter(|number| state.pulls.contains_key(number)) else {
                return failed(404, "no such issue");
            };
            // GitHub ignores whom it cannot assign.
            let known = logins(&seen.body).into_iter().filter(|login| state.people.iter().any(|(l, _)| l == login));
            let known: Vec<String> = known.collect();
            state.change(number, |pull| pull.assignees = known);
            (201, pull(state, &state.pulls[&number]), Vec::new())
        }
        _ => failed(404, "not found"),
    }
}

fn list(state: &State, seen: &Seen, query: &str) -> Said {
    let open = match value(query, "state") {
        Some("closed") => false,
        Some("open") | None => true,
        Some(_) => return failed(422, "state is open or closed in this test"),
    };
    let mut found: Vec<&Pull> = state.pulls.values().filter(|pull| pull.open == open).collect();
    if !open {
        found.sort_by_key(|pull| std::cmp::Reverse(pull.updated));
    }
    let shown: Vec<Value> = found.into_iter().map(|one| pull(state, one)).collect();
    paged(state, seen, &shown, query)
}

fn create(state: &mut State, body: &Value) -> Said {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (head, title) = (text("head"), text("title"));
    if title.is_empty() || text("base") != "main" {
        return failed(422, "title and base are required");
    }
    if state.tip(&head).is_none() {
        return if state.flavour == Flavour::Github {
            failed(422, "head is invalid")
        } else {
            failed(404, "no such branch")
        };
    }
    if state.pulls.values().any(|pull| pull.open && pull.head == head) {
        let status = if state.flavour == Flavour::Github { 422 } else { 409 };
        return failed(status, "pull request already exists for these targets");
    }
    let number = state.open(LOGIN, &head, &title, &text("body"));
    if state.flavour == Flavour::Github {
        let draft = body["draft"].as_bool().unwrap_or(false);
        state.change(number, |pull| pull.draft = draft);
    }
    (201, pull(state, &state.pulls[&number]), Vec::new())
}

fn edit(state: &mut State, number: u64, body: &Value) -> Said {
    if state.pulls[&number].author != LOGIN {
        return failed(403, "user should have a permission to write to the repository");
    }
    let unknown = |login: &String| !state.people.iter().any(|(known, _)| known == login);
    let wanted = body.get("assignees").map(|_| logins(body));
    if wanted.iter().flatten().any(unknown) {
        return failed(422, "assignee does not exist");
    }
    let by_title = state.flavour == Flavour::Forgejo;
    state.change(number, |pull| {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        pull.title = text("title").unwrap_or_else(|| pull.title.clone());
        pull.body = text("body").unwrap_or_else(|| pull.body.clone());
        pull.open = text("state").map_or(pull.open, |state| state == "open");
        if by_title {
            pull.draft = pull.title.starts_with("WIP:");
        }
        pull.assignees = wanted.unwrap_or_else(|| pull.assignees.clone());
    });
    let status = if state.flavour == Flavour::Github { 200 } else { 201 };
    (status, pull(state, &state.pulls[&number]), Vec::new())
}

fn logins(body: &Value) -> Vec<String> {
    body["assignees"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn paged(state: &State, seen: &Seen, items: &[Value], query: &str) -> Said {
    let number = |name: &str| value(query, name).and_then(|text| text.parse::<usize>().ok());
    let size = number("limit").or(number("per_page")).unwrap_or(30).clamp(1, state.page);
    let page = number("page").unwrap_or(1).max(1);
    let shown: Vec<Value> = items.iter().skip((page - 1) * size).take(size).cloned().collect();
    let mut headers = vec![("x-total-count".to_owned(), items.len().to_string())];
    let address = seen.target.split('?').next().unwrap_or_default();
    let link = |page: usize, rel: &str| format!("<http://127.0.0.1{address}?page={page}>; rel=\"{rel}\"");
    if items.len() > page * size {
        headers.push((
            "link".to_owned(),
            format!("{}, {}", link(page + 1, "next"), link(items.len().div_ceil(size), "last")),
        ));
    } else if page > 1 {
        headers.push(("link".to_owned(), link(1, "first")));
    }
    (200, Value::Array(shown), headers)
}

fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn found(state: &State, address: &str) -> Vec<Value> {
    let hits = state.people.iter().filter(|(_, known)| known == address);
    hits.map(|(login, _)| person(state, login, false)).collect()
}

fn person(state: &State, login: &str, own: bool) -> Value {
    let admin = own && state.site_admin;
    let address = state.people.iter().find(|(known, _)| known == login).map(|(_, address)| address.as_str());
    match state.flavour {
        Flavour::Forgejo => {
            json!({ "id": 7, "login": login, "is_admin": admin, "email": address.unwrap_or("bot@example.org") })
        }
        Flavour::Github => json!({ "id": 7, "login": login, "site_admin": admin }),
    }
}

fn label(label: &Label) -> Value {
    json!({ "id": label.id, "name": label.name, "color": label.color })
}

fn pull(state: &State, pull: &Pull) -> Value {
    let repository = |fork: bool| json!({ "full_name": if fork { "eve/proposed" } else { REPOSITORY } });
    let tip = state.tip(&pull.head).unwrap_or_default();
    let merged_at = pull.merged.then_some("2026-11-20T03:30:00Z");
    let mut shown = json!({
        "id": pull.number, "number": pull.number, "state": if pull.open { "open" } else { "closed" },
        "title": pull.title, "body": pull.body, "draft": pull.draft,
        "user": { "login": pull.author },
        "head": { "ref": pull.head, "sha": tip, "repo": repository(pull.fork) },
        "base": { "ref": "main", "repo": repository(false) },
        "labels": pull.labels.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "assignees": pull.assignees.iter().map(|login| json!({ "login": login })).collect::<Vec<_>>(),
    });
    if let Some(at) = merged_at {
        shown["merged_at"] = json!(at);
    }
    if state.flavour == Flavour::Forgejo {
        shown["merged"] = json!(pull.merged);
    }
    shown
}

fn ok(body: Value) -> Said {
    (200, body, Vec::new())
}

fn failed(status: u16, message: &str) -> Said {
    (status, json!({ "message": message }), Vec::new())
}
