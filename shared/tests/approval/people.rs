//! Canonical's history, judged by who signed it.

use super::NOW;
use super::history_rules::sign_into;
use super::keys::{Keys, key_data, piped};
use super::repositories::{commit, git, git_command, repository};
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::commit::RawCommit;
use countersign_shared::approval::history::{Judgement, Refusal, Rules, judge};
use countersign_shared::approval::people::NotAPerson;
use countersign_shared::approval::sshsig::SshSignature;
use countersign_shared::git::{CommitId, Mirror};
use ssh_key::public::KeyData;
use std::fs;
use std::path::PathBuf;

/// A repository whose commits people sign.
pub(super) struct Canonical {
    pub(super) keys: Keys,
    pub(super) path: PathBuf,
}

impl Canonical {
    pub(super) fn new() -> (Self, CommitId) {
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

    pub(super) fn list(&self, people: &[&str]) -> String {
        people.iter().map(|name| format!("{name}@example.org {}\n", self.keys.public(name))).collect()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let file = self.path.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub(super) fn commit(&self, signer: Option<&str>, message: &str) -> CommitId {
        git(&self.path, &["add", "--all"]);
        let key = format!("user.signingkey={}", self.keys.path(signer.unwrap_or("none")).display());
        let sign = if signer.is_some() { "--gpg-sign" } else { "--no-gpg-sign" };
        let args = ["-c", "gpg.format=ssh", "-c", &key, "commit", "--quiet", "--allow-empty", sign, "-m", message];
        git(&self.path, &args);
        self.tip()
    }

    pub(super) fn change(&self, file: &str, signer: Option<&str>) -> CommitId {
        let text = format!("{file} {:?} after {}", signer, self.tip());
        self.write(file, &text);
        self.commit(signer, "Change")
    }

    pub(super) fn tip(&self) -> CommitId {
        CommitId::parse(&git(&self.path, &["rev-parse", "HEAD"])).unwrap()
    }

    pub(super) fn raw(&self, bytes: &[u8]) -> CommitId {
        let mut command = git_command(&self.path);
        command.args(["hash-object", "-w", "--literally", "-t", "commit", "--stdin"]);
        let id = piped(command, bytes).1;
        let id = CommitId::parse(id.trim()).unwrap();
        git(&self.path, &["update-ref", "refs/heads/main", &id.to_string()]);
        id
    }

    fn judge_with(&self, anchor: CommitId, pinned: &[&str], bots: &[KeyData]) -> Judgement {
        let mirror = Mirror::open(&self.path.join(".git")).unwrap();
        let pinned = AllowedSigners::parse(&self.list(pinned)).unwrap();
        let judged =
            judge(&mirror, self.tip(), &Rules { anchor, pinned: &pinned, bots, revoked: &[], now: NOW }).unwrap();
        match judged {
            // The keys of these tests are in software.
            Judgement::ByPeople { commits, untouched } => {
                assert_eq!(untouched, (commits > 0).then(|| self.tip()));
                Judgement::ByPeople { commits, untouched: None }
            }
            refused => refused,
        }
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

pub(super) fn refused(commit: CommitId, why: Refusal) -> Judgement {
    Judgement::Refused { commit, why }
}

#[test]
fn a_history_by_people_passes_and_the_first_other_commit_is_named() {
    let (canonical, anchor) = Canonical::new();
    assert_eq!(canonical.judge(anchor), Judgement::ByPeople { commits: 0, untouched: None });
    canonical.change("manifests/a.toml", Some("ada"));
    canonical.change("manifests/b.toml", Some("ben"));
    assert_eq!(canonical.judge(anchor), Judgement::ByPeople { commits: 2, untouched: None });
    let unsigned = canonical.change("manifests/a.toml", None);
    canonical.change("manifests/b.toml", Some("ben"));
    assert_eq!(canonical.judge(anchor), refused(unsigned, Refusal::Unsigned));
    // An anchor after it lets it pass: a person has moved the anchor.
    assert_eq!(canonical.judge(unsigned), Judgement::ByPeople { commits: 1, untouched: None });
}

#[test]
fn a_signer_must_be_listed_by_the_parent_and_pinned_and_be_no_bot() {
    let (canonical, anchor) = Canonical::new();
    let by_ben = canonical.change("manifests/a.toml", Some("ben"));
    assert_eq!(canonical.judge_with(anchor, &["ada"], &[]), refused(by_ben, Refusal::NotPinned));
    let bots = [key_data(&canonical.keys.public("ben"))];
    assert_eq!(canonical.judge_with(anchor, &["ada", "ben"], &bots), refused(by_ben, Refusal::Person(NotAPerson::Bot)));
    let by_bot = canonical.change("manifests/a.toml", Some("bot"));
    let pinned = ["ada", "ben", "bot"];
    assert_eq!(canonical.judge_with(anchor, &pinned, &[]), refused(by_bot, Refusal::Person(NotAPerson::NotListed)));
}

#[test]
fn nobody_lets_themselves_in_by_the_commit_that_they_sign() {
    let (canonical, anchor) = Canonical::new();
    canonical.write("approvers", &canonical.list(&["ada", "ben", "bot"]));
    let entry = canonical.commit(Some("bot"), "Add the bot");
    let pinned = ["ada", "ben", "bot"];
    assert_eq!(canonical.judge_with(anchor, &pinned, &[]), refused(entry, Refusal::Person(NotAPerson::NotListed)));
    // Judged by the tip's own file, it would have passed.
    let tips_own = AllowedSigners::parse(&canonical.list(&pinned)).unwrap();
    let raw = Mirror::open(&canonical.path.join(".git")).unwrap().raw_commit(entry).unwrap();
    let signed = RawCommit::parse(&raw).unwrap().signed.unwrap();
    let signer = SshSignature::parse(&signed.signature).unwrap().verify("git", &signed.payload).unwrap();
    assert!(tips_own.person(&signer, "git", NOW).is_ok());
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
        assert_eq!(canonical.judge(anchor), refused(changed, Refusal::TooFew { found: 1, required: 2 }), "{file}");
        // The same person twice is one person.
        canonical.commit(Some("ada"), &format!("Again\n\nCountersign-Endorses: {changed}"));
        assert_eq!(canonical.judge(anchor), refused(changed, Refusal::TooFew { found: 1, required: 2 }), "{file}");
        canonical.commit(Some("ben"), &format!("Look at it\n\nCountersign-Endorses: {changed}"));
        assert_eq!(canonical.judge(anchor), Judgement::ByPeople { commits: 3, untouched: None }, "{file}");
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
    assert_eq!(canonical.judge(anchor), Judgement::ByPeople { commits: 4, untouched: None });
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
    let in_another_encoding = {
        let payload = format!("{}\nencoding UTF-7\n\n{message}", fields.trim_end());
        let id = sign_into(&canonical, &payload, |payload| canonical.keys.sign("ada", "git", payload));
        String::from_utf8(Mirror::open(&canonical.path.join(".git")).unwrap().raw_commit(id).unwrap()).unwrap()
    };
    let cases = [
        ("as it should be", text.clone(), true),
        ("another message", format!("{header}\n\n{message}more\n"), false),
        ("another tree", text.replacen(&tree(&canonical, good), &tree(&canonical, anchor), 1), false),
        ("signature in the message", format!("{}\n\n{message}\n{signature}\n", fields.trim_end()), false),
        ("bytes after a NUL", format!("{header}\n\n{message}\0hidden"), false),
        ("two signatures", format!("{header}\n{signature}\n\n{message}"), false),
        ("a signature of another kind beside it", format!("{header}\n{other}\n\n{message}"), false),
        ("an uncovered field", format!("{header}\nx-note hidden\n\n{message}"), false),
        ("a header that begins with gpgsig", format!("{header}\ngpgsigx hidden\n\n{message}"), false),
        ("another encoding", in_another_encoding, false),
        ("no signature", format!("{}\n\n{message}", fields.trim_end()), false),
    ];
    let mut stricter = Vec::new();
    for (name, bytes, accepted) in &cases {
        let id = canonical.raw(bytes.as_bytes());
        let ours = canonical.judge(anchor) == Judgement::ByPeople { commits: 1, untouched: None };
        assert_eq!(ours, *accepted, "{name}: {:?}", canonical.judge(anchor));
        let theirs = canonical.git_verifies(id);
        assert!(theirs || !ours, "{name}: accepted by us, refused by git");
        if theirs && !ours {
            stricter.push(*name);
        }
        canonical.raw(text.as_bytes());
    }
    assert_eq!(stricter, STRICTER_THAN_GIT);
    println!("{} commits, of which git alone verifies {}", cases.len(), stricter.len());
}

/// SECURITY.md says the same in words.
pub(super) const STRICTER_THAN_GIT: &[&str] = &[
    "two signatures",
    "a signature of another kind beside it",
    "a header that begins with gpgsig",
    "another encoding",
];

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
    let rules = Rules { anchor, pinned: &pinned, bots: &[], revoked: &[], now: NOW };
    let answer = judge(&Mirror::open(&path).unwrap(), tip, &rules).unwrap();
    assert_eq!(answer, refused(tip, Refusal::Unsigned));
}
