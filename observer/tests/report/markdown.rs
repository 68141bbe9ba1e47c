//! The report as Markdown, as a parser reads it.

use countersign_observer::report::{Summary, markdown};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use crate::sample::{self, HOSTILE, Sample};

fn rendered(sample: &Sample) -> String {
    markdown(&Summary::of(&sample.report, &sample.context))
}

#[test]
fn the_incident_as_markdown() {
    insta::assert_snapshot!(rendered(&sample::incident()));
}

#[test]
fn a_clean_fleet_as_markdown() {
    insta::assert_snapshot!(rendered(&sample::clean()));
}

/// What a parser with every extension finds besides text, code, tables, lists and emphasis.
fn structure(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for event in Parser::new_ext(text, Options::all()) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => found.push(format!("{level}")),
            Event::Html(html) | Event::InlineHtml(html) if !["<code>", "</code>"].contains(&html.as_ref()) => {
                found.push(format!("html {html}"));
            }
            Event::Start(
                tag @ (Tag::Link { .. }
                | Tag::Image { .. }
                | Tag::BlockQuote(_)
                | Tag::CodeBlock(_)
                | Tag::FootnoteDefinition(_)
                | Tag::Strikethrough),
            ) => found.push(format!("{tag:?}")),
            Event::FootnoteReference(name) => found.push(format!("footnote {name}")),
            Event::InlineMath(_) | Event::DisplayMath(_) | Event::Rule | Event::TaskListMarker(_) => {
                found.push(format!("{event:?}"));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn hostile_text_adds_no_structure() {
    let text = rendered(&sample::hostile());
    let foreign: Vec<_> =
        structure(&text).into_iter().filter(|part| !["h1", "h2", "h3"].contains(&part.as_str())).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    let mut shown = String::new();
    let mut columns = None;
    for event in Parser::new_ext(&text, Options::all()) {
        match event {
            Event::Text(text) | Event::Code(text) => shown.push_str(&text),
            Event::Start(Tag::Table(alignments)) => columns = Some((alignments.len(), 0)),
            Event::Start(Tag::TableRow) => columns = columns.map(|(all, _)| (all, 0)),
            Event::Start(Tag::TableCell) => {
                let (all, cell) = columns.unwrap();
                columns = Some((all, cell + 1));
                assert!(cell < all, "a cell too many");
            }
            _ => {}
        }
    }
    for text in HOSTILE {
        let visible = countersign_shared::terminal::visible(text).into_owned();
        assert!(shown.contains(&visible), "{visible:?} is not shown");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn no_text_whatsoever_adds_structure(
        texts in proptest::collection::vec(prop_oneof![r"[\[\]<>`*_~|#()!:/.\\\n@$^= a-z0-9-]{0,24}", any::<String>()], 3..6)
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let text = rendered(&sample::hostile_by(&texts));
        let foreign: Vec<_> =
            structure(&text).into_iter().filter(|part| !["h1", "h2", "h3"].contains(&part.as_str())).collect();
        prop_assert!(foreign.is_empty(), "{:?}\n{}", foreign, text);
    }
}

#[test]
fn the_test_above_would_see_structure_that_slipped_through() {
    for text in ["<b>x</b>", "[a](b)", "![a](b)", "> quote", "# h4\n#### x", "~~x~~", "    code"] {
        assert!(!structure(text).is_empty(), "{text}");
    }
    let text = rendered(&sample::incident());
    assert!(structure(&text.replace("no answer within", "no [answer](x) within")).len() > structure(&text).len());
}

#[test]
fn forges_find_no_mention_no_reference_and_no_address_outside_code() {
    let text = rendered(&sample::hostile());
    let mut inside_html_code = false;
    for event in Parser::new_ext(&text, Options::all()) {
        match event {
            Event::InlineHtml(html) => inside_html_code = html.as_ref() == "<code>",
            Event::Text(text) if !inside_html_code => {
                for sign in ["@", "#1", "http", "www."] {
                    assert!(!text.contains(sign), "{text:?}");
                }
            }
            _ => {}
        }
    }
}
