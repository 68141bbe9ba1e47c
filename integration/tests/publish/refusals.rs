//! What happens when the forge says no, and what the token may not be able to do.

use super::nights::{LADDER, Site};
use super::stage::ready;
use countersign_integration::forge::{FakeForge, Fault, Flavour, TOKEN};
use countersign_observer::config::ForgeKind;
use countersign_observer::privilege::{Code, forge::judge};
use countersign_observer::publish::forge::ForgeError;
use std::fs;

const PULLS: &str = "/repos/ops/proposed/pulls";

/// The code of what went wrong, of a night on which the first request of this kind is answered so, again and again.
async fn code(method: &str, status: u16, headers: &[(&str, &str)]) -> (String, Vec<u64>) {
    let site = Site::new(ForgeKind::Forgejo).await;
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for _ in 0..9 {
        site.forge.lock().fault(method, PULLS, Fault::Status(status, headers.clone()));
    }
    let night = site.night_with(&[ready("a", "one", 1)], &[], LADDER).await;
    let code = match night.pulls.unwrap() {
        Err(error) => error.code(),
        Ok(kept) => kept.failed.first().map_or("", |(_, error)| error.code()),
    };
    let waited = site.waited.lock().unwrap().clone();
    (code.to_owned(), waited)
}

#[tokio::test]
async fn every_refusal_has_its_behaviour() {
    let none: &[(&str, &str)] = &[];
    for (method, status, headers, expected, waited) in [
        ("GET", 401, none, "forge-unauthorized", vec![]),
        ("GET", 403, none, "forge-forbidden", vec![]),
        ("GET", 404, none, "forge-not-found", vec![]),
        ("GET", 500, none, "forge-server", vec![1, 2, 4]),
        ("GET", 503, &[("retry-after", "9")], "forge-server", vec![9, 9, 9]),
        ("GET", 503, &[("retry-after", "900")], "forge-server", vec![]),
        ("GET", 429, &[("retry-after", "5")], "forge-rate-limited", vec![5, 5, 5]),
        ("GET", 429, &[("retry-after", "3600")], "forge-rate-limited", vec![]),
        ("GET", 403, &[("retry-after", "7")], "forge-rate-limited", vec![7, 7, 7]),
        ("GET", 403, &[("x-ratelimit-remaining", "0")], "forge-rate-limited", vec![]),
        ("GET", 302, &[("location", "http://127.0.0.1:9/")], "forge-unexpected", vec![]),
        // What makes something is sent once, unless the forge says that it was not looked at.
        ("POST", 500, none, "forge-server", vec![]),
        ("POST", 429, &[("retry-after", "5")], "forge-rate-limited", vec![5, 5, 5]),
        ("POST", 409, none, "forge-conflict", vec![]),
        ("POST", 422, none, "forge-invalid", vec![]),
        ("POST", 423, none, "forge-closed", vec![]),
        ("POST", 413, none, "forge-closed", vec![]),
    ] {
        assert_eq!(code(method, status, headers).await, (expected.to_owned(), waited), "{method} {status} {headers:?}");
    }
}

#[tokio::test]
async fn one_that_is_refused_does_not_stop_the_others() {
    let site = Site::new(ForgeKind::Forgejo).await;
    site.forge.lock().fault("POST", PULLS, Fault::Status(422, Vec::new()));
    let kept = site.night(&[ready("a", "one", 1), ready("b", "two", 1)]).await;
    assert_eq!((kept.failed[0].0.as_str(), kept.opened[0].0.as_str()), ("proposals/a", "proposals/b"));
}

#[tokio::test]
async fn labels_and_owners_that_the_forge_does_not_take_are_notes() {
    for (kind, path) in
        [(ForgeKind::Forgejo, "/repos/ops/proposed/labels"), (ForgeKind::Github, "/repos/ops/proposed/issues")]
    {
        let site = Site::new(kind).await;
        site.forge.lock().fault(
            if kind == ForgeKind::Github { "POST" } else { "GET" },
            path,
            Fault::Status(403, Vec::new()),
        );
        site.forge.lock().people.clear();
        let mut proposal = ready("a", "one", 1);
        proposal.owner = Some("build-platform@example.org".to_owned());
        let kept = site.night(&[proposal]).await;
        assert_eq!((kept.opened.len(), kept.notes.len(), kept.failed.len()), (1, 2, 0), "{kept:?}");
    }
    // By address.
    let site = Site::new(ForgeKind::Forgejo).await;
    let mut proposal = ready("a", "one", 1);
    proposal.owner = Some("build-platform@example.org".to_owned());
    site.night(&[proposal]).await;
    assert_eq!(site.forge.lock().pulls[&1].assignees, ["build-platform"]);
}

#[tokio::test]
async fn the_token_is_in_one_header_and_nowhere_else() {
    let site = Site::new(ForgeKind::Forgejo).await;
    let words = format!("HTTP/1.1 422 -\r\nconnection: close\r\n\r\n{{\"message\":\"you sent {TOKEN} \\u001b[31m\"}}");
    site.forge.lock().fault("POST", PULLS, Fault::Garbage(words.into_bytes()));
    let kept = site.night(&[ready("a", "one", 1)]).await;
    let said = format!("{:?} {}", kept.failed, kept.failed[0].1);
    assert!(said.contains("you sent ***") && !said.contains(TOKEN) && !said.contains('\u{1b}'), "{said}");
    for request in &site.forge.lock().seen {
        assert!(!request.target.contains(TOKEN) && !request.body.to_string().contains(TOKEN));
        assert_eq!(request.headers.iter().filter(|(_, value)| value.contains(TOKEN)).count(), 1);
        assert!(request.header("user-agent").unwrap().starts_with("countersign/"));
    }
    let mirror = fs::read_to_string(site.stage.root.path().join("state/proposed.git/hermetic-push.gitconfig")).unwrap();
    assert!(!mirror.contains(TOKEN));
}

#[tokio::test]
async fn a_token_that_can_do_too_much_is_found_out() {
    for kind in [ForgeKind::Forgejo, ForgeKind::Github] {
        let site = Site::new(kind).await;
        let canonical = "ssh://git@127.0.0.1/ops/canonical.git";
        let codes =
            async || -> Vec<Code> { judge(&site.client().power(canonical).await).iter().map(|v| v.code).collect() };
        assert_eq!(codes().await, []);
        for (rights, expected) in [
            ((false, false), vec![]),
            ((false, true), vec![Code::ForgeWritesCanonical]),
            ((true, false), vec![Code::ForgeWritesCanonical]),
        ] {
            site.forge.lock().rights.insert("ops/canonical".to_owned(), rights);
            assert_eq!(codes().await, expected, "{kind:?} {rights:?}");
        }
        site.forge.lock().rights.clear();
        assert_eq!(codes().await, [Code::ForgeUnproven]);
        site.forge.lock().rights.insert("ops/proposed".to_owned(), (true, true));
        site.forge.lock().site_admin = true;
        assert_eq!(codes().await, [Code::ForgeAdmin, Code::ForgeAdmin]);
        site.forge.lock().fault("GET", "/user", Fault::Status(403, Vec::new()));
        assert_eq!(codes().await, [Code::ForgeUnproven, Code::ForgeAdmin]);
        // Nothing was changed by looking.
        assert!(site.forge.lock().seen.iter().all(|request| request.method == "GET"));
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_it_is_named_and_only_then() {
    let mut site = Site::new(ForgeKind::Forgejo).await;
    let authority = site.stage.root.path().join("ca.pem");
    site.forge = FakeForge::start_tls(Flavour::Forgejo, &site.stage.proposed(), &authority).await.unwrap();
    let set = [ready("a", "one", 1)];
    let stranger = site.night_with(&set, &[], LADDER).await.pulls.unwrap().unwrap_err();
    assert!(matches!(stranger, ForgeError::Unreachable { .. }), "{stranger:?}");
    // Another authority's certificates, and no others, are trusted then.
    let other = site.stage.root.path().join("other.pem");
    let _other = FakeForge::start_tls(Flavour::Forgejo, &site.stage.proposed(), &other).await.unwrap();
    site.authority = Some(other);
    let stranger = site.night_with(&set, &[], LADDER).await.pulls.unwrap().unwrap_err();
    assert!(matches!(stranger, ForgeError::Unreachable { .. }), "{stranger:?}");
    site.authority = Some(authority.clone());
    assert_eq!(site.night(&set).await.opened.len(), 1);
    fs::write(&authority, "no certificate").unwrap();
    let error = site.client_of(&site.config()).err().unwrap();
    assert_eq!(error.code(), "forge-ca");
}
