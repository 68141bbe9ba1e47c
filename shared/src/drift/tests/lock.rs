use super::story::{closed, judge, lines, package_key, ruling, runner};

/// What is told, the lock, instances, drift.
type Row = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

#[test]
fn a_closed_manifest_wants_exactly_its_lock() {
    let rows: [Row; 10] = [
        ("the same", &["a-1-1.x86_64", "b-1:2-1.noarch"], &["a-1-1.x86_64 user", "b-1:2-1.noarch"], &[]),
        (
            "one too many, whatever its reason",
            &["a-1-1.x86_64"],
            &["a-1-1.x86_64", "b-1-1.x86_64 dep"],
            &["not-in-lock b.x86_64 [1-1]"],
        ),
        (
            "another arch is not in the lock",
            &["a-1-1.x86_64"],
            &["a-1-1.x86_64", "a-1-1.i686"],
            &["not-in-lock a.i686 [1-1]"],
        ),
        ("one too few", &["a-1-1.x86_64", "b-1-1.x86_64"], &["a-1-1.x86_64"], &["missing b.x86_64 (= 1-1) []"]),
        ("newer", &["a-1-1.x86_64"], &["a-2-1.x86_64"], &["ahead a.x86_64 (= 1-1) [2-1]"]),
        ("older", &["a-2-1.x86_64"], &["a-1-1.x86_64"], &["behind a.x86_64 (= 2-1) [1-1]"]),
        ("the epoch of a lock is exact", &["a-1-1.x86_64"], &["a-1:1-1.x86_64"], &["ahead a.x86_64 (= 1-1) [1:1-1]"]),
        (
            "install-only: a missing build",
            &["k-1-1.x86_64", "k-2-1.x86_64"],
            &["k-2-1.x86_64 install-only", "k-3-1.x86_64 install-only"],
            &["missing k.x86_64 (= 1-1, = 2-1) [2-1, 3-1]"],
        ),
        (
            "install-only: a build too many",
            &["k-2-1.x86_64"],
            &["k-2-1.x86_64 install-only", "k-3-1.x86_64 install-only"],
            &["not-in-lock k.x86_64 [3-1]"],
        ),
        (
            "a duplicate is one first",
            &["a-1-1.x86_64"],
            &["a-1-1.x86_64", "a-2-1.x86_64"],
            &["duplicate a.x86_64 [1-1, 2-1]"],
        ),
    ];
    for (story, lock, instances, expected) in rows {
        assert_eq!(lines(&judge(closed(lock), &runner(instances))), expected, "{story}");
    }
}

/// A key, its rule, instances, drift.
type Beside = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

#[test]
fn rules_beside_a_lock_are_judged_first() {
    let rows: [Beside; 6] = [
        ("strace", "allowed", &["a-1-1.x86_64", "strace-1-1.x86_64"], &[]),
        ("strace", "absent", &["a-1-1.x86_64", "strace-1-1.x86_64"], &["unwanted strace.x86_64 (absent) [1-1]"]),
        ("a", ">= 2", &["a-1-1.x86_64"], &["behind a.x86_64 (>= 2) [1-1]"]),
        ("a", "*", &["z-1-1.x86_64"], &["missing a.- (*) []", "not-in-lock z.x86_64 [1-1]"]),
        ("a", "absent", &["z-1-1.x86_64"], &["not-in-lock z.x86_64 [1-1]"]),
        ("a.x86_64", "*", &["z-1-1.x86_64"], &["missing a.x86_64 (*) []", "not-in-lock z.x86_64 [1-1]"]),
    ];
    for (key, rule, instances, expected) in rows {
        let mut effective = closed(&["a-1-1.x86_64"]);
        effective.packages.insert(package_key(key), ruling(rule));
        assert_eq!(lines(&judge(effective, &runner(instances))), expected, "{key} = {rule}");
    }
}

#[test]
fn the_running_kernel_is_not_taken_out_of_a_runner() {
    let effective = closed(&["kernel-core-6.11.5-300.fc41.x86_64"]);
    let observation =
        runner(&["kernel-core-6.11.4-301.fc41.x86_64 install-only", "kernel-core-6.11.5-300.fc41.x86_64 install-only"]);
    assert_eq!(
        lines(&judge(effective, &observation)),
        ["not-in-lock kernel-core.x86_64 [6.11.4-301.fc41] blocked:protected"]
    );
}

#[test]
fn what_same_as_has_judged_is_not_missing_from_the_lock_as_well() {
    let mut effective = closed(&["a-1-1.x86_64", "kernel-devel-6.11.3-300.fc41.x86_64"]);
    effective.packages.insert(package_key("kernel-devel"), ruling("running-kernel"));
    assert_eq!(
        lines(&judge(effective, &runner(&["a-1-1.x86_64"]))),
        ["kernel-mismatch kernel-devel.- (6.11.4-301.fc41.x86_64) []"]
    );
}
