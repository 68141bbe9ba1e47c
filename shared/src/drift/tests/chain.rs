use super::story::{DIGEST, entry, failed, history, judge, judge_since, lines, manifest, origin, runner};
use crate::manifest::effective::{Disposal, Effective};
use crate::observation::{History, Lock, Observation, Section};

const OTHER: &str = "00000000000000000000000000000000000000000000000000000000000000bb";

/// dnf's last transaction ended at 110 with another digest than the set has now.
fn broken(instances: &[&'static str]) -> Observation<'static> {
    let mut observation = runner(instances);
    observation.history = history(vec![entry(1, (90, 110), OTHER, &[])]);
    observation
}

#[test]
fn an_instance_newer_than_the_last_completed_transaction_is_out_of_band() {
    let observation = broken(&["a-1-1.x86_64 @111", "b-1-1.x86_64 @109", "c-1-1.i686 ext @112"]);
    assert_eq!(
        lines(&judge(Effective::default(), &observation)),
        ["out-of-band a.x86_64 [1-1] !", "out-of-band c.i686 [1-1] !"]
    );
}

#[test]
fn in_the_second_in_which_dnf_ended_its_own_word_decides() {
    let mut observation = broken(&["a-1-1.x86_64 @110", "b-1-1.x86_64 @110", "b-2-1.i686 @110", "c-1:1-1.x86_64 @110"]);
    let brought = ["+b-1-1.x86_64", "-b-2-1.i686", "+c-1:1-1.x86_64"];
    let killed = entry(2, (110, 0), "", &["+a-1-1.x86_64"]);
    observation.history = history(vec![killed, entry(1, (90, 110), OTHER, &brought)]);
    assert_eq!(
        lines(&judge(Effective::default(), &observation)),
        ["interrupted [2] !", "out-of-band a.x86_64 [1-1] !", "out-of-band b.i686 [2-1] !"]
    );
}

#[test]
fn a_whole_chain_has_no_out_of_band_whatever_the_install_times() {
    let observation = runner(&["a-1-1.x86_64 @999"]);
    assert_eq!(lines(&judge(Effective::default(), &observation)), [""; 0]);
}

#[test]
fn out_of_band_replaces_unlisted_and_comes_in_addition_to_the_rest() {
    let mut effective = manifest(&[("ruled", "= 1")]);
    effective.unlisted.external = Disposal::Remove;
    let observation =
        broken(&["a-1-1.x86_64 ext @111", "b-1-1.x86_64 ext @90", "c-1-1.x86_64 @90", "ruled-2-1.x86_64 @111"]);
    assert_eq!(
        lines(&judge(effective, &observation)),
        [
            "out-of-band a.x86_64 [1-1] !",
            "unlisted b.x86_64 [1-1]",
            "ahead ruled.x86_64 (= 1) [2-1]",
            "out-of-band ruled.x86_64 [2-1] !"
        ]
    );
}

#[test]
fn only_the_newer_instances_are_seen() {
    let observation = broken(&["k-1-1.x86_64 install-only @90", "k-2-1.x86_64 install-only @111"]);
    assert_eq!(lines(&judge(Effective::default(), &observation)), ["out-of-band k.x86_64 [2-1] !"]);
}

#[test]
fn a_removal_behind_dnfs_back_is_missing_by_nobody() {
    let mut observation = broken(&["bash-5-1.x86_64"]);
    observation.history = history(vec![entry(1, (90, 110), OTHER, &["+htop-3-1.x86_64"])]);
    let drift = judge(manifest(&[("htop", "*")]), &observation);
    assert_eq!(lines(&drift), ["out-of-band [] !", "missing htop.- (*) []"]);
    assert!(drift.items.iter().all(|item| item.since.is_none() && item.by.is_none()));
}

#[test]
fn a_broken_chain_with_nothing_newer_is_one_host_item() {
    let observation = broken(&["a-1-1.x86_64 @109"]);
    let drift = judge(Effective::default(), &observation);
    assert_eq!(lines(&drift), ["out-of-band [] !"]);
    assert_eq!(origin(&drift), (None, None));
}

#[test]
fn only_completed_transactions_with_dnfs_digest_are_links_of_the_chain() {
    let instances = ["a-1-1.x86_64 @115"];
    let failed_later = || {
        let mut failed = entry(2, (120, 130), OTHER, &[]);
        failed.completed = false;
        failed
    };
    let rows: [(&str, Vec<_>, &[&str]); 6] = [
        ("no history: not judged", vec![], &[]),
        ("only a transaction that failed: not judged", vec![failed_later()], &[]),
        ("a later one that failed does not count", vec![failed_later(), entry(1, (90, 120), DIGEST, &[])], &[]),
        (
            "the last by its end, not by its place",
            vec![entry(1, (90, 110), OTHER, &[]), entry(2, (100, 120), DIGEST, &[])],
            &[],
        ),
        ("a digest of the old form cannot be compared", vec![entry(1, (90, 110), "380:f2a0c1", &[])], &[]),
        ("an unknown digest neither", vec![entry(2, (90, 110), "", &[]), entry(1, (80, 85), OTHER, &[])], &[]),
    ];
    for (story, entries, expected) in rows {
        let mut observation = runner(&instances);
        observation.history = Section::Seen(History { entries, ..History::default() });
        let drift = judge(Effective::default(), &observation);
        assert_eq!(lines(&drift), expected, "{story}");
        assert!(drift.fully_observed(), "{story}");
    }
}

#[test]
fn a_history_that_could_not_be_read_is_not_judged_and_said() {
    let mut observation = broken(&["a-1-1.x86_64 @111"]);
    observation.history = failed("unreadable");
    let drift = judge(Effective::default(), &observation);
    assert_eq!(lines(&drift), [""; 0]);
    assert_eq!(drift.unjudged[0].section, "history");
}

#[test]
fn an_earlier_set_that_dnf_had_left_narrows_what_came_behind_its_back() {
    // The clock of the runner was ahead when dnf brought `a`.
    let now = broken(&["a-1-1.x86_64 @500", "b-1-1.x86_64 @400"]);
    let known = runner(&["a-1-1.x86_64 @500"]);
    let drift = judge_since(Effective::default(), &now, &known);
    assert_eq!(lines(&drift), ["out-of-band b.x86_64 [1-1] !"]);

    // The same build, installed again.
    let reinstalled = broken(&["a-1-1.x86_64 @600"]);
    let drift = judge_since(Effective::default(), &reinstalled, &known);
    assert_eq!(lines(&drift), ["out-of-band a.x86_64 [1-1] !"]);

    // Another build of the same name, version and time.
    let mut rebuilt = broken(&["a-1-1.x86_64 @500"]);
    if let Section::Seen(packages) = &mut rebuilt.packages {
        packages.list[0].header_sha256 = "another";
    }
    let drift = judge_since(Effective::default(), &rebuilt, &known);
    assert_eq!(lines(&drift), ["out-of-band a.x86_64 [1-1] !"]);

    // A set that was already broken then proves nothing.
    let drift = judge_since(Effective::default(), &now, &broken(&["a-1-1.x86_64 @500"]));
    assert_eq!(lines(&drift), ["out-of-band a.x86_64 [1-1] !", "out-of-band b.x86_64 [1-1] !"]);
}

#[test]
fn a_killed_transaction_is_interrupted_since_its_begin() {
    let mut observation = runner(&["a-1-1.x86_64"]);
    observation.history = history(vec![entry(7, (200, 0), "", &[]), entry(6, (90, 110), DIGEST, &[])]);
    let drift = judge(Effective::default(), &observation);
    assert_eq!(lines(&drift), ["interrupted [7] !"]);
    assert_eq!(origin(&drift), (Some(200), Some("dnf 7".to_owned())));
}

#[test]
fn a_transaction_that_failed_or_still_runs_is_not_interrupted() {
    let mut error = entry(7, (200, 210), "", &[]);
    error.completed = false;
    let mut observation = runner(&["a-1-1.x86_64"]);
    observation.history = history(vec![error, entry(6, (90, 110), DIGEST, &[])]);
    assert_eq!(lines(&judge(Effective::default(), &observation)), [""; 0]);

    observation.history = history(vec![entry(7, (200, 0), "", &[]), entry(6, (90, 110), DIGEST, &[])]);
    for (since, expected) in [(199, 0), (200, 0), (201, 1)] {
        observation.at = 300;
        observation.locks = Section::Seen(vec![Lock { path: "/run/lock", since }]);
        let drift = judge(Effective::default(), &observation);
        assert_eq!(drift.items.len(), expected, "lock since {since}");
    }
}

#[test]
fn packages_of_a_killed_transaction_are_out_of_band_by_who_ran_it() {
    let mut observation = broken(&["a-1-1.x86_64 ext @205"]);
    observation.history =
        history(vec![entry(7, (200, 0), "", &["+a-1-1.x86_64", "+b-1-1.x86_64"]), entry(6, (90, 110), OTHER, &[])]);
    let drift = judge(Effective::default(), &observation);
    assert_eq!(lines(&drift), ["interrupted [7] !", "out-of-band a.x86_64 [1-1] !"]);
    assert_eq!(drift.items[1].since, Some(205));
    assert_eq!(drift.items[1].by.as_ref().unwrap().command, "dnf 7");
}
