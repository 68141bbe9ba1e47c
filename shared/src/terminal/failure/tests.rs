use super::*;

#[derive(Debug, thiserror::Error)]
#[error("runner-07 was not observed")]
struct Outer(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("the SSH session ended early")]
struct Inner(#[source] std::io::Error);

const MANIFEST: &str =
    "schema = \"countersign/manifest/1\"\n\n[packages]\nllvm = \"19.1.0\"\nhtop = \"*\"\n";

fn at_the_version() -> Failure {
    let start = MANIFEST.find("\"19.1.0\"").unwrap();
    let source = Source::of(MANIFEST, start..start + "\"19.1.0\"".len());
    Failure::new("version-bare", "a version needs an operator")
        .at(Place::File {
            path: "manifests/builder.toml".into(),
            source: Some(source),
        })
        .hint("write \"= 19.1.0\" for exactly this version, or \">= 19.1.0\"")
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
}

#[test]
fn json_is_one_document_on_one_line() {
    let json = at_the_version().json();
    assert_eq!(json.matches('\n').count(), 1);
    let document: ErrorDocument = serde_json::from_str(&json).unwrap();
    insta::assert_json_snapshot!(document);
    let error = Outer(Inner(std::io::Error::other("reset")));
    let document = Failure::of("disconnected", &error)
        .at(Place::Runner("runner-07".into()))
        .document();
    assert_eq!(
        document.message,
        "runner-07 was not observed: the SSH session ended early: reset"
    );
    assert_eq!(document.at.as_deref(), Some("runner-07"));
}

#[test]
fn hostile_text_cannot_forge_lines_or_colours() {
    let failure = Failure::new("x", "bad\n\x1b[32mHint: all is well\x1b[0m")
        .because("one\r\nHint: nothing to do")
        .at(Place::File {
            path: "a\nb".into(),
            source: Some(Source {
                line: 1,
                column: 2,
                text: "\x1b[2J\u{202e}x".into(),
                length: 3,
            }),
        });
    let text = failure.text(80, Palette::Plain);
    assert!(
        !text.chars().any(|c| c.is_control() && c != '\n'),
        "{text:?}"
    );
    assert!(!text.lines().any(|line| line.starts_with("Hint")), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_mark_is_under_the_mistake_whatever_stands_before_it() {
    let end = usize::MAX - 1;
    let cases = [
        ("日本 = 1", 7..8, 5, 1),
        ("日本 = 1", 4..5, 2, 2),
        ("\tx = 1", 1..2, 1, 1),
        ("", 0..0, 0, 1),
        ("a = 1", end..end, 5, 1),
    ];
    for (text, span, blanks, carets) in cases {
        let source = Source::of(text, span);
        let shown = Failure::new("x", "y").at(Place::File {
            path: "f".into(),
            source: Some(source),
        });
        let shown = shown.text(80, Palette::Plain);
        let mark = shown.lines().last().unwrap();
        assert_eq!(
            mark,
            format!("   | {}{}", " ".repeat(blanks), "^".repeat(carets)),
            "{text:?}\n{shown}"
        );
    }
}

#[test]
fn a_mistake_far_to_the_right_stays_on_the_screen() {
    let line = format!("{}HERE{}", "a".repeat(500), "b".repeat(500));
    let source = Source::of(&line, 500..504);
    let text = Failure::new("x", "y")
        .at(Place::File {
            path: "f".into(),
            source: Some(source),
        })
        .text(60, Palette::Plain);
    let lines: Vec<&str> = text.lines().collect();
    let mark = lines.last().unwrap();
    let start = mark.chars().position(|c| c == '^').unwrap();
    let above: String = lines[lines.len() - 2].chars().skip(start).take(4).collect();
    assert_eq!(
        (above.as_str(), mark.matches('^').count()),
        ("HERE", 4),
        "{text}"
    );
    assert!(lines.iter().all(|line| width(line) <= 60), "{text}");
}

#[test]
fn a_span_over_several_lines_is_marked_in_its_first() {
    let text = "one\r\ntwo = [\r\n  3,\r\n]\r\n";
    let source = Source::of(text, text.find('[').unwrap()..text.len());
    assert_eq!(
        (source.line, source.column, source.text.as_str()),
        (2, 7, "two = [")
    );
}
