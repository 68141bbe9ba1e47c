use super::story::{DIGEST, closed, entry, history, judge, manifest, origin, runner};

/// Rules, instance, transactions newest first, `since`, the transaction's command.
type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
    &'static [(u64, (i64, i64), &'static [&'static str])],
    Option<i64>,
    Option<&'static str>,
);

#[test]
fn since_is_the_end_of_the_transaction_that_brought_or_removed_else_the_install_time() {
    let rows: &[Row] = &[
        (
            "brought by dnf",
            &[("llvm", "= 19")],
            &["llvm-20-1.x86_64 @205"],
            &[(2, (200, 210), &["+llvm-20-1.x86_64", "-llvm-19-1.x86_64"]), (1, (90, 110), &["+llvm-19-1.x86_64"])],
            Some(210),
            Some("dnf 2"),
        ),
        (
            "epochs are part of it",
            &[("a", "= 1:1")],
            &["a-2:1-1.x86_64 @205"],
            &[(2, (200, 210), &["+a-2:1-1.x86_64"])],
            Some(210),
            Some("dnf 2"),
        ),
        (
            "the newest of two that brought it",
            &[("a", "= 1")],
            &["a-2-1.x86_64 @305"],
            &[(3, (300, 310), &["+a-2-1.x86_64"]), (2, (200, 210), &["+a-2-1.x86_64"])],
            Some(310),
            Some("dnf 3"),
        ),
        (
            "a later transaction that only names it did not bring it",
            &[("a", "= 1")],
            &["a-2-1.x86_64 @205"],
            &[(3, (300, 310), &["+a-2-1.x86_64"]), (2, (200, 210), &["+a-2-1.x86_64"])],
            Some(210),
            Some("dnf 2"),
        ),
        (
            "installed again by rpm after dnf's transaction: rpm's time, nobody",
            &[("a", "= 1")],
            &["a-2-1.x86_64 @250"],
            &[(2, (200, 210), &["+a-2-1.x86_64"])],
            Some(250),
            None,
        ),
        (
            "another arch came by another transaction",
            &[("a", "= 1"), ("a.i686", "allowed")],
            &["a-2-1.x86_64 @205", "a-2-1.i686 @305"],
            &[(3, (300, 310), &["+a-2-1.i686"]), (2, (200, 210), &["+a-2-1.x86_64"])],
            Some(210),
            Some("dnf 2"),
        ),
        (
            "not in the history: INSTALLTIME",
            &[("a", "= 1")],
            &["a-2-1.x86_64 @77"],
            &[(2, (200, 210), &["+b-2-1.x86_64"])],
            Some(77),
            None,
        ),
        (
            "unwanted",
            &[("a", "absent")],
            &["a-2-1.x86_64 @205"],
            &[(2, (200, 210), &["+a-2-1.x86_64"])],
            Some(210),
            Some("dnf 2"),
        ),
        (
            "unlisted",
            &[],
            &["a-2-1.x86_64 user @205"],
            &[(2, (200, 210), &["+a-2-1.x86_64"])],
            Some(210),
            Some("dnf 2"),
        ),
        (
            "of two instances the later",
            &[],
            &["a-1-1.x86_64 @100", "a-2-1.x86_64 @205"],
            &[(2, (200, 210), &["+a-2-1.x86_64"]), (1, (90, 110), &["+a-1-1.x86_64"])],
            Some(210),
            Some("dnf 2"),
        ),
        (
            "removed by dnf",
            &[("htop", "*")],
            &["bash-5-1.x86_64"],
            &[(2, (200, 210), &["-htop-3-1.x86_64"]), (1, (90, 110), &["+htop-3-1.x86_64"])],
            Some(210),
            Some("dnf 2"),
        ),
        (
            "removed by dnf, brought back, removed by rpm: nobody",
            &[("htop", "*")],
            &["bash-5-1.x86_64"],
            &[(3, (300, 310), &["+htop-3-1.x86_64"]), (2, (200, 210), &["-htop-3-1.x86_64"])],
            None,
            None,
        ),
        (
            "upgraded by dnf, removed by rpm: nobody",
            &[("htop", "*")],
            &["bash-5-1.x86_64"],
            &[(2, (200, 210), &["-htop-3-1.x86_64", "+htop-4-1.x86_64"])],
            None,
            None,
        ),
        (
            "never there",
            &[("htop", "*")],
            &["bash-5-1.x86_64"],
            &[(2, (200, 210), &["-htop-devel-3-1.x86_64"])],
            None,
            None,
        ),
        (
            "removing a foreign arch did not make the plain name missing",
            &[("htop", "*")],
            &["bash-5-1.x86_64"],
            &[(3, (300, 310), &["-htop-3-1.i686"]), (2, (200, 210), &["-htop-3-1.x86_64"])],
            Some(210),
            Some("dnf 2"),
        ),
        (
            "install-only: the eviction of the wanted build",
            &[("k", "= 1")],
            &["k-2-1.x86_64 install-only @205", "k-3-1.x86_64 install-only @305"],
            &[(3, (300, 310), &["+k-3-1.x86_64", "-k-1-1.x86_64"]), (2, (200, 210), &["+k-2-1.x86_64"])],
            Some(310),
            Some("dnf 3"),
        ),
        (
            "install-only: never there, so what is there instead counts",
            &[("k", "= 9")],
            &["k-2-1.x86_64 install-only @205"],
            &[(2, (200, 210), &["+k-2-1.x86_64"])],
            Some(210),
            Some("dnf 2"),
        ),
        (
            "kernel-mismatch: the later of brought and removed",
            &[("kernel-devel", "running-kernel")],
            &["kernel-devel-6.11.5-1.x86_64 install-only @205"],
            &[
                (3, (300, 310), &["-kernel-devel-6.11.4-301.fc41.x86_64"]),
                (2, (200, 210), &["+kernel-devel-6.11.5-1.x86_64"]),
            ],
            Some(310),
            Some("dnf 3"),
        ),
        (
            "kernel-mismatch: of two that ended in one second, the later by number",
            &[("kernel-devel", "running-kernel")],
            &["kernel-devel-6.11.5-1.x86_64 install-only @210"],
            &[
                (3, (210, 210), &["-kernel-devel-6.11.4-301.fc41.x86_64"]),
                (2, (209, 210), &["+kernel-devel-6.11.5-1.x86_64"]),
            ],
            Some(210),
            Some("dnf 3"),
        ),
        (
            "a change that is no NEVRA is not taken for one",
            &[("a", "= 1")],
            &["a-2-1.x86_64 @205"],
            &[(2, (200, 210), &["+a-2-1", "+", "+-", "+a--.x86_64"])],
            Some(205),
            None,
        ),
    ];
    for (story, rules, instances, transactions, since, command) in rows {
        let mut observation = runner(instances);
        observation.history =
            history(transactions.iter().map(|(id, times, changes)| entry(*id, *times, DIGEST, changes)).collect());
        let drift = judge(manifest(rules), &observation);
        assert_eq!(origin(&drift), (*since, command.map(str::to_owned)), "{story}");
    }
}

#[test]
fn an_unset_login_uid_leaves_the_user_unknown_and_the_command_known() {
    let mut observation = runner(&["a-2-1.x86_64 user @205"]);
    let mut transaction = entry(2, (200, 210), DIGEST, &["+a-2-1.x86_64"]);
    transaction.user = None;
    observation.history = history(vec![transaction]);
    let drift = judge(manifest(&[]), &observation);
    let by = drift.items[0].by.as_ref().unwrap();
    assert_eq!((by.user.as_deref(), by.command.as_str()), (None, "dnf 2"));
}

#[test]
fn a_transaction_that_failed_may_have_removed_but_proves_no_arrival() {
    let mut observation = runner(&["bash-5-1.x86_64"]);
    let mut failed = entry(3, (300, 310), DIGEST, &["+htop-3-1.x86_64"]);
    failed.completed = false;
    observation.history = history(vec![failed, entry(2, (200, 210), DIGEST, &["-htop-3-1.x86_64"])]);
    let drift = judge(manifest(&[("htop", "*")]), &observation);
    assert_eq!(origin(&drift), (Some(210), Some("dnf 2".to_owned())));
}

#[test]
fn what_left_a_lock_is_known_by_name_and_arch() {
    let mut observation = runner(&["a-1-1.x86_64"]);
    observation.history = history(vec![entry(2, (200, 210), DIGEST, &["-b-1-1.x86_64"])]);
    let drift = judge(closed(&["a-1-1.x86_64", "b-1-1.x86_64"]), &observation);
    assert_eq!(origin(&drift), (Some(210), Some("dnf 2".to_owned())));
}
