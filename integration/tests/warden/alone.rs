//! Undone with nobody's help: by the process that watches, also when the program is another one by then, and by the timer
//! when the machine could not be read.

use std::path::PathBuf;

use countersign_integration::lab::{Base, Lab, LabConfig, plant, turn};
use countersign_manifests_schema::warden::{Stage, WardenAnswer, WardenRequest};

use crate::faults::{Ground, HELD, fault, meanwhile, picture, reached, settle, work};
use crate::house::{House, PROGRAM, STATE};
use crate::people::{People, text};

#[test]
fn an_application_that_nobody_confirms_is_undone_by_itself() {
    let Some(_turn) = turn("an_application_that_nobody_confirms_is_undone_by_itself") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    for runner in lab.runners() {
        let house = House::new(&lab, runner, &people, "confirm_within = \"1s\"");
        let sealed = work(&house);
        let (before, ground) = (picture(&house), Ground::of(&house));
        let bundle = house.permitted(&sealed, &[&people.mira]);
        // The connection is lost while dnf is at work: whoever asked is gone, with its process.
        fault(&house, "ApplySnapshot", "hold");
        let request: PathBuf = "/root/request".into();
        runner
            .write(
                "/root/request",
                countersign_shared::warden::request(&WardenRequest::Apply { bundle: text(&bundle) }),
                0o600,
            )
            .unwrap();
        let script = format!("{PROGRAM} <{} >/dev/null 2>&1 & echo $! >/root/front; wait", request.display());
        let front = runner.spawn_sh(&script).unwrap();
        reached(&house);
        runner.sh(&format!("kill -KILL $(cat /root/front); rm {HELD}")).unwrap();
        front.wait().unwrap();
        // Nobody comes by: the watch alone does it.
        while house.started().last().is_none_or(|it| matches!(it.stage, Stage::Started | Stage::Unconfirmed)) {}
        ground.holds(&house, &sealed, Stage::Undone);
        let last = house.started().pop().unwrap();
        assert_eq!(last.detail.as_deref(), Some("it was not confirmed in time"), "{last:?}");
        assert_eq!(before, picture(&house));
        assert_eq!(house.confirm(sealed.id(), true).unwrap().stage, Stage::Undone, "too late");
    }
}

#[test]
fn a_program_that_is_replaced_or_removed_while_it_is_at_work_ends_its_work() {
    let Some(_turn) = turn("a_program_that_is_replaced_or_removed_while_it_is_at_work_ends_its_work") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let people = People::new();
    let runner = lab.runner("five");
    let house = House::new(&lab, runner, &people, "confirm_within = \"1s\"");
    // As `enroll` does it; and as nobody should.
    for (change, mend) in [
        (format!("cp {PROGRAM} {PROGRAM}.new && mv -f {PROGRAM}.new {PROGRAM}"), "true".to_owned()),
        (format!("cp {PROGRAM} /root/kept && rm {PROGRAM}"), format!("mv /root/kept {PROGRAM}")),
    ] {
        let sealed = work(&house);
        let (before, ground) = (picture(&house), Ground::of(&house));
        let request = WardenRequest::Apply { bundle: text(&house.permitted(&sealed, &[&people.mira])) };
        fault(&house, "ApplyBegun", "hold");
        let (answer, ()) = meanwhile(&house, &request, || {
            reached(&house);
            runner.sh(&format!("{change}; rm {HELD}")).unwrap();
        });
        let WardenAnswer::Outcome(applied) = answer else { panic!("{answer:?}") };
        assert_eq!(applied.stage, Stage::Unconfirmed, "{change}: {applied:?}");
        // The watch is of the program from before, too.
        let memory = || runner.sh(&format!("cat {STATE}/memory.json")).unwrap();
        let under_way = ["\"stage\":\"started\"", "\"stage\":\"unconfirmed\""];
        while under_way.iter().any(|stage| memory().contains(stage)) {}
        runner.sh(&mend).unwrap();
        ground.holds(&house, &sealed, Stage::Undone);
        assert_eq!(before, picture(&house), "{change}");
    }
}

#[test]
fn an_undo_waits_until_the_machine_can_be_read_again() {
    let Some(_turn) = turn("an_undo_waits_until_the_machine_can_be_read_again") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    for runner in lab.runners() {
        let house = House::new(&lab, runner, &people, "confirm_within = \"1h\"");
        for what in ["a person's dnf is at work", "there is no room under /tmp"] {
            let sealed = work(&house);
            let (before, ground) = (picture(&house), Ground::of(&house));
            assert_eq!(house.carry_out(&sealed).stage, Stage::Unconfirmed);
            let next = house.propose(house.llvm_back());
            let held = what.starts_with('a').then(|| plant::hold_dnf(runner).unwrap());
            if held.is_none() {
                runner.sh("mount -t tmpfs -o nr_inodes=1 tmpfs /tmp").unwrap();
            }
            let told = house.confirm(sealed.id(), false).unwrap();
            eprintln!("{}: {what}: {:?}: {:?}", runner.name, told.stage, told.detail);
            assert_eq!(told.stage, Stage::Started, "{told:?}");
            assert!(told.detail.as_ref().unwrap().contains("it was asked for; it waits to be undone"), "{told:?}");
            // It is under way for everybody, and can no longer be kept.
            let busy = house.stage(&people.approve(&next, &[&people.mira])).unwrap_err();
            assert_eq!(busy.0, "runner-busy", "{busy:?}");
            assert_eq!(house.confirm(sealed.id(), true).unwrap().stage, Stage::Started);
            match held {
                Some(held) => {
                    assert!(held.release().unwrap().success());
                    runner.sh(&format!("{} -y remove blocking-pre >/dev/null", runner.dnf())).unwrap();
                }
                None => runner.sh("umount /tmp").map(drop).unwrap(),
            }
            settle(&house);
            ground.holds(&house, &sealed, Stage::Undone);
            assert_eq!(before, picture(&house), "{what}");
        }
    }
}
