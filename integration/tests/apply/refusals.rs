//! What stops a run, and what it leaves behind.

use crate::scene::Scene;
use countersign_integration::embedded::acting::git;
use countersign_integration::embedded::catalog::{ARCH, FakePackage};
use countersign_manifests_schema::ledger::Event;
use countersign_manifests_schema::notary::Outcome;
use countersign_manifests_schema::plan::{ApplyResult, PlanDocument};
use countersign_manifests_schema::warden::Stage;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

fn results(document: &PlanDocument) -> Vec<(&str, Option<ApplyResult>, Option<&str>)> {
    document.proposals.iter().map(|row| (row.runner.as_str(), row.result, row.refusal.as_deref())).collect()
}

#[test]
fn what_does_not_come_out_as_foretold_is_undone_and_nothing_further_is_started() {
    let scene = Scene::new(&["runner-04", "runner-06"]);
    let bad = &scene.wardens[0];
    bad.smuggle(FakePackage::new("backdoor", "1.0-1.fc41", ARCH));
    let (_, id) = scene.proposals[0].clone();
    let ran = scene.run(&["apply", &id[..20], "--json"], &[]);
    let document = ran.said.unwrap();
    assert_eq!((ran.status, document.proposals[0].result), (Some(1), Some(ApplyResult::Undone)), "{}", ran.text);
    assert!(document.proposals[0].detail.as_deref().unwrap().contains("not those that were foretold"), "{}", ran.text);
    assert_eq!(bad.machine().rpmdb_digest(), scene.before[0]);
    assert_eq!(bad.started()[0].stage, Stage::Undone);
    assert_eq!(scene.ends(&id), [Some(Some(Outcome::Undone))]);
    // Tripped, here and at the notary.
    assert!(scene.acting.state().unwrap().tripped.is_some());
    let next = scene.apply();
    assert_eq!(next.status, Some(20), "{}", next.text);
    assert_eq!(
        results(&next.said.unwrap()),
        [("runner-06", Some(ApplyResult::Refused), Some("breaker"))],
        "what was undone is spent"
    );
    assert!(scene.wardens[1].started().is_empty());
    // A person looks, and resets it.
    let reset = scene.acting.person(&["reset-breaker", "--yes", "--reason", "a bad package"]).output().unwrap();
    assert!(reset.status.success(), "{reset:?}");
    let ran = scene.apply();
    assert_eq!(results(&ran.said.unwrap()), [("runner-06", Some(ApplyResult::Applied), None)], "{}", ran.text);
}

#[test]
fn a_refusal_after_the_start_is_not_believed() {
    let scene = Scene::new(&["runner-06"]);
    let (_, id) = scene.proposals[0].clone();
    scene.wardens[0].deny();
    let ran = scene.apply();
    assert_eq!(scene.ends(&id), [Some(Some(Outcome::Applied))], "{}", ran.text);
    assert_eq!(scene.wardens[0].started()[0].stage, Stage::Confirmed);
    assert_eq!((ran.status, results(&ran.said.unwrap())[0].1), (Some(0), Some(ApplyResult::Applied)), "{}", ran.text);
}

#[test]
fn a_halt_stops_before_anything_is_begun() {
    let scene = Scene::new(&["runner-06"]);
    let halt = scene.acting.dir.path().join("state/HALT");
    std::fs::create_dir_all(halt.parent().unwrap()).unwrap();
    std::fs::write(&halt, "llvm looks wrong\n").unwrap();
    let ran = scene.apply();
    assert_eq!(ran.status, Some(21), "{}", ran.text);
    assert_eq!(results(&ran.said.unwrap()), [("runner-06", Some(ApplyResult::Refused), Some("halted"))]);
    assert!(scene.wardens[0].started().is_empty() && scene.ledger().is_empty());
    std::fs::remove_file(&halt).unwrap();
    assert_eq!(scene.apply().status, Some(0));
}

#[test]
fn a_halt_is_told_where_nothing_is_ready() {
    let scene = Scene::unapproved(&["runner-06"]);
    let commands = [&["plan"][..], &["status"], &["apply", "--all"]];
    for command in commands {
        let ran = scene.run(&[command, &["--json"]].concat(), &[]);
        assert_eq!((ran.status, ran.said.unwrap().halted), (Some(0), Vec::new()), "{command:?}: {}", ran.text);
    }
    assert_eq!(scene.run(&["halt", "llvm looks wrong"], &[]).status, Some(0));
    for command in commands {
        let ran = scene.run(&[command, &["--json"]].concat(), &[]);
        let halted = ran.said.unwrap().halted;
        let places: Vec<&str> = halted.iter().map(|halt| halt.place.rsplit('/').next().unwrap()).collect();
        assert_eq!((ran.status, places), (Some(21), vec!["HALT", "the notary"]), "{command:?}: {}", ran.text);
        assert!(halted.iter().all(|halt| halt.reason.starts_with("llvm looks wrong")), "{}", ran.text);
        let ran = scene.run(command, &[]);
        assert_eq!(ran.status, Some(21));
        assert!(ran.text.starts_with("HALTED ") && ran.text.contains("the notary: llvm looks wrong"), "{}", ran.text);
    }
}

/// Staged, and the start is written: the last moment before it is asked again whether anybody objects.
#[test]
fn a_halt_between_staging_and_permission_stops_it_by_each_way_of_setting_one() {
    let scene = Scene::new(&["runner-06"]);
    let (_, id) = scene.proposals[0].clone();
    let local = scene.acting.dir.path().join("state/HALT");
    let clone = scene.acting.dir.path().join("clone");
    git(scene.acting.dir.path(), &["clone", "--quiet", scene.proposed.to_str().unwrap(), "clone"]).unwrap();
    let file = |set: bool| match set {
        true => std::fs::write(&local, "llvm looks wrong\n").unwrap(),
        false => std::fs::remove_file(&local).unwrap(),
    };
    let command = |set: bool| match set {
        true => {
            let ran = scene.run(&["halt", "llvm looks wrong"], &[]);
            assert_eq!(ran.status, Some(0), "{}", ran.text);
            assert!(ran.text.contains("a run is under way, which records it at its end"), "{}", ran.text);
        }
        false => {
            let resumed = scene.acting.person(&["resume", "--yes", "--reason", "looked at"]).output().unwrap();
            assert!(resumed.status.success(), "{resumed:?}");
            std::fs::remove_file(&local).unwrap();
        }
    };
    // Anybody who can push may stop it, signed or not.
    let pushed = |set: bool| {
        match set {
            true => std::fs::write(clone.join("HALT"), "llvm looks wrong\n").unwrap(),
            false => std::fs::remove_file(clone.join("HALT")).unwrap(),
        }
        for arguments in [&["add", "--all"][..], &["commit", "--quiet", "-m", "Stop"], &["push", "--quiet"]] {
            git(&clone, arguments).unwrap();
        }
    };
    let ways: [(&str, &dyn Fn(bool)); 3] =
        [("a file", &file), ("the command", &command), ("HALT in proposed", &pushed)];
    for (index, (way, set)) in ways.into_iter().enumerate() {
        let held = scene.acting.dir.path().join("held");
        let mut actuator = scene.acting.actuator(&["apply", "--all", "--json"]);
        actuator.env("COUNTERSIGN_FAULT", "Recorded hold").env("COUNTERSIGN_FAULT_HELD", &held);
        let mut child = actuator.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while !held.exists() {
            assert!(child.try_wait().unwrap().is_none(), "{way}: it ended before the start was written");
            std::thread::yield_now();
        }
        set(true);
        std::fs::remove_file(&held).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let document: PlanDocument = serde_json::from_str(&text).unwrap();
        assert_eq!(results(&document), [("runner-06", Some(ApplyResult::Refused), Some("halted"))], "{way}: {text}");
        assert_eq!(output.status.code(), Some(21), "{way}: {text}");
        assert!(text.contains("llvm looks wrong"), "{way}: {text}");
        assert_eq!(scene.ends(&id), vec![Some(None); index + 1], "{way}: given up, and nothing is spent");
        set(false);
        // On this machine; of the other ways, those who can be asked remember.
        let halts = scene.ledger().into_iter().filter_map(|entry| match entry.event {
            Event::Halted { reason } => Some(reason),
            _ => None,
        });
        assert_eq!(halts.collect::<Vec<_>>(), vec!["llvm looks wrong"; (index + 1).min(2)], "{way}");
    }
    assert!(scene.wardens[0].started().is_empty());
    assert_eq!(scene.apply().status, Some(0), "what was given up may still be applied");
    assert_eq!(scene.wardens[0].started().len(), 1);
}

/// Right before the token is asked for, and it is not back when it is asked what it burned.
#[test]
fn a_notary_that_dies_while_a_token_is_drawn_stops_nothing_for_good() {
    let mut scene = Scene::new(&["runner-04", "runner-06"]);
    let (_, id) = scene.proposals[0].clone();
    let held = scene.acting.dir.path().join("held");
    let mut actuator = scene.acting.actuator(&["apply", &id, "--json"]);
    actuator.env("COUNTERSIGN_FAULT", "OnDuty hold").env("COUNTERSIGN_FAULT_HELD", &held);
    let mut child = actuator.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !held.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before the token was asked for");
        std::thread::yield_now();
    }
    scene.acting.kill_notary().unwrap();
    std::fs::remove_file(&held).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let document: PlanDocument = serde_json::from_str(&text).unwrap();
    assert_eq!(results(&document)[0].1, Some(ApplyResult::Failed), "{text}");
    assert!(text.contains("not known yet"), "{text}");
    scene.acting.restart_notary().unwrap();
    assert_eq!(scene.ends(&id), [None], "nobody knows: it is no end");
    // The next run closes it, and what was never burned may be started like everything else.
    let next = scene.run(&["apply", "--all", "--json"], &[]);
    assert_eq!(scene.ends(&id)[0], Some(None), "{}", next.text);
    let last = scene.apply();
    assert_eq!(last.status, Some(0), "{}", last.text);
    for (index, (_, id)) in scene.proposals.iter().enumerate() {
        assert_eq!(scene.ends(id).last(), Some(&Some(Some(Outcome::Applied))), "{}", last.text);
        assert_eq!(scene.wardens[index].started().len(), 1);
    }
}

#[test]
fn without_a_person_on_duty_nothing_is_begun() {
    let scene = Scene::unapproved(&["runner-06"]);
    let (_, id) = &scene.proposals[0];
    let approved = scene.acting.person(&["approve", "--yes", id]).output().unwrap();
    assert!(approved.status.success(), "{approved:?}");
    let ran = scene.apply();
    assert_eq!(ran.status, Some(20), "{}", ran.text);
    assert_eq!(results(&ran.said.unwrap()), [("runner-06", Some(ApplyResult::Refused), Some("no-lease"))]);
    assert!(scene.wardens[0].started().is_empty() && scene.ledger().is_empty());
}

#[test]
fn an_interrupt_finishes_what_is_in_hand_and_starts_nothing_more() {
    let scene = Scene::new(&["runner-03", "runner-04", "runner-06"]);
    let held: Vec<_> = (0..2).map(|index| scene.acting.dir.path().join(format!("held-{index}"))).collect();
    for (warden, file) in scene.wardens.iter().zip(&held) {
        warden.hold_at(file);
    }
    let mut actuator = scene.acting.actuator(&["apply", "--all", "--json"]);
    let mut child = actuator.env("RUST_LOG", "warn").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !held.iter().all(|file| file.exists()) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before both were begun");
        std::thread::yield_now();
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("interrupted")), "it says so");
    for file in &held {
        std::fs::remove_file(file).unwrap();
    }
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let document: PlanDocument = serde_json::from_str(&text).unwrap();
    assert!(child.wait().unwrap().code().is_some());
    assert_eq!(
        results(&document),
        [
            ("runner-03", Some(ApplyResult::Applied), None),
            ("runner-04", Some(ApplyResult::Applied), None),
            ("runner-06", Some(ApplyResult::Refused), None),
        ],
        "{text}"
    );
    assert!(scene.wardens[2].started().is_empty());
    assert_eq!(scene.apply().status, Some(0), "the rest is done by the next run");
    assert_eq!(scene.wardens[2].started().len(), 1);
}
