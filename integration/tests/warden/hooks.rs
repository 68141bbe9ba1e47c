//! The runner's own veto for everybody: off, audit, block, break-glass; and what passes it.

use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_manifests_schema::transaction::{Action, Reason};
use countersign_manifests_schema::warden::{Stage, WardenAnswer, WardenRequest};

use crate::faults::{HELD, fault, meanwhile, reached};
use crate::house::{House, PROGRAM, STATE, waits};
use crate::people::{People, text};

const ACTIONS: &str = "/etc/dnf/libdnf5-plugins/actions.d/countersign.actions";

#[test]
fn inside_dnf_only_the_approved_transaction_passes() {
    let Some(_turn) = turn("inside_dnf_only_the_approved_transaction_passes") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let people = People::new();
    let runner = lab.runner("five");
    let house = House::new(&lab, runner, &people, "confirm_within = \"1h\"");
    let sealed = house.propose(vec![
        house.change(Action::Install, "strace-6.12-1.fc41.x86_64", Reason::User, "updates"),
        house.change(Action::ReasonChange, "gcc-14.2.1-3.fc41.x86_64", Reason::Dependency, ""),
    ]);
    let request = WardenRequest::Apply { bundle: text(&house.permitted(&sealed, &[&people.mira])) };
    // After the last look somebody does a part of it by hand: dnf's own replay would do the rest.
    fault(&house, "ApplyBegun", "hold");
    let (answer, ()) = meanwhile(&house, &request, || {
        reached(&house);
        runner.sh(&format!("dnf5 -y mark dependency gcc >/dev/null; rm {HELD}")).unwrap();
    });
    let WardenAnswer::Outcome(undone) = answer else { panic!("{answer:?}") };
    eprintln!("{:?}: {:?}", undone.stage, undone.detail);
    assert_eq!(undone.stage, Stage::Undone, "{undone:?}");
    let detail = undone.detail.as_ref().unwrap();
    assert!(detail.contains("inside dnf the transaction is another one"), "{detail}");
    assert!(!runner.try_sh("rpm -q strace").unwrap().status.success());
}

#[test]
fn nobody_passes_without_an_approval_where_the_runner_says_so() {
    let Some(_turn) = turn("nobody_passes_without_an_approval_where_the_runner_says_so") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let people = People::new();
    let runner = lab.runner("five");
    let house = House::new(&lab, runner, &people, "hook = \"off\"");
    house.plant_llvm();
    let sealed = house.propose(house.llvm_back());
    let line = format!("pre_transaction:::mode=json raise_error=1:{PROGRAM} hook\n");
    runner.write(ACTIONS, line, 0o644).unwrap();
    let log = || runner.sh(&format!("cat {STATE}/hook.log 2>/dev/null; true")).unwrap();
    let builder = |what: &str| runner.try_sh_as("builder", &format!("sudo -n dnf5 -y {what} 2>&1")).unwrap();

    assert!(builder("install strace").status.success());
    assert_eq!(log(), "");
    house.configure("hook = \"audit\"");
    assert!(builder("remove strace").status.success());
    let seen = log();
    assert!(seen.contains(" seen: login uid 1000, dnf5 -y remove strace: OUTstrace-0:6.12-1.fc41.x86_64"), "{seen}");

    house.configure("hook = \"block\"");
    let before = house.state();
    let refused = builder("install strace");
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(!refused.status.success() && said.contains("nobody approved this transaction"), "{said}");
    before.assert_same(&house.state(), "blocked");
    assert!(log().contains(" refused: login uid 1000, dnf5 -y install strace: INstrace-0:6.12-1.fc41.x86_64"));
    // What was approved passes, and so does its undo.
    waits(&house.carry_out(&sealed));
    assert_eq!(house.confirm(sealed.id(), false).unwrap().stage, Stage::Undone);

    // Only root breaks the glass, with a reason, and not for long.
    for words in ["--for 15m --reason ''", "--for 2d --reason x", "--for soon --reason x", "--reason x", "--for 15m"] {
        assert!(!runner.try_sh(&format!("{PROGRAM} break-glass {words}")).unwrap().status.success(), "{words}");
    }
    let not_root = runner.try_sh_as("builder", &format!("{PROGRAM} break-glass --for 15m --reason mine")).unwrap();
    assert!(!not_root.status.success());
    assert!(!builder("install strace").status.success());
    runner.sh(&format!("{PROGRAM} break-glass --for 15m --reason 'the build is red'")).unwrap();
    assert!(builder("install strace").status.success());
    let seen = log();
    assert!(seen.contains("break-glass for 900 s: the build is red"), "{seen}");
    assert!(
        seen.contains(" let pass by break-glass (the build is red): login uid 1000, dnf5 -y install strace"),
        "{seen}"
    );
    // It ends by itself, and with the boot.
    runner.sh(&format!("sed -i 's/\"until\":[0-9]*/\"until\":1/' {STATE}/break-glass.json")).unwrap();
    assert!(!builder("remove strace").status.success());
    runner.sh(&format!("{PROGRAM} break-glass --for 15m --reason again")).unwrap();
    runner.sh(&format!("sed -i 's/\"boot\":\"[0-9a-f]/\"boot\":\"x/' {STATE}/break-glass.json")).unwrap();
    assert!(!builder("remove strace").status.success());

    // What cannot be judged does not pass.
    for (spoil, mend) in [
        (
            "echo 'hoook = 1' >>/etc/countersign/warden.toml".to_owned(),
            "sed -i '$d' /etc/countersign/warden.toml".to_owned(),
        ),
        (format!("chmod 755 {STATE}"), format!("chmod 700 {STATE}")),
        (format!("mv {PROGRAM} {PROGRAM}.gone"), format!("mv {PROGRAM}.gone {PROGRAM}")),
    ] {
        runner.sh(&spoil).unwrap();
        assert!(!builder("remove strace").status.success(), "{spoil}");
        runner.sh(&mend).unwrap();
    }
    assert!(runner.sh("rpm -q strace").is_ok());

    // A seat belt, not a wall: this is what passes it, as the manual says. dnf's history has it with its author.
    runner.sh("dnf5 -y --setopt=plugins=0 remove strace >/dev/null").unwrap();
    assert!(runner.sh("dnf5 history list | head -2").unwrap().contains("plugins=0"));
    runner.sh("rpm -i /srv/lab/loose/site-agent-7.1-1.noarch.rpm").unwrap();
    let page = include_str!("../../../actuator/warden/man/countersign-warden.8");
    assert!(page.contains("\\-\\-setopt=plugins=0") && page.contains("rpm \\-i"));
}
