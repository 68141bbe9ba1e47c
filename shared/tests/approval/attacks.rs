//! Attacks on the whole way from bytes to people, each with what stops it.

use super::NOW;
use super::keys::{Keys, key_data};
use super::sample::{bundle, line, listed, merge, people, sealed, signature, signed_merge, whole};
use super::security_key::{SecurityKey, TOUCHED, UNTOUCHED, VERIFIED_ONLY};
use countersign_manifests_schema::bundle::{Bundle, Statement};
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::bundle::{BundleRefusal, BundleRules, verify};
use countersign_shared::approval::commit::RawCommit;
use countersign_shared::approval::people::{NotAPerson, People, distinct};
use countersign_shared::approval::statement::approves;
use countersign_shared::approval::tree::{Kind, object_id};
use countersign_shared::canonical_json::to_bytes;
use std::time::Duration;

fn rules<'a>(people: People<'a>, required: u32) -> BundleRules<'a> {
    let max_age = Duration::from_secs(86_400);
    BundleRules { people, runner: "r1", required, protected: &[], protected_required: 2, max_age, notary: None }
}

fn judged(bundle: &Bundle, rules: &BundleRules<'_>) -> Result<Vec<String>, &'static str> {
    let verified = verify(&to_bytes(bundle).unwrap(), rules).map_err(|refusal| refusal.code())?;
    Ok(verified.by().to_vec())
}

#[test]
fn one_signature_in_two_wrappings_is_two_commits_and_one_person() {
    let keys = Keys::new();
    keys.make("p256", &["-t", "ecdsa", "-b", "256"]);
    let list = AllowedSigners::parse(&format!("ada {}\n", keys.public("p256"))).unwrap();
    let sealed = sealed("r1");
    let payload = merge(&line(&sealed));
    let armoured = keys.sign("p256", "git", payload.as_bytes());
    let commit = |signature: &str| {
        let folded = signature.trim_end().replace('\n', "\n ");
        payload.replacen("\n\n", &format!("\ngpgsig {folded}\n\n"), 1)
    };
    let body: String = armoured.lines().filter(|line| !line.starts_with('-')).collect();
    let rewrapped = format!("-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n");
    // ECDSA is never the same twice: the same payload, signed again.
    let again = keys.sign("p256", "git", payload.as_bytes());
    let mut ids = Vec::new();
    let mut approvers = Vec::new();
    for signature in [&armoured, &rewrapped, &again] {
        let raw = commit(signature);
        ids.push(object_id(Kind::Commit, raw.as_bytes()).unwrap());
        let signed = RawCommit::parse(raw.as_bytes()).unwrap().signed.unwrap();
        assert_eq!(signed.payload, payload.as_bytes());
        let statement = Statement::Merge { payload: payload.clone(), signature: signed.signature };
        approvers.push(approves(&statement, &sealed, &people(&list)).unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert_eq!(distinct(&approvers), ["ada"]);
    let with = |signatures: &[&String]| {
        let merge =
            |signature: &&String| Statement::Merge { payload: payload.clone(), signature: (*signature).clone() };
        bundle(&sealed, signatures.iter().map(merge).collect())
    };
    assert_eq!(judged(&with(&[&armoured]), &rules(people(&list), 1)), Ok(vec!["ada".to_owned()]));
    assert_eq!(judged(&with(&[&armoured, &again]), &rules(people(&list), 2)), Err("insufficient-approvals"));
    // In a bundle, one signature has one spelling.
    let refusal = verify(&to_bytes(&with(&[&rewrapped])).unwrap(), &rules(people(&list), 1));
    assert!(matches!(refusal, Err(BundleRefusal::Spelling)), "{refusal:?}");
}

#[test]
fn one_person_with_two_names_or_two_keys_is_one_person() {
    let keys = Keys::new();
    keys.make("adas_other", &["-t", "ed25519"]);
    let sealed = sealed("r1");
    let two = vec![signature(&keys, "ada", &sealed), signed_merge(&keys, "ada", merge(&line(&sealed)))];
    let both_keys = vec![signature(&keys, "ada", &sealed), signature(&keys, "adas_other", &sealed)];
    let (ada, other) = (keys.public("ada"), keys.public("adas_other"));
    for (list, statements, expected) in [
        (format!("ada {ada}\n"), two.clone(), "insufficient-approvals"),
        (format!("ada {ada}\nben {ada}\n"), two.clone(), "not-human"),
        (format!("ada namespaces=\"git\" {ada}\nben namespaces=\"countersign\" {ada}\n"), two.clone(), "not-human"),
        (format!("ada,ben {ada}\n"), two.clone(), "not-human"),
        (format!("* {ada}\n"), two, "not-human"),
        (format!("ada {ada}\nada {other}\n"), both_keys.clone(), "insufficient-approvals"),
        (format!("ada {ada}\n*@example.org {other}\n"), both_keys.clone(), "insufficient-approvals"),
    ] {
        let list = AllowedSigners::parse(&list).unwrap();
        assert_eq!(judged(&bundle(&sealed, statements), &rules(people(&list), 2)), Err(expected));
    }
    // Two people with a key each are two.
    let list = AllowedSigners::parse(&format!("ada {ada}\nben {other}\n")).unwrap();
    let by = judged(&bundle(&sealed, both_keys), &rules(people(&list), 2));
    assert_eq!(by, Ok(vec!["ada".to_owned(), "ben".to_owned()]));
}

#[test]
fn two_certificates_for_one_key_or_one_name_are_one_person() {
    let keys = Keys::new();
    let sealed = sealed("r1");
    let list = AllowedSigners::parse(&format!("* cert-authority {}\n", keys.public("authority"))).unwrap();
    let validity = ["-V", "20200101:20991231"];
    let certified = |key: &str, name: &str| {
        keys.certify(key, &[&["-n", name][..], &validity].concat());
        signature(&keys, &format!("{key}.cert"), &sealed)
    };
    for (statements, expected) in [
        (vec![certified("ada", "ada"), certified("ada", "ben")], Err("insufficient-approvals")),
        (vec![certified("ada", "ada"), certified("ben", "ada")], Err("insufficient-approvals")),
        (vec![certified("ada", "ada"), certified("ben", "ben")], Ok(vec!["ada".to_owned(), "ben".to_owned()])),
    ] {
        assert_eq!(judged(&bundle(&sealed, statements), &rules(people(&list), 2)), expected);
    }
    // The key itself is nobody, and neither is that of the authority.
    for name in ["ada", "authority"] {
        let alone = bundle(&sealed, vec![signature(&keys, name, &sealed)]);
        assert_eq!(judged(&alone, &rules(people(&list), 1)), Err("not-human"), "{name}");
    }
    // Not even when the authority's line names one person.
    let named = AllowedSigners::parse(&format!("ada cert-authority {}\n", keys.public("authority"))).unwrap();
    let alone = bundle(&sealed, vec![signature(&keys, "authority", &sealed)]);
    assert_eq!(judged(&alone, &rules(people(&named), 1)), Err("not-human"));
}

#[test]
fn where_a_touch_is_required_nothing_else_counts() {
    let keys = Keys::new();
    keys.make("p256", &["-t", "ecdsa", "-b", "256"]);
    let sealed = sealed("r1");
    for key in ["ada", "p256"] {
        let fido = SecurityKey::of(&keys.path(key));
        let list = format!("ada {}\nsoft {}\n", fido.line(), keys.public("ben"));
        let list = AllowedSigners::parse(&list).unwrap();
        let strict = People { require_touch: true, ..people(&list) };
        let by = |flags| Statement::Signature { signature: fido.sign("countersign", sealed.bytes(), flags) };
        for (flags, expected) in [
            (TOUCHED, Ok(())),
            (TOUCHED | VERIFIED_ONLY, Ok(())),
            (UNTOUCHED, Err(NotAPerson::NotTouched)),
            (VERIFIED_ONLY, Err(NotAPerson::NotTouched)),
            (0xfe, Err(NotAPerson::NotTouched)),
        ] {
            let Statement::Signature { signature } = by(flags) else { unreachable!() };
            let who = strict.who(&signature, "countersign", sealed.bytes()).map(drop);
            assert_eq!(who, expected, "{key} {flags:#04x}");
            assert!(people(&list).who(&signature, "countersign", sealed.bytes()).is_ok());
        }
        let software = bundle(&sealed, vec![signature(&keys, "ben", &sealed)]);
        assert_eq!(judged(&software, &rules(strict, 1)), Err("not-human"));
        // One who counts and one who does not are one.
        let mixed = bundle(&sealed, vec![by(TOUCHED), signature(&keys, "ben", &sealed)]);
        assert_eq!(judged(&mixed, &rules(strict, 1)), Ok(vec!["ada".to_owned()]));
        assert_eq!(judged(&mixed, &rules(strict, 2)), Err("insufficient-approvals"));
    }
}

#[test]
fn keys_that_are_gone_stay_gone() {
    let keys = Keys::new();
    let sealed = sealed("r1");
    let one = bundle(&sealed, vec![signature(&keys, "ada", &sealed)]);
    let in_time = AllowedSigners::parse(&format!("ada valid-before=\"20260101\" {}\n", keys.public("ada"))).unwrap();
    // By the clock of whoever verifies; the proposal's or a commit's own time is not asked.
    assert_eq!(judged(&one, &rules(people(&in_time), 1)), Err("not-human"));
    let list = listed(&keys, &["ada", "ben"]);
    for gone in ["ada", "authority"] {
        let revoked = [key_data(&keys.public(gone))];
        let people = People { revoked: &revoked, ..people(&list) };
        assert_eq!(judged(&one, &rules(people, 1)).is_ok(), gone != "ada");
    }
    // A bot with a line among the approvers is still a bot.
    let bots = [key_data(&keys.public("ada"))];
    assert_eq!(judged(&one, &rules(People { bots: &bots, ..people(&list) }, 1)), Err("not-human"));
}

#[test]
fn what_was_said_about_one_proposal_says_nothing_about_another() {
    let keys = Keys::new();
    let list = listed(&keys, &["ada", "ben"]);
    let (one, twin, moved) = (sealed("r1"), super::sample::later("r1"), sealed("r2"));
    let statements = whole(&keys, &one).statements;
    assert!(judged(&bundle(&one, statements.clone()), &rules(people(&list), 2)).is_ok());
    for other in [&twin, &moved] {
        let rules = BundleRules { runner: &other.proposal().runner, ..rules(people(&list), 1) };
        assert_eq!(judged(&bundle(other, statements.clone()), &rules), Err("not-human"));
    }
    // Whole and in order, but another runner's.
    assert_eq!(judged(&bundle(&moved, whole(&keys, &moved).statements), &rules(people(&list), 1)), Err("request"));
    // A rejection is no approval, and a lease is none.
    for namespace in ["countersign-reject", "countersign-lease", "git", "file"] {
        let signature = keys.sign("ada", namespace, one.bytes());
        let bundle = bundle(&one, vec![Statement::Signature { signature }]);
        assert_eq!(judged(&bundle, &rules(people(&list), 1)), Err("not-human"), "{namespace}");
    }
    assert_eq!(people(&list).now, NOW);
}
