//! The disk is full, from every boundary on: the runner is as before or as approved, and what was begun comes to its end.

use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_manifests_schema::warden::{Stage, WardenAnswer};

use crate::faults::{HELD, KEEPING, boundaries, cleared, fault, leading_to, meanwhile, picture, reached, settle, work};
use crate::house::{House, STATE};
use crate::people::People;

/// At these it is tried with dnf5 and dnf4, at each of the others with one of them.
const BOTH: [&str; 8] = [
    "StageJudged",
    "StageFetched",
    "ApplyChecked",
    "ApplyMarked",
    "ApplySnapshot",
    "ApplyReplayed",
    "UndoPlanned",
    "UndoJudged",
];

#[test]
fn a_disk_that_is_full_leaves_the_runner_as_before_or_as_approved() {
    let Some(_turn) = turn("a_disk_that_is_full_leaves_the_runner_as_before_or_as_approved") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    let mut points = 0;
    for (turn, runner) in lab.runners().iter().enumerate() {
        runner.sh(&format!("mkdir -m 700 {STATE} && mount -t tmpfs -o size=64m,mode=700 tmpfs {STATE}")).unwrap();
        let house = House::fresh(&lab, runner, &people);
        for (_, step) in boundaries().filter(|(number, step)| BOTH.contains(step) || number % 2 == turn) {
            full_from(&house, step);
            points += 1;
        }
    }
    eprintln!("{points} points at which the disk was full");
    assert_eq!(points, boundaries().count() + BOTH.len());
}

fn full_from(house: &House<'_>, step: &str) {
    let runner = house.runner;
    let sealed = work(house);
    let before = picture(house);
    let request = leading_to(house, step, &sealed);
    let approved = picture(house);
    fault(house, step, "hold");
    let (answer, ()) = meanwhile(house, &request, || {
        reached(house);
        runner.sh(&format!("dd if=/dev/zero of={STATE}/filler bs=64k 2>/dev/null; rm {HELD}")).unwrap();
    });
    let now = picture(house);
    let stage = house.started().iter().find(|it| it.proposal == sealed.id()).map(|it| it.stage);
    eprintln!("{}: full at {step}: {stage:?}: {answer:.200?}", runner.name);
    let room = || runner.sh(&format!("rm -f {STATE}/filler")).map(drop).unwrap();
    match stage {
        _ if KEEPING.contains(&step) => {
            // Kept at once, or when there is room again.
            room();
            assert_eq!(house.confirm(sealed.id(), true).unwrap().stage, Stage::Confirmed, "{step}");
            assert_ne!(before, approved);
            assert_eq!((&approved, &approved), (&now, &picture(house)), "{step}");
        }
        None | Some(Stage::Undone) => assert_eq!(before, now, "{step}"),
        Some(Stage::Unconfirmed) if matches!(answer, WardenAnswer::Outcome(_)) => {
            assert_ne!(before, now, "{step}");
            assert_eq!(house.confirm(sealed.id(), false).unwrap().stage, Stage::Undone, "{step}");
            assert_eq!(before, picture(house), "{step}");
        }
        Some(other) => {
            // With room again it is brought to its end.
            room();
            settle(house);
            let last = house.started().pop().unwrap();
            assert!(matches!(other, Stage::Started | Stage::Unconfirmed), "{step}: {other:?}");
            assert_eq!(last.stage, Stage::Undone, "{step}: {last:?}");
            assert_eq!(before, picture(house), "{step}");
        }
    }
    room();
    settle(house);
    cleared(house);
}
