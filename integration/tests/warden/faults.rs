//! Everything that can break does, at every boundary: afterwards the runner is as approved or as before, the memory says
//! which, and nothing was started twice.

use countersign_integration::lab::{Base, Lab, LabConfig, Runner, turn};
use countersign_manifests_schema::transaction::{Action, Reason};
use countersign_manifests_schema::warden::{Application, Stage, WardenAnswer, WardenRequest};
use countersign_shared::proposal::Sealed;

use crate::forge::Forge;
use crate::house::{House, PROGRAM, STATE, reasons};
use crate::people::{People, text};

const FAULT: &str = "/run/countersign-fault";
pub(crate) const HELD: &str = "/run/countersign-fault.held";

/// Boundaries at which nothing is spent yet; at which it is being applied; being kept; being undone.
pub(crate) const STAGING: [&str; 3] = ["StageJudged", "StageFetched", "StageWritten"];
pub(crate) const BEFORE: [&str; 2] = ["ApplyChecked", "ApplyJournalled"];
pub(crate) const APPLYING: [&str; 8] = [
    "ApplyMarked",
    "ApplyArmed",
    "ApplyDrained",
    "ApplySnapshot",
    "ApplyBegun",
    "ApplyReplayed",
    "ApplyJudged",
    "ApplyWaiting",
];
pub(crate) const KEEPING: [&str; 2] = ["ConfirmJudged", "ConfirmKept"];
pub(crate) const UNDOING: [&str; 4] = ["UndoPlanned", "UndoReplayed", "UndoJudged", "UndoWritten"];

/// What holds all the time: the policy is as it was, and what was spent stays spent.
pub(crate) struct Ground {
    policy: String,
}

impl Ground {
    pub(crate) fn of(house: &House<'_>) -> Self {
        Self { policy: policy(house.runner) }
    }

    pub(crate) fn holds(&self, house: &House<'_>, sealed: &Sealed, stage: Stage) {
        assert_eq!(self.policy, policy(house.runner));
        let started = house.started();
        let ours: Vec<&Application> = started.iter().filter(|it| it.proposal == sealed.id()).collect();
        assert_eq!(ours.len(), 1, "once in the memory");
        assert_eq!(ours[0].stage, stage, "{:?}", ours[0]);
        let again = house.stage(&house.people.approve(sealed, &[&house.people.mira]));
        assert_eq!(again.unwrap_err().0, "spent");
    }
}

fn policy(runner: &Runner) -> String {
    runner.sh("sha256sum /etc/countersign/*").unwrap()
}

pub(crate) fn fault(house: &House<'_>, step: &str, action: &str) {
    // /run is a mount of the runner's own: it cannot be written to from outside.
    house.runner.sh(&format!("printf '%s\\n' '{step} {action}' >{FAULT}")).unwrap();
}

/// The fault has happened: its file is used up.
fn happened(house: &House<'_>, step: &str) {
    let there = house.runner.try_sh(&format!("test -e {FAULT}")).unwrap().status.success();
    assert!(!there, "{step} was never reached");
}

/// The program waits at its boundary. Nothing tells us when; each question takes a while.
pub(crate) fn reached(house: &House<'_>) {
    while !house.runner.try_sh(&format!("test -e {HELD}")).unwrap().status.success() {}
}

/// Whoever is at work is done; then what is due is done, as a timer does it.
pub(crate) fn settle(house: &House<'_>) -> String {
    house
        .runner
        .sh(&format!("flock {STATE}/lock true; {PROGRAM} check; flock {STATE}/lock true; {PROGRAM} check"))
        .unwrap()
}

/// Nothing is left that could be taken for an application under way.
pub(crate) fn cleared(house: &House<'_>) {
    house.runner.sh(&format!("! test -e {STATE}/current")).unwrap();
    assert_eq!(house.runner.sh(&format!("{PROGRAM} check")).unwrap(), "nothing is under way\n");
}

/// A proposal with a bit of everything, for drift that is planted if it is not there.
pub(crate) fn work(house: &House<'_>) -> Sealed {
    let dnf = house.runner.dnf();
    let drift = house.runner.try_sh("rpm -q llvm-20.1.0 htop && ! rpm -q strace").unwrap();
    if !drift.status.success() {
        let plant = format!(
            "{dnf} -y install llvm-20.1.0 htop-3.3.0-4.fc41 && {{ ! rpm -q strace || {dnf} -y remove strace; }}"
        );
        house.runner.sh(&plant).unwrap();
    }
    let mut changes = house.llvm_back();
    changes.push(house.change(Action::Remove, "htop-3.3.0-4.fc41.x86_64", Reason::User, ""));
    changes.push(house.change(Action::Install, "strace-6.11-1.fc41.x86_64", Reason::User, "fedora"));
    house.propose(changes)
}

/// What a test compares: the set, its content and the reasons for it.
pub(crate) fn picture(house: &House<'_>) -> (String, String) {
    let set = house.runner.sh("rpm -qa --qf '%{nevra} %{sha256header}\\n' | sort").unwrap();
    (set, reasons(house.runner))
}

/// Every boundary with its number.
pub(crate) fn boundaries() -> impl Iterator<Item = (usize, &'static str)> {
    STAGING.into_iter().chain(BEFORE).chain(APPLYING).chain(KEEPING).chain(UNDOING).enumerate()
}

/// The request that comes to a boundary; what must have been applied before it is applied.
pub(crate) fn leading_to(house: &House<'_>, step: &str, sealed: &Sealed) -> WardenRequest {
    let by = [&house.people.mira];
    if STAGING.contains(&step) {
        return WardenRequest::Stage { bundle: text(&house.people.approve(sealed, &by)) };
    }
    if BEFORE.contains(&step) || APPLYING.contains(&step) {
        return WardenRequest::Apply { bundle: text(&house.permitted(sealed, &by)) };
    }
    assert_eq!(house.carry_out(sealed).stage, Stage::Unconfirmed);
    WardenRequest::Confirm { proposal: sealed.id().to_owned(), keep: KEEPING.contains(&step) }
}

fn snapper(runner: &Runner) {
    runner.sh("snapper --no-dbus create-config / && test -f /etc/snapper/configs/root").unwrap();
}

#[test]
fn killed_at_every_boundary_it_is_as_before_or_as_approved() {
    let Some(_turn) = turn("killed_at_every_boundary_it_is_as_before_or_as_approved") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("snap", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    snapper(lab.runner("snap"));
    let mut points = 0;
    for runner in lab.runners() {
        let house = House::new(&lab, runner, &people, "confirm_within = \"1h\"");
        for step in STAGING {
            let sealed = work(&house);
            let before = picture(&house);
            fault(&house, step, "kill");
            assert_eq!(house.stage(&people.approve(&sealed, &[&people.mira])).unwrap_err().0, "request", "{step}");
            happened(&house, step);
            settle(&house);
            assert_eq!(before, picture(&house), "{step}");
            assert!(house.started().iter().all(|it| it.proposal != sealed.id()));
            house.stage(&people.approve(&sealed, &[&people.mira])).unwrap();
            points += 1;
        }
        for step in BEFORE.into_iter().chain(APPLYING) {
            let sealed = work(&house);
            let (before, ground) = (picture(&house), Ground::of(&house));
            let bundle = house.permitted(&sealed, &[&people.mira]);
            fault(&house, step, "kill");
            assert_eq!(house.apply(&bundle).unwrap_err().0, "request", "{step}");
            happened(&house, step);
            settle(&house);
            if BEFORE.contains(&step) {
                assert_eq!(before, picture(&house), "{step}");
                assert!(house.started().iter().all(|it| it.proposal != sealed.id()));
                assert_eq!(house.apply(&bundle).unwrap_err().0, "no-token", "{step}: its nonce is used up");
            } else if step == "ApplyWaiting" {
                ground.holds(&house, &sealed, Stage::Unconfirmed);
                assert_ne!(before, picture(&house));
                let waits = house.runner.sh(&format!("{PROGRAM} check")).unwrap();
                assert!(waits.starts_with("an application waits "), "{waits}");
                assert_eq!(house.confirm(sealed.id(), false).unwrap().stage, Stage::Undone);
                assert_eq!(before, picture(&house), "{step}");
            } else {
                ground.holds(&house, &sealed, Stage::Undone);
                assert_eq!(before, picture(&house), "{step}");
                assert_eq!(house.apply(&bundle).unwrap_err().0, "spent", "{step}");
            }
            cleared(&house);
            points += 1;
            eprintln!("{}: killed at {step}", runner.name);
        }
        for step in UNDOING {
            let sealed = work(&house);
            let (before, ground) = (picture(&house), Ground::of(&house));
            assert_eq!(house.carry_out(&sealed).stage, Stage::Unconfirmed);
            // A halt stops what is new, never an undo.
            runner.write("/etc/countersign/HALT", "stop\n", 0o644).unwrap();
            fault(&house, step, "kill");
            assert_eq!(house.confirm(sealed.id(), false).unwrap_err().0, "request", "{step}");
            happened(&house, step);
            settle(&house);
            runner.sh("rm /etc/countersign/HALT").unwrap();
            cleared(&house);
            ground.holds(&house, &sealed, Stage::Undone);
            assert_eq!(before, picture(&house), "{step}");
            points += 1;
            eprintln!("{}: killed at {step}", runner.name);
        }
        for step in KEEPING {
            let sealed = work(&house);
            let (before, ground) = (picture(&house), Ground::of(&house));
            assert_eq!(house.carry_out(&sealed).stage, Stage::Unconfirmed);
            let approved = picture(&house);
            assert_ne!(before, approved);
            fault(&house, step, "kill");
            assert_eq!(house.confirm(sealed.id(), true).unwrap_err().0, "request", "{step}");
            happened(&house, step);
            settle(&house);
            if step == "ConfirmKept" {
                cleared(&house);
            }
            assert_eq!(house.confirm(sealed.id(), true).unwrap().stage, Stage::Confirmed);
            cleared(&house);
            ground.holds(&house, &sealed, Stage::Confirmed);
            assert_eq!(approved, picture(&house), "{step}");
            points += 1;
            eprintln!("{}: killed at {step}", runner.name);
        }
    }
    eprintln!("{points} points at which the warden was killed");
    assert_eq!(points, 3 * (STAGING.len() + BEFORE.len() + APPLYING.len() + UNDOING.len() + KEEPING.len()));
}

/// A package whose scriptlets wait, each for a reader of its own pipe, and say who runs them.
const HOLDS: &[&str] = &["pre", "post", "preun", "postun", "posttrans"];

fn holding() -> String {
    let scriptlet = |name: &&str| {
        format!(
            "%{name}\nif [ -p /var/lib/lab/{name} ]; then echo $PPID >/var/lib/lab/pid; read -r line </var/lib/lab/{name}; fi\nexit 0\n"
        )
    };
    HOLDS.iter().map(scriptlet).collect()
}

/// A request that goes on while the test does something else; its answer, once it has ended.
pub(crate) fn meanwhile<T>(house: &House<'_>, request: &WardenRequest, doing: impl FnOnce() -> T) -> (WardenAnswer, T) {
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| house.ask(request));
        let done = doing();
        (asked.join().unwrap(), done)
    })
}

#[test]
fn dnf_killed_inside_every_scriptlet_is_undone() {
    let Some(_turn) = turn("dnf_killed_inside_every_scriptlet_is_undone") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    let forge = Forge::new(&lab, lab.runner("five"), "side");
    forge.build("holder", "1.0", "1", &holding());
    forge.build("holder", "2.0", "1", &holding());
    let mut points = 0;
    for runner in lab.runners() {
        let house = House::new(&lab, runner, &people, "");
        runner.sh(&format!("{} -y install holder-1.0 >/dev/null", runner.dnf())).unwrap();
        for who in ["dnf", "warden", "both"] {
            for scriptlet in HOLDS {
                let sealed = {
                    work(&house);
                    let mut changes = house.llvm_back();
                    let mut incoming = forge.install("holder", "2.0");
                    incoming.action = Action::Upgrade;
                    changes.push(incoming);
                    changes.push(house.change(Action::Replaced, "holder-1.0-1.noarch", Reason::User, ""));
                    house.propose(changes)
                };
                let (before, ground) = (picture(&house), Ground::of(&house));
                let bundle = house.permitted(&sealed, &[&people.mira]);
                runner
                    .sh(&format!(
                        "mkdir -p /var/lib/lab; rm -f /var/lib/lab/{scriptlet}; mkfifo /var/lib/lab/{scriptlet}"
                    ))
                    .unwrap();
                let request = WardenRequest::Apply { bundle: text(&bundle) };
                let (answer, ()) = meanwhile(&house, &request, || {
                    // The pipe is held open from here to the end of the command, so dnf stays where it is.
                    let kill = match who {
                        "dnf" => "kill -KILL $dnf",
                        "warden" => "kill -KILL $warden",
                        _ => "kill -KILL $warden $dnf",
                    };
                    runner
                        .sh(&format!(
                            "exec 3>/var/lib/lab/{scriptlet}; dnf=$(cat /var/lib/lab/pid); \
                             warden=$(sed 's/.*) . \\([0-9]*\\) .*/\\1/' /proc/$dnf/stat); {kill}; rm -f /var/lib/lab/{scriptlet}"
                        ))
                        .unwrap();
                });
                settle(&house);
                match (who, answer) {
                    ("dnf", WardenAnswer::Outcome(application)) => {
                        assert_eq!(application.stage, Stage::Undone, "{scriptlet}: {application:?}");
                    }
                    ("warden" | "both", WardenAnswer::Refused { code, .. }) => assert_eq!(code, "request"),
                    (_, other) => panic!("{who} {scriptlet}: {other:?}"),
                }
                ground.holds(&house, &sealed, Stage::Undone);
                assert_eq!(before, picture(&house), "{who} killed in %{scriptlet}");
                points += 1;
                eprintln!("{}: {who} killed in %{scriptlet}", runner.name);
            }
        }
    }
    eprintln!("{points} points at which dnf, the warden or both were killed inside a transaction");
    assert_eq!(points, 2 * 3 * HOLDS.len());
}
