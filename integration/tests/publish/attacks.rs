//! A forge that wants the token, the observer's memory or its screen; and what is never asked of any forge.

use super::nights::{KINDS, LADDER, Site};
use super::stage::{many, ready};
use countersign_integration::forge::{FakeForge, Fault, Flavour, TOKEN};
use countersign_observer::config::ForgeKind;
use countersign_observer::publish::forge::ForgeError;

/// An answer as bytes.
fn answer(status: u16, body: &str) -> Fault {
    let length = body.len();
    Fault::Garbage(format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes())
}

async fn error(site: &Site) -> ForgeError {
    let night = site.night_with(&[ready("a", "one", 1)], &[], LADDER).await;
    match night.pulls.unwrap() {
        Err(error) => error,
        Ok(mut kept) => kept.failed.remove(0).1,
    }
}

#[tokio::test]
async fn another_place_never_sees_the_token() {
    for status in [301, 302, 303, 307, 308] {
        for (method, path) in [("GET", "/user"), ("POST", "/repos/ops/proposed/pulls")] {
            let site = Site::new(ForgeKind::Forgejo).await;
            let other = FakeForge::start(Flavour::Forgejo, &site.stage.proposed()).await.unwrap();
            let location = vec![("location".to_owned(), format!("{}{path}", other.api()))];
            site.forge.lock().fault(method, path, Fault::Status(status, location));
            assert_eq!(error(&site).await.code(), "forge-unexpected", "{method} {status}");
            assert_eq!(other.lock().seen.len(), 0, "{method} {status} was followed");
        }
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let site = Site::new(ForgeKind::Forgejo).await;
    let page = format!("[\"{}\"]", "x".repeat(9 << 20));
    site.forge.lock().fault("GET", "/repos/ops/proposed/pulls", answer(200, &page));
    let error = error(&site).await;
    assert!(error.to_string().len() < 1000, "{}", error.to_string().len());
    assert!(matches!(&error, ForgeError::Malformed { detail, .. } if detail.contains("larger than")), "{error:?}");
    // Deep instead of long.
    let deep = "[".repeat(200_000);
    site.forge.lock().fault("GET", "/repos/ops/proposed/pulls", answer(200, &deep));
    assert_eq!(self::error(&site).await.code(), "forge-malformed");
}

#[tokio::test]
async fn what_a_forge_says_reaches_a_screen_harmless_and_without_the_token() {
    let site = Site::new(ForgeKind::Forgejo).await;
    let said = serde_json::json!({"message": format!("you sent {TOKEN} \u{1b}]0;owned\u{7} \u{202e}txt"), "errors": ["\u{1b}[2J"]});
    site.forge.lock().fault("GET", "/user", answer(403, &said.to_string()));
    let text = error(&site).await.to_string();
    assert!(!text.contains(TOKEN) && text.contains("***"), "{text}");
    assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
}

#[tokio::test]
async fn nothing_is_ever_merged_commented_or_deleted_by_the_observer() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        site.night(&many(1..=3, "llvm", 1)).await;
        site.night(&many(1..=4, "llvm", 2)).await;
        site.stage.merge(&site.stage.tip(&super::stage::class_branch("llvm")));
        site.night(&many(1..=4, "llvm", 2)).await;
        site.night(&[]).await;
        let state = site.forge.lock();
        assert!(state.seen.len() > 10);
        for request in &state.seen {
            let (path, _) = request.target.split_once('?').unwrap_or((&request.target, ""));
            let allowed = match request.method.as_str() {
                "GET" => true,
                "POST" => ["/pulls", "/labels", "/assignees"].iter().any(|end| path.ends_with(end)),
                "PATCH" => path.contains("/pulls/") && !path.ends_with("/merge") || path.contains("/issues/"),
                _ => false,
            };
            assert!(allowed, "{kind:?}: {} {}", request.method, request.target);
            assert!(!path.contains("/merge") && !path.contains("/comments") && !path.contains("/reviews"), "{path}");
        }
    }
}
