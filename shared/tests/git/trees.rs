//! What of a tree is read, and what is refused.

use super::repositories::{commit, git, git_command, repository};
use super::{FILES, Place, main_branch, remote};
use countersign_shared::git::snapshot::CANONICAL;
use countersign_shared::git::{CommitId, GitError, Limits, Mirror, Wanted};
use std::fs;

/// A bare repository with one commit whose tree has this entry at `manifests/<name>`.
fn odd_tree(place: &Place, name: &[u8], mode: i32, directory: bool) -> (Mirror, CommitId) {
    let mirror = Mirror::open_or_create(&place.path(&format!("odd-{mode:o}-{}", name.len()))).unwrap();
    let repository = git2::Repository::open(mirror.path()).unwrap();
    let blob = repository.blob(b"text").unwrap();
    let mut tree = format!("{mode:o} ").into_bytes();
    tree.extend_from_slice(name);
    tree.push(0);
    let target = if directory { repository.odb().unwrap().write(git2::ObjectType::Tree, b"").unwrap() } else { blob };
    tree.extend_from_slice(target.as_bytes());
    let odb = repository.odb().unwrap();
    let below = odb.write(git2::ObjectType::Tree, &tree).unwrap();
    let mut top = b"40000 manifests\0".to_vec();
    top.extend_from_slice(below.as_bytes());
    let top = odb.write(git2::ObjectType::Tree, &top).unwrap();
    let text = format!("tree {top}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n");
    let id = odb.write(git2::ObjectType::Commit, text.as_bytes()).unwrap();
    (mirror, CommitId::parse(&id.to_string()).unwrap())
}

#[test]
fn entries_that_are_no_regular_files_are_errors_with_their_path() {
    let place = Place::new();
    let read = |name: &[u8], mode, directory| {
        let (mirror, id) = odd_tree(&place, name, mode, directory);
        mirror.snapshot(id, &CANONICAL, &Limits::default())
    };
    assert_eq!(read(b"good.toml", 0o100_644, false).unwrap().files.len(), 1);
    assert_eq!(read(b"good.toml", 0o100_755, false).unwrap().files.len(), 1);
    assert!(matches!(read(b"link.toml", 0o120_000, false), Err(GitError::Symlink(p)) if p == "manifests/link.toml"));
    assert!(matches!(read(b"sub", 0o160_000, false), Err(GitError::Submodule(p)) if p == "manifests/sub"));
    assert!(matches!(read(b"wide.toml", 0o100_664, false), Err(GitError::Mode { mode: 0o100_664, .. })));
    assert!(matches!(read(b"latin\xe9.toml", 0o100_644, false), Err(GitError::Name(_))));
    assert!(matches!(read(b"bell\x07.toml", 0o100_644, false), Err(GitError::Name(_))));
    // A directory that the tree calls a file.
    assert!(matches!(read(b"liar.toml", 0o100_644, true), Err(GitError::WrongKind { .. })));
}

#[test]
fn a_wanted_directory_that_is_a_file_is_an_error() {
    let place = Place::new();
    let source = place.path("a.git");
    let mirror = place.mirror();
    for files in [&[("manifests", "a file")][..], &[("fleet.toml/x", "a directory")]] {
        let _ = fs::remove_dir_all(&source);
        repository(&source, files);
        let tip = mirror.fetch(&remote(source.to_str().unwrap()), &main_branch()).unwrap();
        let error = mirror.snapshot(tip, &CANONICAL, &Limits::default()).unwrap_err();
        assert!(matches!(error, GitError::WrongKind { .. }), "{error:?}");
    }
}

#[test]
fn a_snapshot_is_bounded_in_every_direction() {
    let place = Place::new();
    let source = place.path("a.git");
    repository(&source, &[("manifests/a/b/c.toml", "12345"), ("manifests/d.toml", "12345")]);
    let mirror = place.mirror();
    let tip = mirror.fetch(&remote(source.to_str().unwrap()), &main_branch()).unwrap();
    let fits = Limits { files: 2, file_bytes: 5, bytes: 10, depth: 3 };
    mirror.snapshot(tip, &CANONICAL, &fits).unwrap();
    for (limits, code) in [
        (Limits { files: 1, ..fits }, "more than 1 files"),
        (Limits { file_bytes: 4, ..fits }, "has 5 bytes"),
        (Limits { bytes: 9, ..fits }, "more than 9 bytes"),
        (Limits { depth: 2, ..fits }, "2 directories deep"),
    ] {
        let error = mirror.snapshot(tip, &CANONICAL, &limits).unwrap_err();
        assert_eq!(error.code(), "too-large");
        assert!(error.to_string().contains(code), "{error}");
    }
}

#[test]
fn the_key_of_a_snapshot_changes_with_what_is_wanted_only() {
    let place = Place::new();
    let source = place.path("a.git");
    let one = repository(&source, FILES);
    let two = commit(&source, "main", &[FILES[0], FILES[1], FILES[2], ("README.md", "changed")]);
    let three = commit(&source, "main", &[FILES[0], FILES[1]]);
    let mirror = place.mirror();
    mirror.fetch(&remote(source.to_str().unwrap()), &main_branch()).unwrap();
    let key = |id: &str| mirror.snapshot_key(CommitId::parse(id).unwrap(), &CANONICAL).unwrap();
    assert_eq!(key(&one), key(&two));
    assert_ne!(key(&two), key(&three));
    let narrow = Wanted { files: &["fleet.toml"], directories: &[] };
    let id = CommitId::parse(&three).unwrap();
    assert_eq!(
        mirror.snapshot_key(id, &narrow).unwrap(),
        mirror.snapshot_key(CommitId::parse(&one).unwrap(), &narrow).unwrap()
    );
}

#[test]
fn a_mirror_in_a_format_that_libgit2_does_not_read_is_named_as_such() {
    let place = Place::new();
    for (extension, value) in [("refStorage", "reftable"), ("objectFormat", "sha256")] {
        let path = place.path(extension);
        fs::create_dir_all(&path).unwrap();
        git(&path, &["init", "--quiet", "--bare", "."]);
        Mirror::open(&path).unwrap();
        // By hand: not every git can make them.
        let extension = format!("[extensions]\n\t{extension} = {value}\n[core]\n\trepositoryFormatVersion = 1\n");
        let config = fs::read_to_string(path.join("config")).unwrap() + &extension;
        fs::write(path.join("config"), config).unwrap();
        let error = Mirror::open(&path).unwrap_err();
        assert_eq!(error.code(), "unsupported-repository", "{extension}: {error:?}");
    }
    // On the other side reftable does not matter: the mirror has its own format.
    let source = place.path("remote.git");
    fs::create_dir_all(&source).unwrap();
    let made = git_command(&source).args(["init", "--quiet", "--bare", "--ref-format=reftable", "."]).output();
    if !made.unwrap().status.success() {
        eprintln!("SKIPPED: this git makes no reftable repositories, so none was fetched from");
        return;
    }
    let tip = commit(&source, "main", FILES);
    let fetched = place.mirror().fetch(&remote(source.to_str().unwrap()), &main_branch()).unwrap();
    assert_eq!(fetched.to_string(), tip);
}
