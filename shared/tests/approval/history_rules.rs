//! What canonical's own policy says about its history, and what no policy can allow.

use super::NOW;
use super::keys::{Keys, key_data};
use super::people::{Canonical, refused};
use super::security_key::{SecurityKey, TOUCHED, UNTOUCHED, VERIFIED_ONLY};
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::commit::RawCommit;
use countersign_shared::approval::history::{Judgement, Refusal, Rules, judge};
use countersign_shared::approval::people::NotAPerson;
use countersign_shared::git::{CommitId, Mirror};

fn judged(canonical: &Canonical, rules: &Rules<'_>) -> Judgement {
    judge(&Mirror::open(&canonical.path.join(".git")).unwrap(), canonical.tip(), rules).unwrap()
}

fn pinned(canonical: &Canonical, names: &[&str]) -> AllowedSigners {
    AllowedSigners::parse(&canonical.list(names)).unwrap()
}

fn rules(anchor: CommitId, pinned: &AllowedSigners) -> Rules<'_> {
    Rules { anchor, pinned, bots: &[], revoked: &[], now: NOW }
}

fn policy(approval: &str) -> String {
    format!("schema = \"countersign/policy/1\"\n[approval]\n{approval}\n")
}

fn passes(judgement: &Judgement) -> bool {
    matches!(judgement, Judgement::ByPeople { .. })
}

#[test]
fn the_parents_policy_says_how_many_people_the_root_of_trust_needs() {
    let (canonical, anchor) = Canonical::new();
    let pinned = pinned(&canonical, &["ada", "ben", "bot"]);
    let rules = rules(anchor, &pinned);
    // One person lowers the number for everybody, also for this commit: no.
    canonical.write("policy.toml", &policy("root_required = 1"));
    let lowered = canonical.commit(Some("ada"), "Lower it");
    assert_eq!(judged(&canonical, &rules), refused(lowered, Refusal::TooFew { found: 1, required: 2 }));
    canonical.commit(Some("ben"), &format!("Yes\n\nCountersign-Endorses: {lowered}"));
    assert!(passes(&judged(&canonical, &rules)));
    // From then on one is enough, until it is raised again.
    canonical.change("fleet.toml", Some("ada"));
    assert!(passes(&judged(&canonical, &rules)));
    canonical.write("policy.toml", &policy("root_required = 3"));
    canonical.commit(Some("ada"), "Raise it");
    assert!(passes(&judged(&canonical, &rules)));
    let changed = canonical.change("fleet.toml", Some("ada"));
    canonical.commit(Some("ben"), &format!("Yes\n\nCountersign-Endorses: {changed}"));
    assert_eq!(judged(&canonical, &rules), refused(changed, Refusal::TooFew { found: 2, required: 3 }));
    // A policy that cannot be read is the one with the defaults.
    let (canonical, _) = Canonical::new();
    canonical.write("policy.toml", "root_required = 0\nnonsense");
    let base = canonical.commit(Some("ada"), "Break it");
    let changed = canonical.change("fleet.toml", Some("ada"));
    let pinned = self::pinned(&canonical, &["ada", "ben"]);
    let rules = Rules { anchor: base, pinned: &pinned, ..rules };
    assert_eq!(judged(&canonical, &rules), refused(changed, Refusal::TooFew { found: 1, required: 2 }));
}

#[test]
fn a_key_that_the_parents_policy_calls_a_bot_is_nobody_even_when_listed() {
    let (canonical, _) = Canonical::new();
    canonical.write("approvers", &canonical.list(&["ada", "ben", "bot"]));
    canonical.write("policy.toml", &policy(&format!("bots = [\"{}\"]", canonical.keys.public("bot"))));
    let anchor = canonical.commit(Some("ada"), "Begin again");
    let pinned = pinned(&canonical, &["ada", "ben", "bot"]);
    let by_bot = canonical.change("manifests/a.toml", Some("bot"));
    assert_eq!(judged(&canonical, &rules(anchor, &pinned)), refused(by_bot, Refusal::Person(NotAPerson::Bot)));
}

#[test]
fn a_revoked_key_counts_no_more_and_another_person_can_stand_in() {
    let (canonical, anchor) = Canonical::new();
    let pinned = pinned(&canonical, &["ada", "ben"]);
    let revoked = [key_data(&canonical.keys.public("ada"))];
    let rules = Rules { revoked: &revoked, ..rules(anchor, &pinned) };
    let by_ada = canonical.change("manifests/a.toml", Some("ada"));
    assert_eq!(judged(&canonical, &rules), refused(by_ada, Refusal::Person(NotAPerson::Revoked)));
    canonical.commit(Some("ben"), &format!("I have looked\n\nCountersign-Endorses: {by_ada}"));
    assert!(passes(&judged(&canonical, &rules)));
}

#[test]
fn an_expired_key_does_not_come_back_by_a_date_in_the_commit() {
    let (canonical, _) = Canonical::new();
    // Ran out a year after the time that the test's commits claim, and long before now.
    let list = format!("ada@example.org valid-before=\"20260101\" {}\n", canonical.keys.public("ada"));
    canonical.write("approvers", &list);
    let anchor = canonical.commit(Some("ada"), "Begin again");
    let backdated = canonical.change("manifests/a.toml", Some("ada"));
    let pinned = AllowedSigners::parse(&list).unwrap();
    let rules = rules(anchor, &pinned);
    assert_eq!(judged(&canonical, &rules), refused(backdated, Refusal::Person(NotAPerson::NotInForce)));
    assert!(passes(&judged(&canonical, &Rules { now: 1_763_600_000, ..rules })));
}

#[test]
fn an_endorsement_is_an_exact_line() {
    let (canonical, anchor) = Canonical::new();
    let pinned = pinned(&canonical, &["ada", "ben"]);
    let rules = rules(anchor, &pinned);
    let unsigned = canonical.change("manifests/a.toml", None);
    for line in [
        format!("Countersign-Endorses: {}", unsigned.to_string().to_uppercase()),
        format!("Countersign-Endorses: {unsigned} "),
        format!("Countersign-Endorses: {unsigned}\r"),
        format!(" Countersign-Endorses: {unsigned}"),
        format!("Countersign-Endorses:  {unsigned}"),
        format!("Countersign-Endorses: {unsigned} and more"),
        format!("countersign-endorses: {unsigned}"),
    ] {
        let raw = Mirror::open(&canonical.path.join(".git")).unwrap().raw_commit(unsigned).unwrap();
        let tree = RawCommit::parse(&raw).unwrap().tree;
        let who = "A <a@b> 1763600000 +0000";
        let text = format!("tree {tree}\nparent {unsigned}\nauthor {who}\ncommitter {who}\n\nLook\n\n{line}\n");
        sign_into(&canonical, &text, |payload| canonical.keys.sign("ben", "git", payload));
        assert_eq!(judged(&canonical, &rules), refused(unsigned, Refusal::Unsigned), "{line:?}");
    }
}

/// A commit of this text, with its signature in the header.
pub(super) fn sign_into(canonical: &Canonical, payload: &str, sign: impl Fn(&[u8]) -> String) -> CommitId {
    let signature = sign(payload.as_bytes()).trim_end().replace('\n', "\n ");
    canonical.raw(payload.replacen("\n\n", &format!("\ngpgsig {signature}\n\n"), 1).as_bytes())
}

#[test]
fn without_a_touch_a_history_is_only_by_people_as_far_as_somebody_accepts_it() {
    let (canonical, _) = Canonical::new();
    let keys: &Keys = &canonical.keys;
    let fido = SecurityKey::of(&keys.path("ada"));
    let list = format!("ada@example.org {}\nben@example.org {}\n", fido.line(), keys.public("ben"));
    canonical.write("approvers", &list);
    let anchor = canonical.commit(None, "Begin again");
    let pinned = AllowedSigners::parse(&list).unwrap();
    let rules = rules(anchor, &pinned);
    let tree = |commit: CommitId| {
        let raw = Mirror::open(&canonical.path.join(".git")).unwrap().raw_commit(commit).unwrap();
        RawCommit::parse(&raw).unwrap().tree
    };
    let by_fido = |flags: u8| {
        let who = "A <a@b> 1763600000 +0000";
        let text = format!("tree {}\nparent {anchor}\nauthor {who}\ncommitter {who}\n\nLook\n", tree(anchor));
        sign_into(&canonical, &text, |payload| fido.sign("git", payload, flags))
    };
    by_fido(TOUCHED);
    assert_eq!(judged(&canonical, &rules), Judgement::ByPeople { commits: 1, untouched: None });
    for flags in [UNTOUCHED, VERIFIED_ONLY] {
        let untouched = by_fido(flags);
        assert_eq!(judged(&canonical, &rules), Judgement::ByPeople { commits: 1, untouched: Some(untouched) });
    }
    // The newest such commit is named, and a policy that asks for no touch has none.
    canonical.write("policy.toml", &policy("require_touch = false"));
    let anchor = canonical.commit(None, "No touch any more");
    canonical.change("manifests/a.toml", Some("ben"));
    let rules = Rules { anchor, ..rules };
    assert_eq!(judged(&canonical, &rules), Judgement::ByPeople { commits: 1, untouched: None });
}
