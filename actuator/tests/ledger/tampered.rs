//! What was changed after it was written is found, and the first bad line is named.

use crate::place::{Place, ended, id, refused, reset, started};
use countersign_actuator::ledger::listing::{Selection, show};
use countersign_actuator::ledger::report::{Report, Witnesses, verify};
use countersign_actuator::ledger::{Ledger, LedgerError};
use countersign_manifests_schema::ledger::{Entry, Event, LEDGER_NAMESPACE};
use countersign_manifests_schema::notary::Outcome;
use countersign_shared::canonical_json;
use countersign_shared::exit::Outcome as Exit;
use countersign_shared::journal::Watch;
use countersign_shared::signing_key::SigningKey;
use countersign_shared::terminal::Palette;
use std::fs;

fn report(place: &Place) -> Report {
    verify(&place.file(), place.key().public(), &Witnesses::default()).unwrap()
}

fn full() -> Place {
    let place = Place::new();
    place.write([
        started(1),
        ended(1, Outcome::Applied),
        started(2),
        refused(2),
        started(3),
        ended(3, Outcome::Undone),
        Event::Tripped { reason: "1 of the applications since the last reset failed".to_owned() },
        Event::Halted { reason: "llvm looks wrong".to_owned() },
        reset(),
    ]);
    place
}

#[test]
fn the_first_bad_line_is_named_whatever_was_done_to_it() {
    let place = full();
    let lines = place.lines();
    let other = Place::new();
    fs::copy(place.file(), other.file()).unwrap();
    assert_eq!(report(&place).bad, None);
    assert!(report(&place).is_sound());
    let edit = |index: usize, from: &str, to: &str| {
        let mut lines = lines.clone();
        let edited = lines[index].replacen(from, to, 1);
        assert_ne!(edited, lines[index], "the table must change something: {from}");
        lines[index] = edited;
        lines
    };
    let arrange = |order: &[usize]| order.iter().map(|index| lines[*index].clone()).collect::<Vec<_>>();
    let cases = [
        (edit(1, "\"applied\"", "\"undone\""), 2, "an outcome"),
        (edit(0, "alice@", "mallory@"), 1, "who approved"),
        (edit(4, &id(3), &id(4)), 5, "the proposal"),
        (edit(8, "carol", "mallory"), 9, "the last one"),
        (edit(2, "\"at\":\"2026", "\"at\":\"2025"), 3, "the time"),
        (edit(2, "\"number\":3", "\"number\":4"), 3, "the number"),
        (edit(2, "countersign/ledger/1", "countersign/ledger/2"), 3, "the format"),
        (edit(2, "{\"at\"", "{ \"at\""), 3, "a space"),
        (edit(3, "\"code\":", "\"codes\":"), 4, "a field"),
        (arrange(&[0, 2, 3, 4, 5, 6, 7, 8]), 2, "one left out"),
        (arrange(&[1, 2, 3, 4, 5, 6, 7, 8]), 1, "the first left out"),
        (arrange(&[0, 1, 1, 2, 3, 4, 5, 6, 7, 8]), 3, "one doubled"),
        (arrange(&[0, 2, 1, 3, 4, 5, 6, 7, 8]), 2, "two exchanged"),
        (vec![lines.concat(), "garbage\n".to_owned()], 10, "garbage behind"),
        (vec![lines.concat(), "garbage".to_owned()], 10, "garbage without end"),
        (vec!["\n".to_owned(), lines.concat()], 1, "an empty line"),
    ];
    for (lines, line, why) in &cases {
        fs::write(place.file(), lines.concat()).unwrap();
        let report = report(&place);
        assert_eq!(report.bad.as_ref().map(|(line, _)| *line), Some(*line), "{why}: {:?}", report.bad);
        assert_eq!((report.entries, report.outcome()), (line - 1, Exit::Refused), "{why}");
        assert!(report.text(Palette::Plain).contains(&format!("line {line} is bad")), "{why}");
        let refused = place.open().unwrap_err();
        assert_eq!(refused.line(), Some(*line), "the writer does not go on: {why}");
    }
    eprintln!("{} ledgers that were changed", cases.len());
}

#[test]
fn who_does_not_hold_the_key_writes_no_entry() {
    let place = full();
    let lines = place.lines();
    place.keygen("other");
    let other = SigningKey::load(&place.path("other")).unwrap();
    // The same entries, chained anew by another key.
    let forged = place.path("forged.jsonl");
    let mut ledger = Ledger::open(&forged, other, Watch::default(), &mut |_, _| ()).unwrap();
    ledger.append(crate::place::START, started(1)).unwrap();
    drop(ledger);
    fs::write(place.file(), fs::read(&forged).unwrap()).unwrap();
    let found = report(&place);
    assert!(found.bad.unwrap().1.contains("not signed by the ledger's key"));
    // A signature of another entry, and of another namespace.
    let signature = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["signature"].to_string();
    let moved = lines[1].replace(&signature(&lines[1]), &signature(&lines[0]));
    fs::write(place.file(), [lines[0].clone(), moved].concat()).unwrap();
    assert!(report(&place).bad.unwrap().1.contains("does not hold"));
    let missing = verify(&place.path("none/ledger.jsonl"), place.key().public(), &Witnesses::default()).unwrap();
    assert_eq!((missing.entries, missing.is_sound()), (0, true), "before the first");
    fs::create_dir(place.path("directory")).unwrap();
    let unreadable = verify(&place.path("directory"), place.key().public(), &Witnesses::default());
    assert!(matches!(unreadable, Err(LedgerError::Journal(_))), "a ledger that cannot be read is not an empty one");
}

#[test]
fn what_the_same_key_signed_elsewhere_does_not_belong_here() {
    let place = full();
    let lines = place.lines();
    // Another ledger of the same key: the entry has the right number and a signature that holds.
    fs::remove_file(place.file()).unwrap();
    place.write([started(7), ended(7, Outcome::Applied)]);
    let elsewhere = place.lines();
    fs::write(place.file(), [lines[0].as_str(), &elsewhere[1]].concat()).unwrap();
    let found = report(&place).bad.unwrap();
    assert!(found.0 == 2 && found.1.contains("does not name the line before it"), "{found:?}");
    // What names the right line and is signed, but leaves a number out.
    let mut entry: Entry = serde_json::from_str(&lines[1]).unwrap();
    (entry.number, entry.signature) = (3, String::new());
    entry.signature = place.key().sign(LEDGER_NAMESPACE, &canonical_json::to_bytes(&entry).unwrap()).unwrap();
    let skipping = String::from_utf8(canonical_json::to_bytes(&entry).unwrap()).unwrap();
    fs::write(place.file(), [lines[0].as_str(), &skipping].concat()).unwrap();
    let found = report(&place).bad.unwrap();
    assert!(found.0 == 2 && found.1.contains("numbered 3 and not 2"), "{found:?}");
}

#[test]
fn people_read_what_was_done() {
    let place = full();
    let all = show(&place.file(), place.key().public(), Selection::default()).unwrap();
    insta::assert_snapshot!(all.text(Palette::Plain));
    let one = Selection { proposal: Some(&id(3)), ..Selection::default() };
    let shown = show(&place.file(), place.key().public(), one).unwrap();
    assert_eq!(shown.entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [5, 6]);
    let late = Selection { since: Some(crate::place::START + 8 * 60), ..Selection::default() };
    assert_eq!(show(&place.file(), place.key().public(), late).unwrap().entries.len(), 1);
    let document: serde_json::Value = serde_json::from_str(&all.json()).unwrap();
    assert_eq!(document["schema"], "countersign/ledger-listing/1");
    assert_eq!(document["entries"][0]["event"]["commands"][0]["argv"][0], "dnf5");
    let none = show(&place.path("none"), place.key().public(), Selection::default()).unwrap();
    assert_eq!(none.text(Palette::Plain), "nothing is recorded\n");
}
