//! The official descriptions of the APIs: every request is valid by them, every answer of the test's forge is, and every
//! answer that they document has its behaviour.

use super::nights::{LADDER, Site};
use super::stage::{Stage, many, ready};
use countersign_integration::forge::{FakeForge, Fault, Flavour, Seen};
use countersign_observer::config::ForgeKind;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A file of the conformance data; says so loudly when there is none.
#[expect(clippy::print_stderr, reason = "a test that could not run says so")]
fn description(name: &str) -> Option<Value> {
    let Some(data) = std::env::var_os("COUNTERSIGN_DATA").map(PathBuf::from) else {
        eprintln!("SKIPPED: COUNTERSIGN_DATA is not set, so nothing was compared with {name}");
        return None;
    };
    let text = std::fs::read_to_string(data.join("forge").join(name)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

const FORGEJO: &str = "forgejo-11.0.3.swagger.v1.json";
const GITEA: &str = "gitea-main-009dbc068962.pr-contract.json";

/// The operation of a request, by method and path below the API.
fn operation<'a>(swagger: &'a Value, method: &str, path: &str) -> Option<(&'a str, &'a Value)> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        wanted.len() == parts.len() && wanted.iter().zip(&parts).all(|(w, p)| w.starts_with('{') || w == p)
    };
    // A word that stands there counts for more than a parameter.
    let mut found: Vec<_> = swagger["paths"].as_object()?.iter().filter(|(template, _)| fits(template)).collect();
    found.sort_by_key(|(template, _)| template.matches('{').count());
    found.iter().find_map(|(template, methods)| Some((template.as_str(), methods.get(method.to_lowercase())?)))
}

/// What is wrong with a value by a schema of the description.
fn violations(swagger: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut whole = json!({ "definitions": swagger["definitions"] });
    whole["allOf"] = json!([schema]);
    let validator = jsonschema::options().with_draft(jsonschema::Draft::Draft4).build(&whole).unwrap();
    validator.iter_errors(value).map(|error| error.to_string()).collect()
}

/// Properties of an object that its definition does not have.
fn unknown(swagger: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()).unwrap();
    let known = swagger["definitions"][name]["properties"].as_object().unwrap();
    value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).filter(|key| !known.contains_key(key)).collect()
}

fn check_request(swagger: &Value, seen: &Seen) -> Result<String, String> {
    let target = seen.target.strip_prefix("/api/v1").ok_or("not below the API")?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (template, operation) =
        operation(swagger, &seen.method, path).ok_or_else(|| format!("no {} {path}", seen.method))?;
    let empty = Vec::new();
    let parameters = operation["parameters"].as_array().unwrap_or(&empty);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let known = parameters.iter().find(|p| p["in"] == "query" && p["name"] == name);
        let parameter = known.ok_or_else(|| format!("{template} has no parameter {name}"))?;
        let fits = match (&parameter["enum"], parameter["type"].as_str()) {
            (Value::Array(words), _) => words.contains(&json!(value)),
            (_, Some("integer")) => value.parse::<u64>().is_ok(),
            _ => true,
        };
        if !fits {
            return Err(format!("{template}: {name} cannot be {value}"));
        }
    }
    match parameters.iter().find(|p| p["in"] == "body") {
        Some(body) => {
            let wrong = violations(swagger, &body["schema"], &seen.body);
            let strange = unknown(swagger, &body["schema"], &seen.body);
            if !wrong.is_empty() || !strange.is_empty() {
                return Err(format!("{template}: {wrong:?}, not known: {strange:?}"));
            }
        }
        None if seen.body.is_null() => {}
        None => return Err(format!("{template} has no body")),
    }
    Ok(format!("{} {template}", seen.method))
}

fn check_answer(swagger: &Value, seen: &Seen, status: u16, body: &Value) -> Result<(), String> {
    let target = seen.target.strip_prefix("/api/v1").ok_or("not below the API")?;
    let path = target.split('?').next().unwrap_or_default();
    let (template, operation) = operation(swagger, &seen.method, path).ok_or("no operation")?;
    let documented = &operation["responses"][status.to_string()];
    if documented.is_null() {
        return Err(format!("{template} has no answer {status}"));
    }
    let mut response = documented.clone();
    if let Some(name) = documented["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        response = swagger["responses"][name].clone();
    }
    match response.get("schema").filter(|_| (200..300).contains(&status)) {
        Some(schema) => {
            let wrong = violations(swagger, schema, body);
            if wrong.is_empty() { Ok(()) } else { Err(format!("{template} {status}: {wrong:?}")) }
        }
        None => Ok(()),
    }
}

/// Everything that a client ever asks: opening, labels, owners, refreshing, closing, measuring.
async fn a_full_life(kind: ForgeKind) -> Site {
    let site = Site::new(kind).await;
    site.client().power("ssh://git@127.0.0.1/ops/canonical.git").await;
    let mut set = many(1..=3, "llvm", 1);
    set[0].owner = Some("build-platform@example.org".to_owned());
    site.night(&set).await;
    site.night(&many(1..=4, "llvm", 2)).await;
    site.night(&[ready("a", "one", 3)]).await;
    site.night(&[]).await;
    site
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the test says how many of its cases ran")]
async fn every_request_and_every_answer_is_one_of_the_official_description() {
    let Some(swagger) = description(FORGEJO) else { return };
    let site = a_full_life(ForgeKind::Forgejo).await;
    let state = site.forge.lock();
    let operations: BTreeSet<String> = state.seen.iter().map(|seen| check_request(&swagger, seen).unwrap()).collect();
    for (seen, status, body) in &state.said {
        check_answer(&swagger, seen, *status, body).unwrap();
    }
    println!("{} requests of {} operations, {} answers", state.seen.len(), operations.len(), state.said.len());
    for needed in [
        "GET /user",
        "GET /users/search",
        "GET /repos/{owner}/{repo}",
        "GET /repos/{owner}/{repo}/pulls",
        "POST /repos/{owner}/{repo}/pulls",
        "PATCH /repos/{owner}/{repo}/pulls/{index}",
        "GET /repos/{owner}/{repo}/labels",
        "POST /repos/{owner}/{repo}/labels",
        "POST /repos/{owner}/{repo}/issues/{index}/labels",
    ] {
        assert!(operations.contains(needed), "{needed} was never asked");
    }
    assert!(!operations.iter().any(|name| name.contains("merge") || name.contains("comments")));
}

#[tokio::test]
async fn the_comparison_would_show_what_is_wrong() {
    let Some(swagger) = description(FORGEJO) else { return };
    let request = |method: &str, target: &str, body: Value| Seen {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
        body,
    };
    let pulls = "/api/v1/repos/ops/proposed/pulls";
    for wrong in [
        request("GET", "/api/v1/nothing", Value::Null),
        request("PUT", pulls, Value::Null),
        request("GET", &format!("{pulls}?state=ajar"), Value::Null),
        request("GET", &format!("{pulls}?per_page=50"), Value::Null),
        request("GET", &format!("{pulls}?page=last"), Value::Null),
        request("POST", pulls, json!({ "title": 7 })),
        request("POST", pulls, json!({ "title": "t", "draft": true })),
    ] {
        assert!(check_request(&swagger, &wrong).is_err(), "{wrong:?}");
    }
    let list = request("GET", pulls, Value::Null);
    assert!(check_answer(&swagger, &list, 200, &json!([{ "number": "one" }])).is_err());
    assert!(check_answer(&swagger, &list, 418, &Value::Null).is_err());
}

#[tokio::test]
async fn what_gitea_takes_for_opening_and_changing_is_what_it_gets() {
    let Some(gitea) = description(GITEA) else { return };
    let site = a_full_life(ForgeKind::Gitea).await;
    let state = site.forge.lock();
    let opening = state.seen.iter().filter(|seen| seen.method == "POST" && seen.target.ends_with("/pulls"));
    let schema = json!({ "$ref": "#/definitions/CreatePullRequestOption" });
    let mut count = 0;
    for seen in opening {
        assert_eq!(violations(&gitea, &schema, &seen.body), Vec::<String>::new());
        assert_eq!(unknown(&gitea, &schema, &seen.body), Vec::<String>::new());
        // Required in Gitea's code, though its description does not say so.
        assert!(["head", "base", "title"].iter().all(|name| seen.body[name].is_string()));
        count += 1;
    }
    assert_eq!(count, 2);
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the test says how many of its cases ran")]
async fn every_documented_answer_has_its_behaviour() {
    let Some(forgejo) = description(FORGEJO) else { return };
    let Some(gitea) = description(GITEA) else { return };
    let mut tried = 0;
    for (method, template, path) in [
        ("GET", "/user", "/user"),
        ("GET", "/repos/{owner}/{repo}/pulls", "/repos/ops/proposed/pulls"),
        ("POST", "/repos/{owner}/{repo}/pulls", "/repos/ops/proposed/pulls"),
        ("PATCH", "/repos/{owner}/{repo}/pulls/{index}", "/repos/ops/proposed/pulls/"),
        ("GET", "/repos/{owner}/{repo}/labels", "/repos/ops/proposed/labels"),
        ("POST", "/repos/{owner}/{repo}/labels", "/repos/ops/proposed/labels"),
        ("POST", "/repos/{owner}/{repo}/issues/{index}/labels", "/repos/ops/proposed/issues/"),
        ("GET", "/users/search", "/users/search"),
    ] {
        let statuses: BTreeSet<u16> = [&forgejo, &gitea]
            .iter()
            .filter_map(|swagger| swagger["paths"][template][method.to_lowercase()]["responses"].as_object())
            .flat_map(|responses| responses.keys().filter_map(|status| status.parse().ok()))
            .filter(|status| *status >= 300)
            .collect();
        for status in statuses {
            let site = Site::new(ForgeKind::Forgejo).await;
            site.night(&[ready("old", "zero", 1)]).await;
            site.forge.lock().labels.clear();
            let mut set = [ready("a", "one", 1)];
            set[0].owner = Some("build-platform@example.org".to_owned());
            for _ in 0..9 {
                site.forge.lock().fault(method, path, Fault::Status(status, Vec::new()));
            }
            let said = match site.night_with(&set, &[], LADDER).await.pulls.unwrap() {
                Err(error) => format!("{}: {error}", error.code()),
                Ok(kept) => format!("{:?} {:?}", kept.notes, kept.failed),
            };
            assert!(said != "[] []", "{method} {path} {status} was not noticed");
            assert!(!said.contains("not known here") && !said.contains("promises"), "{method} {path} {status}: {said}");
            site.forge.lock().faults.clear();
            assert_eq!(site.night(&set).await.failed.len(), 0);
            assert_eq!(site.forge.lock().open_pulls().len(), 1, "{method} {path} {status}");
            tried += 1;
        }
    }
    println!("{tried} documented answers");
    assert!(tried > 15, "{tried}");
}

#[tokio::test]
async fn a_forge_that_is_none_is_told_so() {
    let stage = Stage::new();
    for bytes in [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], b"HTTP/1.1 200 -\r\nconnection: close\r\n\r\n<html>", b""] {
        let mut site = Site::new(ForgeKind::Forgejo).await;
        site.forge = FakeForge::start(Flavour::Forgejo, &stage.proposed()).await.unwrap();
        for _ in 0..9 {
            site.forge.lock().fault("GET", "/user", Fault::Garbage(bytes.to_vec()));
        }
        let error = site.night_with(&[ready("a", "one", 1)], &[], LADDER).await.pulls.unwrap().unwrap_err();
        assert!(matches!(error.code(), "forge-unreachable" | "forge-malformed"), "{error:?}");
    }
}
