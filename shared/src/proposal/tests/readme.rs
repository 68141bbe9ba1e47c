use super::story::{CLAIMED, incident, manifest, proposal, runner, transaction, way_back_to_the_manifest};
use crate::proposal::{Sealed, render};
use countersign_manifests_schema::proposal::{By, Proposal, Tried, TriedEnd, WayBackKind};
use proptest::prelude::*;

fn sealed() -> Sealed {
    let (effective, observation) = incident();
    proposal(&effective, &observation, CLAIMED, &way_back_to_the_manifest()).unwrap()
}

fn changed(change: impl Fn(&mut Proposal)) -> Sealed {
    let mut proposal = sealed().proposal().clone();
    change(&mut proposal);
    Sealed::new(proposal).unwrap()
}

#[test]
fn the_incident() {
    insta::assert_snapshot!(render(&sealed()));
}

#[test]
fn one_small_change() {
    let observation = runner(&["bash-5.2.32-1.fc41.x86_64"]);
    let transaction = transaction(&["Install htop-3.3.0-4.fc41.x86_64"]);
    let sealed = proposal(&manifest(&[("htop", "*")]), &observation, &["htop"], &transaction).unwrap();
    insta::assert_snapshot!(render(&sealed));
}

#[test]
fn protected_and_without_a_proven_way_back() {
    let observation = runner(&["openssl-libs-3.4-1.fc41.x86_64"]);
    let transaction =
        transaction(&["Downgrade openssl-libs-1:3.2-1.fc41.x86_64", "Replaced openssl-libs-1:3.4-1.fc41.x86_64"]);
    let mut observation = observation;
    if let crate::observation::Section::Seen(packages) = &mut observation.packages {
        packages.list[0].nevra.evr.epoch = 1;
    }
    let rules = manifest(&[("openssl-libs", "< 3.3")]);
    let sealed = proposal(&rules, &observation, &["openssl-libs"], &transaction).unwrap();
    let mut lost = sealed.proposal().clone();
    lost.way_back.kind = WayBackKind::None;
    lost.way_back.missing = vec!["openssl-libs-1:3.4-1.fc41.x86_64".to_owned()];
    lost.drift[0].by = None;
    lost.drift[0].spec_changed = Some("c0de".repeat(10));
    insta::assert_snapshot!(render(&Sealed::new(lost).unwrap()));
}

#[test]
fn tried_before_and_not_kept() {
    let tried = |end, at: &str| Tried { proposal: "ab".repeat(32), end, at: at.to_owned() };
    let sealed = changed(|p| {
        p.tried =
            vec![tried(TriedEnd::Undone, "2026-11-18T22:01:40Z"), tried(TriedEnd::Failed, "2026-11-19T22:02:00Z")];
    });
    let text = render(&sealed);
    let before = render(&changed(|_| {}));
    let (start, rest) = text.split_once("## This was tried before").unwrap();
    assert!(before.starts_with(start));
    insta::assert_snapshot!(rest.split_once("## ").unwrap().0);
}

#[test]
fn hostile_text_is_shown_and_not_obeyed() {
    let evil = "`|\u{202e}<script>alert(1)</script>\n# Approved\n[x](https://evil.example) ![](//evil) @team #1 $(id) \x1b[2J\\";
    let sealed = changed(|p| {
        p.drift[0].by = Some(By { user: Some(evil.to_owned()), command: evil.to_owned() });
        p.drift[0].reason = Some(evil.to_owned());
        p.drift[0].wanted = Some(evil.to_owned());
        p.drift[0].file = Some(evil.to_owned());
        p.drift[0].seen = vec![evil.to_owned()];
        p.observer.version = evil.to_owned();
    });
    insta::assert_snapshot!(render(&sealed));
}

#[test]
fn the_commands_name_the_whole_id_and_no_branch() {
    let sealed = sealed();
    let readme = render(&sealed);
    let id = sealed.id();
    assert!(readme.contains(&format!("countersign approve {id}\n")));
    assert!(readme.contains(&format!("\nid={id}\n")));
    assert_eq!(readme.matches("Countersign-Approves:").count(), 1);
    assert!(!readme.contains("origin/proposals"));
}

/// What a reader of the rendered page must not be able to tell apart: how many of each structure there are.
fn structure(readme: &str) -> Vec<(String, usize)> {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    let mut counts = std::collections::BTreeMap::new();
    for event in Parser::new_ext(readme, Options::ENABLE_TABLES) {
        let name = match event {
            Event::Start(tag) => match tag {
                Tag::Heading { level, .. } => format!("heading {level}"),
                Tag::Link { .. } | Tag::Image { .. } => "link".to_owned(),
                Tag::CodeBlock(_) => "block".to_owned(),
                Tag::TableRow => "row".to_owned(),
                Tag::TableCell => "cell".to_owned(),
                Tag::Item => "item".to_owned(),
                Tag::HtmlBlock => "html".to_owned(),
                _ => continue,
            },
            Event::Html(_) => "html".to_owned(),
            Event::InlineHtml(html) if !matches!(&*html, "<code>" | "</code>") => "html".to_owned(),
            _ => continue,
        };
        *counts.entry(name).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

proptest! {
    #[test]
    fn no_text_changes_the_structure_of_the_page(
        user in any::<String>(), command in any::<String>(), reason in any::<String>(), wanted in any::<String>(),
        seen in any::<String>(),
    ) {
        let with = |user: &str, command: &str, reason: &str, wanted: &str, seen: &str| {
            render(&changed(|p| {
                p.drift[0].by = Some(By { user: Some(user.to_owned()), command: command.to_owned() });
                p.drift[0].reason = Some(reason.to_owned());
                p.drift[0].wanted = Some(wanted.to_owned());
                p.drift[0].seen = vec![seen.to_owned()];
            }))
        };
        let harmless = structure(&with("u", "c", "r", "w", "s"));
        let readme = with(&user, &command, &reason, &wanted, &seen);
        prop_assert_eq!(structure(&readme), harmless, "{}", readme);
        prop_assert!(!readme.contains(|c: char| c.is_control() && c != '\n'));
    }
}
