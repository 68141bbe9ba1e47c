//! A scripted runner: every answer is text as a probe would give it.

use std::cell::RefCell;

use countersign_manifests_schema::transaction::{Action, Reason};
use countersign_shared::observation::Verb;

use super::*;

const BASE: &str = "base-of-the-observation";

/// Answers in turn, and remembers what it was asked.
struct Script {
    answers: RefCell<Vec<String>>,
    asked: RefCell<Vec<String>>,
}

impl Script {
    fn new(answers: &[String]) -> Self {
        let answers = answers.iter().rev().cloned().collect();
        Self { answers: RefCell::new(answers), asked: RefCell::default() }
    }
}

impl Ask for Script {
    async fn put(&self, request: impl Fn(Nonce) -> Result<PlanRequest, RequestError>) -> Result<String, Failure> {
        let request = request(Nonce::new([0; 16])).map_err(|error| Failure::new("request", error.to_string()))?;
        let text = String::from_utf8_lossy(request.as_bytes()).into_owned();
        self.asked.borrow_mut().push(text.lines().skip(2).collect::<Vec<_>>().join("|"));
        Ok(self.answers.borrow_mut().pop().expect("a question that nobody expected"))
    }
}

fn record(sections: &[(&str, String)]) -> String {
    let mut text = String::new();
    let head = [("base", BASE.to_owned()), ("generation", "5".to_owned())];
    let all: Vec<&(&str, String)> = head.iter().chain(sections).collect();
    for (name, payload) in &all {
        text.push_str(&format!("section {name}\n"));
        text.extend(payload.lines().map(|line| format!(" {line}\n")));
        text.push_str("close 0\n");
    }
    text + &format!("section stable\n yes\nclose 0\nend {}\n", all.len() + 1)
}

const REPOS: &str = "extra\tno\t5000\nfedora\tyes\t5000";

fn offers(offers: &str, installed: &str, digests: Option<&str>) -> String {
    let mut sections = vec![
        ("repos", REPOS.to_owned()),
        ("offers", offers.to_owned()),
        ("installed", installed.to_owned()),
        ("keeps", "snapper\tyes\nlocal\tb-2-1.noarch".to_owned()),
    ];
    sections.extend(digests.map(|digests| ("digests", digests.to_owned())));
    record(&sections)
}

fn attempts(all: &[(i32, &str, &str)]) -> String {
    let mut text = String::new();
    for (status, stdout, stderr) in all {
        text.push_str(&format!("x\t{status}\n"));
        text.extend(stdout.lines().map(|line| format!("o\t{line}\n")));
        text.extend(stderr.lines().map(|line| format!("e\t{line}\n")));
    }
    record(&[("repos", REPOS.to_owned()), ("attempts", text)])
}

const ABORTED: &str = "Operation aborted by the user.";
const REFUSED: &str = "Failed to resolve the transaction:\nProblem: c is in the way";

fn rules() -> Rules {
    Rules { erasing: false, metadata_not_before: 1000, base: BASE.to_owned(), listed: BTreeSet::new() }
}

fn want(verb: Verb, nevra: &str) -> Want {
    Want::new(verb, nevra).unwrap()
}

fn run(script: &Script, wants: &[Want], rules: &Rules) -> Result<Plan, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(plan(script, wants, rules))
}

fn digest(letter: &str) -> String {
    letter.repeat(64)
}

fn settled_answer() -> String {
    offers(
        "a-0:1-1.noarch\tfedora\nb-0:1-1.noarch\tfedora\nb-0:1-1.noarch\textra\na-0:2-1.noarch\tfedora",
        "a-0:2-1.noarch\tUser\tupdates\nb-0:2-1.noarch\tDependency\tupdates",
        Some(&format!("a-0:1-1.noarch\tfedora\t{}\nb-0:1-1.noarch\tfedora\t{}", digest("a"), digest("b"))),
    )
}

#[test]
fn what_is_pulled_along_is_part_of_it_and_marked() {
    let script = Script::new(&[
        offers("a-0:1-1.noarch\tfedora", "", None),
        attempts(&[(1, &table(), ABORTED)]),
        settled_answer(),
    ]);
    let plan = run(&script, &[want(Verb::Downgrade, "a-1-1.noarch")], &rules()).unwrap();
    let rows: Vec<(&str, Action, Reason, bool, bool)> = plan
        .transaction
        .rpms
        .iter()
        .map(|change| (change.nevra.as_str(), change.action, change.reason, change.asserted, change.sha256.is_some()))
        .collect();
    assert_eq!(
        rows,
        [
            ("a-1-1.noarch", Action::Downgrade, Reason::User, false, true),
            ("a-2-1.noarch", Action::Replaced, Reason::User, false, false),
            ("b-1-1.noarch", Action::Downgrade, Reason::Dependency, true, true),
            ("b-2-1.noarch", Action::Replaced, Reason::Dependency, true, false),
        ]
    );
    assert_eq!(plan.outgoing[0], Outgoing { nevra: "a-2-1.noarch".into(), repos: vec!["fedora".into()], kept: false });
    assert_eq!(plan.outgoing[1], Outgoing { nevra: "b-2-1.noarch".into(), repos: vec![], kept: true });
    assert!(plan.snapper && plan.blocked.is_empty() && plan.stands.len() == 1);
    let asked = script.asked.borrow();
    assert_eq!(asked[0], "plan offers|offer a-1-1.noarch|end");
    assert_eq!(asked[1], "plan solve|downgrade a-1-1.noarch|end");
    assert!(asked[2].starts_with("plan offers|digests yes|offer a-1-1.noarch|offer a-2-1.noarch|offer b-"));
}

fn table() -> String {
    let row =
        |name: &str, version: &str, repo: &str| format!("{name:<14} noarch {version:<7} {repo:<10} {:>9}\n", "0.0   B");
    format!(
        "{:<14} {:<6} {:<7} Repository {:>9}\nDowngrading:\n{}{}{}{}\nTransaction Summary:\n Replacing:          2 packages\n \
         Downgrading:        2 packages\n\n",
        "Package",
        "Arch",
        "Version",
        "Size",
        row(" a", "0:1-1", "fedora"),
        row("   replacing a", "0:2-1", "updates"),
        row(" b", "0:1-1", "fedora"),
        row("   replacing b", "0:2-1", "updates"),
    )
}

#[test]
fn a_pin_that_nobody_offers_blocks_itself_alone() {
    let script = Script::new(&[
        offers("a-0:1-1.noarch\tfedora\nz-0:9-1.noarch\t_dnf_local", "", None),
        attempts(&[(1, &table(), ABORTED)]),
        settled_answer(),
    ]);
    let wants = [want(Verb::Downgrade, "a-1-1.noarch"), want(Verb::Install, "z-9-1.noarch")];
    let plan = run(&script, &wants, &rules()).unwrap();
    assert_eq!(plan.blocked.len(), 1);
    assert_eq!((plan.blocked[0].0.nevra(), plan.blocked[0].1.code), ("z-9-1.noarch", "unreachable-pin"));
    assert_eq!(plan.stands, wants[..1]);
}

#[test]
fn old_metadata_is_not_a_vanished_pin() {
    for repos in ["fedora\tyes\t-", "fedora\tyes\t999", ""] {
        let script = Script::new(&[offers("", "", None).replace(
            " extra\tno\t5000\n fedora\tyes\t5000\n",
            &if repos.is_empty() { String::new() } else { format!(" {repos}\n") },
        )]);
        let plan = run(&script, &[want(Verb::Install, "z-9-1.noarch")], &rules()).unwrap();
        assert_eq!(plan.blocked[0].1.code, "no-metadata", "{repos}");
    }
}

#[test]
fn on_conflict_the_rest_is_solved_without_it() {
    let script = Script::new(&[
        offers("a-0:1-1.noarch\tfedora\nc-0:1-1.noarch\tfedora", "", None),
        attempts(&[(1, "", REFUSED)]),
        attempts(&[(1, &table(), ABORTED), (1, "", REFUSED)]),
        attempts(&[(1, &table(), ABORTED)]),
        settled_answer(),
    ]);
    let wants = [want(Verb::Downgrade, "a-1-1.noarch"), want(Verb::Install, "c-1-1.noarch")];
    let plan = run(&script, &wants, &rules()).unwrap();
    assert_eq!(plan.blocked[0].1, Blocked::new("conflict", "Problem: c is in the way"));
    assert_eq!((plan.stands.len(), plan.transaction.rpms.len()), (1, 4));
    assert_eq!(script.asked.borrow()[3], "plan solve|downgrade a-1-1.noarch|end");
}

#[test]
fn what_stands_only_alone_is_blocked() {
    let script = Script::new(&[
        offers("a-0:1-1.noarch\tfedora\nc-0:1-1.noarch\tfedora", "", None),
        attempts(&[(1, "", REFUSED)]),
        attempts(&[
            (1, &table(), ABORTED),
            (1, &table().replace(" a  ", " c  ").replace("replacing a ", "replacing c "), ABORTED),
        ]),
        attempts(&[(1, "", REFUSED)]),
    ]);
    let wants = [want(Verb::Downgrade, "a-1-1.noarch"), want(Verb::Install, "c-1-1.noarch")];
    let plan = run(&script, &wants, &rules()).unwrap();
    assert!(plan.transaction.rpms.is_empty() && plan.stands.is_empty());
    assert!(plan.blocked.len() == 2 && plan.blocked.iter().all(|(_, blocked)| blocked.code == "conflict"));
}

#[test]
fn what_dnf_leaves_out_is_blocked_in_its_words() {
    let script = Script::new(&[attempts(&[(0, "Nothing to do.", "No packages to remove for argument: q-1-1.noarch")])]);
    let plan = run(&script, &[want(Verb::Remove, "q-1-1.noarch")], &rules()).unwrap();
    assert!(plan.blocked[0].1.message.ends_with("dnf: No packages to remove for argument: q-1-1.noarch"), "{plan:?}");
}

#[test]
fn an_unsigned_source_is_refused_where_there_is_a_signed_one() {
    let unsigned = table().replace("fedora ", "extra  ");
    let answer =
        settled_answer().replace("a-0:1-1.noarch\tfedora\n", "a-0:1-1.noarch\tfedora\n a-0:1-1.noarch\textra\n");
    let script =
        Script::new(&[offers("a-0:1-1.noarch\tfedora", "", None), attempts(&[(1, &unsigned, ABORTED)]), answer]);
    let plan = run(&script, &[want(Verb::Downgrade, "a-1-1.noarch")], &rules()).unwrap();
    assert_eq!(plan.blocked[0].1.code, "policy");
    assert!(plan.transaction.rpms.is_empty());
}

#[test]
fn answers_that_contradict_one_another_are_failures() {
    let wants = [want(Verb::Downgrade, "a-1-1.noarch")];
    let good = settled_answer();
    for (from, to) in
        [("a-0:1-1.noarch\tfedora\n", ""), ("a-0:2-1.noarch\tUser\tupdates\n", ""), (BASE, "another-base")]
    {
        assert!(good.contains(from), "{from}");
        let answer = good.replace(&format!(" {from}"), &if to.is_empty() { String::new() } else { format!(" {to}") });
        let script =
            Script::new(&[offers("a-0:1-1.noarch\tfedora", "", None), attempts(&[(1, &table(), ABORTED)]), answer]);
        assert!(run(&script, &wants, &rules()).is_err(), "{from}");
    }
}

#[test]
fn a_reason_changes_only_for_what_the_manifest_names() {
    let changing = format!(
        "{:<14} {:<6} {:<7} Repository {:>9}\nChanging reason:\n {:<13} noarch 0:2-1   @System    {:>9}\n   Dependency -> User\n\n\
         Transaction Summary:\n Changing reason:    1 package\n\n",
        "Package", "Arch", "Version", "Size", "b", "0.0   B"
    );
    let down = table();
    let (head, tail) = down.split_once("\nTransaction Summary:\n").unwrap();
    let change = changing.lines().skip(1).take(3).map(|line| format!("{line}\n")).collect::<String>();
    let both = format!(
        "{head}{change}\nTransaction Summary:\n{} Changing reason:    1 package\n\n",
        tail.trim_end_matches('\n').to_owned() + "\n"
    );
    let both = both.replacen(" b             noarch 0:2-1", " m             noarch 0:2-1", 1);
    let answer = settled_answer()
        .replace(" b-0:2-1.noarch\tDependency", " m-0:2-1.noarch\tDependency\t\n b-0:2-1.noarch\tDependency");
    let make =
        || Script::new(&[offers("a-0:1-1.noarch\tfedora", "", None), attempts(&[(1, &both, ABORTED)]), answer.clone()]);
    let wants = [want(Verb::Downgrade, "a-1-1.noarch")];
    let refused = run(&make(), &wants, &rules()).unwrap();
    assert_eq!(refused.blocked[0].1.code, "policy");
    let listed = Rules { listed: ["m".to_owned()].into(), ..rules() };
    let plan = run(&make(), &wants, &listed).unwrap();
    let change = plan.transaction.rpms.iter().find(|change| change.action == Action::ReasonChange).unwrap();
    assert_eq!((change.nevra.as_str(), change.reason), ("m-2-1.noarch", Reason::User));
}

#[test]
fn nothing_wanted_asks_nothing() {
    assert_eq!(run(&Script::new(&[]), &[], &rules()).unwrap(), Plan::default());
}
