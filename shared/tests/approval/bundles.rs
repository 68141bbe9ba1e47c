//! The bundle: one strict file that verifies with public keys alone.

use super::NOW;
use super::keys::{Keys, key_data};
use super::sample::{
    self, at, lease, line, listed, merge, people, sealed, signature, signed, signed_merge, token, whole,
};
use countersign_manifests_schema::bundle::Bundle;
use countersign_manifests_schema::lease::LEASE_NAMESPACE;
use countersign_manifests_schema::token::TOKEN_NAMESPACE;
use countersign_shared::approval::bundle::{BundleRules, verify};
use countersign_shared::approval::people::People;
use countersign_shared::canonical_json::to_bytes;
use proptest::prelude::*;
use ssh_key::public::KeyData;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn rules<'a>(people: People<'a>, notary: Option<&'a KeyData>) -> BundleRules<'a> {
    BundleRules { people, runner: "r1", required: 1, protected: &[], protected_required: 2, max_age: DAY, notary }
}

fn code(bundle: &Bundle, rules: &BundleRules<'_>) -> &'static str {
    verify(&to_bytes(bundle).unwrap(), rules).map_or_else(|refusal| refusal.code(), |_| "pass")
}

#[test]
fn what_is_whole_verifies_and_says_who() {
    let keys = Keys::new();
    let (list, sealed, notary) = (listed(&keys, &["ada", "ben"]), sealed("r1"), key_data(&keys.public("notary")));
    let bundle = whole(&keys, &sealed);
    let rules = BundleRules { required: 2, ..rules(people(&list), Some(&notary)) };
    let verified = verify(&to_bytes(&bundle).unwrap(), &rules).unwrap();
    assert_eq!(verified.sealed(), &sealed);
    assert_eq!(verified.by(), ["ada@example.org", "ben@example.org"]);
    assert_eq!(verified.lease().unwrap().1.person.principal, "ada@example.org");
    assert_eq!(verified.token().unwrap().nonce, "bb".repeat(32));
    // Before staging there is no token, and a lease need not be there.
    let early = Bundle { token: None, lease: None, ..bundle };
    assert_eq!(code(&early, &BundleRules { notary: None, ..rules }), "pass");
}

#[test]
fn each_thing_that_is_wrong_has_its_code() {
    let keys = Keys::new();
    let (list, sealed, notary) = (listed(&keys, &["ada", "ben"]), sealed("r1"), key_data(&keys.public("notary")));
    let good = whole(&keys, &sealed);
    let rules = rules(people(&list), Some(&notary));
    assert_eq!(code(&good, &rules), "pass");
    let change = |edit: &dyn Fn(&mut Bundle)| {
        let mut bundle = good.clone();
        edit(&mut bundle);
        code(&bundle, &rules)
    };
    let other = sample::sealed("r2");
    let for_other = whole(&keys, &other);
    let (by_ada, by_ben) = (signature(&keys, "ada", &sealed), signature(&keys, "ben", &sealed));
    keys.make("stranger", &["-t", "ed25519"]);
    let by_stranger = signature(&keys, "stranger", &sealed);
    // The bundle itself.
    assert_eq!(change(&|b| b.schema = "countersign/bundle/2".to_owned()), "request");
    assert_eq!(code(&for_other, &rules), "request");
    assert_eq!(change(&|b| b.proposal = b.proposal.replace("htop", "atop")), "not-human");
    assert_eq!(change(&|b| b.proposal.push('\n')), "edited");
    assert_eq!(change(&|b| b.proposal = b.proposal.replace("\"generation\":5", "\"generation\":5,\"x\":1")), "edited");
    // Statements.
    assert_eq!(change(&|b| b.statements.reverse()), "request");
    assert_eq!(change(&|b| b.statements = vec![by_ada.clone(), by_ada.clone()]), "request");
    assert_eq!(change(&|b| b.statements.clear()), "not-human");
    assert_eq!(change(&|b| b.statements = vec![by_stranger.clone()]), "not-human");
    assert_eq!(change(&|b| b.statements = for_other.statements.clone()), "not-human");
    assert_eq!(change(&|b| b.statements = vec![signed_merge(&keys, "ada", merge(&line(&other)))]), "not-human");
    let two = BundleRules { required: 2, ..rules };
    assert_eq!(code(&Bundle { statements: vec![by_ada.clone()], ..good.clone() }, &two), "insufficient-approvals");
    let mut twice = vec![by_ada.clone(), signed_merge(&keys, "ada", merge(&line(&sealed)))];
    twice.sort();
    assert_eq!(code(&Bundle { statements: twice, ..good.clone() }, &two), "insufficient-approvals");
    let mut and_a_stranger = vec![by_ada.clone(), by_stranger];
    and_a_stranger.sort();
    assert_eq!(code(&Bundle { statements: and_a_stranger.clone(), ..good.clone() }, &two), "insufficient-approvals");
    assert_eq!(code(&Bundle { statements: and_a_stranger, ..good.clone() }, &rules), "pass");
    assert_eq!(
        code(&Bundle { statements: vec![by_ben], ..good.clone() }, &BundleRules { required: 0, ..rules }),
        "pass"
    );
    // Protected packages.
    let htop = ["htop".to_owned()];
    let guarded = BundleRules { protected: &htop, ..rules };
    assert_eq!(code(&good, &guarded), "pass");
    assert_eq!(code(&Bundle { statements: vec![by_ada], ..good.clone() }, &guarded), "insufficient-approvals");
    assert_eq!(code(&good, &BundleRules { protected_required: 3, ..guarded }), "insufficient-approvals");
    assert_eq!(code(&good, &BundleRules { protected_required: 3, ..rules }), "pass");
}

#[test]
fn time_is_ours() {
    let keys = Keys::new();
    let (list, sealed) = (listed(&keys, &["ada", "ben"]), sealed("r1"));
    let early = Bundle { lease: None, token: None, ..whole(&keys, &sealed) };
    let when = |now: i64, max_age: Duration| {
        let people = People { now: NOW + now, ..people(&list) };
        code(&early, &BundleRules { max_age, ..rules(people, None) })
    };
    let week = DAY * 7;
    for (now, max_age, expected) in [
        (0, DAY, "pass"),
        (-3600 - 60, DAY, "pass"),
        (-3600 - 61, DAY, "expired"),
        (-3600 + 24 * 3600, DAY, "pass"),
        (-3600 + 24 * 3600 + 1, DAY, "expired"),
        (-3600 + 24 * 3600 + 1, week, "pass"),
        (-3600 + 7 * 24 * 3600 - 1, week * 2, "pass"),
        (-3600 + 7 * 24 * 3600, week * 2, "expired"),
    ] {
        assert_eq!(when(now, max_age), expected, "{now} {max_age:?}");
    }
}

#[test]
fn nothing_is_applied_without_a_lease_and_a_token_that_fit() {
    let keys = Keys::new();
    let (list, sealed, notary) = (listed(&keys, &["ada", "ben"]), sealed("r1"), key_data(&keys.public("notary")));
    let good = whole(&keys, &sealed);
    let rules = rules(people(&list), Some(&notary));
    let with = |edit: &dyn Fn(&mut Bundle)| {
        let mut bundle = good.clone();
        edit(&mut bundle);
        code(&bundle, &rules)
    };
    assert_eq!(with(&|b| b.lease = None), "no-lease");
    assert_eq!(with(&|b| b.token = None), "no-token");
    assert_eq!(with(&|b| (b.lease, b.token) = (None, None)), "no-lease");
    assert_eq!(code(&good, &BundleRules { notary: None, ..rules }), "request");
    // A lease for other proposals, by others, of another time.
    let leased = |signer: &str, edit: &dyn Fn(&mut countersign_manifests_schema::lease::Lease)| {
        let mut content = lease(&sealed);
        edit(&mut content);
        let lease = signed(&keys, signer, LEASE_NAMESPACE, &content);
        let token = signed(&keys, "notary", TOKEN_NAMESPACE, &token(&sealed, &lease));
        code(&Bundle { lease: Some(lease), token: Some(token), ..good.clone() }, &rules)
    };
    assert_eq!(leased("ada", &|_| {}), "pass");
    assert_eq!(leased("bot", &|_| {}), "no-lease");
    assert_eq!(leased("ada", &|l| l.proposals = vec!["11".repeat(32)]), "no-lease");
    assert_eq!(leased("ada", &|l| (l.issued, l.expires) = (at(-1900), at(-100))), "no-lease");
    // Drawn in time, and the lease has run out since.
    assert_eq!(leased("ada", &|l| (l.issued, l.expires) = (at(-1850), at(-50))), "pass");
    // A token for something else.
    let token_is = |signer: &str, edit: &dyn Fn(&mut countersign_manifests_schema::token::Token)| {
        let mut content = token(&sealed, good.lease.as_ref().unwrap());
        edit(&mut content);
        let token = signed(&keys, signer, TOKEN_NAMESPACE, &content);
        code(&Bundle { token: Some(token), ..good.clone() }, &rules)
    };
    assert_eq!(token_is("notary", &|_| {}), "pass");
    assert_eq!(token_is("ada", &|_| {}), "no-token");
    assert_eq!(token_is("notary", &|t| t.proposal = "11".repeat(32)), "no-token");
    assert_eq!(token_is("notary", &|t| t.runner = "r2".to_owned()), "no-token");
    assert_eq!(token_is("notary", &|t| t.lease = "11".repeat(32)), "no-token");
    assert_eq!(token_is("notary", &|t| (t.issued, t.expires) = (at(-601), at(-1))), "no-token");
}

/// Made once: the bytes of a whole bundle, and who made it.
struct Good {
    bytes: Vec<u8>,
    list: countersign_shared::approval::allowed_signers::AllowedSigners,
    notary: KeyData,
}

impl Good {
    fn get() -> &'static Self {
        static GOOD: std::sync::OnceLock<Good> = std::sync::OnceLock::new();
        GOOD.get_or_init(|| {
            let keys = Keys::new();
            let bytes = to_bytes(&whole(&keys, &sealed("r1"))).unwrap();
            Self { bytes, list: listed(&keys, &["ada", "ben"]), notary: key_data(&keys.public("notary")) }
        })
    }

    /// One person is enough: nothing is refused only because too few are left.
    fn takes(&self, bytes: &[u8]) -> bool {
        verify(bytes, &rules(people(&self.list), Some(&self.notary))).is_ok()
    }
}

#[test]
fn no_byte_of_a_bundle_can_be_changed() {
    let good = Good::get();
    assert!(good.takes(&good.bytes));
    let mut bytes = good.bytes.clone();
    let mut ran = 0;
    // Every fifth: signatures are slow to verify in a debug build, and fields are longer than five bytes.
    for at in (0..bytes.len()).step_by(5) {
        let bit = 1 << (at % 6);
        bytes[at] ^= bit;
        assert!(!good.takes(&bytes), "byte {at} of {}", String::from_utf8_lossy(&bytes));
        bytes[at] ^= bit;
        ran += 1;
    }
    println!("{ran} of {} bytes changed", bytes.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn nothing_can_be_put_in_taken_out_or_moved(
        from in any::<prop::sample::Index>(),
        length in 1_usize..200,
        to in any::<prop::sample::Index>(),
        put in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..20)),
    ) {
        let good = Good::get();
        let mut bytes = good.bytes.clone();
        let from = from.index(bytes.len());
        let taken: Vec<u8> = bytes.splice(from..(from + length).min(good.bytes.len()), []).collect();
        let to = to.index(bytes.len() + 1);
        bytes.splice(to..to, put.unwrap_or(taken));
        prop_assume!(bytes != good.bytes);
        prop_assert!(!good.takes(&bytes));
    }

}

#[test]
fn fields_of_one_bundle_do_not_fit_into_another() {
    let good = Good::get();
    for field in 0..6 {
        let keys = Keys::new();
        let mut mixed: Bundle = serde_json::from_slice(&good.bytes).unwrap();
        let other = whole(&keys, &sealed("r1"));
        match field {
            0 => mixed.statements = other.statements,
            1 => mixed.lease = other.lease,
            2 => mixed.token = other.token,
            3 => (mixed.lease, mixed.token) = (other.lease, other.token),
            4 => mixed.proposal = String::from_utf8(sample::later("r1").bytes().to_vec()).unwrap(),
            _ => mixed.token.as_mut().unwrap().signature = other.token.unwrap().signature,
        }
        assert!(!good.takes(&to_bytes(&mixed).unwrap()), "{field}");
    }
}

#[test]
fn what_is_too_large_is_not_read() {
    let good = Good::get();
    let mut bytes = good.bytes.clone();
    bytes.resize(countersign_shared::approval::bundle::MAX_BYTES + 1, b' ');
    let refusal = verify(&bytes, &rules(people(&good.list), Some(&good.notary))).unwrap_err();
    assert_eq!(refusal.code(), "request");
    // A hundred statements are judged, one more is not.
    let bundle: Bundle = serde_json::from_slice(&good.bytes).unwrap();
    let mut many = Bundle { statements: Vec::new(), ..bundle };
    for number in 0..101 {
        let payload = format!("{number:03}");
        many.statements
            .push(countersign_manifests_schema::bundle::Statement::Merge { payload, signature: String::new() });
    }
    let rules = rules(people(&good.list), Some(&good.notary));
    assert_eq!(code(&many, &rules), "request");
    many.statements.pop();
    assert_eq!(code(&many, &rules), "not-human");
}
