use super::story::{CLAIMED, NOW, incident, proposal, way_back_to_the_manifest};
use crate::proposal::{SealError, Sealed, class_digest, is_worth_keeping};
use countersign_manifests_schema::proposal::{Proposal, Tried, TriedEnd};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn sealed() -> Sealed {
    let (effective, observation) = incident();
    proposal(&effective, &observation, CLAIMED, &way_back_to_the_manifest()).unwrap()
}

fn changed(change: impl Fn(&mut Proposal)) -> Result<Sealed, SealError> {
    let mut proposal = sealed().proposal().clone();
    change(&mut proposal);
    Sealed::new(proposal)
}

#[test]
fn the_same_situation_gives_the_same_bytes_and_they_read_back() {
    let one = sealed();
    assert_eq!(one.bytes(), sealed().bytes());
    assert_eq!(Sealed::parse(one.bytes()).unwrap(), one);
    let text = std::str::from_utf8(one.bytes()).unwrap();
    assert!(
        text.starts_with(r#"{"base":{"configuration":""#) && text.ends_with("}\n") && text.matches('\n').count() == 1
    );
    insta::assert_snapshot!(text);
}

#[test]
fn other_spellings_of_the_same_are_refused() {
    let sealed = sealed();
    let text = std::str::from_utf8(sealed.bytes()).unwrap();
    let runner = r#""runner":"runner-04""#;
    let spellings = [
        ("a space", text.replacen(':', ": ", 1)),
        ("no newline", text.trim_end().to_owned()),
        ("two newlines", format!("{text}\n")),
        ("a byte order mark", format!("\u{feff}{text}")),
        ("an escape", text.replace("runner-04", "runner\\u002d04")),
        ("another order", text.replacen('{', &format!("{{{runner},"), 1).replacen(&format!(",{runner},"), ",", 1)),
        ("a field twice", text.replacen('{', &format!("{{{runner},"), 1)),
        ("an unknown field", text.replacen('{', r#"{"aaa":1,"#, 1)),
        ("an unknown field inside", text.replacen(r#""asserted":"#, r#""aa":1,"asserted":"#, 1)),
        ("a path to a package", text.replacen(r#""reason":"User""#, r#""package_path":"./x.rpm","reason":"User""#, 1)),
        ("a field less", text.replacen(r#""spec_changed":null,"#, "", 1)),
        ("a number as a text", text.replacen(r#""removals":1"#, r#""removals":"1""#, 1)),
        ("a number as a fraction", text.replacen(r#""removals":1"#, r#""removals":1.0"#, 1)),
        ("an unknown action", text.replacen("\"Downgrade\"", "\"Erase\"", 1)),
        ("a trailing comma", text.replacen("]", ",]", 1)),
        ("something after it", format!("{text}{{}}")),
    ];
    for (story, other) in spellings {
        assert_ne!(other, text, "{story}");
        assert!(Sealed::parse(other.as_bytes()).is_err(), "{story}");
    }
}

fn tried(at: &str) -> Tried {
    Tried { proposal: "ab".repeat(32), end: TriedEnd::Undone, at: at.to_owned() }
}

#[test]
fn what_no_proposal_may_say_is_refused() {
    type Change = fn(&mut Proposal);
    let table: &[(&str, Change)] = &[
        ("schema", |p| p.schema = "countersign/proposal/2".to_owned()),
        ("runner", |p| p.runner = "../../etc".to_owned()),
        ("runner", |p| p.runner = "a$(id)".to_owned()),
        ("created", |p| p.created = "2026-11-20T03:30:00+00:00".to_owned()),
        ("created", |p| p.created = "2026-11-20T03:30:00.5Z".to_owned()),
        ("expires", |p| p.expires = p.created.clone()),
        ("renderer", |p| p.renderer = 0),
        ("renderer", |p| p.renderer = 2),
        ("canonical.commit", |p| p.canonical.commit = "HEAD".to_owned()),
        ("base.digest", |p| p.base.digest = "AA".repeat(32)),
        ("predicted.set_digest", |p| p.predicted.set_digest.push('0')),
        ("drift", |p| p.drift.clear()),
        ("drift", |p| p.drift.reverse()),
        ("drift", |p| p.drift.push(p.drift[0].clone())),
        ("drift.code", |p| p.drift[0].code = "selinux".to_owned()),
        ("drift.package", |p| p.drift[0].package = "-y".to_owned()),
        ("drift.since", |p| p.drift[0].since = Some("yesterday".to_owned())),
        ("drift.reason", |p| p.drift[0].reason = Some("x".repeat(5000))),
        ("transaction.generation", |p| p.transaction.generation = 3),
        ("transaction.rpms", |p| p.transaction.rpms.clear()),
        ("transaction.rpms", |p| p.transaction.rpms.reverse()),
        ("transaction.rpms", |p| p.transaction.rpms.push(p.transaction.rpms.last().unwrap().clone())),
        ("transaction.rpms.nevra", |p| p.transaction.rpms[0].nevra = "clang-tools-extra-0:1-1.x86_64".to_owned()),
        ("transaction.rpms.nevra", |p| p.transaction.rpms[0].nevra = "/tmp/x.rpm".to_owned()),
        ("transaction.rpms.repo_id", |p| p.transaction.rpms[0].repo_id = "@commandline".to_owned()),
        ("transaction.rpms.repo_id", |p| p.transaction.rpms[1].repo_id = "updates".to_owned()),
        ("transaction.rpms.sha256", |p| p.transaction.rpms[0].sha256 = None),
        ("transaction.rpms.sha256", |p| p.transaction.rpms[1].sha256 = Some("5a".repeat(32))),
        ("way_back.missing", |p| p.way_back.missing.push("bash-5-1.x86_64".to_owned())),
        ("way_back.kind", |p| p.way_back.missing.push("llvm-20.1.0-1.fc41.x86_64".to_owned())),
        ("tried", |p| p.tried = vec![tried("2026-11-19T03:30:00Z"), tried("2026-11-18T03:30:00Z")]),
        ("tried", |p| p.tried = vec![tried("2026-11-19T03:30:00Z"), tried("2026-11-19T03:30:00Z")]),
        ("tried", |p| p.tried = (10..20).map(|day| tried(&format!("2026-11-{day}T03:30:00Z"))).collect()),
        ("tried.at", |p| p.tried = vec![tried("yesterday")]),
        ("tried.proposal", |p| p.tried = vec![Tried { proposal: "HEAD".to_owned(), ..tried("2026-11-19T03:30:00Z") }]),
        ("risk", |p| p.risk.removals = 0),
        ("risk.protected", |p| p.risk.protected.push("bash".to_owned())),
    ];
    for (field, change) in table {
        match changed(change) {
            Err(SealError::Field { field: named, .. }) => assert_eq!(named, *field),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert!(changed(|_| {}).is_ok());
}

#[test]
fn a_proposal_is_kept_while_it_says_the_same_and_a_quarter_of_its_life_is_left() {
    let stored = sealed();
    let now: Timestamp = NOW.parse().unwrap();
    let day = |days: i64| now + SignedDuration::from_hours(24 * days);
    let later = |change: fn(&mut Proposal)| {
        changed(|p| {
            (p.created, p.expires) = (day(1).to_string(), day(8).to_string());
            p.base.observed_at = day(1).to_string();
            change(p);
        })
        .unwrap()
    };
    let kept = |fresh: &Sealed, at| is_worth_keeping(&stored, fresh, at);
    let fresh = later(|_| {});
    assert!(kept(&fresh, day(1)));
    assert!(kept(&fresh, now + SignedDuration::from_secs(7 * 86_400 * 3 / 4)), "a quarter is left");
    assert!(!kept(&fresh, now + SignedDuration::from_secs(7 * 86_400 * 3 / 4 + 1)), "less is left");
    assert!(!kept(&fresh, day(9)), "it has ended");
    assert!(!kept(&fresh, day(-1)), "it was made in the future");
    assert!(kept(&later(|p| p.canonical.commit = "ab".repeat(20)), day(1)), "the manifest is the same");
    assert!(kept(&later(|p| p.observer.version = "9.9".to_owned()), day(1)));
    assert!(!kept(&later(|p| p.canonical.manifest_digest = "ab".repeat(32)), day(1)));
    assert!(!kept(&later(|p| p.base.digest = "ab".repeat(32)), day(1)));
    assert!(!kept(&later(|p| p.drift[0].reason = None), day(1)));
    assert!(!kept(&later(|p| p.tried = vec![tried("2026-11-19T03:30:00Z")]), day(1)), "it was tried since");
    assert!(!kept(&later(|p| p.transaction.rpms[0].sha256 = Some("ab".repeat(32))), day(1)));
}

#[test]
fn runners_are_alike_by_drift_and_transaction_whoever_did_it() {
    let class = |change: fn(&mut Proposal)| class_digest(Some("builders"), changed(change).unwrap().proposal());
    let first = class(|_| {});
    assert_eq!(class(|p| p.runner = "runner-05".to_owned()), first);
    assert_eq!(class(|p| p.drift[0].by = None), first);
    assert_eq!(class(|p| p.drift[0].since = None), first);
    assert_eq!(class(|p| p.base.digest = "ab".repeat(32)), first);
    assert_ne!(class(|p| p.drift[0].seen = vec!["13.1-1.fc41".to_owned()]), first);
    assert_ne!(class(|p| p.transaction.rpms[0].sha256 = Some("ab".repeat(32))), first);
    assert_ne!(class_digest(Some("others"), sealed().proposal()), first);
    assert_ne!(class_digest(None, sealed().proposal()), first);
}

proptest! {
    #[test]
    fn whatever_is_written_reads_back_as_it_is(
        command in any::<String>(),
        reason in any::<Option<String>>(),
        user in any::<Option<String>>(),
        seen in any::<Vec<String>>(),
    ) {
        let sealed = changed(|p| {
            let by = p.drift[0].by.as_mut().unwrap();
            by.command.clone_from(&command);
            by.user.clone_from(&user);
            p.drift[0].reason.clone_from(&reason);
            p.drift[0].seen.clone_from(&seen);
        })
        .unwrap();
        let read = Sealed::parse(sealed.bytes()).unwrap();
        prop_assert_eq!(&read, &sealed);
    }

    #[test]
    fn no_other_bytes_are_read_as_the_same_proposal(at in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..3_u8) {
        let sealed = sealed();
        let mut bytes = sealed.bytes().to_vec();
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
        if let Ok(read) = Sealed::parse(&bytes) {
            prop_assert_eq!(read.bytes(), &bytes);
            prop_assert_eq!(read.id() == sealed.id(), bytes == sealed.bytes());
        }
    }

    #[test]
    fn arbitrary_bytes_never_break_the_reader(bytes in any::<Vec<u8>>()) {
        prop_assert!(Sealed::parse(&bytes).is_err());
    }
}
