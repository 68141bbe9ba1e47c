//! Looking: what waits, and what one proposal does.

use super::stage::Stage;

#[test]
fn what_waits_is_listed_by_class_with_risk_and_age() {
    let (stage, ids) = Stage::ready(&["runner-01", "runner-02"]);
    let said = stage.run(&["review"]).ended(0);
    assert!(said.stdout.contains("2 runners: 2 changes, 2 downgrades, 1 that no drift asks for"), "{}", said.stdout);
    for (id, runner) in ids.iter().zip(["runner-01", "runner-02"]) {
        let row = said.stdout.lines().find(|line| line.contains(&id[..12])).unwrap();
        for word in [runner, "1h", "23h", "2026-11-18", "root", "0 of 1", "open"] {
            assert!(row.contains(word), "{word}: {row}");
        }
    }
    assert!(!said.stdout.contains('\u{1b}'), "no colours in a pipe");

    let json = stage.run(&["review", "--json"]).ended(0).json();
    assert_eq!(json["schema"], "countersign/review/1");
    let one = &json["proposals"][0];
    assert_eq!(one["branch"], "proposals/runner-01");
    assert_eq!((one["pulled"].as_u64(), one["required"].as_u64()), (Some(1), Some(1)));
    assert!(one["checks"].as_array().unwrap().iter().all(|row| row["verdict"] != "refuse"), "{one:#}");
}

#[test]
fn one_proposal_is_shown_as_it_is_rendered_here_with_every_check() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let said = stage.run(&["show", &ids[0][..8]]).ended(0);
    for text in ["## What dnf will do", "llvm-libs.x86_64", "canonical-moved", "unjustified", &ids[0]] {
        assert!(said.stdout.contains(text), "{text}: {}", said.stdout);
    }
    assert!(!said.stdout.contains("REFUSES"));
    // What was run is said, word for word.
    assert!(said.stderr.contains("$ git -C '"), "{}", said.stderr);
}

#[test]
fn a_web_made_merge_is_listed_until_somebody_signs() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    stage.merge_in_a_web_page("runner-01");
    let row = stage.run(&["review"]).ended(0).stdout;
    assert!(row.contains("merged, not approved") && row.contains(&ids[0][..12]), "{row}");
    stage.run(&["approve", &ids[0], "--yes"]).ended(0);
    let json = stage.run(&["review", "--json"]).ended(0).json();
    assert_eq!(json["proposals"].as_array().unwrap().len(), 0, "{json:#}");
    let shown = stage.run(&["show", &ids[0], "--json"]).ended(0).json();
    assert_eq!(shown["proposals"][0]["approved_by"][0], "ada@example.org");
}
