use super::story::check;

#[test]
fn version_specs_say_missing_ahead_and_behind() {
    check(&[
        ("any version fits", &[("htop", "*")], &["htop-3.3.0-1.fc41.x86_64"], &[]),
        ("nothing there", &[("htop", "*")], &["bash-5.2-1.x86_64"], &["missing htop.- (*) []"]),
        (
            "above `=` is ahead",
            &[("llvm", "= 19.1.0-1.fc41")],
            &["llvm-20.1.0-1.fc41.x86_64"],
            &["ahead llvm.x86_64 (= 19.1.0-1.fc41) [20.1.0-1.fc41]"],
        ),
        (
            "below `=` is behind",
            &[("llvm", "= 19.1.0-1.fc41")],
            &["llvm-18.1.0-1.fc41.x86_64"],
            &["behind llvm.x86_64 (= 19.1.0-1.fc41) [18.1.0-1.fc41]"],
        ),
        ("inside a range", &[("glibc", ">= 2.40, < 2.41")], &["glibc-2.40-3.fc41.x86_64"], &[]),
        (
            "above the upper bound is ahead",
            &[("glibc", ">= 2.40, < 2.41")],
            &["glibc-2.41-1.fc41.x86_64"],
            &["ahead glibc.x86_64 (>= 2.40, < 2.41) [2.41-1.fc41]"],
        ),
        (
            "below the lower bound is behind",
            &[("glibc", ">= 2.40, < 2.41")],
            &["glibc-2.39-9.fc41.x86_64"],
            &["behind glibc.x86_64 (>= 2.40, < 2.41) [2.39-9.fc41]"],
        ),
        (
            "without a release any release fits",
            &[("a", "= 1"), ("b", "<= 1"), ("c", ">= 1"), ("d", "> 1"), ("e", "< 1")],
            &["a-1-9.x86_64", "b-1-9.x86_64", "c-1-9.x86_64", "d-1-9.x86_64", "e-1-9.x86_64"],
            &["behind d.x86_64 (> 1) [1-9]", "ahead e.x86_64 (< 1) [1-9]"],
        ),
        (
            "without an epoch the candidate's is taken",
            &[("grub2-common", "= 2.12-10.fc41")],
            &["grub2-common-1:2.12-10.fc41.noarch"],
            &[],
        ),
        (
            "with an epoch it is exact, and epoch 0 is not shown",
            &[("a", "= 0:1.0-1"), ("b", "= 2:1.0-1")],
            &["a-1:1.0-1.x86_64", "b-1.0-1.x86_64"],
            &["ahead a.x86_64 (= 0:1.0-1) [1:1.0-1]", "behind b.x86_64 (= 2:1.0-1) [1.0-1]"],
        ),
        (
            "rpm's order, not that of the text",
            &[("a", ">= 1.10")],
            &["a-1.9-1.x86_64"],
            &["behind a.x86_64 (>= 1.10) [1.9-1]"],
        ),
    ]);
}

#[test]
fn a_plain_name_is_satisfied_by_the_native_arch_or_noarch_and_binds_every_arch() {
    check(&[
        ("noarch satisfies", &[("setup", "*")], &["setup-2-1.noarch"], &[]),
        (
            "the rule binds the foreign arch too",
            &[("glibc", ">= 2.40")],
            &["glibc-2.40-1.x86_64", "glibc-2.39-1.i686"],
            &["behind glibc.i686 (>= 2.40) [2.39-1]"],
        ),
        (
            "each arch is its own item",
            &[("glibc", ">= 2.40")],
            &["glibc-2.38-1.x86_64", "glibc-2.39-1.i686"],
            &["behind glibc.i686 (>= 2.40) [2.39-1]", "behind glibc.x86_64 (>= 2.40) [2.38-1]"],
        ),
        (
            "only a foreign arch: wrong-arch, never also missing, whatever its version",
            &[("glibc", ">= 2.40")],
            &["glibc-2.39-1.i686"],
            &["wrong-arch glibc.i686 (>= 2.40) [2.39-1]"],
        ),
        (
            "every foreign arch is wrong",
            &[("a", "*")],
            &["a-1-1.i686", "a-1-1.aarch64"],
            &["wrong-arch a.aarch64 (*) [1-1]", "wrong-arch a.i686 (*) [1-1]"],
        ),
        ("microarchitecture levels are native", &[("a", "*")], &["a-1-1.x86_64_v2"], &[]),
        (
            "name.arch overrides for that arch",
            &[("glibc", ">= 2.40"), ("glibc.i686", "= 2.39")],
            &["glibc-2.40-1.x86_64", "glibc-2.39-1.i686"],
            &[],
        ),
        (
            "name.arch absent",
            &[("glibc", "*"), ("glibc.i686", "absent")],
            &["glibc-2.40-1.x86_64", "glibc-2.39-1.i686"],
            &["unwanted glibc.i686 (absent) [2.39-1]"],
        ),
        (
            "an arch with a rule of its own is not a wrong arch: the plain name is missing",
            &[("glibc", "*"), ("glibc.i686", "*")],
            &["glibc-2.39-1.i686"],
            &["missing glibc.- (*) []"],
        ),
        (
            "of two foreign arches only the one without a rule of its own is wrong",
            &[("a", "*"), ("a.i686", "*")],
            &["a-1-1.i686", "a-1-1.aarch64"],
            &["wrong-arch a.aarch64 (*) [1-1]"],
        ),
        (
            "missing with the arch of name.arch",
            &[("glibc", "*"), ("glibc.i686", ">= 2")],
            &["glibc-2.40-1.x86_64"],
            &["missing glibc.i686 (>= 2) []"],
        ),
        (
            "a rule for the native arch decides alone about its presence",
            &[("glibc", "*"), ("glibc.x86_64", "= 2.40")],
            &["bash-5-1.x86_64"],
            &["missing glibc.x86_64 (= 2.40) []"],
        ),
        (
            "plain absent means all arches",
            &[("mlib", "absent")],
            &["mlib-1.0-1.x86_64", "mlib-1.0-1.i686"],
            &["unwanted mlib.i686 (absent) [1.0-1]", "unwanted mlib.x86_64 (absent) [1.0-1]"],
        ),
        (
            "plain absent, one arch wanted",
            &[("mlib", "absent"), ("mlib.i686", "*")],
            &["mlib-1.0-1.x86_64", "mlib-1.0-1.i686"],
            &["unwanted mlib.x86_64 (absent) [1.0-1]"],
        ),
        ("absent and not there", &[("mlib", "absent"), ("mlib.i686", "absent")], &["bash-5-1.x86_64"], &[]),
        (
            "absent with a spec takes matching instances only",
            &[("a", "absent < 2"), ("b", "absent < 2")],
            &["a-1-1.x86_64", "b-2-1.x86_64"],
            &["unwanted a.x86_64 (absent < 2) [1-1]"],
        ),
        (
            "allowed is neither required nor unlisted",
            &[("strace", "allowed"), ("gdb", "allowed")],
            &["strace-6-1.x86_64 user"],
            &[],
        ),
    ]);
}

#[test]
fn names_are_compared_as_bytes() {
    check(&[(
        "neighbours in version order are not the same package",
        &[("gcc-c++", "*"), ("gcc", "absent")],
        &["gcc-c-1-1.x86_64", "gcc-c++-1-1.x86_64", "gcc+-1-1.x86_64"],
        &[],
    )]);
}

#[test]
fn two_instances_of_a_package_that_is_not_install_only_are_one_duplicate() {
    check(&[
        (
            "with a rule that one of them breaks, one code",
            &[("a", "= 1-1")],
            &["a-2-1.x86_64", "a-1-1.x86_64"],
            &["duplicate a.x86_64 [1-1, 2-1]"],
        ),
        (
            "without a rule, whoever asked for it",
            &[],
            &["a-10-1.x86_64 user", "a-9-1.x86_64 user", "b-1-1.x86_64", "b-2-1.x86_64"],
            &["duplicate a.x86_64 [9-1, 10-1]", "duplicate b.x86_64 [1-1, 2-1]"],
        ),
        (
            "allowed is no excuse",
            &[("a", "allowed")],
            &["a-1-1.x86_64", "a-2-1.x86_64"],
            &["duplicate a.x86_64 [1-1, 2-1]"],
        ),
        ("two arches are no duplicate", &[("a", "*")], &["a-1-1.x86_64", "a-1-1.i686"], &[]),
        (
            "absent takes both",
            &[("a", "absent")],
            &["a-1-1.x86_64", "a-2-1.x86_64"],
            &["unwanted a.x86_64 (absent) [1-1, 2-1]"],
        ),
        (
            "install-only packages live side by side",
            &[("a", "*")],
            &["a-1-1.x86_64 install-only", "a-2-1.x86_64 install-only"],
            &[],
        ),
    ]);
}

#[test]
fn install_only_packages_are_present_or_missing_never_ahead_or_behind() {
    check(&[
        (
            "any instance matches",
            &[("kernel-core", "= 6.11.3")],
            &["kernel-core-6.11.3-300.fc41.x86_64 install-only", "kernel-core-6.11.4-301.fc41.x86_64 install-only"],
            &[],
        ),
        (
            "none matches: missing with all instances as seen, in rpm's order",
            &[("kernel-core", "= 6.11.5")],
            &["kernel-core-6.11.10-300.fc41.x86_64 install-only", "kernel-core-6.11.4-301.fc41.x86_64 install-only"],
            &["missing kernel-core.- (= 6.11.5) [6.11.4-301.fc41, 6.11.10-300.fc41]"],
        ),
        (
            "by name.arch",
            &[("kernel-core.x86_64", "= 6.11.5")],
            &["kernel-core-6.11.4-301.fc41.x86_64 install-only"],
            &["missing kernel-core.x86_64 (= 6.11.5) [6.11.4-301.fc41]"],
        ),
        ("none there", &[("kernel-core", ">= 6.11")], &["bash-5-1.x86_64"], &["missing kernel-core.- (>= 6.11) []"]),
        (
            "an instance of a foreign arch does not make up for the native one",
            &[("k", "= 2")],
            &["k-1-1.x86_64 install-only", "k-2-1.i686 install-only"],
            &["missing k.- (= 2) [1-1, 2-1]"],
        ),
    ]);
}

#[test]
fn gpg_pubkey_is_never_judged() {
    check(&[
        (
            "neither unlisted nor a duplicate",
            &[],
            &["gpg-pubkey-a15b79cc-63d04c2c.noarch user", "gpg-pubkey-105ef944-65ca83d1.noarch user"],
            &[],
        ),
        ("nor by a rule", &[("gpg-pubkey", "*")], &["bash-5-1.x86_64"], &[]),
        ("nor by its absence", &[("gpg-pubkey", "absent")], &["gpg-pubkey-a15b79cc-63d04c2c.noarch"], &[]),
    ]);
}
