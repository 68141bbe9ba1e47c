//! Signatures and allowed signers, next to `ssh-keygen -Y verify` and `git verify-commit`, and over real commits.
#![cfg(all(feature = "git", feature = "approval"))]
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table says how many of its cases ran")]

mod repositories;

use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::commit::RawCommit;
use countersign_shared::approval::history::{Judgement, Refusal, Rules, judge};
use countersign_shared::approval::sshsig::{SignatureError, SshSignature};
use countersign_shared::git::{CommitId, Mirror};
use repositories::{commit, git, git_command, repository};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// 2026-11-20 12:00 UTC.
const NOW: i64 = 1_795_176_000;

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
            Some(person) => assert_eq!(person.principal, row[5]),
            None => expired += 1,
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

/// Keys made by ssh-keygen in a directory of their own.
struct Keys {
    place: tempfile::TempDir,
}

impl Keys {
    fn new() -> Self {
        let keys = Self { place: tempfile::tempdir().unwrap() };
        for name in ["ada", "ben", "bot", "authority"] {
            keys.make(name, &["-t", "ed25519"]);
        }
        keys
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn make(&self, name: &str, kind: &[&str]) {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-N", "", "-C", "", "-f"]).arg(self.path(name)).args(kind);
        assert!(command.output().unwrap().status.success());
    }

    fn public(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap().trim().to_owned()
    }

    /// A certificate for `name`, after which `name` signs with it.
    fn certify(&self, name: &str, options: &[&str]) {
        let mut command = Command::new("ssh-keygen");
        command.arg("-q").arg("-s").arg(self.path("authority")).args(["-I", "id"]).args(options);
        let output = command.arg(self.path(&format!("{name}.pub"))).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::rename(self.path(&format!("{name}-cert.pub")), self.path(&format!("{name}.cert"))).unwrap();
    }

    /// Signs with the key, or with the certificate when the name ends in `.cert`.
    fn sign(&self, name: &str, namespace: &str, message: &[u8]) -> String {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]);
        match name.strip_suffix(".cert") {
            // ssh-keygen signs with a certificate when it lies beside the key under its usual name.
            Some(key) => {
                let alone = tempfile::tempdir().unwrap();
                fs::copy(self.path(key), alone.path().join("k")).unwrap();
                fs::copy(self.path(name), alone.path().join("k-cert.pub")).unwrap();
                command.arg(alone.path().join("k-cert.pub"));
                return piped(command, message).1;
            }
            None => command.arg(self.path(name)),
        };
        piped(command, message).1
    }

    /// What `ssh-keygen -Y verify` says.
    fn verifies(&self, allowed: &str, principal: &str, namespace: &str, signature: &str, message: &[u8]) -> bool {
        let (list, file) = (self.path("allowed"), self.path("signature"));
        fs::write(&list, allowed).unwrap();
        fs::write(&file, signature).unwrap();
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "verify", "-n", namespace, "-I", principal, "-f"]).arg(list).arg("-s").arg(file);
        command.arg("-Overify-time=20261120120000Z").env("TZ", "UTC");
        piped(command, message).0
    }
}

fn piped(mut command: Command, input: &[u8]) -> (bool, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
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
        assert_eq!(list.person(&signer, "git", NOW), None, "{principals}");
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

/// A repository whose commits people sign.
struct Canonical {
    keys: Keys,
    path: PathBuf,
}

impl Canonical {
    fn new() -> (Self, CommitId) {
        let keys = Keys::new();
        let path = keys.path("canonical");
        fs::create_dir(&path).unwrap();
        git(&path, &["init", "--quiet", "."]);
        let canonical = Self { keys, path };
        canonical.write("approvers", &canonical.list(&["ada", "ben"]));
        canonical.write("fleet.toml", "one");
        canonical.write("manifests/a.toml", "one");
        let anchor = canonical.commit(None, "Begin");
        (canonical, anchor)
    }

    fn list(&self, people: &[&str]) -> String {
        people.iter().map(|name| format!("{name}@example.org {}\n", self.keys.public(name))).collect()
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.path.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn commit(&self, signer: Option<&str>, message: &str) -> CommitId {
        git(&self.path, &["add", "--all"]);
        let key = format!("user.signingkey={}", self.keys.path(signer.unwrap_or("none")).display());
        let sign = if signer.is_some() { "--gpg-sign" } else { "--no-gpg-sign" };
        let args = ["-c", "gpg.format=ssh", "-c", &key, "commit", "--quiet", "--allow-empty", sign, "-m", message];
        git(&self.path, &args);
        self.tip()
    }

    fn change(&self, file: &str, signer: Option<&str>) -> CommitId {
        let text = format!("{file} {:?} after {}", signer, self.tip());
        self.write(file, &text);
        self.commit(signer, "Change")
    }

    fn tip(&self) -> CommitId {
        CommitId::parse(&git(&self.path, &["rev-parse", "HEAD"])).unwrap()
    }

    fn raw(&self, bytes: &[u8]) -> CommitId {
        let mut command = git_command(&self.path);
        command.args(["hash-object", "-w", "--literally", "-t", "commit", "--stdin"]);
        let id = piped(command, bytes).1;
        let id = CommitId::parse(id.trim()).unwrap();
        git(&self.path, &["update-ref", "refs/heads/main", &id.to_string()]);
        id
    }

    fn judge_with(&self, anchor: CommitId, pinned: &[&str], bots: &[String]) -> Judgement {
        let mirror = Mirror::open(&self.path.join(".git")).unwrap();
        let pinned = AllowedSigners::parse(&self.list(pinned)).unwrap();
        judge(&mirror, self.tip(), &Rules { anchor, pinned: &pinned, bots, now: NOW }).unwrap()
    }

    fn judge(&self, anchor: CommitId) -> Judgement {
        self.judge_with(anchor, &["ada", "ben"], &[])
    }

    /// `git verify-commit` with the approvers as allowed signers.
    fn git_verifies(&self, commit: CommitId) -> bool {
        fs::write(self.keys.path("allowed-by-git"), self.list(&["ada", "ben"])).unwrap();
        let allowed = format!("gpg.ssh.allowedSignersFile={}", self.keys.path("allowed-by-git").display());
        let mut command = git_command(&self.path);
        command.args(["-c", "gpg.format=ssh", "-c", &allowed, "verify-commit", &commit.to_string()]);
        piped(command, b"").0
    }
}

fn tree(canonical: &Canonical, commit: CommitId) -> String {
    git(&canonical.path, &["rev-parse", &format!("{commit}^{{tree}}")])
}

fn refused(commit: CommitId, why: Refusal) -> Judgement {
    Judgement::Refused { commit, why }
}

#[test]
fn a_history_by_people_passes_and_the_first_other_commit_is_named() {
    let (canonical, anchor) = Canonical::new();
    assert_eq!(canonical.judge(anchor), Judgement::ByPeople { commits: 0 });
    canonical.change("manifests/a.toml", Some("ada"));
    canonical.change("manifests/b.toml", Some("ben"));
    assert_eq!(canonical.judge(anchor), Judgement::ByPeople { commits: 2 });
    let unsigned = canonical.change("manifests/a.toml", None);
    canonical.change("manifests/b.toml", Some("ben"));
    assert_eq!(canonical.judge(anchor), refused(unsigned, Refusal::Unsigned));
    // An anchor after it lets it pass: a person has moved the anchor.
    assert_eq!(canonical.judge(unsigned), Judgement::ByPeople { commits: 1 });
}

#[test]
fn a_signer_must_be_listed_by_the_parent_and_pinned_and_be_no_bot() {
    let (canonical, anchor) = Canonical::new();
    let by_ben = canonical.change("manifests/a.toml", Some("ben"));
    assert_eq!(canonical.judge_with(anchor, &["ada"], &[]), refused(by_ben, Refusal::NotPinned));
    let bots = [canonical.keys.public("ben")];
    assert_eq!(canonical.judge_with(anchor, &["ada", "ben"], &bots), refused(by_ben, Refusal::Bot));
    let by_bot = canonical.change("manifests/a.toml", Some("bot"));
    let pinned = ["ada", "ben", "bot"];
    assert_eq!(canonical.judge_with(anchor, &pinned, &[]), refused(by_bot, Refusal::NotListed));
}

#[test]
fn nobody_lets_themselves_in_by_the_commit_that_they_sign() {
    let (canonical, anchor) = Canonical::new();
    canonical.write("approvers", &canonical.list(&["ada", "ben", "bot"]));
    let entry = canonical.commit(Some("bot"), "Add the bot");
    let pinned = ["ada", "ben", "bot"];
    assert_eq!(canonical.judge_with(anchor, &pinned, &[]), refused(entry, Refusal::NotListed));
    // Judged by the tip's own file, it would have passed.
    let tips_own = AllowedSigners::parse(&canonical.list(&pinned)).unwrap();
    let raw = Mirror::open(&canonical.path.join(".git")).unwrap().raw_commit(entry).unwrap();
    let signed = RawCommit::parse(&raw).unwrap().signed.unwrap();
    let signer = SshSignature::parse(&signed.signature).unwrap().verify("git", &signed.payload).unwrap();
    assert!(tips_own.person(&signer, "git", NOW).is_some());
}

#[test]
fn people_policy_and_fleet_need_two() {
    for file in ["approvers", "policy.toml", "fleet.toml", "fleet.d/more.toml"] {
        let (canonical, anchor) = Canonical::new();
        if file == "approvers" {
            canonical.write(file, &canonical.list(&["ada", "ben", "bot"]));
        } else {
            canonical.write(file, "changed");
        }
        let changed = canonical.commit(Some("ada"), "Change");
        assert_eq!(canonical.judge(anchor), refused(changed, Refusal::OnePerson), "{file}");
        // The same person twice is one person.
        canonical.commit(Some("ada"), &format!("Again\n\nCountersign-Endorses: {changed}"));
        assert_eq!(canonical.judge(anchor), refused(changed, Refusal::OnePerson), "{file}");
        canonical.commit(Some("ben"), &format!("Look at it\n\nCountersign-Endorses: {changed}"));
        assert_eq!(canonical.judge(anchor), Judgement::ByPeople { commits: 3 }, "{file}");
    }
}

#[test]
fn a_person_can_vouch_for_an_unsigned_commit_but_only_by_its_full_id_and_signed() {
    let (canonical, anchor) = Canonical::new();
    let unsigned = canonical.change("manifests/a.toml", None);
    let short = &unsigned.to_string()[..12];
    canonical.commit(Some("ben"), &format!("Look\n\nCountersign-Endorses: {short}"));
    assert_eq!(canonical.judge(anchor), refused(unsigned, Refusal::Unsigned));
    let also = canonical.commit(None, &format!("Look\n\nCountersign-Endorses: {unsigned}"));
    assert_eq!(canonical.judge(anchor), refused(also, Refusal::Unsigned));
    let text = format!("Look\n\nCountersign-Endorses: {unsigned}\nCountersign-Endorses: {also}");
    canonical.commit(Some("ben"), &text);
    assert_eq!(canonical.judge(anchor), Judgement::ByPeople { commits: 4 });
    // Somebody who was let in later cannot vouch for what came before.
    let (canonical, anchor) = Canonical::new();
    let unsigned = canonical.change("manifests/a.toml", None);
    canonical.write("approvers", &canonical.list(&["ada", "ben", "bot"]));
    let entry = canonical.commit(Some("ada"), "Add");
    canonical.commit(Some("ben"), &format!("Look\n\nCountersign-Endorses: {entry}"));
    canonical.commit(Some("bot"), &format!("Look\n\nCountersign-Endorses: {unsigned}"));
    let answer = canonical.judge_with(anchor, &["ada", "ben", "bot"], &[]);
    assert_eq!(answer, refused(unsigned, Refusal::Unsigned));
}

#[test]
fn an_anchor_off_the_way_and_a_parent_without_people_are_refusals() {
    let (canonical, anchor) = Canonical::new();
    let elsewhere = {
        git(&canonical.path, &["checkout", "--quiet", "--orphan", "other"]);
        canonical.commit(Some("ada"), "Other root")
    };
    assert_eq!(canonical.judge(anchor), refused(elsewhere, Refusal::NoAnchor));
    fs::remove_file(canonical.path.join("approvers")).unwrap();
    let base = canonical.commit(Some("ada"), "No people any more");
    let after = canonical.change("manifests/a.toml", Some("ada"));
    assert_eq!(canonical.judge(base), refused(after, Refusal::NoApprovers));
}

#[test]
fn what_git_itself_verifies_is_not_enough_and_what_we_accept_git_verifies() {
    let (canonical, anchor) = Canonical::new();
    let good = canonical.change("manifests/a.toml", Some("ada"));
    let raw = Mirror::open(&canonical.path.join(".git")).unwrap().raw_commit(good).unwrap();
    let text = String::from_utf8(raw).unwrap();
    let (header, message) = text.split_once("\n\n").unwrap();
    let at = header.find("gpgsig").unwrap();
    let (fields, signature) = header.split_at(at);
    let other = SIGNATURE_OF_ANOTHER_KIND;
    let cases = [
        ("untouched", text.clone(), true),
        ("another message", format!("{header}\n\n{message}more\n"), false),
        ("another tree", text.replacen(&tree(&canonical, good), &tree(&canonical, anchor), 1), false),
        ("signature in the message", format!("{}\n\n{message}\n{signature}\n", fields.trim_end()), false),
        ("bytes after a NUL", format!("{header}\n\n{message}\0hidden"), false),
        ("two signatures", format!("{header}\n{signature}\n\n{message}"), false),
        ("a signature of another kind beside it", format!("{header}\n{other}\n\n{message}"), false),
        ("an uncovered field", format!("{header}\nx-note hidden\n\n{message}"), false),
        ("no signature", format!("{}\n\n{message}", fields.trim_end()), false),
    ];
    let mut git_took = 0;
    for (name, bytes, accepted) in &cases {
        let id = canonical.raw(bytes.as_bytes());
        let ours = canonical.judge(anchor) == Judgement::ByPeople { commits: 1 };
        assert_eq!(ours, *accepted, "{name}: {:?}", canonical.judge(anchor));
        let theirs = canonical.git_verifies(id);
        assert!(theirs || !ours, "{name}: accepted by us, refused by git");
        git_took += usize::from(theirs);
        canonical.raw(text.as_bytes());
    }
    println!("{} commits, of which git verifies {git_took}", cases.len());
}

const SIGNATURE_OF_ANOTHER_KIND: &str =
    "gpgsig-sha256 -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----";

#[test]
fn a_bare_repository_of_unsigned_commits_is_refused_at_its_tip() {
    let keys = Keys::new();
    let people = format!("ada@example.org {}\n", keys.public("ada"));
    let path = keys.path("a.git");
    let anchor = repository(&path, &[("approvers", &people), ("manifests/a.toml", "one")]);
    let tip = commit(&path, "main", &[("approvers", &people), ("manifests/a.toml", "two")]);
    let pinned = AllowedSigners::parse(&people).unwrap();
    let anchor = CommitId::parse(&anchor).unwrap();
    let tip = CommitId::parse(&tip).unwrap();
    let rules = Rules { anchor, pinned: &pinned, bots: &[], now: NOW };
    let answer = judge(&Mirror::open(&path).unwrap(), tip, &rules).unwrap();
    assert_eq!(answer, refused(tip, Refusal::Unsigned));
}
