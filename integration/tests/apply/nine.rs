//! The whole way on nine real runners, and then what `attempts` tries on them.

use crate::attempts::{compromised, incident, taken_back};
use crate::yard::{Yard, installed};
use countersign_integration::embedded::acting::done;
use countersign_integration::lab::{Lab, LabConfig, Runner, plant, turn};
use countersign_manifests_schema::plan::{ApplyResult, PlanDocument};
use countersign_manifests_schema::report::DriftReport;
use std::time::Instant;

/// Unwanted drift of every runner that a package change removes.
fn remediable(report: &DriftReport) -> usize {
    report.runners.iter().flat_map(|runner| &runner.drift).filter(|item| item.remediable).count()
}

fn plant(lab: &Lab) {
    for name in ["runner-01", "runner-02", "runner-03", "runner-06", "runner-07"] {
        plant::person_upgrades_llvm(lab.runner(name)).unwrap();
    }
    for name in ["runner-04", "runner-08"] {
        plant::person_leaves_gcc_toolset(lab.runner(name)).unwrap();
    }
    plant::rpm_erases_behind_dnf(lab.runner("runner-05")).unwrap();
    lab.runner("runner-09").sh("dnf4 -y remove htop >/dev/null").unwrap();
    for name in ["runner-01", "runner-02", "runner-06"] {
        lab.runner(name).sh("snapper --no-dbus create-config /").unwrap();
    }
    for runner in lab.runners() {
        runner.sh(&format!("{} makecache >/dev/null 2>&1", runner.dnf())).unwrap();
    }
}

/// Half of the branches with the person's tool, half with plain git, as the README of a proposal prints it.
fn approve(yard: &Yard) {
    let clone = yard.dir.path().join("clone");
    let made =
        yard.person(yard.dir.path(), &["clone", "--quiet", yard.proposed.to_str().unwrap(), clone.to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");
    for (index, (tip, brought)) in yard.branches().into_iter().enumerate() {
        if index % 2 == 0 {
            let ids: Vec<&str> = brought.iter().map(|(_, id)| id.as_str()).collect();
            done(yard.acting.person(&[&["approve", "--yes"], &ids[..]].concat())).unwrap();
            continue;
        }
        let lines: Vec<String> =
            brought.iter().map(|(runner, id)| format!("Countersign-Approves: {runner} sha256:{id}")).collect();
        let message = format!("Approve\n\n{}\n", lines.join("\n"));
        for arguments in [
            &["fetch", "--quiet", "origin"][..],
            &["checkout", "--quiet", "-B", "main", "origin/main"],
            &["merge", "--quiet", "--no-ff", "-S", "-m", &message, &tip],
            &["push", "--quiet", "origin", "main"],
        ] {
            let output = yard.person(&clone, arguments);
            assert!(output.status.success(), "{arguments:?}: {output:?}");
        }
    }
}

#[test]
fn nine_real_runners_come_back_in_line_and_the_incident_does_not_happen_again() {
    let Some(_turn) = turn("nine_real_runners_come_back_in_line_and_the_incident_does_not_happen_again") else {
        return;
    };
    let lab = Lab::up(&LabConfig::nine()).unwrap();
    let yard = Yard::new(&lab);
    let before: Vec<String> = lab.runners().iter().map(installed).collect();
    plant(&lab);

    let report = yard.nightly();
    let proposed = report.runners.iter().filter(|runner| runner.proposal.is_some()).count();
    assert_eq!(proposed, 9, "{report:#?}");
    eprintln!("{} branches for nine proposals, {} items", yard.branches().len(), remediable(&report));
    approve(&yard);
    done(yard.acting.person(&["lease", "--yes", "--reason", "the llvm incident"])).unwrap();

    figures(&yard, &report, lab.runner("runner-03"));
    let start = Instant::now();
    let (status, document) = yard.actuator(&["apply", "--all"]);
    eprintln!("apply --all of eight runners: {} ms", start.elapsed().as_millis());
    for row in &document.proposals {
        let why: Vec<_> = row.gates.iter().filter(|gate| Some(&gate.gate) == row.refusal.as_ref()).collect();
        assert_eq!(row.result, Some(ApplyResult::Applied), "{}: {why:?} {:?}", row.runner, row.detail);
    }
    assert_eq!((status, document.proposals.len()), (Some(0), 8));
    // Any htop will do for the manifest, and the newest is what dnf takes.
    let pinned = |set: &str| set.lines().filter(|line| !line.starts_with("htop-")).collect::<Vec<_>>().join("\n");
    let after: Vec<String> = lab.runners().iter().map(installed).collect();
    for ((runner, before), after) in lab.runners().iter().zip(&before).zip(&after) {
        assert_eq!(pinned(after), pinned(before), "{}", runner.name);
        assert!(after.contains("htop-3.3.0-"), "{}", runner.name);
    }
    let verified = yard.acting.actuator(&["ledger", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
    let (status, again) = yard.actuator(&["apply", "--all"]);
    assert_eq!((status, again.proposals.len()), (Some(0), 0), "{again:?}");
    let report = yard.nightly();
    assert_eq!(remediable(&report), 0, "{report:#?}");
    assert!(report.runners.iter().all(|runner| runner.proposal.is_none()), "{report:#?}");

    incident(&yard, &lab);
    compromised(&yard, &lab);
    taken_back(&yard, &lab);
    for (runner, after) in lab.runners().iter().zip(&after) {
        assert_eq!(&installed(runner), after, "{}", runner.name);
    }
}

/// `apply` of one runner beside dnf alone with the same transaction.
fn figures(yard: &Yard, report: &DriftReport, runner: &Runner) {
    let row = report.runners.iter().find(|row| row.name == runner.name).unwrap();
    let id = row.proposal.as_deref().unwrap();
    let start = Instant::now();
    let output = yard.acting.actuator(&["apply", id, "--json"]).env("RUST_LOG", "info").output().unwrap();
    let applied = start.elapsed();
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    let (status, document) = (output.status.code(), serde_json::from_slice::<PlanDocument>(&output.stdout).unwrap());
    let row = &document.proposals[0];
    let why: Vec<_> = row.gates.iter().filter(|gate| Some(&gate.gate) == row.refusal.as_ref()).collect();
    assert_eq!((status, row.result), (Some(0), Some(ApplyResult::Applied)), "{why:?} {:?}", row.detail);
    // The same, there and back, with dnf alone.
    plant::person_upgrades_llvm(runner).unwrap();
    runner.sh("rm -rf /root/t && dnf5 -y do --action=downgrade llvm-19.1.0 --store=/root/t >/dev/null").unwrap();
    let start = Instant::now();
    runner.sh("dnf5 -y --setopt=localpkg_gpgcheck=1 replay /root/t >/dev/null 2>&1").unwrap();
    eprintln!(
        "{}: apply {} ms, dnf5 replay alone {} ms",
        runner.name,
        applied.as_millis(),
        start.elapsed().as_millis()
    );
}
