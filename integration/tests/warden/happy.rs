//! The whole way: inspect, stage, apply, confirm; or not confirmed, and undone.

use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_manifests_schema::transaction::{Action, Reason};
use countersign_manifests_schema::warden::Stage;

use crate::house::{House, PROGRAM, STATE, reasons, waits};
use crate::people::People;

#[test]
fn what_was_signed_is_applied_and_kept() {
    let Some(_turn) = turn("what_was_signed_is_applied_and_kept") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    for runner in lab.runners() {
        let house = House::new(&lab, runner, &people, "");
        house.plant_llvm();
        runner.sh(&format!("{} -y remove htop >/dev/null", runner.dnf())).unwrap();
        let mut changes = house.llvm_back();
        changes.push(house.change(Action::Install, "htop-3.3.0-4.fc41.x86_64", Reason::User, "fedora"));
        changes.push(house.change(Action::Remove, "nodejs-1:20.18.0-1.fc41.x86_64", Reason::User, ""));
        let sealed = house.propose(changes);

        let inspection = house.inspect();
        assert_eq!(inspection.runner, runner.name);
        let sum = runner.sh(&format!("sha256sum {PROGRAM} /etc/countersign/*; {PROGRAM} digest")).unwrap();
        for digest in [&inspection.binary, &inspection.policy, &inspection.approvers, &inspection.notary_key] {
            assert!(sum.contains(digest.as_str()), "{sum}");
        }
        assert_eq!((inspection.halted, inspection.busy, inspection.last), (None, None, None));

        // Staging changes nothing but its own directory.
        let before = house.state();
        let bundle = people.approve(&sealed, &[&people.mira]);
        let nonce = house.stage(&bundle).unwrap();
        before.assert_same(&house.state(), "staging");

        let application = house.apply(&house.with_token(bundle, &sealed, &nonce)).unwrap();
        waits(&application);
        assert_eq!(application.proposal, sealed.id());
        assert_eq!(application.after.as_ref(), Some(&sealed.proposal().predicted.set_digest));
        assert!(application.commands.iter().any(|command| command.argv.iter().any(|word| word == "replay")));
        let installed = runner.sh("rpm -q llvm llvm-libs clang-tools-extra htop").unwrap();
        assert_eq!(installed.matches("19.1.0").count(), 3, "{installed}");

        let kept = house.confirm(sealed.id(), true).unwrap();
        assert_eq!(kept.stage, Stage::Confirmed);
        assert!(!runner.root.join(&STATE[1..]).join("current").exists());
        assert_eq!(house.started().last().unwrap(), &kept);
        // Asked again it is what it is; it cannot be undone any more.
        assert_eq!(house.confirm(sealed.id(), false).unwrap(), kept);
        assert!(reasons(runner).contains("htop-0:3.3.0-4.fc41.x86_64 User") || runner.dnf() == "dnf4");
    }
}

#[test]
fn what_is_not_kept_comes_back_exactly() {
    let Some(_turn) = turn("what_is_not_kept_comes_back_exactly") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    for runner in lab.runners() {
        let house = House::new(&lab, runner, &people, "");
        house.plant_llvm();
        let mut changes = house.llvm_back();
        changes.push(house.change(Action::Remove, "nodejs-1:20.18.0-1.fc41.x86_64", Reason::User, ""));
        changes.push(house.change(Action::Install, "strace-6.12-1.fc41.x86_64", Reason::Dependency, "updates"));
        changes.push(house.change(Action::ReasonChange, "gcc-14.2.1-3.fc41.x86_64", Reason::Dependency, ""));
        let sealed = house.propose(changes);
        let (before, reasons_before) = (house.state(), reasons(runner));
        waits(&house.carry_out(&sealed));
        assert_ne!(before.set(), house.state().set());
        let undone = house.confirm(sealed.id(), false).unwrap();
        assert_eq!(undone.stage, Stage::Undone, "{undone:?}");
        assert_eq!(undone.after.as_ref(), Some(&sealed.proposal().base.set_digest));
        assert_eq!(before.set(), house.state().set());
        assert_eq!(reasons_before, reasons(runner));
        eprintln!("{}: undone: {:?}", runner.name, undone.detail);
    }
}
