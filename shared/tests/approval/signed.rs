//! Leases, orders and tokens: canonical JSON, sane times, the right namespace, the right key.

use super::NOW;
use super::keys::{Keys, key_data};
use super::sample::{at, lease, listed, people, sealed, signed, token};
use countersign_manifests_schema::bundle::SignedText;
use countersign_manifests_schema::lease::{
    LEASE_NAMESPACE, Lease, ORDER_SCHEMA, Order, OrderKind, RESET_NAMESPACE, RESUME_NAMESPACE,
};
use countersign_manifests_schema::token::{TOKEN_NAMESPACE, Token};
use countersign_shared::approval::people::People;
use countersign_shared::approval::signed::{SignedRefusal, open_lease, open_order, open_token};

fn said(refusal: &SignedRefusal) -> String {
    format!("{refusal}")
}

#[test]
fn a_lease_is_taken_only_as_it_is_written_and_in_its_time() {
    let keys = Keys::new();
    let (list, sealed) = (listed(&keys, &["ada"]), sealed("r1"));
    let people = people(&list);
    let open = |edit: &dyn Fn(&mut Lease)| {
        let mut content = lease(&sealed);
        edit(&mut content);
        let opened = open_lease(&signed(&keys, "ada", LEASE_NAMESPACE, &content), &people);
        opened.map(|(lease, by)| (lease == content, by.person.principal)).map_err(|refusal| said(&refusal))
    };
    let good = Ok((true, "ada@example.org".to_owned()));
    assert_eq!(open(&|_| {}), good);
    let (low, high) = ("00".repeat(32), "ff".repeat(32));
    assert_eq!(open(&|l| l.proposals = vec![low.clone(), high.clone()]), good);
    // Our clock, and a minute of another's.
    assert_eq!(open(&|l| (l.issued, l.expires) = (at(60), at(1800))), good);
    assert_eq!(open(&|l| (l.issued, l.expires) = (at(-1799), at(1))), good);
    let late = Err("its time is over".to_owned());
    assert_eq!(open(&|l| (l.issued, l.expires) = (at(-1800), at(0))), late);
    let early = Err("it was issued after now, by our clock".to_owned());
    assert_eq!(open(&|l| (l.issued, l.expires) = (at(61), at(1800))), early);
    type Edit<'a> = &'a dyn Fn(&mut Lease);
    let edits: [(Edit<'_>, &str); 17] = [
        (&|l| l.schema = "countersign/lease/2".to_owned(), "schema"),
        (&|l| l.nonce.pop().map(drop).unwrap(), "nonce"),
        (&|l| l.nonce = "AA".repeat(32), "nonce"),
        (&|l| l.proposals.clear(), "proposals"),
        (&|l| l.proposals = vec!["00".repeat(32), "00".repeat(32)], "proposals"),
        (&|l| l.proposals = vec!["ff".repeat(32), "00".repeat(32)], "proposals"),
        (&|l| l.proposals = vec!["ab".repeat(6)], "proposals"),
        (&|l| l.max = 0, "max"),
        (&|l| l.reason = " \n".to_owned(), "reason"),
        (&|l| l.reason = "x".repeat(1001), "reason"),
        (&|l| l.expires = at(1501), "expires"),
        (&|l| l.expires = l.issued.clone(), "expires"),
        (&|l| l.expires = at(-400), "expires"),
        (&|l| l.issued = "2026-11-20T12:00:00+00:00".to_owned(), "issued"),
        (&|l| l.issued = "2026-11-20T11:59:59.5Z".to_owned(), "issued"),
        (&|l| l.issued = "2026-11-20t11:59:59z".to_owned(), "issued"),
        (&|l| l.expires = "9999-99-99T00:00:00Z".to_owned(), "expires"),
    ];
    for (edit, field) in edits {
        let refusal = open(edit).unwrap_err();
        assert!(refusal.starts_with(field), "{field}: {refusal}");
    }
}

#[test]
fn a_lease_is_by_a_person_in_its_own_namespace_over_its_own_bytes() {
    let keys = Keys::new();
    let (list, sealed) = (listed(&keys, &["ada", "bot"]), sealed("r1"));
    let bots = [key_data(&keys.public("bot"))];
    let people = People { bots: &bots, ..people(&list) };
    let good = signed(&keys, "ada", LEASE_NAMESPACE, &lease(&sealed));
    assert!(open_lease(&good, &people).is_ok());
    for (name, namespace) in [
        ("bot", LEASE_NAMESPACE),
        ("ben", LEASE_NAMESPACE),
        ("ada", TOKEN_NAMESPACE),
        ("ada", "git"),
        ("ada", "countersign"),
    ] {
        let refused = open_lease(&signed(&keys, name, namespace, &lease(&sealed)), &people);
        assert!(matches!(refused, Err(SignedRefusal::Person(_))), "{name} {namespace} {refused:?}");
    }
    let touched = People { require_touch: true, ..people };
    assert!(matches!(open_lease(&good, &touched), Err(SignedRefusal::Person(_))));
    // The signature stays with its text.
    let other = Lease { max: 5, ..lease(&sealed) };
    let mixed = SignedText { text: signed(&keys, "ada", LEASE_NAMESPACE, &other).text, ..good.clone() };
    assert!(matches!(open_lease(&mixed, &people), Err(SignedRefusal::Person(_))));
    // Another spelling of the same, signed as it is.
    for text in [
        good.text.replacen(':', ": ", 1),
        format!("{}\n", good.text),
        good.text.replacen("{\"expires", "{\"max\":9,\"expires", 1),
        good.text.replacen("{\"expires", "{\"more\":1,\"expires", 1),
        good.text.replace("\"max\":1", "\"max\":1.0"),
        good.text.replace("on duty", "on\\u0020duty"),
    ] {
        assert_ne!(text, good.text);
        let text = SignedText { signature: keys.sign("ada", LEASE_NAMESPACE, text.as_bytes()), text };
        assert!(matches!(open_lease(&text, &people), Err(SignedRefusal::Text(_))), "{}", text.text);
    }
}

#[test]
fn an_order_is_signed_in_the_namespace_of_its_kind() {
    let keys = Keys::new();
    let list = listed(&keys, &["ada"]);
    let people = people(&list);
    let order = |kind, issued: i64| Order {
        schema: ORDER_SCHEMA.to_owned(),
        kind,
        nonce: "aa".repeat(32),
        reason: "looked at it".to_owned(),
        issued: at(issued),
    };
    for (kind, own, other) in [
        (OrderKind::ResetBreaker, RESET_NAMESPACE, RESUME_NAMESPACE),
        (OrderKind::Resume, RESUME_NAMESPACE, RESET_NAMESPACE),
    ] {
        let open = |namespace, issued| open_order(&signed(&keys, "ada", namespace, &order(kind, issued)), &people);
        assert_eq!(open(own, -5).unwrap().0, order(kind, -5));
        assert!(open(own, 60).is_ok() && open(own, -1799).is_ok());
        assert!(matches!(open(other, -5), Err(SignedRefusal::Person(_))));
        assert!(matches!(open(LEASE_NAMESPACE, -5), Err(SignedRefusal::Person(_))));
        assert!(matches!(open(own, 61), Err(SignedRefusal::Early)));
        assert!(matches!(open(own, -1800), Err(SignedRefusal::Late)));
    }
    // A lease is no order, whoever signed it for one.
    let lease = signed(&keys, "ada", RESUME_NAMESPACE, &lease(&sealed("r1")));
    assert!(matches!(open_order(&lease, &people), Err(SignedRefusal::Text(_))));
}

#[test]
fn a_token_is_the_notarys_own_and_lasts_ten_minutes() {
    let keys = Keys::new();
    let sealed = sealed("r1");
    let under = signed(&keys, "ada", LEASE_NAMESPACE, &lease(&sealed));
    let notary = key_data(&keys.public("notary"));
    let open = |signer: &str, namespace: &str, edit: &dyn Fn(&mut Token)| {
        let mut content = token(&sealed, &under);
        edit(&mut content);
        open_token(&signed(&keys, signer, namespace, &content), &notary, NOW).map(drop).map_err(|r| said(&r))
    };
    assert_eq!(open("notary", TOKEN_NAMESPACE, &|_| {}), Ok(()));
    assert_eq!(open("notary", TOKEN_NAMESPACE, &|t| (t.issued, t.expires) = (at(-599), at(1))), Ok(()));
    for (signer, namespace, expected) in [
        ("ada", TOKEN_NAMESPACE, "it is not signed by the notary's key"),
        ("notary", LEASE_NAMESPACE, "its signature does not hold"),
        ("notary", "git", "its signature does not hold"),
    ] {
        assert_eq!(open(signer, namespace, &|_| {}), Err(expected.to_owned()));
    }
    type Edit<'a> = &'a dyn Fn(&mut Token);
    let edits: [(Edit<'_>, &str); 9] = [
        (&|t| t.schema = "countersign/token/2".to_owned(), "schema"),
        (&|t| t.proposal = "ab".repeat(6), "proposal"),
        (&|t| t.runner = "R1".to_owned(), "runner"),
        (&|t| t.runner = "r1\n".to_owned(), "runner"),
        (&|t| t.nonce.clear(), "nonce"),
        (&|t| t.staged.push('0'), "staged"),
        (&|t| t.lease = "x".repeat(64), "lease"),
        (&|t| t.expires = at(541), "expires"),
        (&|t| (t.issued, t.expires) = (at(-600), at(0)), "its time is over"),
    ];
    for (edit, start) in edits {
        let refusal = open("notary", TOKEN_NAMESPACE, edit).unwrap_err();
        assert!(refusal.starts_with(start), "{start}: {refusal}");
    }
    // The notary's key in a certificate is not the notary's key.
    keys.certify("notary", &["-n", "notary", "-V", "20200101:20991231"]);
    assert!(open("notary.cert", TOKEN_NAMESPACE, &|_| {}).is_err());
}
