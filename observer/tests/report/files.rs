//! Reports on disk, and what wakes somebody.

use countersign_manifests_schema::report::DriftReport;
use countersign_observer::notify::news;
use countersign_observer::report::files::{FilesError, write};
use countersign_observer::report::{PreviousRun, Summary, json, put_in_order};
use countersign_shared::exit::Outcome;

use crate::sample::{self, Sample};

fn summary(sample: &Sample) -> Summary<'_> {
    Summary::of(&sample.report, &sample.context)
}

#[test]
fn every_form_is_written_for_the_run_and_as_the_latest() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("made/on/the/way");
    let mut sample = sample::incident();
    for day in 18..=20 {
        sample.report.run = format!("202611{day}T033000Z");
        write(&directory, &summary(&sample), 2).unwrap();
        // The file of a run was also the latest until now: what is written afterwards does not reach it.
        for day in 18.max(day - 1)..=day {
            let run = format!("202611{day}T033000Z");
            let text = std::fs::read_to_string(directory.join(format!("{run}.json"))).unwrap();
            assert!(text.contains(&run), "{run}");
        }
    }
    let names = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    let stems = ["20261119T033000Z", "20261120T033000Z", "latest"];
    let expected: Vec<String> =
        stems.iter().flat_map(|stem| ["html", "json", "md", "txt"].map(|form| format!("{stem}.{form}"))).collect();
    assert_eq!(names, expected);
    for form in ["html", "json", "md", "txt"] {
        let read = |stem: &str| std::fs::read(directory.join(format!("{stem}.{form}"))).unwrap();
        assert_eq!(read("latest"), read("20261120T033000Z"));
    }
    let back: DriftReport = serde_json::from_slice(&std::fs::read(directory.join("latest.json")).unwrap()).unwrap();
    sample.report.runners.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(back.runners.len(), sample.report.runners.len());
}

#[test]
fn what_cannot_be_replaced_stays_and_nothing_is_left_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let in_the_way = directory.path().join("latest.txt/in the way");
    std::fs::create_dir_all(&in_the_way).unwrap();
    let sample = sample::incident();
    let error = write(directory.path(), &summary(&sample), 3).unwrap_err();
    assert!(matches!(&error, FilesError::Write(path, _) if path.ends_with("latest.txt")), "{error}");
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{names:?}");
    // JSON comes last: whoever watches it has not been told yet.
    assert!(names.iter().all(|name| !name.to_string_lossy().ends_with(".json")), "{names:?}");
    assert!(in_the_way.is_dir());
}

#[test]
fn a_run_with_a_hostile_name_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut sample = sample::clean();
    for name in ["../20261120T033000Z", "latest", "", "/etc/passwd"] {
        sample.report.run = name.to_owned();
        assert!(matches!(write(directory.path(), &summary(&sample), 3), Err(FilesError::Run(_))));
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn json_is_one_document_whose_bytes_do_not_depend_on_the_order_found() {
    let mut sample = sample::incident();
    let mut reversed = sample.report.clone();
    reversed.runners.reverse();
    for runner in &mut reversed.runners {
        runner.drift.reverse();
    }
    assert_eq!(json(&sample.report), json(&reversed));
    assert_eq!(json(&reversed).matches('\n').count(), 1);
    let back: DriftReport = serde_json::from_str(&json(&reversed)).unwrap();
    put_in_order(&mut sample.report);
    assert_eq!(back, sample.report);
    let packages: Vec<_> = back.runners[4].drift.iter().map(|item| item.package.as_deref()).collect();
    assert_eq!(packages, [None, Some("acme-agent"), Some("htop"), Some("openssl")]);
}

#[test]
fn the_exit_status_says_the_gravest() {
    let mut sample = sample::incident();
    assert_eq!(summary(&sample).outcome(), Outcome::Failed);
    sample.report.steps.pop();
    assert_eq!(summary(&sample).outcome(), Outcome::NotObserved);
    sample.report.runners.retain(|runner| runner.error.is_none());
    assert_eq!(summary(&sample).outcome(), Outcome::Drift);
    for runner in &mut sample.report.runners {
        runner.drift.retain(|item| item.waived.is_some());
    }
    assert_eq!(summary(&sample).outcome(), Outcome::Clean);
    assert_eq!(summary(&sample::blind()).outcome(), Outcome::NotObserved);
}

#[test]
fn somebody_is_woken_for_what_is_new_and_only_then() {
    let mut sample = sample::incident();
    assert_eq!(
        news(&summary(&sample)).as_deref(),
        Some(
            "countersign 20261120T033000Z: 10 new drift items (ahead clang-tools-extra, ahead llvm, ahead llvm-libs, \
             ...); guard spec-follows-drift; newly not observed: runner-08 and 1 more; step failed: publish"
        )
    );
    // The next run finds the same: nobody is woken again.
    sample.context.previous = Some(PreviousRun::between(&sample.report, &sample.report));
    for item in sample.report.runners.iter_mut().flat_map(|runner| &mut runner.drift) {
        item.new = false;
    }
    assert_eq!(news(&summary(&sample)), None);
    // The same guard on one more runner is news, and so is one more failed runner.
    sample.report.guards[0].runners.push("runner-04".to_owned());
    assert!(news(&summary(&sample)).unwrap().ends_with("guard spec-follows-drift"));
    sample.report.guards[0].runners.pop();
    sample.report.runners[0] = sample::failed("runner-01", "builders", "timeout", "no answer");
    assert!(news(&summary(&sample)).unwrap().ends_with("newly not observed: runner-01"));
    assert_eq!(news(&summary(&sample::clean())), None);
}

#[test]
fn new_drift_under_a_waiver_wakes_nobody() {
    let mut sample = sample::clean();
    let mut item = sample::item("ahead", Some("llvm"), Some("= 1"), &["2"]);
    item.new = true;
    sample.report.runners[0].drift = vec![item.clone()];
    assert!(news(&summary(&sample)).is_some());
    item.waived = Some(countersign_manifests_schema::report::Waived {
        until: "2026-12-31".to_owned(),
        owner: "team@example.org".to_owned(),
    });
    sample.report.runners[0].drift = vec![item];
    assert_eq!(news(&summary(&sample)), None);
}

#[test]
fn the_line_for_the_program_is_one_harmless_line() {
    let line = news(&summary(&sample::hostile())).unwrap();
    assert!(!line.chars().any(char::is_control) && !line.contains('\u{202e}'), "{line:?}");
    assert!(countersign_shared::terminal::width(&line) <= 500);
}

#[test]
fn what_is_gone_is_counted_on_runners_that_both_runs_saw() {
    let before = sample::incident().report;
    let mut after = before.clone();
    after.runners[1].drift.clear();
    after.runners[2] = sample::failed("runner-03", "builders", "timeout", "no answer");
    assert_eq!(PreviousRun::between(&before, &after).gone, 3);
    assert_eq!(PreviousRun::between(&before, &before).gone, 0);
}
