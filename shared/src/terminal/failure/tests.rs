use super::*;
use crate::diagnostic::{Severity, Source};
use crate::terminal::width;

#[derive(Debug, thiserror::Error)]
#[error("runner-07 was not observed")]
struct Outer(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("the SSH session ended early")]
struct Inner(#[source] std::io::Error);

const MANIFEST: &str = "schema = \"countersign/manifest/1\"\n\n[packages]\nllvm = \"19.1.0\"\nhtop = \"*\"\n";

fn at_the_version() -> Failure {
    let start = MANIFEST.find("\"19.1.0\"").unwrap();
    let hint = "write \"= 19.1.0\" for exactly this version, or \">= 19.1.0\"";
    let problem = Source::new("manifests/builder.toml", MANIFEST).diagnostic(
        Severity::Error,
        start..start + "\"19.1.0\"".len(),
        "a version needs an operator",
        Some(hint.to_owned()),
    );
    Failure::from(&problem)
}

#[test]
fn a_file_is_shown_with_line_column_and_caret() {
    insta::assert_snapshot!(at_the_version().text(80, Palette::Plain));
}

#[test]
fn an_error_is_shown_with_its_causes_and_one_hint() {
    let error = Outer(Inner(std::io::Error::other("connection reset by peer")));
    let failure = Failure::of("disconnected", &error)
        .at(Place::Runner("runner-07".into()))
        .hint("look at sshd's log on the runner: journalctl -u sshd");
    insta::assert_snapshot!(failure.text(60, Palette::Plain));
    assert!(failure.text(60, Palette::Coloured).contains("\x1b["));
}

#[test]
fn json_is_one_document_on_one_line() {
    let json = at_the_version().json();
    assert_eq!(json.matches('\n').count(), 1);
    let document: ErrorDocument = serde_json::from_str(&json).unwrap();
    insta::assert_json_snapshot!(document);
    let error = Outer(Inner(std::io::Error::other("reset")));
    let document = Failure::of("disconnected", &error).at(Place::Runner("runner-07".into())).document();
    assert_eq!(document.message, "runner-07 was not observed: the SSH session ended early: reset");
    assert_eq!(document.at.as_deref(), Some("runner-07"));
}

#[test]
fn hostile_text_cannot_forge_lines_or_colours() {
    let failure = Failure::new("x", "bad\n\x1b[32mHint: all is well\x1b[0m")
        .because("one\r\nHint: nothing to do")
        .hint("\x1b[2J")
        .at(Place::File("a\nb\u{202e}".into()));
    let text = failure.text(80, Palette::Plain);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    assert!(!text.lines().any(|line| line.starts_with("Hint: nothing")), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_long_message_is_wrapped_under_its_label() {
    let text = Failure::new("x", "word ".repeat(30)).text(60, Palette::Plain);
    assert!(text.lines().all(|line| width(line) <= 60), "{text}");
    assert!(text.lines().skip(1).all(|line| line.starts_with("  word")), "{text}");
    let endless = Failure::new("x", "a".repeat(1_000_000)).text(60, Palette::Plain);
    assert!(endless.len() < 4_000);
}
