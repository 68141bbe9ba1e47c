use super::story::{NOW, judge, lines, origin, runner};
use crate::manifest::effective::{Effective, Host};
use crate::observation::{Lock, Repo, Section};

fn with(host: Host) -> Effective {
    Effective { host, ..Effective::default() }
}

/// What is told, the list, the repositories, drift.
type Row = (&'static str, &'static [&'static str], Vec<Repo<'static>>, &'static [&'static str]);

#[test]
fn exactly_the_listed_repositories_are_enabled() {
    let on = |id| Repo { id, enabled: true };
    let off = |id| Repo { id, enabled: false };
    let rows: [Row; 6] = [
        ("as listed", &["fedora"], vec![on("fedora"), off("updates")], &[]),
        ("one too many", &["fedora"], vec![on("fedora"), on("copr:x")], &["repo-enabled [copr:x] !"]),
        ("switched off", &["fedora"], vec![off("fedora")], &["repo-disabled (fedora) [] !"]),
        (
            "gone, and one per id",
            &["updates", "fedora"],
            vec![on("b"), on("a")],
            &[
                "repo-disabled (fedora) [] !",
                "repo-disabled (updates) [] !",
                "repo-enabled [a] !",
                "repo-enabled [b] !",
            ],
        ),
        ("an empty list does not judge", &[], vec![on("copr:x")], &[]),
        (
            "dnf's local cache never counts",
            &["fedora", "_dnf_local"],
            vec![on("fedora"), on("_dnf_local_nogpgcheck")],
            &[],
        ),
    ];
    for (story, wanted, repos, expected) in rows {
        let mut observation = runner(&["a-1-1.x86_64"]);
        observation.repos = Section::Seen(repos);
        let host = Host { repositories: wanted.iter().map(|id| (*id).to_owned()).collect(), ..Host::default() };
        assert_eq!(lines(&judge(with(host), &observation)), expected, "{story}");
    }
}

#[test]
fn selinux_is_in_the_wanted_mode() {
    for (wanted, mode, expected) in [
        (Some("enforcing"), "enforcing", vec![]),
        (Some("enforcing"), "permissive", vec!["selinux (enforcing) [permissive] !"]),
        (Some("enforcing"), "disabled", vec!["selinux (enforcing) [disabled] !"]),
        (Some("permissive"), "enforcing", vec!["selinux (permissive) [enforcing] !"]),
        (None, "disabled", vec![]),
    ] {
        let mut observation = runner(&["a-1-1.x86_64"]);
        observation.selinux = Section::Seen(mode);
        let host = Host { selinux: wanted.map(str::to_owned), ..Host::default() };
        assert_eq!(lines(&judge(with(host), &observation)), expected, "{wanted:?} {mode}");
    }
}

#[test]
fn a_lock_held_for_over_six_hours_is_stuck() {
    let six_hours = 6 * 60 * 60;
    for (since, stuck) in [(NOW - six_hours, false), (NOW - six_hours - 1, true), (NOW + 5, false)] {
        let mut observation = runner(&["a-1-1.x86_64"]);
        observation.locks = Section::Seen(vec![Lock { path: "/run/dnf/lock", since }]);
        let drift = judge(Effective::default(), &observation);
        if stuck {
            assert_eq!(lines(&drift), ["stuck-lock [/run/dnf/lock] !"]);
            assert_eq!(origin(&drift), (Some(since), None));
        } else {
            assert_eq!(lines(&drift), [""; 0], "{since}");
        }
    }
}
