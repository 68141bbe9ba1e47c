use super::*;

use countersign_manifests_schema::report::*;
use countersign_shared::duration::Span;
use countersign_shared::observation::Failure;
use jiff::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn record(packages: &str, noise: &str) -> String {
    format!("head {noise}\nsection packages\n {}\nsection os\n fedora\nend\n", packages.repeat(2000))
}

fn answer(record: String, accepted: &str) -> Result<Answer, Failure> {
    let accepted = vec![Notice { code: accepted.to_owned(), message: String::new() }];
    Ok(Answer { record, warm: false, full_at: 7, accepted })
}

fn outcome(runner: &str, answer: Result<Answer, Failure>) -> Outcome {
    Outcome { runner: runner.to_owned(), at: 9, answer }
}

fn item(code: &str, waived: bool) -> DriftItem {
    DriftItem {
        code: code.to_owned(),
        package: Some("llvm".to_owned()),
        arch: None,
        wanted: None,
        seen: vec![],
        since: None,
        by: None,
        spec_changed: None,
        waived: waived.then(|| Waived { until: "2026-12-31".to_owned(), owner: "o".to_owned() }),
        new: true,
        remediable: true,
        blocked: None,
    }
}

fn report(run: &Run, runners: &[(&str, Status, Vec<DriftItem>)]) -> DriftReport {
    DriftReport {
        schema: DRIFT_REPORT_SCHEMA.to_owned(),
        run: run.name.clone(),
        canonical_commit: "c0ffee".to_owned(),
        runners: runners
            .iter()
            .map(|(name, status, drift)| RunnerReport {
                name: (*name).to_owned(),
                groups: vec![],
                status: *status,
                error: None,
                packages: 1,
                warm: false,
                drift: drift.clone(),
                unjudged: Vec::new(),
                proposal: None,
            })
            .collect(),
        guards: vec![],
        trust: vec![],
        risks: vec![],
        steps: vec![],
    }
}

fn contents(store: &Store) -> i64 {
    store.db.query_row("SELECT count(*) FROM content", [], |row| row.get(0)).unwrap()
}

#[test]
fn what_is_saved_reads_back_and_equal_sections_are_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let run = store.begin_run(at(0)).unwrap();
    let failure = Failure::new("timeout", "no answer in 60s");
    let outcomes = [
        outcome("a", answer(record("llvm", "nonce-1"), "t1")),
        outcome("b", answer(record("llvm", "nonce-2"), "t2")),
        outcome("c", answer(record("gcc", "nonce-3"), "t3")),
        outcome("d", Err(failure.clone())),
    ];
    store.save(&run, &outcomes).unwrap();
    store.finish_observing(&run, at(1)).unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    for wanted in &outcomes {
        assert_eq!(store.outcome(run.id, &wanted.runner).unwrap().as_ref(), Some(wanted));
    }
    assert_eq!(contents(&store), 2, "two different package sections");
    assert_eq!(store.hint("a").unwrap(), Some(Hint { full_at: 7, run: run.id, tokens: Default::default() }));
    assert_eq!(store.hint("d").unwrap(), None);
    assert_eq!(store.newest_answer("d").unwrap(), None);
    assert_eq!(store.newest_observed().unwrap(), Some(run));
}

fn list(release: &str, time: &str) -> String {
    let row =
        |n: usize| format!(" package-{n}\t0\t1\t{release}\tnoarch\t{time}\t{n}\t{n:064}\tkey\tu\t-\tfedora\tFedora\n");
    format!("section packages\n{}close 0 40\nend 1\n", (0..40).map(row).collect::<String>())
}

#[test]
fn runners_with_the_same_packages_store_them_once_whenever_they_came() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let run = store.begin_run(at(0)).unwrap();
    let outcomes = [("a", list("1", "1000")), ("b", list("1", "2000")), ("c", list("2", "1000"))];
    let outcomes = outcomes.map(|(runner, record)| outcome(runner, answer(record, "t")));
    store.save(&run, &outcomes).unwrap();
    assert!(list("1", "1").len() > 2 * 2048);
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    for wanted in &outcomes {
        assert_eq!(store.outcome(run.id, &wanted.runner).unwrap().as_ref(), Some(wanted));
    }
    assert_eq!(contents(&store), 4, "two sets, two times");
}

#[test]
fn a_history_of_the_first_format_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let run = store.begin_run(at(0)).unwrap();
    // It had no halves: a text that is no list is stored in the same way today.
    store.save(&run, &[outcome("a", answer(record("llvm", ""), "t"))]).unwrap();
    store.db.execute_batch("PRAGMA user_version = 1").unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.outcome(run.id, "a").unwrap().unwrap().answer.unwrap().record, record("llvm", ""));
    let format: i64 = store.db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(format, FORMAT, "an older program must refuse what it could not read");
}

#[test]
fn a_damaged_text_is_an_error_and_never_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let run = store.begin_run(at(0)).unwrap();
    store.save(&run, &[outcome("a", answer(record("llvm", ""), "t"))]).unwrap();
    let other = lz4_flex::block::compress(record("gcc0", "").as_bytes());
    store.db.execute("UPDATE content SET lz4 = ?1", [other]).unwrap();
    drop(store);
    // What this process has seen whole stays so for it; another one has only the file.
    let store = Store::open(dir.path()).unwrap();
    assert!(matches!(store.outcome(run.id, "a"), Err(HistoryError::Damaged(_))));
    store.db.execute("DELETE FROM content", []).unwrap();
    assert!(matches!(store.outcome(run.id, "a"), Err(HistoryError::Damaged(_))));
}

#[test]
fn two_runs_in_one_second_have_two_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let names: Vec<_> = (0..3).map(|_| store.begin_run(at(0)).unwrap().name).collect();
    assert_eq!(names[1], format!("{}-2", names[0]));
    assert_eq!(names[2], format!("{}-3", names[0]));
}

#[test]
fn previous_is_the_last_run_that_observed_the_runner_and_never_the_run_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let first = store.begin_run(at(0)).unwrap();
    store
        .save_report(
            &first,
            &report(&first, &[("a", Status::Observed, vec![item("ahead", false)])]),
            &Extras::default(),
            at(1),
        )
        .unwrap();
    let second = store.begin_run(at(10)).unwrap();
    store.save_report(&second, &report(&second, &[("a", Status::Failed, vec![])]), &Extras::default(), at(11)).unwrap();
    let third = store.begin_run(at(20)).unwrap();
    let said = report(&third, &[("a", Status::Observed, vec![])]);
    store.save_report(&third, &said, &Extras::default(), at(21)).unwrap();
    assert_eq!(store.previous(&first, "a").unwrap(), None);
    let previous = store.previous(&third, "a").unwrap().unwrap();
    assert_eq!((previous.run, previous.items.len()), (first.id, 1));
    assert_eq!(store.report(&third).unwrap(), Some(said));
    assert_eq!(store.newest_reported().unwrap(), Some(third));
}

#[test]
fn the_trend_counts_unwaived_items_and_runners_per_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let first = store.begin_run(at(0)).unwrap();
    let runners = [
        ("a", Status::Observed, vec![item("ahead", false), item("unlisted", true)]),
        ("b", Status::Observed, vec![item("ahead", false)]),
        ("c", Status::Failed, vec![]),
    ];
    store.save_report(&first, &report(&first, &runners), &Extras::default(), at(1)).unwrap();
    store.save_report(&first, &report(&first, &runners), &Extras::default(), at(2)).unwrap();
    let second = store.begin_run(at(10)).unwrap();
    store.save_report(&second, &report(&second, &runners[..1]), &Extras::default(), at(11)).unwrap();
    let trend = store.trend(10).unwrap();
    assert_eq!(trend.len(), 2);
    assert_eq!((trend[0].observed, trend[0].failed), (2, 1));
    assert_eq!(trend[0].drift_by_code, [("ahead".to_owned(), 2)].into());
    assert_eq!(trend[1].run, second.name);
    assert_eq!(store.trend(1).unwrap(), trend[1..]);
}

#[test]
fn retention_drops_what_is_old_and_keeps_the_newest_answer_of_each_runner() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let old = store.begin_run(at(0)).unwrap();
    store.save(&old, &[outcome("a", answer(record("one", ""), "t"))]).unwrap();
    let gone = store.begin_run(at(100)).unwrap();
    store.save(&gone, &[outcome("b", answer(record("two", ""), "t"))]).unwrap();
    let new = store.begin_run(at(1000)).unwrap();
    store.save(&new, &[outcome("b", answer(record("three", ""), "t"))]).unwrap();
    assert_eq!(contents(&store), 3);
    assert_eq!(store.prune(Span::from_secs(500), at(1001)).unwrap(), 1);
    assert!(store.newest_answer("a").unwrap().is_some(), "its only answer is old, and stays");
    assert_eq!(store.outcome(gone.id, "b").unwrap(), None);
    assert_eq!(contents(&store), 2);
    assert_eq!(store.prune(Span::from_secs(500), at(1001)).unwrap(), 0);
}

#[test]
fn a_second_run_says_who_holds_the_lock_and_a_dead_one_holds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let lock = StateLock::take(dir.path()).unwrap();
    let held = StateLock::take(dir.path()).unwrap_err();
    assert!(held.to_string().contains(&std::process::id().to_string()), "{held}");
    drop(lock);
    StateLock::take(dir.path()).unwrap();
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.db.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(store);
    assert!(matches!(Store::open(dir.path()), Err(HistoryError::Newer { found: 99, .. })));
}

#[test]
fn consecutive_observations_of_an_item_are_counted_back_to_the_first_gap() {
    let place = tempfile::tempdir().unwrap();
    let mut store = Store::open(place.path()).unwrap();
    let seen = |codes: &[&str]| codes.iter().map(|code| item(code, *code == "unwanted")).collect::<Vec<_>>();
    // The runner failed in the third run: that is no observation, and no gap.
    let nights = [
        (Status::Observed, seen(&["unlisted", "ahead"])),
        (Status::Observed, seen(&["ahead"])),
        (Status::Observed, seen(&["unlisted", "ahead"])),
        (Status::Failed, seen(&[])),
        (Status::Observed, seen(&["unlisted", "ahead", "unwanted"])),
    ];
    let mut last = None;
    for (night, (status, items)) in nights.iter().enumerate() {
        let run = store.begin_run(at(night as i64)).unwrap();
        let report = report(&run, &[("runner-01", *status, items.clone())]);
        store.save_report(&run, &report, &Extras::default(), at(night as i64)).unwrap();
        last = Some(run);
    }
    let (run, items) = (last.unwrap(), &nights[4].1);
    let counted = |most| -> Vec<(bool, u32)> {
        let standings = crate::propose::standings(&store, &run, "runner-01", items, most).unwrap();
        standings.iter().map(|standing| (standing.waived, standing.observations)).collect()
    };
    assert_eq!(counted(10), [(false, 2), (false, 4), (true, 1)]);
    assert_eq!(counted(2), [(false, 2), (false, 2), (true, 1)]);
    assert_eq!(counted(1), [(false, 1), (false, 1), (true, 1)]);
}
