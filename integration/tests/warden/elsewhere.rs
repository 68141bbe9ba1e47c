//! What the warden judges by may be anywhere: no snapshot takes a word of it back.

use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_manifests_schema::proposal::{WayBack, WayBackKind};
use countersign_manifests_schema::transaction::Reason;
use countersign_manifests_schema::{transaction::Action, warden::Stage};
use countersign_shared::proposal::Sealed;

use crate::house::{House, PROGRAM, waits};
use crate::people::People;

#[test]
fn a_snapshot_brings_back_no_approver_and_lifts_no_halt_wherever_they_are() {
    let Some(_turn) = turn("a_snapshot_brings_back_no_approver_and_lifts_no_halt_wherever_they_are") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let people = People::new();
    let runner = lab.runner("five");
    runner.sh("snapper --no-dbus create-config / && test -f /etc/snapper/configs/root").unwrap();
    let house = House::new(&lab, runner, &people, "");
    // The list of people is reached through a link to the newest.
    runner.sh("mkdir -p /opt/policy/one /opt/policy/two && ln -s one /opt/policy/now").unwrap();
    for place in ["one", "two"] {
        runner.write(&format!("/opt/policy/{place}/approvers"), people.approvers(), 0o644).unwrap();
    }
    runner.sh("echo '# nobody' >/opt/revoked && sed -i '/^juno/d' /opt/policy/two/approvers").unwrap();
    let rules = "approvers = \"/opt/policy/now/approvers\"\nrevoked = \"/opt/revoked\"\nhalt_file = \"/opt/HALT\"";
    let edit = "sed -i '/^approvers/d' /etc/countersign/warden.toml && cat >>/etc/countersign/warden.toml";
    runner.sh(&format!("{edit} <<'.'\n{rules}\n.\n{PROGRAM} lint")).unwrap();
    house.plant_llvm();
    runner.sh("rpm -i /srv/lab/loose/site-agent-7.1-1.noarch.rpm").unwrap();
    let mut changes = house.llvm_back();
    changes.push(house.change(Action::Remove, "site-agent-7.1-1.noarch", Reason::ExternalUser, ""));
    let mut proposal = house.proposal(changes);
    proposal.way_back = WayBack { kind: WayBackKind::Snapshot, missing: vec!["site-agent-7.1-1.noarch".to_owned()] };
    let sealed = Sealed::new(proposal).unwrap();
    let before = house.state();
    waits(&house.carry_out(&sealed));

    let revoked = people.mira.public();
    runner
        .sh(&format!(
            "ln -sfn two /opt/policy/now; echo '{revoked}' >>/opt/revoked; echo stop >/opt/HALT; echo x >/opt/other"
        ))
        .unwrap();
    let undone = house.confirm(sealed.id(), false).unwrap();
    assert_eq!(undone.stage, Stage::Undone, "{undone:?}");
    assert!(undone.commands.iter().any(|command| command.argv.iter().any(|word| word == "undochange")));
    assert_eq!(before.set(), house.state().set());
    assert!(!runner.try_sh("test -e /opt/other").unwrap().status.success(), "what is nobody's goes");
    assert!(!runner.sh("cat /opt/policy/now/approvers").unwrap().contains("juno"));
    assert!(runner.sh("cat /opt/revoked").unwrap().contains(&revoked));
    assert_eq!(runner.sh("cat /opt/HALT").unwrap(), "stop\n");
    assert_eq!(house.inspect().halted.as_deref(), Some("stop"));
}
