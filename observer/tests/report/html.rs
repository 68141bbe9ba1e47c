//! The page, as a browser's parser reads it.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_observer::report::{Summary, html};
use html5ever::tendril::TendrilSink as _;
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use proptest::prelude::*;

use crate::sample::{self, HOSTILE, Sample};

/// Every element that the page may hold, with its attributes.
const OURS: [(&str, &[&str]); 48] = [
    ("a", &["href"]),
    ("b", &["class"]),
    ("body", &[]),
    ("code", &["class", "title"]),
    ("dd", &["class"]),
    ("del", &["class"]),
    ("desc", &["id"]),
    ("details", &["class", "open"]),
    ("div", &["class", "tabindex", "role", "aria-labelledby", "aria-label", "aria-hidden"]),
    ("dl", &["class"]),
    ("dt", &[]),
    ("footer", &[]),
    ("h1", &[]),
    ("h2", &["id"]),
    ("head", &[]),
    ("header", &[]),
    ("html", &["lang"]),
    ("ins", &["class"]),
    ("li", &[]),
    ("main", &[]),
    ("mark", &[]),
    ("meta", &["charset", "http-equiv", "content", "name"]),
    ("nav", &["aria-label"]),
    ("p", &["class"]),
    ("path", &["class", "d"]),
    ("rect", &["class", "x", "y", "width", "height"]),
    ("section", &["id", "aria-labelledby"]),
    ("small", &[]),
    ("span", &["class"]),
    ("style", &[]),
    ("summary", &[]),
    ("svg", &["class", "viewBox", "preserveAspectRatio", "role", "aria-labelledby"]),
    ("table", &["class"]),
    ("tbody", &[]),
    ("td", &["class", "data-label", "colspan"]),
    ("tfoot", &[]),
    ("th", &["class", "scope"]),
    ("thead", &[]),
    ("title", &["id"]),
    ("tr", &[]),
    ("ul", &["class"]),
    // Never: listed so that the table says so.
    ("script", &["never"]),
    ("img", &["never"]),
    ("iframe", &["never"]),
    ("link", &["never"]),
    ("object", &["never"]),
    ("form", &["never"]),
    ("base", &["never"]),
];

fn page(sample: &Sample) -> String {
    html(&Summary::of(&sample.report, &sample.context))
}

fn parsed(page: &str) -> RcDom {
    let dom = html5ever::parse_document(RcDom::default(), html5ever::ParseOpts::default()).one(page);
    let errors = dom.errors.borrow();
    assert!(errors.is_empty(), "the parser complains: {:?}", &errors[..errors.len().min(5)]);
    drop(errors);
    dom
}

/// Calls back with every element: name, attributes, the text directly inside.
fn walk(node: &Handle, seen: &mut impl FnMut(&str, &BTreeMap<String, String>, &str)) {
    if let NodeData::Element { name, attrs, .. } = &node.data {
        let attributes = attrs.borrow().iter().map(|a| (a.name.local.to_string(), a.value.to_string())).collect();
        let mut text = String::new();
        for child in node.children.borrow().iter() {
            if let NodeData::Text { contents } = &child.data {
                text.push_str(&contents.borrow());
            }
        }
        seen(&name.local, &attributes, &text);
    }
    assert!(!matches!(node.data, NodeData::Comment { .. }), "a comment");
    for child in node.children.borrow().iter() {
        walk(child, seen);
    }
}

fn samples() -> [(&'static str, Sample); 6] {
    [
        ("clean", sample::clean()),
        ("incident", sample::incident()),
        ("blind", sample::blind()),
        ("empty", sample::empty()),
        ("hostile", sample::hostile()),
        ("large", sample::large(1_000)),
    ]
}

#[test]
fn every_element_and_attribute_is_ours() {
    for (name, sample) in samples() {
        let page = page(&sample);
        // For people who want to look at it.
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(format!("{name}.html")), &page).unwrap();

        only_ours(name, &page);
    }
}

/// Every element and attribute is in the table, every id is there once, every link leads to one.
fn only_ours(name: &str, page: &str) {
    let mut ids = BTreeMap::new();
    let mut links = Vec::new();
    walk(&parsed(page).document, &mut |element, attributes, _| {
        let allowed = OURS.iter().find(|(ours, _)| *ours == element).map(|(_, attributes)| *attributes);
        let allowed = allowed.unwrap_or_else(|| panic!("{name}: <{element}> is not ours"));
        assert!(!allowed.contains(&"never"), "{name}: <{element}> must never be there");
        for (attribute, value) in attributes {
            assert!(allowed.contains(&attribute.as_str()), "{name}: <{element} {attribute}={value:?}> is not ours");
        }
        if let Some(id) = attributes.get("id") {
            *ids.entry(id.clone()).or_insert(0) += 1;
        }
        links.extend(attributes.get("href").cloned());
        links.extend(
            attributes
                .get("aria-labelledby")
                .into_iter()
                .flat_map(|ids| ids.split(' ').map(|id| format!("#{id}")).collect::<Vec<_>>()),
        );
    });
    assert!(ids.values().all(|times| *times == 1), "{name}: an id is used twice: {ids:?}");
    for link in links {
        let id = link.strip_prefix('#').unwrap_or_else(|| panic!("{name}: {link} leads outside"));
        assert!(ids.contains_key(id), "{name}: {link} leads nowhere");
    }
}

#[test]
fn the_test_above_would_see_an_element_that_slipped_through() {
    let page = page(&sample::clean()).replace("In line.", "<img src=x onerror=alert(1)>");
    let mut foreign = Vec::new();
    walk(&parsed(&page).document, &mut |element, _, _| {
        if OURS.iter().any(|(ours, attributes)| *ours == element && attributes.contains(&"never")) {
            foreign.push(element.to_owned());
        }
    });
    assert_eq!(foreign, ["img"]);
}

#[test]
fn the_page_loads_and_runs_nothing() {
    for (name, sample) in samples() {
        let page = page(&sample);
        let mut policy = None;
        let mut style = String::new();
        walk(&parsed(&page).document, &mut |element, attributes, text| {
            if attributes.get("http-equiv").is_some_and(|value| value == "Content-Security-Policy") {
                policy = attributes.get("content").cloned();
            }
            if element == "style" {
                style.push_str(text);
            }
            for (attribute, value) in attributes {
                let quoted = ["title", "content", "d"].contains(&attribute.as_str());
                assert!(!attribute.starts_with("on") && attribute != "style", "{name}: {attribute}");
                assert!(quoted || !value.contains(':'), "{name}: {attribute}={value}");
            }
        });
        let policy = policy.expect("a policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline'"), "{policy}");
        assert!(!policy.contains("script-src") && !policy.contains("http"), "{policy}");
        for word in ["url(", "@import", "http:", "https:", "src:", "</"] {
            assert!(!style.contains(word), "the style holds {word}");
        }
    }
}

#[test]
fn hostile_text_is_shown_as_text() {
    let page = page(&sample::hostile());
    let mut texts = Vec::new();
    walk(&parsed(&page).document, &mut |_, _, text| texts.push(text.to_owned()));
    let all = texts.join("\n");
    for text in HOSTILE {
        let shown = countersign_shared::terminal::visible(text).into_owned();
        assert!(all.contains(&shown), "{shown:?} is not on the page");
    }
    assert!(!page.chars().any(|c| c.is_control() && c != '\n'), "a control character is left");
    assert!(!page.contains(['\u{202e}', '\u{200b}', '\u{feff}', '\u{301}']), "a hidden character is left");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn no_text_whatsoever_adds_an_element(
        texts in proptest::collection::vec(prop_oneof!["[<>\"'&/=!a-z -]{0,24}", any::<String>()], 3..6)
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        only_ours("arbitrary", &page(&sample::hostile_by(&texts)));
    }
}

#[test]
fn what_nobody_saw_is_never_called_clean() {
    for sample in [sample::blind(), sample::empty(), sample::incident()] {
        let page = page(&sample);
        assert!(!page.contains("class=\"verdict good\""));
        assert!(!page.contains("In line."));
    }
    assert!(page(&sample::clean()).contains("class=\"verdict good\""));
    assert!(page(&sample::blind()).contains("No result."));
}

#[test]
fn a_large_fleet_gives_a_page_of_bounded_size() {
    let small = page(&sample::large(1_000)).len();
    let large = page(&sample::large(20_000)).len();
    assert!(small < 1_500_000, "{small} bytes for 1,000 runners");
    assert!(large < 6_000_000, "{large} bytes for 20,000 runners");
}
