use super::story::{check, judge, lines, manifest, runner};
use crate::observation::{Kernel, Section};

#[test]
fn absent_spares_the_running_kernel() {
    check(&[
        (
            "all are listed, and a transaction can take the others",
            &[("kernel-core", "absent")],
            &["kernel-core-6.11.3-300.fc41.x86_64 install-only", "kernel-core-6.11.4-301.fc41.x86_64 install-only"],
            &["unwanted kernel-core.x86_64 (absent) [6.11.3-300.fc41, 6.11.4-301.fc41]"],
        ),
        (
            "only the running one is left: listed, and protected",
            &[("kernel-core", "absent")],
            &["kernel-core-6.11.4-301.fc41.x86_64 install-only"],
            &["unwanted kernel-core.x86_64 (absent) [6.11.4-301.fc41] blocked:protected"],
        ),
        (
            "absent with a spec takes matching instances",
            &[("kernel-core", "absent < 6.11.4")],
            &["kernel-core-6.11.3-300.fc41.x86_64 install-only", "kernel-core-6.11.4-301.fc41.x86_64 install-only"],
            &["unwanted kernel-core.x86_64 (absent < 6.11.4) [6.11.3-300.fc41]"],
        ),
        (
            "the running one is protected from a spec, too",
            &[("kernel-core", "absent < 6.12")],
            &["kernel-core-6.11.4-301.fc41.x86_64 install-only"],
            &["unwanted kernel-core.x86_64 (absent < 6.12) [6.11.4-301.fc41] blocked:protected"],
        ),
        (
            "another package of that version is not the running kernel",
            &[("a", "absent")],
            &["a-6.11.4-301.fc41.x86_64"],
            &["unwanted a.x86_64 (absent) [6.11.4-301.fc41]"],
        ),
    ]);
}

#[test]
fn same_as_wants_the_running_kernels_version_release_and_arch() {
    check(&[
        (
            "it is there",
            &[("kernel-devel", "running-kernel")],
            &["kernel-devel-6.11.3-300.fc41.x86_64 install-only", "kernel-devel-6.11.4-301.fc41.x86_64 install-only"],
            &[],
        ),
        (
            "another version",
            &[("kernel-devel", "running-kernel")],
            &["kernel-devel-6.11.3-300.fc41.x86_64 install-only"],
            &["kernel-mismatch kernel-devel.x86_64 (6.11.4-301.fc41.x86_64) [6.11.3-300.fc41]"],
        ),
        (
            "another release",
            &[("kernel-devel", "running-kernel")],
            &["kernel-devel-6.11.4-300.fc41.x86_64 install-only"],
            &["kernel-mismatch kernel-devel.x86_64 (6.11.4-301.fc41.x86_64) [6.11.4-300.fc41]"],
        ),
        (
            "another arch",
            &[("kernel-devel", "running-kernel")],
            &["kernel-devel-6.11.4-301.fc41.i686 install-only"],
            &["kernel-mismatch kernel-devel.i686 (6.11.4-301.fc41.x86_64) [6.11.4-301.fc41]"],
        ),
        (
            "noarch has no arch to compare",
            &[("kernel-doc", "running-kernel")],
            &["kernel-doc-6.11.4-301.fc41.noarch"],
            &[],
        ),
        (
            "nothing there",
            &[("kernel-devel", "running-kernel")],
            &["bash-5-1.x86_64"],
            &["kernel-mismatch kernel-devel.- (6.11.4-301.fc41.x86_64) []"],
        ),
        (
            "by name.arch",
            &[("kernel-devel.x86_64", "running-kernel")],
            &["bash-5-1.x86_64"],
            &["kernel-mismatch kernel-devel.x86_64 (6.11.4-301.fc41.x86_64) []"],
        ),
        (
            "only a reboot is missing",
            &[("kernel-devel", "running-kernel")],
            &[
                "kernel-core-6.11.4-301.fc41.x86_64 install-only",
                "kernel-core-6.11.5-300.fc41.x86_64 install-only",
                "kernel-devel-6.11.5-300.fc41.x86_64 install-only",
            ],
            &["kernel-mismatch kernel-devel.x86_64 (6.11.4-301.fc41.x86_64) [6.11.5-300.fc41] ! blocked:reboot"],
        ),
        (
            "a reboot would not help: the newest kernel is another one",
            &[("kernel-devel", "running-kernel")],
            &[
                "kernel-core-6.11.4-301.fc41.x86_64 install-only",
                "kernel-core-6.11.6-300.fc41.x86_64 install-only",
                "kernel-devel-6.11.5-300.fc41.x86_64 install-only",
            ],
            &["kernel-mismatch kernel-devel.x86_64 (6.11.4-301.fc41.x86_64) [6.11.5-300.fc41]"],
        ),
        (
            "a reboot would take it back to an older kernel",
            &[("kernel-devel", "running-kernel")],
            &["kernel-core-6.11.3-300.fc41.x86_64 install-only", "kernel-devel-6.11.3-300.fc41.x86_64 install-only"],
            &["kernel-mismatch kernel-devel.x86_64 (6.11.4-301.fc41.x86_64) [6.11.3-300.fc41]"],
        ),
        (
            "a reboot would not help: the newest kernel runs",
            &[("kernel-devel", "running-kernel")],
            &[
                "kernel-core-6.11.3-300.fc41.x86_64 install-only",
                "kernel-core-6.11.4-301.fc41.x86_64 install-only",
                "kernel-devel-6.11.3-300.fc41.x86_64 install-only",
            ],
            &["kernel-mismatch kernel-devel.x86_64 (6.11.4-301.fc41.x86_64) [6.11.3-300.fc41]"],
        ),
    ]);
}

#[test]
fn the_variant_of_a_kernel_is_left_out() {
    for (release, expected) in [
        ("6.11.4-301.fc41.x86_64+debug", vec![]),
        ("6.11.4-301.fc41.x86_64", vec![]),
        (
            "6.11.4+rt-301.fc41.x86_64",
            vec!["kernel-mismatch kernel-devel.x86_64 (6.11.4+rt-301.fc41.x86_64) [6.11.4-301.fc41]"],
        ),
        // No package brought this kernel, so none can follow it.
        ("6.18.0-custom", vec!["kernel-mismatch kernel-devel.x86_64 (6.18.0-custom) [6.11.4-301.fc41] !"]),
    ] {
        let mut observation = runner(&["kernel-devel-6.11.4-301.fc41.x86_64 install-only"]);
        observation.kernel = Section::Seen(Kernel { release, booted: 1 });
        let drift = judge(manifest(&[("kernel-devel", "running-kernel")]), &observation);
        assert_eq!(lines(&drift), expected, "{release}");
    }
}
