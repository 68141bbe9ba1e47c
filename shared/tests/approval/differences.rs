//! Next to `ssh-keygen -Y verify` and `git verify-commit`: where they answer otherwise than we do, we are the stricter
//! one, and the list of it is exact.

use super::NOW;
use super::history_rules::sign_into;
use super::keys::{Keys, key_data};
use super::people::Canonical;
use super::security_key::{SecurityKey, TOUCHED, UNTOUCHED};
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::commit::RawCommit;
use countersign_shared::approval::people::{People, read_keys};
use countersign_shared::git::{CommitId, Mirror};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Where ssh-keygen takes a signature and we do not. SECURITY.md says the same in words.
const STRICTER_THAN_SSH_KEYGEN: &[&str] = &[
    DSA,
    "RSA key of 2048 bits",
    "a bot's key",
    "a certificate for two of the listed names",
    "a certificate with a critical option",
    "a line elsewhere in the list that cannot be read",
    "a list of revoked keys in the binary form",
    "a pattern as the name",
    "a software key where a touch is required",
    "an untouched security key where a touch is required",
    "one key under two names",
    "text after the signature",
    "two names in one line",
];

const DSA: &str = "DSA key";

/// Whether this ssh-keygen makes such keys: those since OpenSSH 10 do not, and there is nothing to be stricter about.
fn knows_dsa() -> bool {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-N", "", "-t", "dsa", "-f"]).arg(place.path().join("key"));
    command.output().unwrap().status.success()
}

/// One question to both.
struct Case {
    name: &'static str,
    list: String,
    signature: String,
    principal: &'static str,
    namespace: &'static str,
    revoked: Option<Vec<u8>>,
    bots: Vec<String>,
    require_touch: bool,
    now: i64,
}

const MESSAGE: &[u8] = b"text";

impl Case {
    fn new(name: &'static str, list: String, signature: String) -> Self {
        Self {
            name,
            list,
            signature,
            principal: "ada",
            namespace: "git",
            revoked: None,
            bots: Vec::new(),
            require_touch: false,
            now: NOW,
        }
    }

    fn ours(&self) -> bool {
        let Ok(listed) = AllowedSigners::parse(&self.list) else { return false };
        let bots: Vec<_> = self.bots.iter().map(|line| key_data(line)).collect();
        let revoked = self.revoked.as_ref().map(|bytes| read_keys(&String::from_utf8_lossy(bytes)));
        let Ok(revoked) = revoked.transpose() else { return false };
        let revoked = revoked.unwrap_or_default();
        let people = People {
            listed: &listed,
            bots: &bots,
            revoked: &revoked,
            require_touch: self.require_touch,
            now: self.now,
        };
        let who = people.who(&self.signature, self.namespace, MESSAGE);
        who.is_ok_and(|approver| approver.person.principal == self.principal)
    }

    fn theirs(&self, keys: &Keys) -> bool {
        let (list, signature) = (keys.path("list"), keys.path("sig"));
        fs::write(&list, &self.list).unwrap();
        fs::write(&signature, &self.signature).unwrap();
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "verify", "-n", self.namespace, "-I", self.principal, "-f"]).arg(list);
        command.arg("-s").arg(signature).env("TZ", "UTC");
        let time = jiff::Timestamp::from_second(self.now).unwrap().strftime("%Y%m%d%H%M%SZ").to_string();
        command.arg(format!("-Overify-time={time}"));
        if let Some(revoked) = &self.revoked {
            fs::write(keys.path("revoked"), revoked).unwrap();
            command.arg("-r").arg(keys.path("revoked"));
        }
        super::keys::piped(command, MESSAGE).0
    }
}

/// Keys of every kind, a certificate among them.
const KINDS: &[(&str, &[&str])] = &[
    ("ed25519", &["-t", "ed25519"]),
    ("p256", &["-t", "ecdsa", "-b", "256"]),
    ("p384", &["-t", "ecdsa", "-b", "384"]),
    ("p521", &["-t", "ecdsa", "-b", "521"]),
    ("rsa3072", &["-t", "rsa", "-b", "3072"]),
    ("rsa4096", &["-t", "rsa", "-b", "4096"]),
];

fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = Vec::new();
    let line = |name: &str| format!("ada {}\n", keys.public(name));
    for (name, kind) in KINDS {
        keys.make(name, kind);
        cases.push(Case::new(name, line(name), keys.sign(name, "git", MESSAGE)));
    }
    keys.make("small", &["-t", "rsa", "-b", "2048"]);
    cases.push(Case::new("RSA key of 2048 bits", line("small"), keys.sign("small", "git", MESSAGE)));
    if knows_dsa() {
        keys.make("dsa", &["-t", "dsa"]);
        cases.push(Case::new(DSA, line("dsa"), keys.sign("dsa", "git", MESSAGE)));
    }
    let ada = || keys.sign("ada", "git", MESSAGE);
    let plain = |name| Case::new(name, line("ada"), ada());
    let listed = |name, list: String| Case::new(name, list, ada());
    let with = |name, options: &str| Case::new(name, format!("ada {options} {}\n", keys.public("ada")), ada());
    cases.push(plain("as it should be"));
    // Names.
    cases.push(listed("a pattern as the name", format!("ad* {}\n", keys.public("ada"))));
    cases.push(listed("two names in one line", format!("ada,ben {}\n", keys.public("ada"))));
    cases.push(listed("one key under two names", format!("{}ben {}\n", line("ada"), keys.public("ada"))));
    cases.push(listed("a name that is denied", format!("!ada,a* {}\n", keys.public("ada"))));
    cases.push(listed("another name", format!("ben {}\n", keys.public("ada"))));
    cases.push(listed("the name in capitals", format!("ADA {}\n", keys.public("ada"))));
    cases.push(listed(
        "the key of an authority, signing itself",
        format!("ada cert-authority {}\n", keys.public("ada")),
    ));
    cases.push(listed("the same line twice", line("ada").repeat(2)));
    cases.push(listed("a line elsewhere in the list that cannot be read", format!("{}ben oops\n", line("ada"))));
    cases.push(listed("lines that end as on Windows", line("ada").replace('\n', "\r\n")));
    cases.push(Case { bots: vec![keys.public("ada")], ..plain("a bot's key") });
    // Namespaces.
    cases.push(Case { namespace: "file", ..plain("another namespace is asked") });
    cases.push(with("a namespace that is listed", "namespaces=\"file,git\""));
    cases.push(with("a namespace that is not listed", "namespaces=\"file\""));
    cases.push(with("a namespace that is denied", "namespaces=\"!git,*\""));
    cases.push(with("a namespace by a pattern", "namespaces=\"g?t\""));
    // Time.
    cases.push(with("in its time", "valid-after=\"20261120120000Z\",valid-before=\"20261120120000Z\""));
    cases.push(with("expired", "valid-before=\"20261120115959Z\""));
    cases.push(with("not yet valid", "valid-after=\"20261120120001Z\""));
    cases.push(Case { now: NOW - 86_400 * 365, ..with("asked about an earlier time", "valid-before=\"20260101\"") });
    // Revocation.
    let revoked = |name, text: String| Case { revoked: Some(text.into_bytes()), ..plain(name) };
    cases.push(revoked("revoked", line("ada").replace("ada ", "")));
    cases.push(revoked("others are revoked", format!("# gone\n{}\n", keys.public("ben"))));
    cases.push(revoked("nothing is revoked", String::new()));
    cases.push(revoked("a list of revoked keys that cannot be read", "oops\n".to_owned()));
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-k", "-f"]).arg(keys.path("krl")).arg(keys.path("ben.pub"));
    assert!(command.status().unwrap().success());
    let binary = fs::read(keys.path("krl")).unwrap();
    cases.push(Case { revoked: Some(binary), ..plain("a list of revoked keys in the binary form") });
    // Armour.
    let armour = |name, edit: &dyn Fn(String) -> String| Case { signature: edit(ada()), ..plain(name) };
    cases.push(armour("text before the signature", &|text| format!("x\n{text}")));
    cases.push(armour("text after the signature", &|text| format!("{text}x\n")));
    cases.push(armour("lines broken elsewhere", &|text| {
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        format!("-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n")
    }));
    cases.push(armour("a signature that is cut", &|text| {
        let cut = text.len() - 60;
        format!("{}\n-----END SSH SIGNATURE-----\n", &text[..cut])
    }));
    cases.push(Case { signature: keys.sign("ben", "git", MESSAGE), ..plain("of somebody else") });
    cases.push(Case { signature: keys.sign("ada", "git", b"other"), ..plain("over something else") });
    // Touch.
    let fido = SecurityKey::of(&keys.path("ada"));
    let fido_p256 = SecurityKey::of(&keys.path("p256"));
    for (name, key, flags, require_touch) in [
        ("sk-ed25519, touched", &fido, TOUCHED, true),
        ("sk-ecdsa, touched", &fido_p256, TOUCHED, true),
        ("sk-ed25519, untouched, and nobody asks", &fido, UNTOUCHED, false),
        ("an untouched security key where a touch is required", &fido_p256, UNTOUCHED, true),
    ] {
        let signature = key.sign("git", MESSAGE, flags);
        cases.push(Case { require_touch, ..Case::new(name, format!("ada {}\n", key.line()), signature) });
    }
    cases.push(Case { require_touch: true, ..plain("a software key where a touch is required") });
    let altered = fido.sign_and_show("git", MESSAGE, UNTOUCHED, TOUCHED);
    cases.push(Case::new("the flags changed after signing", format!("ada {}\n", fido.line()), altered));
    cases.push(Case::new("the key of a security key as a plain one", line("ada"), fido.sign("git", MESSAGE, TOUCHED)));
    cases.extend(certificates(keys));
    cases
}

fn certificates(keys: &Keys) -> Vec<Case> {
    let mut cases = Vec::new();
    let list = |pattern: &str| format!("{pattern} cert-authority {}\n", keys.public("authority"));
    let validity = ["-V", "20200101:20991231"];
    for (name, options, pattern) in [
        ("a certificate", &["-n", "ada"][..], "*"),
        ("a certificate for the listed name", &["-n", "ada,builder"], "ada"),
        ("a certificate for two of the listed names", &["-n", "ada,ben"], "*"),
        ("a certificate for another name", &["-n", "ben"], "*"),
        ("a certificate for a name that is not listed", &["-n", "ada"], "b*"),
        ("a certificate for nobody", &[], "*"),
        ("a certificate of a host", &["-h", "-n", "ada"], "*"),
        ("a certificate with a critical option", &["-n", "ada", "-O", "force-command=true"], "*"),
        ("a certificate with an extension", &["-n", "ada", "-O", "extension:x@example.org=y"], "*"),
    ] {
        keys.certify("ben", &[options, &validity].concat());
        cases.push(Case::new(name, list(pattern), keys.sign("ben.cert", "git", MESSAGE)));
    }
    for (name, validity) in [
        ("a certificate that has run out", "20200101:20210101"),
        ("a certificate that is not valid yet", "20500101:20510101"),
    ] {
        keys.certify("ben", &["-n", "ada", "-V", validity]);
        cases.push(Case::new(name, list("*"), keys.sign("ben.cert", "git", MESSAGE)));
    }
    keys.certify("ben", &[&["-n", "ada"][..], &validity].concat());
    let signature = keys.sign("ben.cert", "git", MESSAGE);
    let good = |name| Case::new(name, list("*"), signature.clone());
    let revoked = |name, of: &str| Case { revoked: Some(format!("{}\n", keys.public(of)).into_bytes()), ..good(name) };
    cases.push(revoked("a certificate over a revoked key", "ben"));
    cases.push(revoked("a certificate of a revoked authority", "authority"));
    cases.push(revoked("a certificate, and others are revoked", "bot"));
    cases.push(Case {
        list: format!("* cert-authority {}\n", keys.public("bot")),
        ..good("a certificate of another authority")
    });
    cases.push(Case {
        list: format!("ada {}\n", keys.public("authority")),
        ..good("a certificate, and its authority as a plain key")
    });
    cases.push(Case {
        list: format!("ada {}\n", keys.public("ben")),
        ..good("a certificate, and only its key is listed")
    });
    cases.push(Case { signature: keys.sign("ben", "git", MESSAGE), ..good("the key without its certificate") });
    cases
}

#[test]
fn we_answer_as_ssh_keygen_does_or_we_are_on_the_list_of_what_we_refuse_besides() {
    let keys = Keys::new();
    let cases = cases(&keys);
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "two cases of one name");
    let (mut good, mut stricter) = (0, BTreeSet::new());
    for case in &cases {
        match (case.ours(), case.theirs(&keys)) {
            (true, true) => good += 1,
            (false, false) => {}
            (false, true) => {
                stricter.insert(case.name);
            }
            (true, false) => panic!("{}: we take what ssh-keygen refuses", case.name),
        }
    }
    let expected = STRICTER_THAN_SSH_KEYGEN.iter().filter(|name| **name != DSA || knows_dsa());
    assert_eq!(stricter, expected.copied().collect());
    println!("{} questions to ssh-keygen, {good} taken by both", cases.len());
    assert!(good >= 18, "{good}");
}

/// Where git takes a commit and we do not, though it is signed by a listed key.
const STRICTER_THAN_GIT: &[&str] = &["an expired key, backdated", "rsa2048"];

#[test]
fn commits_that_git_signs_with_every_kind_of_key_are_taken_by_both() {
    let (canonical, _) = Canonical::new();
    let keys = &canonical.keys;
    let mut lines = String::new();
    let mut names: Vec<String> = Vec::new();
    let kinds = KINDS.iter().copied().chain([("rsa2048", &["-t", "rsa", "-b", "2048"][..])]);
    for (name, kind) in kinds {
        keys.make(name, kind);
        lines += &format!("{name} {}\n", keys.public(name));
        names.push(name.to_owned());
    }
    lines += &format!("certified cert-authority {}\n", keys.public("authority"));
    lines += &format!("expired valid-before=\"20260101\" {}\n", keys.public("ada"));
    keys.certify("ben", &["-n", "certified", "-V", "20200101:20991231"]);
    // ssh-keygen finds the key beside its certificate by this name.
    fs::rename(keys.path("ben.cert"), keys.path("ben-cert.pub")).unwrap();
    let mirror = Mirror::open(&canonical.path.join(".git")).unwrap();
    let allowed = keys.path("allowed");
    let mut stricter = Vec::new();
    let signers = names.iter().map(|name| (name.as_str(), name.clone(), name.clone()));
    let more = [
        ("a certificate", "ben-cert.pub".to_owned(), "certified".to_owned()),
        ("an expired key, backdated", "ada".to_owned(), "expired".to_owned()),
    ];
    for of in ["ed25519", "p256"] {
        lines += &format!("sk-{of} {}\n", SecurityKey::of(&keys.path(of)).line());
    }
    let more = more.into_iter().chain([
        ("a security key over ed25519", "ed25519".to_owned(), "sk-ed25519".to_owned()),
        ("a security key over p256", "p256".to_owned(), "sk-p256".to_owned()),
    ]);
    let mut ran = 0;
    for (case, file, principal) in signers.chain(more) {
        let id = canonical.commit(Some(&file), case);
        let id = match case.strip_prefix("a security key over ") {
            None => id,
            Some(of) => by_security_key(&canonical, id, &SecurityKey::of(&keys.path(of))),
        };
        let signed = RawCommit::parse(&mirror.raw_commit(id).unwrap()).unwrap().signed.unwrap();
        // Each is asked with its own line only, so that one that we cannot read does not spoil the others.
        let own: String =
            lines.lines().filter(|l| l.starts_with(&format!("{principal} "))).map(|l| format!("{l}\n")).collect();
        fs::write(&allowed, &own).unwrap();
        let ours = AllowedSigners::parse(&own).is_ok_and(|listed| {
            let people = People { listed: &listed, bots: &[], revoked: &[], require_touch: false, now: NOW };
            people.who(&signed.signature, "git", &signed.payload).is_ok_and(|by| by.person.principal == principal)
        });
        let file = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
        let mut command = super::repositories::git_command(&canonical.path);
        command.args(["-c", "gpg.format=ssh", "-c", &file, "verify-commit", &id.to_string()]).env("TZ", "UTC");
        assert!(super::keys::piped(command, b"").0, "{case}: git refuses");
        if !ours {
            stricter.push(case);
        }
        ran += 1;
    }
    stricter.sort_unstable();
    assert_eq!(stricter, STRICTER_THAN_GIT);
    println!("{ran} commits signed by git");
}

/// The same commit, signed by a security key.
fn by_security_key(canonical: &Canonical, id: CommitId, key: &SecurityKey) -> CommitId {
    let raw = Mirror::open(&canonical.path.join(".git")).unwrap().raw_commit(id).unwrap();
    let payload = String::from_utf8(RawCommit::parse(&raw).unwrap().signed.unwrap().payload).unwrap();
    sign_into(canonical, &payload, |payload| key.sign("git", payload, TOUCHED))
}

#[test]
fn the_security_page_has_the_same_lists() {
    let page = include_str!("../../../SECURITY.md");
    let names = |heading: &str| -> BTreeSet<&str> {
        let section = page.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
        section.lines().filter_map(|line| line.strip_prefix("- **")?.split_once("**")).map(|(name, _)| name).collect()
    };
    assert_eq!(names("Stricter than ssh-keygen"), STRICTER_THAN_SSH_KEYGEN.iter().copied().collect());
    let by_git = STRICTER_THAN_GIT.iter().chain(super::people::STRICTER_THAN_GIT).copied().collect();
    assert_eq!(names("Stricter than git"), by_git);
}
