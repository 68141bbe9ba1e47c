//! The copy in a git repository: it grows with the ledger, tells what was cut off, and is the only thing that is written.

use crate::place::{Place, START, ended, started};
use countersign_actuator::ledger::mirror::{Kept, LedgerMirror, MirrorError};
use countersign_actuator::ledger::report::{Report, Witnesses, verify};
use countersign_manifests_schema::notary::Outcome;
use countersign_shared::git::{GitError, Remote, RemoteUrl, SshAccess};
use countersign_shared::terminal::Palette;
use std::fs;
use std::path::Path;
use std::process::Command;

fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"])
        .arg("-C")
        .arg(dir)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Place {
    fn bare(&self, name: &str) {
        git(self.dir.path(), &["init", "-q", "--bare", "-b", "main", name]);
    }

    fn mirror(&self, name: &str) -> LedgerMirror {
        let url = RemoteUrl::parse(self.path(name).to_str().unwrap()).unwrap();
        LedgerMirror::open(&self.path("clone.git"), Remote::new(url, SshAccess::default())).unwrap()
    }

    fn push(&self) -> Result<Kept, MirrorError> {
        self.mirror("receipts.git").push(&self.file(), self.key().public(), START)
    }

    fn compared(&self) -> Report {
        let heads = self.mirror("receipts.git").heads(self.key().public());
        let mirror = Some(heads.map_err(|error| error.to_string()));
        verify(&self.file(), self.key().public(), &Witnesses { mirror, ..Witnesses::default() }).unwrap()
    }

    fn refs(&self, name: &str) -> String {
        git(&self.path(name), &["for-each-ref"])
    }
}

#[test]
fn the_copy_grows_with_the_ledger_and_proves_its_end() {
    let place = Place::new();
    place.bare("receipts.git");
    assert_eq!(place.push().unwrap(), Kept { entries: 0, new: 0 }, "nothing to keep");
    assert_eq!(place.refs("receipts.git"), "");
    place.write([started(1), ended(1, Outcome::Applied)]);
    assert_eq!(place.push().unwrap(), Kept { entries: 2, new: 2 });
    assert_eq!(place.push().unwrap(), Kept { entries: 2, new: 0 }, "and nothing twice");
    let report = place.compared();
    assert!(report.is_sound() && report.tail().is_none(), "{report:?}");
    place.write((10..53).map(started));
    assert!(place.compared().tail().unwrap().contains("entries 3 to 45"));
    assert_eq!(place.push().unwrap(), Kept { entries: 45, new: 43 });
    // From a fresh clone the same lines come back, byte for byte.
    fs::remove_dir_all(place.path("clone.git")).unwrap();
    assert_eq!(place.mirror("receipts.git").heads(place.key().public()).unwrap(), place.heads());
    let files = git(&place.path("receipts.git"), &["ls-tree", "-r", "--name-only", "main"]);
    assert_eq!(files, "entries/00000001.jsonl\nentries/00000021.jsonl\nentries/00000041.jsonl\n");
    assert_eq!(git(&place.path("receipts.git"), &["rev-list", "--count", "main"]), "2\n");
    assert_eq!(place.refs("receipts.git").lines().count(), 1, "main and nothing else");
}

#[test]
fn a_ledger_that_was_cut_or_changed_is_not_pushed_and_is_found() {
    let place = Place::new();
    place.bare("receipts.git");
    place.write((1..=30).map(started));
    place.push().unwrap();
    let tip = place.refs("receipts.git");
    let lines = place.lines();
    for keep in [0, 1, 19, 20, 21, 29] {
        fs::write(place.file(), lines[..keep].concat()).unwrap();
        assert!(matches!(place.push(), Err(MirrorError::Differs { entry }) if entry == keep as u64 + 1), "{keep}");
        assert!(place.compared().text(Palette::Plain).contains("its end was cut off"), "{keep}");
    }
    // Cut, and longer than before.
    fs::write(place.file(), lines[..24].concat()).unwrap();
    place.write((300..320).map(started));
    assert!(matches!(place.push(), Err(MirrorError::Differs { entry: 25 })));
    assert!(place.compared().text(Palette::Plain).contains("another ledger"));
    assert_eq!(place.refs("receipts.git"), tip, "the copy is as it was");
    fs::write(place.file(), lines.concat()).unwrap();
    assert_eq!(place.push().unwrap(), Kept { entries: 30, new: 0 });
    // A torn end is not kept.
    fs::write(place.file(), lines.concat() + &lines[0][..50]).unwrap();
    assert_eq!(place.push().unwrap(), Kept { entries: 30, new: 0 });
}

#[test]
fn nothing_but_an_empty_repository_or_this_ledger_is_written_to() {
    let place = Place::new();
    place.write([started(1)]);
    let fill = |name: &str, branch: &str, path: &str, text: &str| {
        place.bare(name);
        let work = place.path(&format!("{name}.work"));
        fs::create_dir_all(work.join(path).parent().unwrap()).unwrap();
        git(&work, &["init", "-q", "-b", branch]);
        fs::write(work.join(path), text).unwrap();
        git(&work, &["add", "-A"]);
        git(&work, &["commit", "-q", "-m", "x"]);
        git(&work, &["push", "-q", place.path(name).to_str().unwrap(), branch]);
    };
    fill("canonical", "main", "fleet.toml", "schema = 1\n");
    fill("beside", "main", "entries/README", "x\n");
    fill("gap", "main", "entries/00000101.jsonl", "x\n");
    fill("foreign", "main", "entries/00000001.jsonl", "{\"at\":1}\n");
    fill("branch", "trunk", "fleet.toml", "x\n");
    for name in ["canonical", "beside", "gap", "foreign", "branch"] {
        let before = place.refs(name);
        let refused = place.mirror(name).push(&place.file(), place.key().public(), START).unwrap_err();
        match name {
            "foreign" => assert!(matches!(refused, MirrorError::Differs { entry: 1 }), "{refused:?}"),
            "branch" => assert!(matches!(refused, MirrorError::Git(GitError::NoReference { .. })), "{refused:?}"),
            _ => assert!(matches!(refused, MirrorError::NotALedger(_)), "{name}: {refused:?}"),
        }
        assert_eq!(place.refs(name), before, "{name}");
        fs::remove_dir_all(place.path("clone.git")).unwrap();
    }
    // This ledger, and something beside it.
    place.bare("more");
    place.mirror("more").push(&place.file(), place.key().public(), START).unwrap();
    let work = place.path("more.work");
    git(place.dir.path(), &["clone", "-q", "more", "more.work"]);
    fs::write(work.join("fleet.toml"), "schema = 1\n").unwrap();
    git(&work, &["add", "-A"]);
    git(&work, &["commit", "-q", "-m", "x"]);
    git(&work, &["push", "-q", "origin", "main"]);
    let before = place.refs("more");
    place.write([ended(1, Outcome::Applied)]);
    let refused = place.mirror("more").push(&place.file(), place.key().public(), START).unwrap_err();
    assert!(matches!(refused, MirrorError::NotALedger(_)), "{refused:?}");
    assert_eq!(place.refs("more"), before);
    fs::remove_dir_all(place.path("clone.git")).unwrap();
    let heads = place.mirror("foreign").heads(place.key().public());
    assert!(matches!(heads, Err(MirrorError::Line { line: 1, .. })));
}

#[test]
fn a_push_that_the_server_refuses_leaves_the_copy_as_it_was() {
    let place = Place::new();
    place.bare("receipts.git");
    place.write([started(1)]);
    place.push().unwrap();
    let repository = place.path("receipts.git");
    let hook = repository.join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let before = place.refs("receipts.git");
    fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.write([ended(1, Outcome::Applied)]);
    assert!(matches!(place.push(), Err(MirrorError::Git(_))));
    assert_eq!(place.refs("receipts.git"), before);
    fs::remove_file(&hook).unwrap();
    assert_eq!(place.push().unwrap(), Kept { entries: 2, new: 1 });
}
