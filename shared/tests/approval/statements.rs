//! What approves a proposal, and what only looks so.

use super::NOW;
use super::keys::{Keys, key_data};
use super::sample::{line, listed, merge, people, sealed, signature, signed_merge};
use countersign_manifests_schema::bundle::Statement;
use countersign_shared::approval::commit::CommitError;
use countersign_shared::approval::people::{NotAPerson, People, distinct};
use countersign_shared::approval::sshsig::SignatureError;
use countersign_shared::approval::statement::{LineError, StatementRefusal, approves, named_in, rejects};

#[test]
fn a_signed_merge_and_a_signature_over_the_bytes_approve() {
    let keys = Keys::new();
    let (list, sealed) = (listed(&keys, &["ada", "ben"]), sealed("r1"));
    let people = people(&list);
    let by_merge = approves(&signed_merge(&keys, "ada", merge(&line(&sealed))), &sealed, &people).unwrap();
    assert_eq!(by_merge.person.principal, "ada@example.org");
    assert_eq!(by_merge.key, key_data(&keys.public("ada")));
    let by_file = approves(&signature(&keys, "ben", &sealed), &sealed, &people).unwrap();
    assert_eq!(distinct(&[by_file, by_merge]), ["ada@example.org", "ben@example.org"]);
    let no = keys.sign("ben", "countersign-reject", sealed.bytes());
    assert_eq!(rejects(&no, &sealed, &people).unwrap().person.principal, "ben@example.org");
}

#[test]
fn a_message_approves_only_by_whole_and_single_lines() {
    let keys = Keys::new();
    let (list, sealed) = (listed(&keys, &["ada"]), sealed("r1"));
    let people = people(&list);
    let good = line(&sealed);
    let other = super::sample::sealed("r2");
    let judge = |message: &str| {
        approves(&signed_merge(&keys, "ada", merge(message)), &sealed, &people)
            .map(|approver| approver.person.principal)
    };
    for message in [good.clone(), format!("{}\n{good}", line(&other)), format!("Text.\n{good}\nMore text.")] {
        assert_eq!(judge(&message), Ok("ada@example.org".to_owned()), "{message:?}");
    }
    let malformed = |line| Err(StatementRefusal::Lines(LineError::Malformed(line)));
    for (message, expected) in [
        (line(&other), Err(StatementRefusal::NotNamed)),
        (good.replace("r1", "r2"), Err(StatementRefusal::OtherRunner("r2".to_owned()))),
        (format!("{good}\n{good}"), Err(StatementRefusal::Lines(LineError::Doubled(4)))),
        (format!("{good}\n{}", good.replace("r1", "r2")), Err(StatementRefusal::Lines(LineError::Doubled(4)))),
        (format!("{good}\r"), malformed(3)),
        (format!("{good} "), malformed(3)),
        (format!("{good}\t"), malformed(3)),
        (format!("{good}\u{a0}"), malformed(3)),
        (format!("{good}\u{200b}"), malformed(3)),
        (format!("{good}\u{2028}"), malformed(3)),
        (format!(" {good}"), malformed(3)),
        (format!("> {good}"), malformed(3)),
        (format!("\u{feff}{good}"), malformed(3)),
        (format!("{good}\n {good}"), malformed(4)),
        (good.replace(": ", ":"), malformed(3)),
        (good.replace(" sha256", "  sha256"), malformed(3)),
        (good.replace("sha256:", "SHA256:"), malformed(3)),
        (good.replace("sha256:", "sha256:0"), malformed(3)),
        (good[..good.len() - 52].to_owned(), malformed(3)),
        (good.to_uppercase(), malformed(3)),
        (good.replace("Countersign-Approves", "countersign-approves"), malformed(3)),
        (good.replace("r1", "R1"), malformed(3)),
        (good.replace("r1", "r\u{ff11}"), malformed(3)),
        (good.replace("r1", "r1 r2"), malformed(3)),
        (good.replace("Countersign-Approves", "Countersign\u{2010}Approves"), Err(StatementRefusal::NotNamed)),
        (good.replace("Countersign", "\u{421}ountersign"), Err(StatementRefusal::NotNamed)),
        (String::new(), Err(StatementRefusal::NotNamed)),
    ] {
        assert_eq!(judge(&message), expected, "{message:?}");
    }
    assert_eq!(named_in(&format!("x\n{good}\n")).unwrap()[0].line(), good);
}

#[test]
fn a_commit_that_merges_nothing_or_hides_something_approves_nothing() {
    let keys = Keys::new();
    let (list, sealed) = (listed(&keys, &["ada"]), sealed("r1"));
    let people = people(&list);
    let good = merge(&line(&sealed));
    let parent = "parent 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";
    let header = |text: &str| good.replacen("\n\n", &format!("\n{text}\n\n"), 1);
    let signature = "gpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----";
    for (payload, expected) in [
        (good.replacen(parent, "", 1), StatementRefusal::NotAMerge(1)),
        (good.replace(parent, ""), StatementRefusal::NotAMerge(0)),
        (good.replacen(parent, &parent.repeat(2), 1), StatementRefusal::NotAMerge(3)),
        (header(signature), StatementRefusal::NotPayload),
        (format!("{good}{signature}\n"), CommitError::SignatureOutsideHeader.into()),
        (header(&format!("{signature}\n{signature}")), CommitError::SeveralSignatures.into()),
        (header("gpgsig-sha256 x"), CommitError::OtherSignature.into()),
        (header("encoding UTF-7"), CommitError::Encoding.into()),
        (format!("{good}\0{good}"), CommitError::Nul.into()),
        ("nothing".to_owned(), CommitError::Header("there is no empty line after it").into()),
    ] {
        let statement = signed_merge(&keys, "ada", payload.clone());
        assert_eq!(approves(&statement, &sealed, &people).unwrap_err(), expected, "{payload:?}");
    }
}

#[test]
fn a_signature_counts_for_its_purpose_its_bytes_and_its_person_only() {
    let keys = Keys::new();
    let (list, sealed) = (listed(&keys, &["ada", "ben", "bot"]), sealed("r1"));
    let (ada, bot) = (key_data(&keys.public("ada")), key_data(&keys.public("bot")));
    let (bots, revoked) = ([bot], [ada]);
    let all = People { bots: &bots, revoked: &revoked, ..people(&list) };
    let by = |name: &str, namespace: &str, bytes: &[u8]| Statement::Signature {
        signature: keys.sign(name, namespace, bytes),
    };
    let touch = People { require_touch: true, ..all };
    let other = super::sample::sealed("r2");
    keys.make("stranger", &["-t", "ed25519"]);
    let namespace = |name: &str| NotAPerson::Signature(SignatureError::Namespace(name.to_owned()));
    for (statement, people, expected) in [
        (by("ada", "countersign", sealed.bytes()), &all, NotAPerson::Revoked),
        (by("bot", "countersign", sealed.bytes()), &all, NotAPerson::Bot),
        (by("ben", "countersign", sealed.bytes()), &touch, NotAPerson::Software),
        (by("stranger", "countersign", sealed.bytes()), &all, NotAPerson::NotListed),
        (by("ben", "countersign-reject", sealed.bytes()), &all, namespace("countersign-reject")),
        (by("ben", "git", sealed.bytes()), &all, namespace("git")),
        (by("ben", "countersign", other.bytes()), &all, NotAPerson::Signature(SignatureError::Wrong)),
    ] {
        let refusal = approves(&statement, &sealed, people).unwrap_err();
        assert_eq!(refusal, StatementRefusal::Person(expected));
    }
    assert!(approves(&by("ben", "countersign", sealed.bytes()), &sealed, &all).is_ok());
    let no = keys.sign("ben", "countersign", sealed.bytes());
    assert_eq!(rejects(&no, &sealed, &all).unwrap_err(), namespace("countersign"));
    assert_eq!(all.now, NOW);
}
