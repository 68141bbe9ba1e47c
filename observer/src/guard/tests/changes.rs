use super::*;

#[test]
fn canonical_that_follows_drift_is_found_unless_people_adopted_that_drift() {
    let drifted = || key("ahead", Some("a"), &["2-1"]);
    let follows = |what: &str| change(what, Some("= 1"), Some("= 2"));
    let with = |items: &[Key], rules: &[RuleChange]| story(footprint(0, &[], rules), vec![footprint(1, items, &[])]);
    let rows: [(&str, Story, bool); 9] = [
        ("the rule changed, the runner did not", with(&[drifted()], &[follows("a")]), true),
        ("the rule for the arch changed", with(&[drifted()], &[follows("a.x86_64")]), true),
        ("the rule for another arch changed", with(&[drifted()], &[follows("a.i686")]), false),
        ("another rule changed", with(&[drifted()], &[follows("ab")]), false),
        ("no rule changed", with(&[drifted()], &[]), false),
        ("the runner changed", with(&[key("ahead", Some("a"), &["3-1"])], &[follows("a")]), false),
        (
            "what was missing is not wanted any more",
            with(&[key("missing", Some("b"), &[])], &[change("b", Some("*"), None)]),
            true,
        ),
        (
            "what was unlisted is ignored now",
            with(&[key("unlisted", Some("a"), &["2-1"])], &[follows("[unlisted]")]),
            true,
        ),
        ("what was ahead has nothing to do with what is unlisted", with(&[drifted()], &[follows("[unlisted]")]), false),
    ];
    for (what, story, found) in rows {
        let expected: &[&str] = if found { &["spec-follows-drift"] } else { &[] };
        assert_eq!(story.codes(), expected, "{what}");
    }
    let still_drift = story(footprint(0, &[drifted()], &[follows("a")]), vec![footprint(1, &[drifted()], &[])]);
    assert_eq!(still_drift.codes(), [""; 0], "it is still drift");
    let accepted = story(
        footprint(0, &[], &[follows("a")]),
        vec![Footprint { waived: vec![drifted()], ..footprint(1, &[], &[]) }],
    );
    assert_eq!(accepted.codes(), [""; 0], "people had accepted it before");
}

#[test]
fn host_rules_that_follow_drift_are_found_too() {
    let repo = key("repo-enabled", None, &["copr:x"]);
    let rule = change("[host] repositories", Some("fedora"), Some("fedora, copr:x"));
    let mut told = story(footprint(0, &[], &[rule]), vec![footprint(1, &[repo], &[])]);
    told.observation.repos = Section::Seen(vec![Repo { id: "copr:x", enabled: true }]);
    assert_eq!(told.codes(), ["spec-follows-drift"]);
    told.observation.repos = Section::Seen(vec![Repo { id: "copr:x", enabled: false }]);
    assert_eq!(told.codes(), [""; 0], "somebody switched it off");

    let mode = key("selinux", None, &["enforcing"]);
    let rule = change("[host] selinux", Some("permissive"), Some("enforcing"));
    let told = story(footprint(0, &[], &[rule]), vec![footprint(1, &[mode], &[])]);
    assert_eq!(told.codes(), ["spec-follows-drift"]);
}

#[test]
fn only_a_trailer_that_recomputes_for_this_runner_and_item_is_an_adoption() {
    let drifted = key("ahead", Some("a"), &["2-1"]);
    let adopted = |runner: &str, seen: &[String]| {
        let item =
            Adopted { runner, code: "ahead", package: Some("a"), arch: Some("x86_64"), wanted: Some("= 1"), seen };
        adopted_in(&format!("Adopt\n\n{}\n", item.trailer()), "runner-01")
    };
    let rows = [
        ("this one", adopted("runner-01", &drifted.seen), true),
        ("another runner's", adopted("runner-02", &drifted.seen), false),
        ("of other drift", adopted("runner-01", &["3-1".to_owned()]), false),
        ("nothing", Vec::new(), false),
        ("something", vec!["sha256:".to_owned() + &"a".repeat(64)], false),
    ];
    for (what, adoptions, is_adopted) in rows {
        let rule = RuleChange { adoptions, ..change("a", Some("= 1"), Some("= 2")) };
        let told = story(footprint(0, &[], &[rule]), vec![footprint(1, std::slice::from_ref(&drifted), &[])]);
        assert_eq!(told.codes().is_empty(), is_adopted, "{what}");
    }
}

#[test]
fn a_report_that_was_adopted_as_a_whole_covers_what_it_had_and_nothing_else() {
    let (a, b, c) =
        (key("ahead", Some("a"), &["2-1"]), key("unlisted", Some("b"), &["1-1"]), key("selinux", None, &[]));
    let adopting = |items: &[Key]| {
        let digest = digest_of_all(items.iter().map(|key| key.adopted("runner-01")));
        RuleChange { adoptions: vec![digest], ..change("a", Some("= 1"), Some("= 2")) }
    };
    let report = [a.clone(), b.clone()];
    let rows: [(&str, RuleChange, Vec<Footprint>, bool); 6] = [
        ("the last report", adopting(&report), vec![footprint(1, &report, &[])], true),
        (
            "the one before",
            adopting(&report),
            vec![footprint(1, &[a.clone(), c], &[]), footprint(2, &report, &[])],
            true,
        ),
        ("one that never was", adopting(std::slice::from_ref(&a)), vec![footprint(1, &report, &[])], false),
        (
            "one that did not have it",
            adopting(std::slice::from_ref(&b)),
            vec![footprint(1, &report, &[]), footprint(2, &[b], &[])],
            false,
        ),
        ("nothing", adopting(&[]), vec![footprint(1, &report, &[]), footprint(2, &[], &[])], false),
        ("no adoption", change("a", Some("= 1"), Some("= 2")), vec![footprint(1, &report, &[])], false),
    ];
    for (what, rule, earlier, is_adopted) in rows {
        let told = story(footprint(0, &[], &[rule]), earlier);
        assert_eq!(told.codes().is_empty(), is_adopted, "{what}");
    }
}

#[test]
fn drift_that_was_gone_and_is_back_as_it_was_oscillates() {
    let a = || key("ahead", Some("a"), &["2-1"]);
    let other = || key("ahead", Some("a"), &["3-1"]);
    let with = |items: &[Key], earlier: Vec<Footprint>| story(footprint(0, items, &[]), earlier);
    let rows: [(&str, Story, bool); 8] = [
        ("A, clean, A", with(&[a()], vec![footprint(1, &[], &[]), footprint(2, &[a()], &[])]), true),
        ("A, B, A", with(&[a()], vec![footprint(1, &[other()], &[]), footprint(2, &[a()], &[])]), true),
        (
            "A, B, B, A",
            with(&[a()], vec![footprint(1, &[other()], &[]), footprint(2, &[other()], &[]), footprint(3, &[a()], &[])]),
            true,
        ),
        ("A, A, A", with(&[a()], vec![footprint(1, &[a()], &[]), footprint(2, &[a()], &[])]), false),
        ("clean, A", with(&[a()], vec![footprint(1, &[], &[])]), false),
        ("A, clean, B", with(&[other()], vec![footprint(1, &[], &[]), footprint(2, &[a()], &[])]), false),
        ("clean, A, clean: fixed", with(&[], vec![footprint(1, &[a()], &[]), footprint(2, &[], &[])]), false),
        ("too long ago", with(&[a()], vec![footprint(1, &[], &[]), footprint(8, &[a()], &[])]), false),
    ];
    for (what, story, found) in rows {
        let expected: &[&str] = if found { &["oscillation"] } else { &[] };
        assert_eq!(story.codes(), expected, "{what}");
    }
}

#[test]
fn what_was_not_judged_or_was_waived_in_between_does_not_oscillate() {
    let item = || key("out-of-band", Some("a"), &["2-1"]);
    let blind = Footprint { unjudged: vec!["out-of-band".to_owned()], ..footprint(1, &[], &[]) };
    let told = story(footprint(0, &[item()], &[]), vec![blind, footprint(2, &[item()], &[])]);
    assert_eq!(told.codes(), [""; 0]);
    let waived = Footprint { waived: vec![item()], ..footprint(1, &[], &[]) };
    let told = story(footprint(0, &[item()], &[]), vec![waived, footprint(2, &[item()], &[])]);
    assert_eq!(told.codes(), [""; 0]);
}

#[test]
fn a_rule_that_is_again_what_it_was_oscillates() {
    let there = || change("a", Some("= 1"), Some("= 2"));
    let back = || change("a", Some("= 2"), Some("= 1"));
    let rows: [(&str, Vec<RuleChange>, Vec<Footprint>, bool); 6] = [
        ("there, back", vec![back()], vec![footprint(1, &[], &[there()])], true),
        ("both since the last run", vec![there(), back()], vec![], true),
        ("there", vec![there()], vec![footprint(1, &[], &[])], false),
        ("there, on", vec![change("a", Some("= 2"), Some("= 3"))], vec![footprint(1, &[], &[there()])], false),
        ("another one back", vec![change("b", Some("= 2"), Some("= 1"))], vec![footprint(1, &[], &[there()])], false),
        (
            "back yesterday, nothing today",
            vec![],
            vec![footprint(1, &[], &[back()]), footprint(2, &[], &[there()])],
            false,
        ),
    ];
    for (what, now, earlier, found) in rows {
        let told = story(footprint(0, &[], &now), earlier);
        let expected: &[&str] = if found { &["oscillation"] } else { &[] };
        assert_eq!(told.codes(), expected, "{what}");
    }
    let told = story(footprint(0, &[], &[change("b", None, Some("*")), change("b", Some("*"), None)]), vec![]);
    assert_eq!(told.watch()[0].1, "the rule for b went from `no rule` to `*` and back");
}

#[test]
fn new_drift_in_or_right_after_our_own_application_is_self_inflicted() {
    let receipt = |started, finished| Receipt { id: "r1".to_owned(), started, finished };
    let told = |receipt: Receipt, user: Option<&str>| {
        let mut told = story(footprint(0, &[key("ahead", Some("a"), &["2-1"])], &[]), vec![]);
        told.receipts = vec![receipt];
        told.drift.items[0].by = user.map(|user| By { user: Some(user.to_owned()), command: "dnf".to_owned() });
        told
    };
    // The drift came at NOW - 50.
    let came = NOW - 50;
    let rows = [
        ("during it", receipt(came - 10, came + 10), true),
        ("as it began", receipt(came, came + 10), true),
        ("right after it", receipt(came - 20, came - 10), true),
        ("at the very end of that", receipt(came - DAY, came - 3600), true),
        ("later", receipt(came - DAY, came - 3601), false),
        ("before it", receipt(came + 1, came + 10), false),
    ];
    for (what, receipt, found) in rows {
        let expected: &[&str] = if found { &["self-inflicted"] } else { &[] };
        for nobody in [None, Some("root"), Some("countersign-actuator")] {
            assert_eq!(told(receipt.clone(), nobody).codes(), expected, "{what} by {nobody:?}");
        }
        assert_eq!(told(receipt.clone(), Some("mira")).codes(), [""; 0], "{what}, by a person");
        let mut told = told(receipt, None);
        told.assessment.items[0].new = false;
        assert_eq!(told.codes(), [""; 0], "{what}, known drift");
        told.assessment.items[0].new = true;
        told.assessment.items[0].spec_changed = Some("c1".to_owned());
        assert_eq!(told.codes(), [""; 0], "{what}, made by canonical");
    }
}

#[test]
fn an_application_under_way_has_no_end_yet() {
    let mut told = story(Footprint::default(), vec![]);
    told.observation.at = 100;
    let applied = |stage| Applied { proposal: "r1", stage, started: 40, at: 60 };
    let mut finished = |stage| {
        let history = History { applications: vec![applied(stage)], ..History::default() };
        told.observation.history = Section::Seen(history);
        Receipt::all(&told.observation)[0].finished
    };
    for (stage, at) in [
        (Stage::Started, 100),
        (Stage::Unconfirmed, 100),
        (Stage::Confirmed, 60),
        (Stage::Undone, 60),
        (Stage::Failed, 60),
    ] {
        assert_eq!(finished(stage), at, "{stage:?}");
    }
}

#[test]
fn drift_that_no_rule_ended_is_not_followed() {
    let gone = |key: Key, rule: RuleChange| story(footprint(0, &[], &[rule]), vec![footprint(1, &[key], &[])]);
    let rule = || change("a", Some("= 1"), Some("= 2"));
    assert_eq!(gone(key("out-of-band", Some("a"), &["2-1"]), rule()).codes(), [""; 0], "dnf has taken it over");

    let mut unread = gone(key("unlisted", Some("a"), &["2-1"]), change("[unlisted]", Some("x"), Some("y")));
    unread.now.unjudged = vec!["unlisted".to_owned()];
    assert_eq!(unread.codes(), [""; 0], "it was not judged");

    // `a-2-1` was there for another kernel.
    let mut mismatch = key("kernel-mismatch", Some("a"), &["2-1"]);
    mismatch.wanted = Some("6.10.0-1.fc41.x86_64".to_owned());
    assert_eq!(gone(mismatch.clone(), rule()).codes(), [""; 0], "it was rebooted");
    mismatch.wanted = Some("6.11.4-301.fc41.x86_64".to_owned());
    assert_eq!(gone(mismatch, rule()).codes(), ["spec-follows-drift"]);
}

#[test]
fn waived_drift_is_never_self_inflicted() {
    let mut told = story(footprint(0, &[key("ahead", Some("a"), &["2-1"])], &[]), vec![]);
    told.receipts = vec![Receipt { id: "r1".to_owned(), started: NOW - 60, finished: NOW - 40 }];
    assert_eq!(told.codes(), ["self-inflicted"]);
    told.assessment.items[0].waived = Some(Waived { until: "2026-12-31".to_owned(), owner: "ada".to_owned() });
    assert_eq!(told.codes(), [""; 0]);
}
