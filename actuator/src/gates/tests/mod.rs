//! The gates that ask about the runner, over facts: what a real warden says is tried with real wardens.

mod story;

use super::{GATES, Verdict};
use crate::facts::{Staging, TokenFact};
use countersign_manifests_schema::proposal::{Proposal, WayBack, WayBackKind};
use countersign_manifests_schema::transaction::{Action, Change};
use countersign_manifests_schema::warden::{Application, Inspection, Stage};
use countersign_shared::drift::Compiled;
use countersign_shared::observation::{Failure, Observation};
use countersign_shared::proposal::named_digest;
use story::{HEADER, MANIFEST, NOW, RUNNER, Said, Story, install, refusals, sealed};

#[test]
fn the_codes_are_those_of_the_design_in_its_order() {
    let codes: Vec<&str> = GATES.iter().map(|gate| gate.code).collect();
    let expected = "halted no-lease history-rewritten canonical-unsigned not-merged withdrawn not-observer not-human \
        insufficient-approvals edited misleading expired superseded spent canonical-moved unjustified breaker \
        outside-window unreachable host-key runner-differs selinux runner-busy dnf-busy state-moved \
        transaction-differs unsigned-repo irreversible no-token";
    assert_eq!(codes, expected.split_whitespace().collect::<Vec<_>>());
    assert!(GATES.iter().all(|gate| !gate.refuses.is_empty()));
}

#[test]
fn a_runner_on_which_everything_is_in_order_passes_every_gate() {
    Story::new().passes();
}

#[test]
fn an_unreachable_runner_and_a_strange_host_key_are_two_things() {
    let failed = |code: &str| {
        let mut story = Story::new();
        story.reach = Some(Failure::new(code, "no"));
        story
    };
    assert!(failed("timeout").refused("unreachable").contains("timeout"));
    failed("auth").refused("unreachable");
    failed("host-key").refused("host-key");
}

#[test]
fn a_warden_that_is_not_the_expected_one_is_refused() {
    let story = |edit: fn(&mut Inspection)| Story::new().inspection(edit);
    story(|seen| seen.binary = "b2".repeat(32)).refused("runner-differs");
    story(|seen| seen.approvers = "b1".repeat(32)).refused("runner-differs");
    story(|seen| seen.policy = "b1".repeat(32)).refused("runner-differs");
    story(|seen| seen.notary_key = "b1".repeat(32)).refused("runner-differs");
    assert!(story(|seen| seen.runner = "runner-02".to_owned()).refused("runner-differs").contains("runner-02"));
    // One of several digests, as during an update.
    story(|seen| seen.binary = "b0".repeat(32)).passes();
}

#[test]
fn a_halt_on_the_runner_is_a_halt() {
    let story = Story::new().inspection(|seen| seen.halted = Some("ask bob".to_owned()));
    assert!(story.refused("halted").contains("ask bob"));
}

#[test]
fn selinux_is_as_the_manifest_says_or_nothing_is_done() {
    let permissive = Story::new().said(|said| said.with("selinux", "permissive\n", "0"));
    assert!(
        permissive.judge().of("selinux")
            == Some(&Verdict::Refuse("it is permissive, and the manifest says enforcing".to_owned()))
    );
    assert_eq!(refusals(&permissive.judge())[0], "selinux");
    let unread = Story::new().said(|said| said.with("selinux", "", "1 failed"));
    assert!(refusals(&unread.judge()).contains(&"selinux"));
    // Where the manifest does not say, any mode will do.
    let mut silent = Story::new().said(|said| said.with("selinux", "permissive\n", "0"));
    silent.manifest = MANIFEST.replace("[host]\nselinux = \"enforcing\"\n", "");
    silent.passes();
}

#[test]
fn what_the_runner_takes_no_more_is_expired() {
    // It was made eight hours ago, and is good for sixteen more.
    Story::new().inspection(|seen| seen.max_age = 8 * 3600).passes();
    let short = Story::new().inspection(|seen| seen.max_age = 6 * 3600);
    assert_eq!(short.refused("expired"), "the runner takes no proposal that is older than 6h; enroll it again");
    Story::new().inspection(|seen| seen.max_age = u64::MAX).passes();
}

#[test]
fn the_runners_own_limit_must_fit_into_the_window() {
    // It closes in 900 s.
    let story = |limit: u64| {
        let mut story = Story::new().inspection(move |seen| seen.confirm_within = limit);
        story.policy = "[windows]\nbuilders = [\"Fri 07:00-08:15 UTC\"]\n".to_owned();
        story
    };
    for limit in [600, 900] {
        story(limit).passes();
    }
    for limit in [901, 86_400, u64::MAX] {
        assert!(story(limit).refused("outside-window").contains("closes in 900 s"));
    }
    let mut silent = story(86_400);
    silent.reach = Some(Failure::new("timeout", "no"));
    let judgement = silent.judge();
    let Some(Verdict::Pass(said)) = judgement.of("outside-window") else { panic!("{judgement:#?}") };
    assert!(said.contains("600 s are enough (the default"), "{said}");
}

#[test]
fn a_runner_in_use_or_with_something_unfinished_is_left_alone() {
    let last = |proposal: &str, stage: Stage| Application {
        proposal: proposal.repeat(64),
        created: "2027-01-14T00:00:00Z".to_owned(),
        stage,
        before: "1".repeat(64),
        after: None,
        detail: None,
        commands: Vec::new(),
        started: "2027-01-14T00:00:00Z".to_owned(),
        at: "2027-01-14T00:00:00Z".to_owned(),
    };
    let busy = Story::new().inspection(|seen| seen.busy = Some("a build is running".to_owned()));
    assert_eq!(busy.refused("runner-busy"), "a build is running");
    for stage in [Stage::Started, Stage::Unconfirmed] {
        Story::new().inspection(move |seen| seen.last = Some(last("7", stage))).refused("runner-busy");
    }
    for stage in [Stage::Confirmed, Stage::Undone, Stage::Failed] {
        Story::new().inspection(move |seen| seen.last = Some(last("7", stage))).passes();
    }
    // What the runner itself remembers as started is spent, whatever the notary says.
    let sealed = {
        let story = Story::new();
        let canonical = story.canonical();
        let compiled = Compiled::new(canonical.effective(canonical.fleet.runner(RUNNER).unwrap())).unwrap();
        sealed(&compiled, &|_| ())
    };
    let id = sealed.id().to_owned();
    let started = Story::new().inspection(move |seen| {
        seen.last = Some(Application { proposal: id.clone(), ..last("7", Stage::Undone) });
    });
    started.refused("spent");
}

#[test]
fn dnf_at_work_is_waited_for() {
    let held = Story::new().said(|said| said.with("locks", "/run/dnf/rpmtransaction.lock\t1700000005\n", "0"));
    assert!(held.refused("dnf-busy").contains("/run/dnf"));
    let late = Story::new().said(|said| said.with("versionlocks", "", "1 dnf-busy"));
    assert_eq!(refusals(&late.judge()).first(), Some(&"dnf-busy"), "{:?}", refusals(&late.judge()));
    let unread = Story::new().said(|said| said.with("locks", "", "1 failed"));
    assert!(refusals(&unread.judge()).contains(&"dnf-busy"));
}

#[test]
fn an_observation_that_cannot_be_read_is_no_observation() {
    for answer in ["", "nonsense", "countersign-probe/1 answer x\n"] {
        let story = Story::new().inspection(move |seen| seen.observation = answer.to_owned());
        let judgement = story.judge();
        for gate in ["unjustified", "selinux", "dnf-busy", "state-moved"] {
            assert!(refusals(&judgement).contains(&gate), "{answer}: {gate}");
        }
    }
    let cut = Said::healthy().answer();
    let story = Story::new().inspection(move |seen| seen.observation = cut[..cut.len() - 1].to_owned());
    assert_eq!(refusals(&story.judge()).first(), Some(&"unjustified"));
}

#[test]
fn a_named_package_or_the_configuration_that_moved_refuses_and_others_are_noted() {
    let other = format!("zsh\t0\t5.9\t1.fc41\tx86_64\t1700000500\t9\t{HEADER}\t\td\t-\tfedora\tFedora\n");
    // Something else was installed, and nothing unlisted is judged by it.
    let mut story = Story::new().said(|said| said.add_package(&other));
    story.manifest = MANIFEST.replace("dependencies = \"remove\"", "dependencies = \"ignore\"");
    story.passes();
    assert!(format!("{:?}", story.judge().of("state-moved")).contains("does not name"));
    let configuration =
        Story::new().said(|said| said.edit("repos", |_| "fedora\tenabled\nother\tenabled\n".to_owned()));
    assert!(configuration.refused("state-moved").contains("configuration"));
    let dnf = Story::new().said(|said| said.edit("config", |_| format!("{}\n", "c1".repeat(32))));
    assert!(dnf.refused("state-moved").contains("configuration"));
    // The same package in another build: what it builds on is not what was seen.
    let names_bash = |proposal: &mut Proposal| {
        let rpms = &mut proposal.transaction.rpms;
        rpms.insert(
            0,
            Change {
                action: Action::ReasonChange,
                sha256: None,
                repo_id: "@System".to_owned(),
                asserted: true,
                ..install("bash-1.0-1.fc41.x86_64", false)
            },
        );
        let record = Said::healthy().record();
        let seen = Observation::parse(&record, NOW).unwrap();
        let named = named_digest(&seen.packages.seen().unwrap().list, &proposal.drift, &proposal.transaction);
        proposal.base.named = Some(named);
    };
    Story::new().proposal(names_bash).passes();
    let rebuilt = |said: Said| said.edit("packages", |rows| rows.replacen(HEADER, &"9".repeat(64), 1));
    assert!(Story::new().proposal(names_bash).said(rebuilt).refused("state-moved").contains("names"));
    // The same of a package that it does not name is noted.
    Story::new().said(rebuilt).passes();
    // A proposal that does not tell what it names wants everything as it was.
    let silent = |proposal: &mut Proposal| (proposal.base.named, proposal.base.configuration) = (None, None);
    Story::new().proposal(silent).passes();
    Story::new().proposal(silent).said(rebuilt).refused("state-moved");
}

#[test]
fn a_closed_manifest_compares_the_whole_set() {
    let mut story = Story::new();
    story.manifest =
        "schema = \"countersign/manifest/1\"\nowner = \"a@example.org\"\nlock = \"locks/builder.toml\"\n".to_owned();
    story.proposal = Box::new(|proposal| proposal.drift[0].wanted = Some("3.3.0-4.fc41".to_owned()));
    let judgement = story.judge();
    // What the lock calls the item is for drift to say; the set is as it was.
    assert!(matches!(judgement.of("state-moved"), Some(Verdict::Pass(_))), "{judgement:?}");
    story.said = story.said.edit("packages", |rows| rows.replacen(HEADER, &"9".repeat(64), 1));
    assert!(refusals(&story.judge()).contains(&"state-moved"));
}

#[test]
fn drift_that_is_gone_or_that_would_stay_or_come_is_unjustified() {
    // Somebody has installed it meanwhile.
    let htop = format!("htop\t0\t3.3.0\t4.fc41\tx86_64\t1700000500\t9\t{HEADER}\t\tu\t-\tfedora\tFedora\n");
    let gone = Story::new().said(|said| said.add_package(&htop));
    assert!(gone.judge().of("unjustified") == Some(&Verdict::Refuse("htop is no longer missing".to_owned())));
    assert_eq!(refusals(&gone.judge()), ["unjustified", "state-moved"]);
    // Another package than the one that is missing.
    let other = Story::new().proposal(|proposal| {
        proposal.transaction.rpms = vec![install("hbtop-3.3.0-4.fc41.x86_64", true)];
    });
    assert_eq!(refusals(&other.judge())[0], "unjustified");
    // One that the manifest forbids, carried along as what the solver needs.
    let mut forbidden = Story::new().proposal(|proposal| {
        proposal.transaction.rpms.push(install("nano-8.1-1.fc41.x86_64", true));
    });
    forbidden.passes();
    forbidden.manifest = MANIFEST.replace("bash = \"*\"", "bash = \"*\"\nnano = \"absent\"");
    assert!(forbidden.refused("unjustified").contains("nano"));
    // A change that nobody asked for, marked as if the drift did.
    let unmarked = Story::new().proposal(|proposal| {
        proposal.transaction.rpms.push(install("nano-8.1-1.fc41.x86_64", false));
    });
    unmarked.refused("unjustified");
    // More changes than policy.toml allows.
    let mut many = Story::new().proposal(|proposal| {
        proposal.transaction.rpms.push(install("nano-8.1-1.fc41.x86_64", true));
    });
    many.policy = "[breaker]\ndependency_changes = 0\n".to_owned();
    // The budget is the breaker's, too.
    assert_eq!(refusals(&many.judge()), ["unjustified", "breaker"]);
    // A waiver since then: what is waived is not touched.
    let mut waived = Story::new();
    waived.waivers =
        "runners = [\"runner-01\"]\npackage = \"htop\"\nreason = \"r\"\nowner = \"o@example.org\"\nuntil = \"2027-12-31\"\n".to_owned();
    assert!(waived.refused("unjustified").contains("waived"));
    waived.waivers = waived.waivers.replace("2027-12-31", "2026-12-31");
    waived.passes();
}

#[test]
fn what_the_runner_refuses_to_stage_is_refused_under_its_own_code() {
    for gate in ["transaction-differs", "unsigned-repo", "irreversible", "state-moved", "superseded", "halted"] {
        let mut story = Story::new();
        story.staging = Staging::Refused { code: gate.to_owned(), message: "not so".to_owned() };
        assert_eq!(story.judge().refusal(), Some(gate));
        assert!(story.refused(gate).contains("not so"));
    }
    // A refusal that is no gate's is a warden that is not ours.
    let mut story = Story::new();
    story.staging = Staging::Refused { code: "request".to_owned(), message: "what?".to_owned() };
    story.refused("runner-differs");
    // Before it has staged, nobody knows.
    story.staging = Staging::Unasked;
    let judgement = story.judge();
    for gate in ["transaction-differs", "unsigned-repo", "irreversible"] {
        assert!(matches!(judgement.of(gate), Some(Verdict::Skipped(_))), "{gate}");
    }
    assert_eq!(judgement.refusal(), None);
}

#[test]
fn without_a_way_back_nothing_begins() {
    let story = Story::new().proposal(|proposal| {
        let rpms = &mut proposal.transaction.rpms;
        rpms.push(Change {
            action: Action::Remove,
            sha256: None,
            repo_id: "@System".to_owned(),
            asserted: true,
            ..install("ncurses-1.0-1.fc41.x86_64", true)
        });
        proposal.risk.removals = 1;
        proposal.way_back = WayBack { kind: WayBackKind::None, missing: vec!["ncurses-1.0-1.fc41.x86_64".to_owned()] };
    });
    assert!(refusals(&story.judge()).contains(&"irreversible"));
}

#[test]
fn a_token_is_drawn_for_it_or_nothing_begins() {
    let mut story = Story::new();
    story.token = TokenFact::None("it is for another runner".to_owned());
    assert_eq!(story.refused("no-token"), "it is for another runner");
    story.token = TokenFact::NotYet;
    assert_eq!(story.judge().refusal(), None);
}
