use super::*;

fn transactions(list: &[(u64, i64)]) -> Vec<HistoryEntry<'static>> {
    let entry = |&(id, begin): &(u64, i64)| HistoryEntry {
        id,
        begin,
        end: begin + 1,
        completed: true,
        user: None,
        command: "dnf".into(),
        rpmdb_end: "".into(),
        changes: Vec::new(),
    };
    list.iter().map(entry).collect()
}

#[test]
fn a_history_that_does_not_continue_the_known_one_has_a_gap() {
    let before: &[(u64, i64)] = &[(7, 700), (6, 600)];
    type Row = (&'static str, &'static [(u64, i64)], bool);
    let rows: [Row; 7] = [
        ("the same", before, false),
        ("it went on", &[(9, 900), (8, 800), (7, 700)], false),
        ("it went on and forgot the oldest", &[(9, 900), (7, 700)], false),
        ("it moved past what was known", &[(300, 3000), (101, 1000)], true),
        ("it ends earlier", &[(6, 600), (5, 500)], true),
        ("the known one is gone from it", &[(8, 800), (6, 600)], true),
        ("it is empty", &[], true),
    ];
    let mark = |list: &[(u64, i64)]| Mark::of(&History { entries: transactions(list), ..History::default() });
    for (what, now, found) in rows {
        let known = Footprint { history: mark(before), ..footprint(2, &[], &[]) };
        let unread = footprint(1, &[], &[]);
        let mut told = story(Footprint { history: mark(now), ..footprint(0, &[], &[]) }, vec![unread, known]);
        told.observation.history = Section::Seen(History { entries: transactions(now), ..History::default() });
        let expected: &[&str] = if found { &["history-gap"] } else { &[] };
        assert_eq!(told.codes(), expected, "{what}");
        if what == "it ends earlier" {
            assert_eq!(told.watch()[0].1, "dnf's history ends before its transaction 7, which was there before");
        }
    }
    // Not read now, or never read before: nothing is known of a gap.
    let known = Footprint { history: mark(before), ..footprint(1, &[], &[]) };
    let mut told = story(footprint(0, &[], &[]), vec![known]);
    told.observation.history = Section::Failed(Failure::new("history-unreadable", ""));
    assert_eq!(told.codes(), [""; 0]);
    let told = story(Footprint { history: mark(before), ..footprint(0, &[], &[]) }, vec![footprint(1, &[], &[])]);
    assert_eq!(told.codes(), [""; 0]);
}

#[test]
fn expired_waivers_and_unknown_reasons_are_told() {
    let mut told = story(footprint(0, &[], &[]), vec![]);
    told.assessment.expired = vec![Expired {
        place: "waivers/w.toml:3".to_owned(),
        until: "2026-11-10".to_owned(),
        owner: "ada@example.org".to_owned(),
        about: "a ahead".to_owned(),
    }];
    told.drift.reasons_unknown = true;
    let found = told.watch();
    assert_eq!(
        found[0],
        (
            "waiver-expired",
            "the waiver of ada@example.org for a ahead ended on 2026-11-10 (waivers/w.toml:3)".to_owned()
        )
    );
    assert_eq!(found[1].0, "reasons-unknown");
    assert_eq!(found.len(), 2);
}

#[test]
fn one_drift_that_is_new_on_too_much_of_the_fleet_is_a_spread() {
    let drifted = |seen: &str| reported(&key("ahead", Some("a"), &[seen]), true);
    let waived = DriftItem {
        waived: Some(Waived { until: "2026-12-31".to_owned(), owner: "ada".to_owned() }),
        ..drifted("2-1")
    };
    let by_canonical = DriftItem { spec_changed: Some("c1".to_owned()), ..drifted("2-1") };
    let known = DriftItem { new: false, ..drifted("2-1") };
    // Percent, fleet, what each of some runners has.
    let rows: [(&str, u32, usize, Vec<DriftItem>, bool); 8] = [
        ("3 of 9, above 25 %", 25, 9, vec![drifted("2-1"); 3], true),
        ("2 of 9, below", 25, 9, vec![drifted("2-1"); 2], false),
        ("2 of 8, not above", 25, 8, vec![drifted("2-1"); 2], false),
        ("1 of 1 is no spread", 25, 1, vec![drifted("2-1")], false),
        ("three different ones", 25, 9, vec![drifted("2-1"), drifted("3-1"), drifted("4-1")], false),
        ("waived", 25, 9, vec![waived; 9], false),
        ("made by canonical", 25, 9, vec![by_canonical; 9], false),
        ("known", 25, 9, vec![known; 9], false),
    ];
    for (what, percent, fleet, runners, found) in rows {
        let mut spread = Spread::default();
        for (index, item) in runners.into_iter().enumerate() {
            spread.note(&format!("runner-{index}"), &[item]);
        }
        let findings = spread.findings(fleet, percent);
        assert_eq!(!findings.is_empty(), found, "{what}");
        if found {
            assert_eq!(findings[0].message, "ahead a.x86_64 is new on 3 of 9 runners at once");
            assert_eq!(findings[0].runners, ["runner-0", "runner-1", "runner-2"]);
        }
    }
}

#[test]
fn more_manifests_in_a_day_than_usual_are_a_burst() {
    let change = |file: &str, at: i64| ManifestChange { file: file.to_owned(), at };
    let files = |count: usize, at: i64| -> Vec<ManifestChange> {
        (0..count).map(|n| change(&format!("manifests/{n}.toml"), at)).collect()
    };
    let rows = [
        ("one more than usual", files(6, NOW - 10), true),
        ("as many as usual", files(5, NOW - 10), false),
        ("a day ago", files(184, NOW - DAY), false),
        ("a second less than a day ago", files(184, NOW - DAY + 1), true),
        ("one file often", vec![change("manifests/a.toml", NOW - 10); 50], false),
        ("by a clock that is ahead", files(6, NOW + 500), true),
    ];
    for (what, changes, found) in rows {
        assert_eq!(burst(&changes, NOW, 5).is_some(), found, "{what}");
    }
}

#[test]
fn the_same_sentence_is_one_finding_and_many_of_one_kind_are_counted() {
    let finding = |code, message: &str, runner: &str| Finding {
        code,
        message: message.to_owned(),
        runners: vec![runner.to_owned()],
    };
    let guards = gather(vec![
        finding(Code::ReasonsUnknown, "unknown", "b"),
        finding(Code::ReasonsUnknown, "unknown", "a"),
        finding(Code::SpecFollowsDrift, "follows", "c"),
    ]);
    assert_eq!(guards[0].code, "spec-follows-drift");
    assert_eq!((guards[1].code.as_str(), guards[1].runners.join(" ")), ("reasons-unknown", "a b".to_owned()));

    let many = (0..14).map(|n| finding(Code::Oscillation, &format!("{n:02}"), &format!("runner-{n:02}"))).collect();
    let guards = gather(many);
    assert_eq!(guards.len(), 11);
    assert_eq!(guards[10].message, "4 more findings of this kind");
    assert_eq!(guards[10].runners, ["runner-10", "runner-11", "runner-12", "runner-13"]);
}

#[test]
fn every_change_of_what_is_demanded_is_a_rule_change() {
    let rule = |spec: &str| Ruling {
        rule: Rule::Present(VersionSpec::parse(spec).unwrap()),
        from: Vec::new(),
        reason: None,
        place: Place::default(),
    };
    let key = |name: &str, arch: Option<&str>| PackageKey { name: name.to_owned(), arch: arch.map(str::to_owned) };
    let mut before = Effective::default();
    before.packages.insert(key("kept", None), rule("*"));
    before.packages.insert(key("changed", None), rule("= 1"));
    before.packages.insert(key("gone", Some("i686")), rule("*"));
    let mut after = before.clone();
    after.packages.insert(key("changed", None), rule("= 2"));
    after.packages.remove(&key("gone", Some("i686")));
    after.packages.insert(key("came", None), Ruling { from: vec!["updates".to_owned()], ..rule("*") });
    // Moved to another place with another reason: it demands the same.
    let place = Place { file: "manifests/x.toml".to_owned(), line: 9, column: 1 };
    after.packages.insert(key("kept", None), Ruling { reason: Some("x".to_owned()), place, ..rule("*") });
    after.unlisted.ignore = vec!["*-debuginfo".to_owned()];
    after.host.selinux = Some("permissive".to_owned());
    after.lock = Some(Lock { file: "locks/x.toml".to_owned(), ..Lock::default() });
    let adoptions = ["sha256:x".to_owned()];
    let changes = rule_changes(&before, &after, "c1", &adoptions);
    let what: Vec<&str> = changes.iter().map(|change| change.what.as_str()).collect();
    assert_eq!(what, ["came", "changed", "gone.i686", "[unlisted]", "[host] selinux", "lock"]);
    assert_eq!(changes[0].after.as_deref(), Some("* from updates"));
    assert_eq!((changes[1].before.as_deref(), changes[1].after.as_deref()), (Some("= 1"), Some("= 2")));
    assert_eq!((changes[2].before.as_deref(), changes[2].after.as_deref()), (Some("*"), None));
    assert!(changes.iter().all(|change| change.commit == "c1" && change.adoptions == adoptions));
    assert_eq!(rule_changes(&before, &before.clone(), "c1", &[]), []);
}

#[test]
fn a_footprint_is_small_and_reads_back() {
    let items = [key("ahead", Some("a"), &["2-1"])];
    let mut told = story(footprint(0, &items, &[]), vec![]);
    let mut waived = reported(&key("behind", Some("b"), &["1-1"]), false);
    waived.waived = Some(Waived { until: "2026-12-31".to_owned(), owner: "ada".to_owned() });
    told.assessment.items.push(waived);
    let kept = Footprint::new(&told.observation, &told.drift, &told.assessment, vec![change("a", None, Some("*"))]);
    assert_eq!(kept.items, items);
    assert_eq!(kept.waived.len(), 1);
    let json = serde_json::to_string(&kept).unwrap();
    assert_eq!(serde_json::from_str::<Footprint>(&json).unwrap(), kept);
}
