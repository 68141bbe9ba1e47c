//! One signature, one list of people.

use super::NOW;
use super::keys::Keys;
use countersign_shared::approval::allowed_signers::{AllowedSigners, Unknown};
use countersign_shared::approval::commit::RawCommit;
use countersign_shared::approval::sshsig::{SignatureError, SshSignature};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

fn data(folder: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("COUNTERSIGN_DATA") else {
        eprintln!("SKIPPED: COUNTERSIGN_DATA is not set, so the real {folder} are not there");
        return None;
    };
    Some(Path::new(&root).join("openssh").join(folder))
}

#[test]
fn real_commits_are_read_and_verified_as_ssh_keygen_did() {
    let Some(folder) = data("git") else { return };
    let allowed = AllowedSigners::parse(&fs::read_to_string(folder.join("git_allowed_signers")).unwrap()).unwrap();
    let table = fs::read_to_string(folder.join("verify_results.tsv")).unwrap();
    let (mut ran, mut expired) = (0, 0);
    for row in table.lines().skip(1).map(|l| l.split('\t').collect::<Vec<_>>()).filter(|r| r[1] == "commit") {
        let file = |ending: &str| fs::read(folder.join("commits").join(format!("{}.{ending}", row[0]))).unwrap();
        let commit = RawCommit::parse(&file("raw")).unwrap();
        let signed = commit.signed.unwrap();
        assert_eq!(signed.payload, file("payload"), "{}", row[0]);
        assert_eq!(signed.signature.trim_end().as_bytes(), file("sig").trim_ascii_end(), "{}", row[0]);
        let signature = SshSignature::parse(&signed.signature).unwrap();
        let signer = signature.verify("git", &signed.payload).unwrap();
        assert_eq!(row[6], "good");
        assert!(allowed.allows(row[5], &signer, "git", row[3].parse().unwrap()), "{row:?}");
        // By our clock a key that has run out does not count, whatever time the commit claims.
        match allowed.person(&signer, "git", NOW) {
            Ok(person) => assert_eq!(person.principal, row[5]),
            Err(unknown) => {
                assert_eq!(unknown, Unknown::NotInForce);
                expired += 1;
            }
        }
        assert_eq!(signature.verify("file", &signed.payload), Err(SignatureError::Namespace("git".to_owned())));
        for at in [0, signed.payload.len() / 2, signed.payload.len() - 1] {
            let mut changed = signed.payload.clone();
            changed[at] ^= 1;
            assert_eq!(signature.verify("git", &changed), Err(SignatureError::Wrong));
        }
        ran += 1;
    }
    println!("{ran} real commits, {expired} of them by keys that have run out since");
    assert!(ran >= 26 && expired > 0);
}

#[test]
fn opensshs_own_signatures_of_every_accepted_kind_verify() {
    let Some(folder) = data("sshsig") else { return };
    let message = fs::read(folder.join("signed-data")).unwrap();
    let namespace = fs::read_to_string(folder.join("namespace")).unwrap();
    let mut ran = 0;
    for (kind, accepted) in [
        ("ed25519", true),
        ("ecdsa", true),
        ("rsa", true),
        ("ed25519_sk", true),
        ("ecdsa_sk", true),
        ("ecdsa_sk_webauthn", false),
        ("mldsa44-ed25519", false),
    ] {
        let text = fs::read_to_string(folder.join(format!("{kind}.sig"))).unwrap();
        let signer = SshSignature::parse(&text).and_then(|s| s.verify(&namespace, &message));
        assert_eq!(signer.is_ok(), accepted, "{kind}: {signer:?}");
        if let Ok(signer) = signer {
            assert_eq!(signer.touched.is_some(), kind.contains("_sk"), "{kind}");
            let public = fs::read_to_string(folder.join(format!("{kind}.pub"))).unwrap();
            let allowed = AllowedSigners::parse(&format!("me {public}")).unwrap();
            assert!(allowed.allows("me", &signer, &namespace, NOW), "{kind}");
        }
        ran += 1;
    }
    println!("{ran} kinds of signatures");
}

#[test]
fn armour_with_anything_around_or_inside_it_is_refused() {
    let keys = Keys::new();
    let good = keys.sign("ada", "git", b"text");
    SshSignature::parse(&good).unwrap().verify("git", b"text").unwrap();
    for (text, expected) in [
        (format!("x\n{good}"), SignatureError::NotSsh),
        (format!("{good}x"), SignatureError::Malformed),
        (format!("{good}{good}"), SignatureError::Malformed),
        (good.replace("-----END SSH SIGNATURE-----\n", ""), SignatureError::Malformed),
        (good.replacen("\nU1", "\n\0U1", 1), SignatureError::Malformed),
        (good.replacen("\nU1", "\n U1", 1), SignatureError::Malformed),
        (good.replacen("\nU1", "\nV1", 1), SignatureError::Malformed),
        ("-----BEGIN PGP SIGNATURE-----\n".to_owned(), SignatureError::NotSsh),
        (String::new(), SignatureError::NotSsh),
    ] {
        assert_eq!(SshSignature::parse(&text).unwrap_err(), expected, "{text:?}");
    }
    // Other programs break the lines elsewhere.
    let body: String = good.lines().filter(|l| !l.starts_with('-')).collect();
    let one_line = format!("-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n");
    assert_eq!(SshSignature::parse(&one_line), SshSignature::parse(&good));
}

#[test]
fn allowed_signers_are_read_as_ssh_keygen_reads_them() {
    let keys = Keys::new();
    for (name, kind) in [
        ("p256", &["-t", "ecdsa", "-b", "256"][..]),
        ("p384", &["-t", "ecdsa", "-b", "384"]),
        ("p521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa", "-b", "3072"]),
        ("dated", &["-t", "ed25519"]),
        ("host", &["-t", "ed25519"]),
        ("nobody", &["-t", "ed25519"]),
        ("late", &["-t", "ed25519"]),
    ] {
        keys.make(name, kind);
    }
    keys.certify("ben", &["-n", "ben@example.org,builder", "-V", "20200101:20991231"]);
    keys.certify("late", &["-n", "ben@example.org", "-V", "20200101:20210101"]);
    keys.certify("host", &["-h", "-n", "ben@example.org", "-V", "20200101:20991231"]);
    keys.certify("nobody", &["-V", "20200101:20991231"]);
    let (ada, authority) = (keys.public("ada"), keys.public("authority"));
    let ben = keys.public("ben");
    let mut lists: Vec<String> = Vec::new();
    for principals in [
        "ada@example.org",
        "*@example.org",
        "ada@example.org,ben@example.org",
        "*,!ada@example.org",
        "!ben@example.org,*@example.org",
        "!ada@example.org",
        "ADA@example.org",
        "\"ada@example.org\"",
        "a?a@example.org",
        "*",
    ] {
        for options in [
            "",
            "namespaces=\"git\" ",
            "namespaces=\"git,file\" ",
            "namespaces=\"*,!git\" ",
            "namespaces=\"g*\" ",
            "cert-authority ",
            "CERT-AUTHORITY,namespaces=\"git\" ",
            "valid-after=\"20200101\" ",
            "valid-after=\"20990101\" ",
            "valid-before=\"20200101\" ",
            "valid-before=\"20990101Z\" ",
            "valid-after=\"20261120115959Z\" ",
            "valid-after=\"20261120120000Z\" ",
            "valid-after=\"20261120120001Z\" ",
            "valid-before=\"202611201159Z\" ",
            "valid-before=\"20261120120000Z\" ",
            "valid-before=\"20261120120001Z\" ",
        ] {
            let key = if options.to_lowercase().contains("authority") { &authority } else { &ada };
            lists.push(format!("{principals} {options}{key} with a comment\n"));
        }
        lists.push(format!("{principals} {ben}\n{principals} {authority}\n{principals} cert-authority {ada}\n"));
    }
    lists.push(format!("# comment\n\n  \tada@example.org\t{ada}\n"));
    lists.push(format!("ada@example.org namespaces=\"file\" {ada}\nada@example.org {ada}\n"));
    lists.push(format!("!ada@example.org {ada}\nada@example.org {ada}\n"));
    lists.push(String::new());
    let signatures: Vec<(&str, String)> = ["ada", "ben", "ben.cert", "late.cert", "host.cert", "nobody.cert"]
        .into_iter()
        .map(|name| (name, keys.sign(name, "git", b"text")))
        .collect();
    let (mut ran, mut good) = (0, 0);
    for (index, list) in lists.iter().enumerate() {
        let allowed = AllowedSigners::parse(list).unwrap();
        for (offset, (name, signature)) in signatures.iter().enumerate() {
            // Certificates meet every authority; elsewhere they take turns, to bound the time.
            let turn = offset < 1 || (index + offset) % signatures.len() == 0;
            if !turn && !list.to_lowercase().contains("cert-authority") {
                continue;
            }
            let parsed = SshSignature::parse(signature).unwrap();
            let signer = parsed.verify("git", b"text").unwrap();
            for principal in ["ada@example.org", "ben@example.org"] {
                let theirs = keys.verifies(list, principal, "git", signature, b"text");
                let ours = allowed.allows(principal, &signer, "git", NOW);
                assert_eq!(ours, theirs, "{name} as {principal} by {list}");
                ran += 1;
                good += usize::from(theirs);
            }
        }
    }
    for name in ["p256", "p384", "p521", "rsa"] {
        let list = format!("me {}\n", keys.public(name));
        let signature = keys.sign(name, "git", b"text");
        let signer = SshSignature::parse(&signature).unwrap().verify("git", b"text").unwrap();
        assert!(keys.verifies(&list, "me", "git", &signature, b"text"), "{name}");
        assert!(AllowedSigners::parse(&list).unwrap().allows("me", &signer, "git", NOW), "{name}");
        ran += 1;
    }
    println!("{ran} answers compared with ssh-keygen, {good} of them good");
    assert!(good > 60 && ran - good > 100);
}

#[test]
fn we_are_stricter_than_ssh_keygen_where_it_is_lax() {
    let keys = Keys::new();
    keys.make("small", &["-t", "rsa", "-b", "2048"]);
    let small = keys.sign("small", "git", b"text");
    assert!(keys.verifies(&format!("me {}\n", keys.public("small")), "me", "git", &small, b"text"));
    let parsed = SshSignature::parse(&small).unwrap();
    assert_eq!(parsed.verify("git", b"text"), Err(SignatureError::SmallRsa));
    // A critical option that is not understood forbids.
    keys.certify("ben", &["-n", "ben", "-O", "force-command=true", "-V", "20200101:20991231"]);
    let signature = keys.sign("ben.cert", "git", b"text");
    let list = format!("ben cert-authority {}\n", keys.public("authority"));
    assert!(keys.verifies(&list, "ben", "git", &signature, b"text"));
    let signer = SshSignature::parse(&signature).unwrap().verify("git", b"text").unwrap();
    assert!(!AllowedSigners::parse(&list).unwrap().allows("ben", &signer, "git", NOW));
    // A pattern is nobody in particular.
    let signer = SshSignature::parse(&keys.sign("ada", "git", b"x")).unwrap().verify("git", b"x").unwrap();
    for principals in ["*@example.org", "ada,ben", "a?a", "!ben,*"] {
        let list = AllowedSigners::parse(&format!("{principals} {}\n", keys.public("ada"))).unwrap();
        assert_eq!(list.person(&signer, "git", NOW), Err(Unknown::NotListed), "{principals}");
    }
    // A line that cannot be read makes the whole list unusable, with its number.
    let ada = format!("ada {}", keys.public("ada"));
    for (bad, line) in [
        (format!("{ada}\nben\n"), 2),
        (format!("ben oops {}\n", keys.public("ben")), 1),
        (format!("ben namespaces=git {}\n", keys.public("ben")), 1),
        (format!("ben namespaces=\"a\",namespaces=\"b\" {}\n", keys.public("ben")), 1),
        (format!("ben valid-after=\"20260231\" {}\n", keys.public("ben")), 1),
        (format!("ben valid-after=\"20270101\",valid-before=\"20260101\" {}\n", keys.public("ben")), 1),
        (format!("{ada}\n\nme {}\n", keys.public("small")), 3),
        ("ada ssh-ed25519 AAAA\n".to_owned(), 1),
    ] {
        assert_eq!(AllowedSigners::parse(&bad).unwrap_err().line, line, "{bad}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(
        text in "[ -~\\n\\t\u{e9}]{0,200}",
        body in "[A-Za-z0-9+/=\\n]{0,300}",
    ) {
        let _ = AllowedSigners::parse(&text);
        let _ = SshSignature::parse(&text);
        let armoured = format!("-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n");
        if let Ok(signature) = SshSignature::parse(&armoured) {
            prop_assert!(signature.verify("git", b"text").is_err());
        }
    }

    #[test]
    fn a_changed_signature_never_verifies(at in 0_usize..180, to in "[A-Za-z0-9+/]") {
        let good = GOOD.with(String::clone);
        let position = good.find("U1").unwrap() + at;
        let before = good.as_bytes()[position];
        prop_assume!(before != b'\n' && before != to.as_bytes()[0] && position < good.find("\n-----END").unwrap() - 4);
        let mut changed = good.into_bytes();
        changed[position] = to.as_bytes()[0];
        let parsed = SshSignature::parse(std::str::from_utf8(&changed).unwrap());
        let verified = parsed.and_then(|signature| signature.verify("git", b"text"));
        // Bits of the key may change into another key, under which the signature is wrong.
        prop_assert!(verified.is_err(), "{:?}", verified);
    }
}

thread_local! {
    static GOOD: String = Keys::new().sign("ada", "git", b"text");
}
