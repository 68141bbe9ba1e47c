//! The machine restarts, at every boundary: what was not yet kept is as before.

use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_manifests_schema::warden::{Stage, WardenAnswer, WardenRequest};

use crate::faults::{BEFORE, Ground, STAGING, boundaries, cleared, fault, leading_to, picture, reached, work};
use crate::house::{House, PROGRAM};
use crate::people::People;

/// At these it is tried with dnf5 and dnf4, at each of the others with one of them.
const BOTH: [&str; 7] =
    ["ApplyMarked", "ApplyArmed", "ApplyReplayed", "ApplyJudged", "ApplyWaiting", "UndoPlanned", "UndoReplayed"];

#[test]
fn a_machine_that_restarts_before_the_confirmation_is_as_before() {
    let Some(_turn) = turn("a_machine_that_restarts_before_the_confirmation_is_as_before") else {
        return;
    };
    let mut lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    let mut points = 0;
    for (turn, name) in ["five", "four"].into_iter().enumerate() {
        // A restart needs the runner for itself, so the house is made anew each time.
        let _ = House::new(&lab, lab.runner(name), &people, "confirm_within = \"1h\"");
        let here = boundaries().filter(|(number, step)| BOTH.contains(step) || number % 2 == turn);
        // While nobody is at work, too.
        for step in here.map(|(_, step)| Some(step)).chain([None]) {
            restarted_at(&mut lab, name, &people, step);
            points += 1;
        }
    }
    eprintln!("{points} points at which the machine lost its power");
    assert_eq!(points, 2 * (1 + BOTH.len()) + boundaries().count() - BOTH.len());
}

fn restarted_at(lab: &mut Lab, name: &str, people: &People, step: Option<&str>) {
    let house = House::again(lab, lab.runner(name), people);
    let sealed = work(&house);
    let (before, ground) = (picture(&house), Ground::of(&house));
    let request = leading_to(&house, step.unwrap_or("ConfirmJudged"), &sealed);
    let approved = picture(&house);
    let held = step.map(|step| {
        fault(&house, step, "hold");
        let running = house.runner.spawn_sh(&house.asking(&request)).unwrap();
        reached(&house);
        running
    });
    lab.runner_mut(name).stop().unwrap();
    if let Some(script) = held {
        script.wait().unwrap();
    }
    lab.runner_mut(name).start().unwrap();
    let house = House::again(lab, lab.runner(name), people);
    let said = house.runner.sh(&format!("{PROGRAM} check")).unwrap();
    eprintln!("{name}: restarted at {step:?}: {}", said.trim());
    cleared(&house);
    let step = step.unwrap_or("");
    let ended = |stage| {
        assert_eq!(said, "nothing is under way\n", "{step}");
        ground.holds(&house, &sealed, stage);
    };
    match step {
        "ConfirmKept" => {
            ended(Stage::Confirmed);
            assert_ne!(before, approved);
            assert_eq!(approved, picture(&house), "{step}");
            return;
        }
        "UndoWritten" => ended(Stage::Undone),
        _ if STAGING.contains(&step) || BEFORE.contains(&step) => {
            assert_eq!(said, "nothing is under way\n", "{step}");
            assert!(house.started().iter().all(|it| it.proposal != sealed.id()), "{step}");
            if let WardenRequest::Apply { .. } = request {
                let again = house.ask(&request);
                assert!(
                    matches!(&again, WardenAnswer::Refused { code, .. } if code == "no-token"),
                    "{step}: {again:?}"
                );
            }
        }
        _ => {
            assert!(said.contains("undone"), "{step}: {said}");
            ground.holds(&house, &sealed, Stage::Undone);
        }
    }
    assert_eq!(before, picture(&house), "{step}");
}
