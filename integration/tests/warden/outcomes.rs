//! Outcomes that are not the predicted ones: undone, and said plainly.

use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_manifests_schema::proposal::{WayBack, WayBackKind};
use countersign_manifests_schema::transaction::{Action, Reason};
use countersign_manifests_schema::warden::Stage;
use countersign_shared::proposal::Sealed;

use crate::forge::Forge;
use crate::house::{House, STATE, reasons, waits};
use crate::people::People;

const LATE: &str =
    "%post\nsetsid sh -c 'sleep 2; rpm -i /srv/lab/loose/site-agent-7.1-1.noarch.rpm' </dev/null >/dev/null 2>&1 &\n";
const STAYS: &str = "%post\nsetsid sleep 100000 </dev/null >/dev/null 2>&1 &\n";
const FAILS: &str = "%post\necho this does not work\nexit 1\n";
const STOPS: &str = "%pre\nexit 1\n";
const DENIED: &str = "%post\nmkdir -p /var/log/audit\n\
    echo 'type=AVC msg=audit(1.0:1): avc:  denied  { module_load } for  pid=1 comm=\"modprobe\"' >>/var/log/audit/audit.log\n";
const MARKS: &str = "%post\nrpm --version >/dev/null; mkdir -p /usr/lib/sysimage/libdnf5; sed -i 's/^\"gcc.x86_64\".*/\"gcc.x86_64\" = {reason = \"Dependency\"}/' /usr/lib/sysimage/libdnf5/packages.toml; exit 0\n";

#[test]
fn an_outcome_that_nobody_predicted_is_undone() {
    let Some(_turn) = turn("an_outcome_that_nobody_predicted_is_undone") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    let forge = Forge::new(&lab, lab.runner("five"), "side");
    let cases = [
        ("late", LATE, "site-agent"),
        ("stays", STAYS, "a scriptlet left a process behind: sleep"),
        ("fails", FAILS, "scriptlet"),
        ("stops", STOPS, ""),
        ("denied", DENIED, "SELinux denied something"),
    ];
    for (name, lines, _) in cases {
        forge.build(name, "1.0", "1", lines);
    }
    forge.build("marks", "1.0", "1", MARKS);
    for runner in lab.runners() {
        let house = House::new(&lab, runner, &people, "");
        house.plant_llvm();
        for (name, _, word) in cases {
            let mut changes = house.llvm_back();
            changes.push(forge.install(name, "1.0"));
            changes.push(house.change(Action::Remove, "htop-3.3.0-4.fc41.x86_64", Reason::User, ""));
            let sealed = house.propose(changes);
            let (before, reasons_before) = (house.state(), reasons(runner));
            let undone = house.carry_out(&sealed);
            eprintln!("{}: {name}: {:?}: {:?}", runner.name, undone.stage, undone.detail);
            assert_eq!(undone.stage, Stage::Undone, "{name}: {undone:?}");
            assert!(undone.detail.as_ref().unwrap().contains(word), "{name}: {undone:?}");
            assert_eq!(undone.after.as_ref(), Some(&sealed.proposal().base.set_digest));
            assert_eq!(before.set(), house.state().set(), "{name}");
            assert_eq!(reasons_before, reasons(runner), "{name}");
            // It cannot be kept afterwards.
            assert_eq!(house.confirm(sealed.id(), true).unwrap(), undone);
            runner.sh("rm -rf /var/log/audit").unwrap();
        }
    }
}

#[test]
fn what_changed_before_its_confirmation_is_not_kept() {
    let Some(_turn) = turn("what_changed_before_its_confirmation_is_not_kept") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let people = People::new();
    let runner = lab.runner("five");
    let house = House::new(&lab, runner, &people, "confirm_within = \"1h\"");
    house.plant_llvm();
    let sealed = house.propose(house.llvm_back());
    let before = house.state();
    waits(&house.carry_out(&sealed));
    runner.sh("rpm -i /srv/lab/loose/site-agent-7.1-1.noarch.rpm").unwrap();
    let undone = house.confirm(sealed.id(), true).unwrap();
    assert_eq!(undone.stage, Stage::Undone);
    let detail = undone.detail.as_ref().unwrap();
    assert!(detail.contains("at its confirmation"), "{undone:?}");
    assert!(detail.ends_with("what others did is left as it is: site-agent-7.1-1.noarch is there"), "{undone:?}");
    runner.sh("rpm -e site-agent").unwrap();
    assert_eq!(before.set(), house.state().set());
}

#[test]
fn an_undo_takes_back_what_was_applied_and_nothing_that_others_did() {
    let Some(_turn) = turn("an_undo_takes_back_what_was_applied_and_nothing_that_others_did") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    for runner in lab.runners() {
        let house = House::new(&lab, runner, &people, "confirm_within = \"1h\"");
        house.plant_llvm();
        let mut changes = house.llvm_back();
        changes.push(house.change(Action::Install, "strace-6.11-1.fc41.x86_64", Reason::User, "fedora"));
        let sealed = house.propose(changes);
        let before = house.state().set();
        waits(&house.carry_out(&sealed));
        // A package that it does not name goes, another comes, and what it installed is replaced by a newer one.
        let dnf = runner.dnf();
        runner
            .sh(&format!("{dnf} -y remove nodejs >/dev/null && {dnf} -y install gcc-toolset-13 strace-6.12 >/dev/null"))
            .unwrap();
        let theirs = house.state().set();
        let undone = house.confirm(sealed.id(), false).unwrap();
        eprintln!("{}: {:?}: {:?}", runner.name, undone.stage, undone.detail);
        assert_eq!(undone.stage, Stage::Undone, "{undone:?}");
        let detail = undone.detail.as_ref().unwrap();
        for left in ["nodejs-1:20.18.0-1.fc41.x86_64 is not there", "gcc-toolset-13-"] {
            assert!(detail.contains(left), "{detail}");
        }
        let ours =
            |line: &&String| ["llvm-", "clang-tools-extra-", "strace-"].iter().any(|name| line.starts_with(name));
        let now = house.state().set();
        let part = |set: &[String], is_ours: bool| -> Vec<String> {
            set.iter().filter(|line| ours(line) == is_ours).cloned().collect()
        };
        assert_eq!(part(&before, true), part(&now, true));
        assert_eq!(part(&theirs, false), part(&now, false));
        let record = countersign_shared::warden::record(&house.inspect()).unwrap();
        let seen = countersign_shared::observation::Observation::parse(&record, 0).unwrap();
        let digest = countersign_shared::observation::set_digest(&seen.packages.seen().unwrap().list);
        assert_eq!(undone.after.as_ref(), Some(&digest));
        assert_ne!(digest, undone.before);
    }
}

#[test]
fn a_runner_is_drained_and_put_back_into_use_whatever_comes_of_it() {
    let Some(_turn) = turn("a_runner_is_drained_and_put_back_into_use_whatever_comes_of_it") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let people = People::new();
    let runner = lab.runner("five");
    for word in ["drain", "undrain"] {
        let script = format!(
            "#!/bin/sh\n[ -e /etc/countersign/stuck ] && [ {word} = drain ] && exit 7\necho {word} >>/root/drained\n"
        );
        runner.write(&format!("/etc/countersign/{word}"), script, 0o755).unwrap();
    }
    let more = "drain = \"/etc/countersign/drain\"\nundrain = \"/etc/countersign/undrain\"";
    let house = House::new(&lab, runner, &people, more);
    house.plant_llvm();
    let drained = || runner.sh("cat /root/drained; rm -f /root/drained").unwrap();
    let sealed = house.propose(house.llvm_back());
    waits(&house.carry_out(&sealed));
    house.confirm(sealed.id(), false).unwrap();
    assert_eq!(drained(), "drain\nundrain\n");
    runner.sh("touch /etc/countersign/stuck").unwrap();
    let sealed = house.propose(house.llvm_back());
    let before = house.state();
    let undone = house.carry_out(&sealed);
    assert_eq!(undone.stage, Stage::Undone);
    assert!(undone.detail.as_ref().unwrap().contains("cannot be drained: it ended with 7"), "{undone:?}");
    assert_eq!(before.packages, house.state().packages);
    assert_eq!(drained(), "undrain\n");
    runner.sh("rm /etc/countersign/stuck").unwrap();
    let sealed = house.propose(house.llvm_back());
    waits(&house.carry_out(&sealed));
    house.confirm(sealed.id(), true).unwrap();
    assert_eq!(drained(), "drain\nundrain\n");
}

#[test]
fn a_runner_that_failed_stays_out_of_use_with_what_people_need() {
    let Some(_turn) = turn("a_runner_that_failed_stays_out_of_use_with_what_people_need") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let people = People::new();
    let runner = lab.runner("five");
    for word in ["drain", "undrain"] {
        let script =
            format!("#!/bin/sh\necho {word} >>/root/drained\n[ {word} = drain ] || [ ! -e /root/worn ] || exit 5\n");
        runner.write(&format!("/etc/countersign/{word}"), script, 0o755).unwrap();
    }
    let more = "drain = \"/etc/countersign/drain\"\nundrain = \"/etc/countersign/undrain\"";
    let house = House::new(&lab, runner, &people, more);
    house.plant_llvm();
    let drained = || runner.sh("cat /root/drained; rm -f /root/drained").unwrap();

    // What does not put it back into use is told, however the application ended.
    runner.sh("touch /root/worn").unwrap();
    for (keep, stage) in [(false, Stage::Undone), (true, Stage::Confirmed)] {
        let sealed = house.propose(house.llvm_back());
        waits(&house.carry_out(&sealed));
        let ended = house.confirm(sealed.id(), keep).unwrap();
        assert_eq!(ended.stage, stage);
        let detail = ended.detail.as_ref().unwrap();
        assert!(detail.contains("could not be put back into use: it ended with 5"), "{detail}");
        assert_eq!(drained(), "drain\nundrain\n");
    }
    runner.sh("rm /root/worn").unwrap();

    // The packages from before are damaged: it cannot be taken back.
    house.plant_llvm();
    let sealed = house.propose(house.llvm_back());
    waits(&house.carry_out(&sealed));
    runner.sh(&format!("cd {STATE}/current/outgoing && for file in *; do echo >$file; done")).unwrap();
    let failed = house.confirm(sealed.id(), false).unwrap();
    eprintln!("{:?}: {:?}", failed.stage, failed.detail);
    assert_eq!(failed.stage, Stage::Failed, "{failed:?}");
    let place = format!("{STATE}/failed-{}", sealed.id());
    let detail = failed.detail.as_ref().unwrap();
    assert!(detail.contains("not put back into use") && detail.ends_with(&place), "{detail}");
    assert_eq!(drained(), "drain\n");
    // They stay there whatever comes next.
    let next = house.propose(vec![house.change(Action::Install, "strace-6.12-1.fc41.x86_64", Reason::User, "updates")]);
    waits(&house.carry_out(&next));
    assert_eq!(house.confirm(next.id(), true).unwrap().stage, Stage::Confirmed);
    runner
        .sh(&format!("test -s {place}/staged.json && ls {place}/outgoing/*.rpm && ! test -e {STATE}/current"))
        .unwrap();
}

#[test]
fn what_happens_while_a_runner_is_drained_is_looked_at_before_dnf_begins() {
    let Some(_turn) = turn("what_happens_while_a_runner_is_drained_is_looked_at_before_dnf_begins") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    for runner in lab.runners() {
        let dnf = runner.dnf();
        runner.write("/etc/countersign/drain", "#!/bin/sh\n", 0o755).unwrap();
        let house = House::new(&lab, runner, &people, "drain = \"/etc/countersign/drain\"");
        house.plant_llvm();
        for (meanwhile, word) in [
            ("echo 'llvm looks wrong' >/etc/countersign/HALT".to_owned(), "llvm looks wrong"),
            (format!("{dnf} -y install strace >/dev/null"), "strace-6.12-1.fc41.x86_64 is there"),
            (
                "sed -i '/^.updates.$/,/^$/s/^enabled=1/enabled=0/' /etc/yum.repos.d/lab.repo".to_owned(),
                "configuration of dnf changed",
            ),
        ] {
            let script =
                format!("#!/bin/sh\n{meanwhile}\nrpm -qa | sort >/root/set; {dnf} history list >/root/history\n");
            runner.write("/etc/countersign/drain", script, 0o755).unwrap();
            let undone = house.carry_out(&house.propose(house.llvm_back()));
            eprintln!("{}: {word}: {:?}: {:?}", runner.name, undone.stage, undone.detail);
            assert_eq!(undone.stage, Stage::Undone, "{undone:?}");
            assert!(undone.detail.as_ref().unwrap().contains(word), "{undone:?}");
            // Neither the change nor an undo of what others did.
            let same = "rpm -qa | sort | diff /root/set - &&";
            runner.sh(&format!("{same} {dnf} history list | diff /root/history -")).unwrap();
            assert!(!undone.commands.iter().any(|command| command.argv.iter().any(|word| word == "replay")));
            runner.sh("rm -f /etc/countersign/HALT").unwrap();
        }
    }
}

#[test]
fn what_no_repository_offers_comes_back_from_the_snapshot_and_takes_nothing_else_along() {
    let Some(_turn) = turn("what_no_repository_offers_comes_back_from_the_snapshot_and_takes_nothing_else_along")
    else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let people = People::new();
    let runner = lab.runner("five");
    runner.sh("snapper --no-dbus create-config / && test -f /etc/snapper/configs/root").unwrap();
    let house = House::new(&lab, runner, &people, "");
    house.plant_llvm();
    runner.sh("rpm -i /srv/lab/loose/site-agent-7.1-1.noarch.rpm").unwrap();
    let mut changes = house.llvm_back();
    changes.push(house.change(Action::Remove, "site-agent-7.1-1.noarch", Reason::ExternalUser, ""));
    let mut proposal = house.proposal(changes);
    proposal.way_back = WayBack { kind: WayBackKind::Snapshot, missing: vec!["site-agent-7.1-1.noarch".to_owned()] };
    let sealed = Sealed::new(proposal).unwrap();
    let (before, reasons_before) = (house.state(), reasons(runner));
    waits(&house.carry_out(&sealed));
    // Meanwhile people work, and one of them loses their say.
    runner.sh("echo built >/home/builder/artefact; sed -i '/^juno/d' /etc/countersign/approvers").unwrap();
    let undone = house.confirm(sealed.id(), false).unwrap();
    assert_eq!(undone.stage, Stage::Undone, "{undone:?}");
    assert!(undone.commands.iter().any(|command| command.argv.iter().any(|word| word == "undochange")));
    assert_eq!(before.set(), house.state().set());
    assert_eq!(reasons_before, reasons(runner));
    assert_eq!(runner.sh("cat /home/builder/artefact").unwrap(), "built\n");
    assert!(!runner.sh("cat /etc/countersign/approvers").unwrap().contains("juno"));
    assert_eq!(house.stage(&people.approve(&sealed, &[&people.mira])).unwrap_err().0, "spent");
    assert!(runner.try_sh("dnf5 check").unwrap().status.success());
}

#[test]
fn a_snapshot_that_is_the_only_way_back_is_taken_or_nothing_begins() {
    let Some(_turn) = turn("a_snapshot_that_is_the_only_way_back_is_taken_or_nothing_begins") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let people = People::new();
    let runner = lab.runner("five");
    runner.sh("snapper --no-dbus create-config / && test -f /etc/snapper/configs/root").unwrap();
    let forget = "mv /etc/snapper/configs/root /root/snapper";
    runner.write("/etc/countersign/drain", format!("#!/bin/sh\n{forget}\n"), 0o755).unwrap();
    let house = House::new(&lab, runner, &people, "drain = \"/etc/countersign/drain\"");
    runner.sh("rpm -i /srv/lab/loose/site-agent-7.1-1.noarch.rpm").unwrap();
    let mut proposal =
        house.proposal(vec![house.change(Action::Remove, "site-agent-7.1-1.noarch", Reason::ExternalUser, "")]);
    proposal.way_back = WayBack { kind: WayBackKind::Snapshot, missing: vec!["site-agent-7.1-1.noarch".to_owned()] };
    let sealed = Sealed::new(proposal).unwrap();
    let before = house.state();

    // It went away after the staging: nothing is spent.
    let bundle = house.permitted(&sealed, &[&people.mira]);
    runner.sh(forget).unwrap();
    assert_eq!(house.apply(&bundle).unwrap_err().0, "irreversible");
    assert_eq!(house.started(), []);
    runner.sh("mv /root/snapper /etc/snapper/configs/root").unwrap();
    before.assert_same(&house.state(), "before it is spent");

    // It goes away while the runner is drained.
    let undone = house.carry_out(&sealed);
    assert_eq!(undone.stage, Stage::Undone, "{undone:?}");
    assert!(undone.detail.as_ref().unwrap().contains("only a snapshot leads back"), "{undone:?}");
    assert_eq!(before.packages, house.state().packages);
}
