//! What was not kept is proposed anew and says so; and drift that an application made is told to people before anything is
//! proposed against it.

use crate::scene::{DEMO, Scene};
use crate::workshop::Forge;
use crate::yard::{Yard, installed};
use countersign_integration::embedded::acting::{done, git};
use countersign_integration::embedded::catalog::{ARCH, FakePackage};
use countersign_integration::lab::{Base, Lab, LabConfig, plant, turn};
use countersign_manifests_schema::notary::Outcome;
use countersign_manifests_schema::plan::{ApplyResult, PlanDocument};
use countersign_manifests_schema::report::{DriftReport, RunnerReport};
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn row<'r>(report: &'r DriftReport, name: &str) -> &'r RunnerReport {
    report.runners.iter().find(|row| row.name == name).unwrap()
}

fn offered(report: &DriftReport, name: &str) -> String {
    let row = row(report, name);
    row.proposal.clone().unwrap_or_else(|| panic!("nothing is offered: {row:#?}, {:?}", report.guards))
}

fn guards(report: &DriftReport) -> Vec<(&str, Vec<&str>)> {
    report.guards.iter().map(|g| (g.code.as_str(), g.runners.iter().map(String::as_str).collect())).collect()
}

/// What a person reads before approving it.
fn readme(proposed: &Path, runner: &str, id: &str) -> String {
    let file = format!("proposals/{runner}/{id}/README.md");
    let commit = git(proposed, &["log", "--all", "--format=%H", "--diff-filter=A", "-1", "--", &file]).unwrap();
    git(proposed, &["show", &format!("{commit}:{file}")]).unwrap()
}

#[test]
fn what_was_undone_is_proposed_anew_and_says_so() {
    let scene = Scene::new(&["runner-04"]);
    let (name, first) = scene.proposals[0].clone();
    assert!(!readme(&scene.proposed, &name, &first).contains("tried before"));
    scene.wardens[0].smuggle(FakePackage::new("backdoor", "1.0-1.fc41", ARCH));
    let ran = scene.apply();
    assert_eq!(ran.said.unwrap().proposals[0].result, Some(ApplyResult::Undone), "{}", ran.text);
    // The machine is byte for byte as it was: nothing but the warden's own word tells of it.
    assert_eq!(scene.wardens[0].machine().rpmdb_digest(), scene.before[0]);

    let report = scene.nightly();
    let second = offered(&report, &name);
    assert_ne!(second, first, "what is spent is never offered again");
    let text = readme(&scene.proposed, &name, &second);
    assert!(text.contains("## This was tried before") && text.contains(&format!("`{first}`")), "{text}");
    assert!(!guards(&report).iter().any(|(code, _)| *code == "self-inflicted"), "{:?}", report.guards);
    // Nothing has happened since: the same bytes.
    assert_eq!(row(&scene.nightly(), &name).proposal.as_ref(), Some(&second));

    done(scene.acting.person(&["reset-breaker", "--yes", "--reason", "the bad package is gone"])).unwrap();
    scene.acting.approve(&[&second]).unwrap();
    let ran = scene.apply();
    assert_eq!(ran.said.unwrap().proposals[0].result, Some(ApplyResult::Applied), "{}", ran.text);
    let report = scene.nightly();
    assert!(row(&report, &name).drift.is_empty(), "{report:#?}");
    assert_eq!(guards(&report), []);
}

/// The token was burned, and the runner never began: nobody there knows of it.
#[test]
fn what_never_reached_its_runner_is_proposed_anew_when_a_person_asks_for_it() {
    let scene = Scene::new(&["runner-04"]);
    let (name, first) = scene.proposals[0].clone();
    let killed = scene.run(&["apply", &first, "--json"], &[("COUNTERSIGN_FAULT", "Permitted kill")]);
    assert_eq!(killed.signal, Some(9), "{}", killed.text);
    scene.apply();
    assert_eq!(scene.ends(&first), [Some(Some(Outcome::Undone))]);
    assert_eq!(row(&scene.nightly(), &name).proposal.as_ref(), Some(&first));

    let mut observer = Command::new(DEMO);
    observer.arg0("countersign-observer").arg("--config").arg(&scene.site.config);
    let made = observer.args(["propose", "--runner", &name, "--anew"]).output().unwrap();
    assert_eq!(made.status.code(), Some(10), "there is drift: {made:?}");
    let report = scene.nightly();
    let second = offered(&report, &name);
    assert_ne!(second, first);
    done(scene.acting.person(&["reset-breaker", "--yes", "--reason", "the actuator was killed"])).unwrap();
    scene.acting.approve(&[&second]).unwrap();
    let ran = scene.apply();
    assert_eq!(ran.said.unwrap().proposals[0].result, Some(ApplyResult::Applied), "{}", ran.text);
}

#[test]
fn what_real_runners_undid_is_proposed_anew_and_applied() {
    let Some(_turn) = turn("what_real_runners_undid_is_proposed_anew_and_applied") else {
        return;
    };
    // Before dnf began, when nothing in its history tells of it; and after it was done.
    let points = [
        ("runner-01", Base::Dnf5, "ApplyArmed"),
        ("runner-02", Base::Dnf4, "ApplyArmed"),
        ("runner-03", Base::Dnf5, "ApplyReplayed"),
    ];
    let lab = Lab::up(&LabConfig::new(points.map(|(name, base, _)| (name, base)))).unwrap();
    let yard = Yard::with_faults(&lab);
    for runner in lab.runners() {
        plant::person_upgrades_llvm(runner).unwrap();
        runner.sh(&format!("{} makecache >/dev/null 2>&1", runner.dnf())).unwrap();
    }
    let first = yard.nightly();
    let kept = yard.nightly();
    let names = points.map(|(name, ..)| name);
    let spent = approved(&yard, &first, &names);
    for ((name, _, step), id) in points.into_iter().zip(&spent) {
        assert_eq!(row(&kept, name).proposal.as_ref(), Some(id), "{name}: nothing has happened");
        let runner = lab.runner(name);
        let former = installed(runner);
        runner.sh(&format!("printf '%s\\n' '{step} kill' >/run/countersign-fault")).unwrap();
        let document = applied(&yard, id);
        assert_eq!(document.proposals[0].result, Some(ApplyResult::Undone), "{name}: {document:?}");
        assert_eq!(installed(runner), former, "{name}");
        done(yard.acting.person(&["reset-breaker", "--yes", "--reason", "a test"])).unwrap();
        let shown = runner.sh("cat /var/lib/countersign-warden.applications").unwrap();
        assert!(shown.starts_with(&format!("{id}\tundone\t")), "{name}: {shown}");
    }

    let second = yard.nightly();
    let third = yard.nightly();
    assert!(!guards(&second).iter().any(|(code, _)| *code == "self-inflicted"), "{:?}", second.guards);
    let anew = approved(&yard, &second, &names);
    for ((name, old), id) in names.into_iter().zip(&spent).zip(&anew) {
        assert_ne!(id, old, "{name}");
        assert_eq!(row(&third, name).proposal.as_ref(), Some(id), "{name}: nothing has happened");
        let text = readme(&yard.proposed, name, id);
        assert!(text.contains("## This was tried before") && text.contains(&format!("`{old}`")), "{name}: {text}");
        let document = applied(&yard, id);
        assert_eq!(document.proposals[0].result, Some(ApplyResult::Applied), "{name}: {document:?}");
    }
    let last = yard.nightly();
    for name in names {
        assert!(row(&last, name).proposal.is_none(), "{last:#?}");
        assert!(row(&last, name).drift.iter().all(|item| !item.remediable), "{last:#?}");
    }
    assert!(!guards(&last).iter().any(|(code, _)| *code == "self-inflicted"), "{:?}", last.guards);
}

/// One merge for all that these runners are offered.
fn approved(yard: &Yard, report: &DriftReport, names: &[&str]) -> Vec<String> {
    let ids: Vec<String> = names.iter().map(|name| offered(report, name)).collect();
    let named: Vec<&str> = ids.iter().map(String::as_str).collect();
    done(yard.acting.person(&[&["approve", "--yes"], &named[..]].concat())).unwrap();
    ids
}

/// A person on duty starts it.
fn applied(yard: &Yard, id: &str) -> PlanDocument {
    done(yard.acting.person(&["lease", "--yes", "--reason", "the llvm incident"])).unwrap();
    yard.actuator(&["apply", id]).1
}

/// Its scriptlet leaves root a job that brings a compiler which nobody wants.
const JOB: &str =
    "%post\nmkdir -p /etc/cron.hourly\necho 'dnf5 -y install gcc-toolset-13 >/dev/null' >/etc/cron.hourly/site-tools\n";

#[test]
fn drift_that_an_applied_package_makes_later_is_ours_until_people_have_looked() {
    let Some(_turn) = turn("drift_that_an_applied_package_makes_later_is_ours_until_people_have_looked") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("runner-01", Base::Dnf5), ("runner-02", Base::Dnf4)])).unwrap();
    let yard = Yard::new(&lab);
    Forge::new(&lab, lab.runner("runner-01"), "side").build("site-tools", "1.0", "1", JOB);
    for runner in lab.runners() {
        runner.sh(&format!("{} makecache >/dev/null 2>&1", runner.dnf())).unwrap();
    }
    let canonical = Canonical::clone(&yard);
    let manifest = canonical.clone.join("manifests/builder.toml");
    let rules = fs::read_to_string(&manifest).unwrap();
    let wanted = rules.replace("htop              =", "site-tools        = \"*\"\nhtop              =");
    assert_ne!(wanted, rules);
    fs::write(&manifest, wanted.replace("[\"fedora\", \"updates\"]", "[\"fedora\", \"updates\", \"side\"]")).unwrap();
    canonical.publish("Want the site's tools");

    let report = yard.nightly();
    for id in approved(&yard, &report, &["runner-01", "runner-02"]) {
        let document = applied(&yard, &id);
        assert_eq!(document.proposals[0].result, Some(ApplyResult::Applied), "{document:?}");
    }
    let report = yard.nightly();
    assert!(report.runners.iter().all(|row| row.proposal.is_none()), "{report:#?}");
    assert!(!guards(&report).iter().any(|(code, _)| *code == "self-inflicted"), "{:?}", report.guards);

    // The hour is over on one of them; on the other a person is at work.
    lab.runner("runner-01").sh("sh /etc/cron.hourly/site-tools").unwrap();
    plant::person_upgrades_llvm(lab.runner("runner-02")).unwrap();
    for night in ["the first", "the next"] {
        let report = yard.nightly();
        let found: Vec<_> = guards(&report).into_iter().filter(|(code, _)| *code == "self-inflicted").collect();
        assert_eq!(found, [("self-inflicted", vec!["runner-01"])], "{night}: {:?}", report.guards);
        let ours = row(&report, "runner-01");
        let item = ours.drift.iter().find(|item| item.package.as_deref() == Some("gcc-toolset-13")).unwrap();
        assert_eq!(item.blocked.as_ref().map(|blocked| blocked.code.as_str()), Some("policy"), "{night}: {item:?}");
        assert_eq!(ours.proposal, None, "{night}");
        assert!(row(&report, "runner-02").proposal.is_some(), "{night}: a person did it there: {report:#?}");
    }
    canonical.publish("We looked at it\n\nCountersign-Resets: self-inflicted");
    let report = yard.nightly();
    assert!(!guards(&report).iter().any(|(code, _)| *code == "self-inflicted"), "{:?}", report.guards);
    assert!(row(&report, "runner-01").proposal.is_some(), "{report:#?}");
}

/// A person's own clone.
struct Canonical<'y> {
    yard: &'y Yard,
    clone: PathBuf,
}

impl<'y> Canonical<'y> {
    fn clone(yard: &'y Yard) -> Self {
        let clone = yard.dir.path().join("canonical");
        let canonical = Self { yard, clone };
        let arguments = ["clone", "--quiet", yard.canonical.to_str().unwrap(), "canonical"];
        let made = yard.person(yard.dir.path(), &arguments);
        assert!(made.status.success(), "{made:?}");
        canonical
    }

    fn publish(&self, message: &str) {
        for arguments in [
            &["commit", "--quiet", "--all", "--allow-empty", "-S", "-m", message][..],
            &["push", "--quiet", "origin", "HEAD:main"],
        ] {
            let output = self.yard.person(&self.clone, arguments);
            assert!(output.status.success(), "{arguments:?}: {output:?}");
        }
    }
}
