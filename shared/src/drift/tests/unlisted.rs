use super::story::{judge, lines, manifest, runner};
use crate::manifest::effective::{Disposal, Effective, Unlisted};
use crate::observation::Section;

const ALL: &[&str] = &[
    "a-1-1.x86_64 user",
    "b-1-1.x86_64 group",
    "c-1-1.x86_64 ext",
    "d-1-1.x86_64 unknown",
    "e-1-1.x86_64 dep",
    "f-1-1.x86_64 weak",
    "g-1-1.x86_64 clean",
];

fn with(unlisted: Unlisted) -> Effective {
    Effective { unlisted, ..Effective::default() }
}

fn nothing() -> Unlisted {
    Unlisted {
        user_installed: Disposal::Ignore,
        groups: Disposal::Ignore,
        external: Disposal::Ignore,
        dependencies: Disposal::Ignore,
        ignore: Vec::new(),
    }
}

#[test]
fn each_class_has_its_reasons_and_its_disposal() {
    use Disposal::{Remove, Report};
    let rows: [(&str, Unlisted, &[&str]); 7] = [
        ("the default reports what people asked for", Unlisted::default(), &["unlisted a.x86_64 [1-1] !"]),
        ("nothing", nothing(), &[]),
        ("user, removed", Unlisted { user_installed: Remove, ..nothing() }, &["unlisted a.x86_64 [1-1]"]),
        ("groups", Unlisted { groups: Report, ..nothing() }, &["unlisted b.x86_64 [1-1] !"]),
        (
            "external",
            Unlisted { external: Remove, ..nothing() },
            &["unlisted c.x86_64 [1-1]", "unlisted d.x86_64 [1-1]"],
        ),
        (
            "dependencies",
            Unlisted { dependencies: Remove, ..nothing() },
            &["unlisted e.x86_64 [1-1]", "unlisted f.x86_64 [1-1]", "unlisted g.x86_64 [1-1]"],
        ),
        (
            "a glob over names",
            Unlisted {
                user_installed: Report,
                groups: Report,
                ignore: vec!["[a]".to_owned(), "x*".to_owned()],
                ..nothing()
            },
            &["unlisted b.x86_64 [1-1] !"],
        ),
    ];
    for (story, unlisted, expected) in rows {
        assert_eq!(lines(&judge(with(unlisted), &runner(ALL))), expected, "{story}");
    }
}

#[test]
fn globs_match_whole_names() {
    let unlisted = Unlisted { ignore: vec!["*-debuginfo".to_owned(), "lib?".to_owned()], ..Unlisted::default() };
    let instances = [
        "glibc-debuginfo-2-1.x86_64 user",
        "glibc-debuginfo-common-2-1.x86_64 user",
        "liba-1-1.x86_64 user",
        "libab-1-1.x86_64 user",
    ];
    assert_eq!(
        lines(&judge(with(unlisted), &runner(&instances))),
        ["unlisted glibc-debuginfo-common.x86_64 [2-1] !", "unlisted libab.x86_64 [1-1] !"]
    );
}

#[test]
fn a_rule_for_another_arch_does_not_list_this_one() {
    let rules = manifest(&[("a.i686", "*"), ("b", "absent < 1")]);
    let instances = ["a-1-1.x86_64 user", "a-1-1.i686 user", "b-1-1.x86_64 user"];
    assert_eq!(lines(&judge(rules, &runner(&instances))), ["unlisted a.x86_64 [1-1] !"]);
}

#[test]
fn what_a_listed_package_requires_is_not_unlisted() {
    let unlisted = Unlisted { user_installed: Disposal::Remove, ..Unlisted::default() };
    let mut observation = runner(&["a-1-1.x86_64 user", "b-1-1.x86_64 user", "c-1-1.x86_64 user"]);
    // In no particular order.
    observation.needed = Section::Seen(vec!["z", "c", "a"]);
    let drift = judge(with(unlisted), &observation);
    assert_eq!(lines(&drift), ["unlisted b.x86_64 [1-1]"]);
}

#[test]
fn install_only_instances_are_one_item_and_the_running_kernel_is_not_removed() {
    let unlisted = Unlisted { user_installed: Disposal::Remove, ..Unlisted::default() };
    let instances = [
        "kernel-core-6.11.3-300.fc41.x86_64 user install-only",
        "kernel-core-6.11.4-301.fc41.x86_64 user install-only",
        "kernel-modules-6.11.4-301.fc41.x86_64 user install-only",
    ];
    assert_eq!(
        lines(&judge(with(unlisted), &runner(&instances))),
        [
            "unlisted kernel-core.x86_64 [6.11.3-300.fc41, 6.11.4-301.fc41]",
            "unlisted kernel-modules.x86_64 [6.11.4-301.fc41] blocked:protected"
        ]
    );
}

#[test]
fn nothing_is_removed_where_more_than_half_of_the_reasons_are_unknown() {
    let remove = || with(Unlisted { external: Disposal::Remove, ..Unlisted::default() });
    let half = ["a-1-1.x86_64 ext", "b-1-1.x86_64 dep"];
    let drift = judge(remove(), &runner(&half));
    assert!(!drift.reasons_unknown);
    assert_eq!(lines(&drift), ["unlisted a.x86_64 [1-1]"]);

    let more = ["a-1-1.x86_64 ext", "b-1-1.x86_64 dep", "c-1-1.x86_64 unknown"];
    let drift = judge(remove(), &runner(&more));
    assert!(drift.reasons_unknown);
    assert_eq!(
        lines(&drift),
        ["unlisted a.x86_64 [1-1] blocked:reasons-unknown", "unlisted c.x86_64 [1-1] blocked:reasons-unknown"]
    );
    // The keys that people imported count on neither side.
    let keys = ["a-1-1.x86_64 ext", "b-1-1.x86_64 dep", "gpg-pubkey-a-b.noarch unknown"];
    assert!(!judge(remove(), &runner(&keys)).reasons_unknown);
}
