//! What was cut off at the end, and what was made up by whoever holds the key, is seen by those who have seen more.

use crate::place::{Place, ended, id, refused, started};
use countersign_actuator::ledger::report::{Report, Witnesses, verify};
use countersign_manifests_schema::notary::{LedgerHead, NotaryState, Outcome};
use countersign_manifests_schema::warden::{Application, Stage};
use countersign_shared::terminal::Palette;
use std::fs;

fn notary(head: Option<LedgerHead>, burned: &[u64]) -> Witnesses {
    let state = NotaryState {
        halted: None,
        tripped: None,
        leases: Vec::new(),
        burned: burned.iter().map(|number| id(*number)).collect(),
        under_way: Vec::new(),
        tokens_today: 0,
        head,
        reset: None,
    };
    Witnesses { notary: Some(Ok(state)), ..Witnesses::default() }
}

fn warden(applications: &[(u64, Stage)]) -> Witnesses {
    let application = |(number, stage): &(u64, Stage)| Application {
        proposal: id(*number),
        created: "2026-11-20T03:30:00Z".to_owned(),
        stage: *stage,
        before: id(0xb),
        after: None,
        detail: None,
        commands: Vec::new(),
        started: "2026-11-20T22:00:00Z".to_owned(),
        at: "2026-11-20T22:00:00Z".to_owned(),
    };
    let memory = applications.iter().map(application).collect();
    Witnesses { wardens: vec![("runner-04".to_owned(), Ok(memory))], ..Witnesses::default() }
}

fn report(place: &Place, witnesses: &Witnesses) -> Report {
    verify(&place.file(), place.key().public(), witnesses).unwrap()
}

/// 1: applied. 2: refused. 3: undone. 4: begun.
fn full() -> Place {
    let place = Place::new();
    place.write([
        started(1),
        ended(1, Outcome::Applied),
        started(2),
        refused(2),
        started(3),
        ended(3, Outcome::Undone),
        started(4),
    ]);
    place
}

#[test]
fn the_notary_has_seen_the_head_and_knows_what_was_burned() {
    let place = full();
    let heads = place.heads();
    let at = |number: usize| Some(heads[number - 1].clone());
    let all = report(&place, &notary(at(7), &[1, 3, 4]));
    assert!(all.is_sound() && all.tail().is_none(), "{all:?}");
    // The token for 4 is not drawn yet.
    let waiting = report(&place, &notary(at(6), &[1, 3]));
    assert!(waiting.is_sound());
    assert_eq!(
        waiting.tail().unwrap().split(':').next_back().unwrap(),
        " no witness has seen them, nor whether others followed"
    );
    assert!(waiting.tail().unwrap().starts_with("tail not provable: entry 7"));
    let nobody = report(&place, &Witnesses::default());
    assert!(nobody.is_sound());
    assert_eq!(nobody.tail().unwrap(), "tail not provable: entries 1 to 7: no witness has seen any entry");
    let silent = Witnesses { notary: Some(Err("it is not running".to_owned())), ..Witnesses::default() };
    let silent = report(&place, &silent);
    assert!(silent.is_sound() && silent.tail().is_some() && silent.text(Palette::Plain).contains("it is not running"));

    let other = LedgerHead { number: 7, sha256: id(7) };
    let beyond = LedgerHead { number: 8, sha256: id(8) };
    for (witnesses, expected) in [
        (notary(Some(other), &[1, 3, 4]), "another ledger"),
        (notary(Some(beyond), &[1, 3, 4]), "its end was cut off"),
        (notary(at(2), &[1]), "its memory was taken back"),
        (notary(None, &[]), "its memory was taken back"),
        (notary(at(7), &[1, 3, 4, 5]), "of which nothing is recorded"),
    ] {
        let found = report(&place, &witnesses);
        assert!(!found.is_sound() && found.text(Palette::Plain).contains(expected), "{expected}: {found:?}");
    }
}

#[test]
fn a_ledger_that_was_cut_is_found_by_who_has_seen_its_end() {
    let place = full();
    let heads = place.heads();
    let lines = place.lines();
    let seen = notary(Some(heads[6].clone()), &[1, 3, 4]);
    for keep in 0..lines.len() {
        fs::write(place.file(), lines[..keep].concat()).unwrap();
        assert!(report(&place, &Witnesses::default()).is_sound(), "by itself nothing is missing");
        let found = report(&place, &seen);
        assert!(found.text(Palette::Plain).contains("its end was cut off"), "{keep}: {found:?}");
    }
    // The whole file gone is the same.
    fs::remove_file(place.file()).unwrap();
    assert!(!report(&place, &seen).is_sound());
    // Cut, and gone on with by who holds the key: longer than before, and another one.
    fs::write(place.file(), lines[..4].concat()).unwrap();
    place.write((10..20).map(started));
    assert!(report(&place, &seen).text(Palette::Plain).contains("another ledger"));
}

#[test]
fn the_runners_remember_what_was_started_there() {
    let place = full();
    let known = [(1, Stage::Confirmed), (3, Stage::Undone)];
    assert!(report(&place, &warden(&known)).is_sound());
    assert!(report(&place, &warden(&known)).tail().is_some(), "a runner knows nothing of the chain");
    for (memory, expected) in [
        (vec![(1, Stage::Confirmed), (3, Stage::Undone), (9, Stage::Confirmed)], "of which nothing is recorded"),
        (vec![(1, Stage::Undone), (3, Stage::Undone)], "is recorded as applied, and was undone"),
        (vec![(3, Stage::Undone)], "it does not know it"),
    ] {
        let found = report(&place, &warden(&memory));
        assert!(!found.is_sound() && found.text(Palette::Plain).contains(expected), "{expected}: {found:?}");
    }
    let under_way = [(1, Stage::Confirmed), (3, Stage::Undone), (4, Stage::Unconfirmed)];
    assert!(report(&place, &warden(&under_way)).is_sound());
    // The same memory, said of another runner.
    let mut elsewhere = warden(&known);
    elsewhere.wardens[0].0 = "runner-05".to_owned();
    assert!(!report(&place, &elsewhere).is_sound());
}

#[test]
fn programs_and_people_are_told_the_same() {
    let place = full();
    let heads = place.heads();
    let mut witnesses = notary(Some(heads[5].clone()), &[1, 3]);
    witnesses.mirror = Some(Err("the mirror cannot be reached".to_owned()));
    witnesses.wardens = warden(&[(1, Stage::Confirmed), (9, Stage::Confirmed)]).wardens;
    let found = report(&place, &witnesses);
    let digest = found.head.clone().unwrap().sha256;
    insta::assert_snapshot!(found.text(Palette::Plain).replace(&digest, "[digest]"));
    let document: serde_json::Value = serde_json::from_str(&found.json()).unwrap();
    assert_eq!(document["schema"], "countersign/ledger-report/1");
    assert_eq!((document["entries"].as_u64(), document["proven"].as_u64()), (Some(7), Some(6)));
    assert_eq!(document["witnesses"][1]["status"], "silent");
    assert_eq!(document["witnesses"][2]["status"], "disagrees");
    assert!(document["bad"].is_null() && document["tail"].is_string());
}
