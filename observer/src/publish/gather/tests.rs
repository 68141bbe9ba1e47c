//! Which rows of a report are offered, kept, or left out, and with whom.

use super::gather;
use crate::publish::Ready;
use countersign_manifests_schema::proposal::{
    Base, CanonicalState, ClaimedItem, Observer, PROPOSAL_SCHEMA, Predicted, Proposal, Risk, WayBack, WayBackKind,
};
use countersign_manifests_schema::report::{
    DRIFT_REPORT_SCHEMA, DriftItem, DriftReport, Notice, RunnerReport, Status, Waived,
};
use countersign_manifests_schema::transaction::{Action, Change, Reason, Transaction};
use countersign_shared::manifest::effective::Place;
use countersign_shared::manifest::fleet::{Fleet, Group, Runner};
use countersign_shared::proposal::{RENDERER, Sealed, render};

fn fleet(runners: &[(&str, &[&str])]) -> Fleet {
    let runner = |(name, groups): &(&str, &[&str])| Runner {
        name: (*name).to_owned(),
        address: "192.0.2.1".to_owned(),
        port: 22,
        user: "o".to_owned(),
        actuator_user: "a".to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        manifests: Vec::new(),
        host_keys: Vec::new(),
        bastion: None,
        wave: 0,
        place: Place::default(),
    };
    let named = runners.iter().flat_map(|(_, groups)| groups.iter());
    let group = |name: &&str| {
        let owner = Some(format!("{name}@example.org"));
        ((*name).to_owned(), Group { owner, ..Group::default() })
    };
    Fleet { runners: runners.iter().map(runner).collect(), groups: named.map(group).collect(), ..Fleet::default() }
}

/// A proposal that takes `package` away.
fn sealed(runner: &str, package: &str) -> Sealed {
    let digest = |of: &str| of.repeat(64);
    Sealed::new(Proposal {
        schema: PROPOSAL_SCHEMA.to_owned(),
        runner: runner.to_owned(),
        created: "2026-11-20T03:30:00Z".to_owned(),
        expires: "2026-11-27T03:30:00Z".to_owned(),
        renderer: RENDERER,
        observer: Observer { version: "0.1.0".to_owned() },
        canonical: CanonicalState { commit: "c".repeat(40), manifest_digest: digest("d") },
        base: Base {
            digest: digest("b"),
            set_digest: digest("5"),
            observed_at: "2026-11-20T03:29:00Z".to_owned(),
            configuration: None,
            named: None,
        },
        drift: vec![ClaimedItem {
            code: "unwanted".to_owned(),
            package: package.to_owned(),
            arch: Some("noarch".to_owned()),
            wanted: Some("absent".to_owned()),
            seen: vec!["1-1".to_owned()],
            since: None,
            by: None,
            spec_changed: None,
            file: None,
            reason: None,
        }],
        transaction: Transaction {
            generation: 5,
            rpms: vec![Change {
                nevra: format!("{package}-1-1.noarch"),
                action: Action::Remove,
                reason: Reason::User,
                repo_id: "@System".to_owned(),
                sha256: None,
                asserted: false,
            }],
        },
        predicted: Predicted { set_digest: digest("e") },
        way_back: WayBack { kind: WayBackKind::Packages, missing: Vec::new() },
        tried: Vec::new(),
        risk: Risk { removals: 1, downgrades: 0, protected: Vec::new() },
    })
    .unwrap()
}

fn row(name: &str, proposal: Option<&Sealed>) -> RunnerReport {
    RunnerReport {
        name: name.to_owned(),
        groups: Vec::new(),
        status: Status::Observed,
        error: None,
        packages: 1,
        warm: false,
        drift: vec![item(None)],
        unjudged: Vec::new(),
        proposal: proposal.map(|sealed| sealed.id().to_owned()),
    }
}

fn item(blocked: Option<&str>) -> DriftItem {
    DriftItem {
        code: "unwanted".to_owned(),
        package: Some("a".to_owned()),
        arch: Some("noarch".to_owned()),
        wanted: None,
        seen: vec!["1-1".to_owned()],
        since: None,
        by: None,
        spec_changed: None,
        waived: None,
        new: false,
        remediable: true,
        blocked: blocked.map(|code| Notice { code: code.to_owned(), message: "dnf says so".to_owned() }),
    }
}

fn report(runners: Vec<RunnerReport>) -> DriftReport {
    DriftReport {
        schema: DRIFT_REPORT_SCHEMA.to_owned(),
        run: "20261120T033000Z".to_owned(),
        canonical_commit: "c".repeat(40),
        runners,
        guards: Vec::new(),
        trust: Vec::new(),
        risks: Vec::new(),
        steps: Vec::new(),
    }
}

/// `runner group` of each that is offered.
fn offered(ready: &[Ready]) -> Vec<String> {
    ready.iter().map(|ready| format!("{} {}", ready.runner, ready.group.as_deref().unwrap_or("-"))).collect()
}

#[test]
fn what_is_offered_is_the_proposal_of_this_report_as_it_is_on_the_shelf() {
    let (one, other) = (sealed("r-1", "a"), sealed("r-1", "b"));
    let fleet = fleet(&[("r-1", &["builders"])]);
    let shelf = [one.clone(), other.clone(), sealed("r-9", "a")];
    let (ready, unjudged) = gather(&report(vec![row("r-1", Some(&other))]), &shelf, &fleet);
    assert_eq!(unjudged.len(), 0);
    let [only] = &ready[..] else { panic!("{ready:?}") };
    assert_eq!((only.id.as_str(), &only.proposal_json[..]), (other.id(), other.bytes()));
    assert_eq!(only.readme, render(&other));
    assert_eq!((only.created, only.owner.as_deref()), (1_795_145_400, Some("builders@example.org")));
    assert_eq!((only.counts.drift, only.counts.removals, only.counts.installs, only.counts.changes), (1, 1, 0, 0));
    // A proposal of another runner under this runner's name is none.
    let (ready, _) = gather(&report(vec![row("r-1", Some(&shelf[2]))]), &shelf, &fleet);
    assert_eq!(offered(&ready), Vec::<String>::new());
    // Nor is one of a runner that is not in the fleet any more.
    let (ready, unjudged) = gather(&report(vec![row("r-9", Some(&shelf[2]))]), &shelf, &fleet);
    assert_eq!((ready.len(), unjudged.len()), (0, 0));
}

#[test]
fn no_word_of_a_runner_is_no_word_on_what_it_was_offered() {
    let fleet = fleet(&[("r-1", &["builders"])]);
    let failed = RunnerReport { status: Status::Failed, drift: Vec::new(), ..row("r-1", None) };
    // It may have the id of its last proposal in the report, and still nothing is known of it.
    let on_shelf = sealed("r-1", "a");
    let failed_with = RunnerReport { status: Status::Failed, ..row("r-1", Some(&on_shelf)) };
    let waived = Waived { until: "2026-12-31".to_owned(), owner: "ops".to_owned() };
    let with = |item: DriftItem| RunnerReport { drift: vec![item], ..row("r-1", None) };
    for (what, row, kept) in [
        ("not observed", failed, true),
        ("not observed, an old proposal", failed_with, true),
        ("never asked", row("r-1", None), true),
        ("the solver was busy", with(item(Some("busy"))), true),
        ("the solver refuses", with(item(Some("conflict"))), false),
        ("waived", with(DriftItem { waived: Some(waived), ..item(None) }), false),
        ("nothing that a transaction could do", with(DriftItem { remediable: false, ..item(None) }), false),
        ("no drift", RunnerReport { drift: Vec::new(), ..row("r-1", None) }, false),
    ] {
        let (ready, unjudged) = gather(&report(vec![row]), std::slice::from_ref(&on_shelf), &fleet);
        assert_eq!((ready.len(), unjudged.contains("r-1")), (0, kept), "{what}");
    }
}

#[test]
fn runners_that_are_alike_go_with_the_group_that_most_of_them_share() {
    let fleet = fleet(&[
        ("r-1", &["builders", "canaries"]),
        ("r-2", &["builders"]),
        ("r-3", &["builders", "east"]),
        ("r-4", &["east"]),
        ("r-5", &[]),
        ("r-6", &["canaries", "east"]),
    ]);
    let shelf: Vec<Sealed> = fleet.runners.iter().map(|runner| sealed(&runner.name, "a")).collect();
    let rows = |shelf: &[Sealed]| shelf.iter().map(|s| row(&s.proposal().runner, Some(s))).collect();
    let (ready, _) = gather(&report(rows(&shelf)), &shelf, &fleet);
    let expected = ["r-1 builders", "r-2 builders", "r-3 builders", "r-4 east", "r-5 -", "r-6 east"];
    assert_eq!(offered(&ready), expected);
    let class = |name: &str| &ready.iter().find(|ready| ready.runner == name).unwrap().class;
    assert!(class("r-1") == class("r-2") && class("r-2") == class("r-3") && class("r-4") == class("r-6"));
    assert!(class("r-1") != class("r-4") && class("r-4") != class("r-5"));
    // Another drift is another class, whatever the group.
    let shelf = [sealed("r-1", "a"), sealed("r-2", "b")];
    let (ready, _) = gather(&report(rows(&shelf)), &shelf, &fleet);
    assert_ne!(ready[0].class, ready[1].class);
}
