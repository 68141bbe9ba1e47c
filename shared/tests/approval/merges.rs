//! Merges of proposed, made by git in real repositories: only one that adds exactly what it names counts.

use super::keys::{Keys, piped};
use super::repositories::{git, git_command};
use super::sample;
use countersign_shared::approval::merge::{Merge, MergeRefusal, Objects, judge};
use countersign_shared::approval::tree::Kind;
use countersign_shared::git::Mirror;
use countersign_shared::proposal::Sealed;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// A clone of proposed with a branch of the observer that offers proposals.
struct Proposed {
    keys: Keys,
    path: PathBuf,
}

const README: &str = "# A proposal\n";

impl Proposed {
    fn new() -> Self {
        let keys = Keys::new();
        let path = keys.path("proposed");
        fs::create_dir(&path).unwrap();
        git(&path, &["init", "--quiet", "."]);
        let proposed = Self { keys, path };
        proposed.write("README.md", "Proposals\n");
        proposed.commit("Begin");
        proposed
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.path.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn git(&self, args: &[&str]) -> String {
        let key = format!("user.signingkey={}", self.keys.path("ada").display());
        git(&self.path, &[&["-c", "gpg.format=ssh", "-c", &key], args].concat())
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-S", "-m", message]);
        self.tip()
    }

    fn tip(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// A branch from main that adds these proposals.
    fn offer(&self, branch: &str, proposals: &[&Sealed]) {
        self.git(&["checkout", "--quiet", "-b", branch, "main"]);
        for sealed in proposals {
            self.put(sealed);
        }
        self.commit("Offer");
        self.git(&["checkout", "--quiet", "main"]);
    }

    fn put(&self, sealed: &Sealed) {
        self.write(&format!("{}/proposal.json", place(sealed)), std::str::from_utf8(sealed.bytes()).unwrap());
        self.write(&format!("{}/README.md", place(sealed)), README);
    }

    /// A signed merge of the branch, with `edit` done to the work tree before it is committed.
    fn merge(&self, branch: &str, message: &str, edit: impl Fn(&Path)) -> String {
        self.git(&["merge", "--quiet", "--no-ff", "--no-commit", branch]);
        edit(&self.path);
        self.commit(message)
    }

    fn judge(&self, commit: &str) -> Result<Merge, MergeRefusal> {
        judge(&Mirror::open(&self.path.join(".git")).unwrap(), commit)
    }
}

fn place(sealed: &Sealed) -> String {
    format!("proposals/{}/{}", sealed.proposal().runner, sealed.id())
}

fn lines(proposals: &[&Sealed]) -> String {
    let lines: Vec<String> = proposals.iter().map(|sealed| sample::line(sealed)).collect();
    format!("Merge\n\n{}\n", lines.join("\n"))
}

#[test]
fn a_merge_that_adds_what_it_names_counts_with_its_bytes_and_its_branch() {
    let proposed = Proposed::new();
    let (one, two, three) = (sample::sealed("r1"), sample::sealed("r2"), sample::sealed("r3"));
    proposed.offer("proposals/@class", &[&one, &two]);
    let branch = proposed.git(&["rev-parse", "proposals/@class"]);
    let merge = proposed.judge(&proposed.merge("proposals/@class", &lines(&[&two, &one]), |_| {})).unwrap();
    assert_eq!(merge.branch, branch);
    let found: Vec<_> = merge.added.iter().map(|a| (a.named.runner.as_str(), a.named.proposal.as_str())).collect();
    assert_eq!(found, [("r1", one.id()), ("r2", two.id())]);
    assert_eq!((&merge.added[0].proposal[..], &merge.added[0].readme[..]), (one.bytes(), README.as_bytes()));
    // Main has moved since the branch was made, and the runner's directory is there.
    let mut later = sample::proposal("r1");
    later.observer.version = "0.2.0".to_owned();
    let later = Sealed::new(later).unwrap();
    proposed.git(&["checkout", "--quiet", "-b", "proposals/r1", "main~1"]);
    proposed.put(&later);
    proposed.commit("Offer");
    proposed.git(&["checkout", "--quiet", "main"]);
    proposed.judge(&proposed.merge("proposals/r1", &lines(&[&later]), |_| {})).unwrap();
    // A person's own commit on main in between does no harm, and approves nothing.
    proposed.offer("proposals/r3", &[&three]);
    proposed.write("README.md", "Proposals, explained\n");
    assert_eq!(proposed.judge(&proposed.commit("Explain")), Err(MergeRefusal::NotAMerge(1)));
    proposed.judge(&proposed.merge("proposals/r3", &lines(&[&three]), |_| {})).unwrap();
}

#[test]
fn whatever_else_a_merge_does_makes_it_none() {
    type Edit = fn(&Path, &str);
    type Expected = fn(&MergeRefusal) -> bool;
    type Evil = (&'static str, Edit, Expected);
    let (one, other) = (sample::sealed("r1"), sample::sealed("r2"));
    let directory = place(&one);
    let edits: [Evil; 19] = [
        ("adds a file at the top", |r, _| fs::write(r.join("evil"), "x").unwrap(), |e| is_else(e, "evil")),
        ("changes a file at the top", |r, _| fs::write(r.join("README.md"), "x").unwrap(), |e| is_else(e, "README.md")),
        (
            "removes a file at the top",
            |r, _| fs::remove_file(r.join("README.md")).unwrap(),
            |e| is_else(e, "README.md"),
        ),
        ("adds HALT", |r, _| fs::write(r.join("HALT"), "").unwrap(), |e| is_else(e, "HALT")),
        ("adds an approval", |r, _| write(&r.join("approvals/x/a.sig"), "x"), |e| is_else(e, "approvals")),
        ("adds a file among runners", |r, _| write(&r.join("proposals/evil"), "x"), |e| is_else(e, "proposals/evil")),
        (
            "adds a file among proposals",
            |r, _| write(&r.join("proposals/r1/evil"), "x"),
            |e| is_else(e, "proposals/r1/evil"),
        ),
        (
            "adds another directory",
            |r, _| write(&r.join("proposals/r1/evil/x"), "x"),
            |e| matches!(e, MergeRefusal::NotNamed(p) if p == "proposals/r1/evil"),
        ),
        (
            "adds a file to the proposal",
            |r, d| write(&r.join(d).join("evil"), "x"),
            |e| matches!(e, MergeRefusal::NotOnBranch(_)),
        ),
        (
            "edits the proposal",
            |r, d| write(&r.join(d).join("proposal.json"), "{}\n"),
            |e| matches!(e, MergeRefusal::NotOnBranch(_)),
        ),
        (
            "edits the README",
            |r, d| write(&r.join(d).join("README.md"), "nothing to see\n"),
            |e| matches!(e, MergeRefusal::NotOnBranch(_)),
        ),
        (
            "removes the README",
            |r, d| fs::remove_file(r.join(d).join("README.md")).unwrap(),
            |e| matches!(e, MergeRefusal::NotOnBranch(_)),
        ),
        (
            "makes it executable",
            |r, d| fs::set_permissions(r.join(d).join("proposal.json"), fs::Permissions::from_mode(0o755)).unwrap(),
            |e| matches!(e, MergeRefusal::NotOnBranch(_)),
        ),
        (
            "makes it a symbolic link",
            |r, d| relink(&r.join(d).join("README.md"), "proposal.json"),
            |e| matches!(e, MergeRefusal::NotOnBranch(_)),
        ),
        (
            "changes what was merged before",
            |r, _| write(&r.join("proposals/r0").join(OLD).join("README.md"), "x"),
            |e| matches!(e, MergeRefusal::Existing(_)),
        ),
        (
            "removes what was merged before",
            |r, _| fs::remove_dir_all(r.join("proposals/r0")).unwrap(),
            |e| is_else(e, "proposals/r0"),
        ),
        (
            "removes one that was merged before",
            |r, _| fs::remove_dir_all(r.join("proposals/r0").join(OLD)).unwrap(),
            |e| is_else(e, "proposals/r0"),
        ),
        (
            "makes a runner a file",
            |r, _| {
                fs::remove_dir_all(r.join("proposals/r0")).unwrap();
                write(&r.join("proposals/r0"), "x")
            },
            |e| is_else(e, "proposals/r0"),
        ),
        (
            "drops the proposal",
            |r, d| fs::remove_dir_all(r.join(d)).unwrap(),
            |e| matches!(e, MergeRefusal::NotAdded(_)),
        ),
    ];
    for (name, edit, expected) in edits {
        let proposed = Proposed::new();
        proposed.write(&format!("proposals/r0/{OLD}/README.md"), "old\n");
        proposed.commit("Merged before");
        proposed.offer("proposals/r1", &[&one]);
        let refusal = proposed.judge(&proposed.merge("proposals/r1", &lines(&[&one]), |root| edit(root, &directory)));
        let refusal = refusal.expect_err(name);
        assert!(expected(&refusal), "{name}: {refusal:?}");
    }
    // The message names too much, too little, or nothing.
    for (message, expected) in [
        (lines(&[&one, &other]), MergeRefusal::NotAdded(place(&other))),
        (lines(&[&other]), MergeRefusal::NotAdded(place(&other))),
        ("Merge branch".to_owned(), MergeRefusal::NamesNothing),
    ] {
        let proposed = Proposed::new();
        proposed.offer("proposals/r1", &[&one]);
        assert_eq!(proposed.judge(&proposed.merge("proposals/r1", &message, |_| {})), Err(expected));
    }
    let proposed = Proposed::new();
    proposed.offer("proposals/@class", &[&one, &other]);
    let refusal = proposed.judge(&proposed.merge("proposals/@class", &lines(&[&one]), |_| {}));
    assert_eq!(refusal, Err(MergeRefusal::NotNamed(place(&other))));
}

const OLD: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn is_else(refusal: &MergeRefusal, path: &str) -> bool {
    matches!(refusal, MergeRefusal::Else(found) if found == path)
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn relink(path: &Path, to: &str) {
    fs::remove_file(path).unwrap();
    symlink(to, path).unwrap();
}

#[test]
fn a_branch_that_offers_something_else_than_two_regular_files_is_not_merged() {
    let one = sample::sealed("r1");
    let directory = place(&one);
    type Prepare = fn(&Path);
    let prepare: [(&str, Prepare); 5] = [
        ("a third file", |d| write(&d.join("more"), "x")),
        ("no README", |d| fs::remove_file(d.join("README.md")).unwrap()),
        ("executable", |d| fs::set_permissions(d.join("proposal.json"), fs::Permissions::from_mode(0o755)).unwrap()),
        ("a symbolic link", |d| relink(&d.join("README.md"), "proposal.json")),
        ("a directory", |d| {
            fs::remove_file(d.join("README.md")).unwrap();
            write(&d.join("README.md/x"), "x");
        }),
    ];
    for (name, edit) in prepare {
        let proposed = Proposed::new();
        proposed.git(&["checkout", "--quiet", "-b", "proposals/r1"]);
        proposed.put(&one);
        edit(&proposed.path.join(&directory));
        proposed.commit("Offer");
        proposed.git(&["checkout", "--quiet", "main"]);
        let refusal = proposed.judge(&proposed.merge("proposals/r1", &lines(&[&one]), |_| {}));
        assert_eq!(refusal, Err(MergeRefusal::Directory(directory.clone())), "{name}");
    }
    // A submodule in the place of a file, and in that of the directory.
    for at in [format!("{directory}/README.md"), directory.clone()] {
        let proposed = Proposed::new();
        proposed.git(&["checkout", "--quiet", "-b", "proposals/r1"]);
        proposed.put(&one);
        proposed.git(&["add", "--all"]);
        proposed.git(&["rm", "-r", "--quiet", "--cached", &at]);
        proposed.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{},{at}", proposed.tip())]);
        proposed.git(&["commit", "--quiet", "-S", "-m", "Offer"]);
        proposed.git(&["checkout", "--quiet", "--force", "main"]);
        proposed.git(&["clean", "--quiet", "-ffdx"]);
        proposed.git(&["merge", "--quiet", "--no-ff", "-S", "-m", &lines(&[&one]), "proposals/r1"]);
        let refusal = proposed.judge(&proposed.tip()).unwrap_err();
        assert!(matches!(refusal, MergeRefusal::Directory(_) | MergeRefusal::Else(_)), "{refusal:?}");
    }
    // Bytes that are not those of the directory's name.
    let proposed = Proposed::new();
    proposed.git(&["checkout", "--quiet", "-b", "proposals/r1"]);
    proposed.put(&one);
    proposed.write(&format!("{directory}/proposal.json"), &String::from_utf8_lossy(sample::sealed("r2").bytes()));
    proposed.commit("Offer");
    proposed.git(&["checkout", "--quiet", "main"]);
    let refusal = proposed.judge(&proposed.merge("proposals/r1", &lines(&[&one]), |_| {}));
    assert_eq!(refusal.as_ref().unwrap_err().code(), "edited");
    assert_eq!(refusal, Err(MergeRefusal::Edited(directory)));
}

#[test]
fn what_is_not_a_merge_of_two_is_none() {
    let (one, two) = (sample::sealed("r1"), sample::sealed("r2"));
    let (message, names_two) = (lines(&[&one]), lines(&[&one, &two]));
    // Squash.
    let proposed = Proposed::new();
    proposed.offer("proposals/r1", &[&one]);
    proposed.git(&["merge", "--quiet", "--squash", "proposals/r1"]);
    assert_eq!(proposed.judge(&proposed.commit(&message)), Err(MergeRefusal::NotAMerge(1)));
    // Octopus.
    let proposed = Proposed::new();
    proposed.offer("proposals/r1", &[&one]);
    proposed.offer("proposals/r2", &[&two]);
    proposed.git(&["merge", "--quiet", "--no-ff", "-S", "-m", &names_two, "proposals/r1", "proposals/r2"]);
    assert_eq!(proposed.judge(&proposed.tip()), Err(MergeRefusal::NotAMerge(3)));
    // Fast-forward, to a commit that a person signed and that names the proposal.
    let proposed = Proposed::new();
    proposed.git(&["checkout", "--quiet", "-b", "work"]);
    proposed.put(&one);
    proposed.commit(&message);
    proposed.git(&["checkout", "--quiet", "main"]);
    proposed.git(&["merge", "--quiet", "--ff-only", "work"]);
    assert_eq!(proposed.judge(&proposed.tip()), Err(MergeRefusal::NotAMerge(1)));
    // Rebased: a commit of one parent with the observer's tree.
    let proposed = Proposed::new();
    proposed.offer("proposals/r1", &[&one]);
    proposed.git(&["cherry-pick", "--quiet", "proposals/r1"].map(|a| if a == "--quiet" { "-S" } else { a }));
    proposed.git(&["commit", "--quiet", "--amend", "-S", "-m", &message]);
    assert_eq!(proposed.judge(&proposed.tip()), Err(MergeRefusal::NotAMerge(1)));
}

/// A signed commit of these parents and the tree of `of`.
fn commit_tree(proposed: &Proposed, of: &str, parents: &[&str], message: &str) -> String {
    let tree = format!("{of}^{{tree}}");
    let mut args = vec!["commit-tree", "-S", "-m", message];
    for parent in parents {
        args.extend(["-p", *parent]);
    }
    args.push(&tree);
    proposed.git(&args)
}

#[test]
fn parents_that_are_swapped_or_foreign_make_it_none() {
    let (zero, one) = (sample::sealed("r0"), sample::sealed("r1"));
    let proposed = Proposed::new();
    let base = proposed.tip();
    proposed.offer("proposals/r1", &[&one]);
    // Main has moved on, so that the branch lacks something.
    proposed.write("README.md", "Proposals, explained\n");
    let main = proposed.commit("Explain");
    let good = proposed.merge("proposals/r1", &lines(&[&one]), |_| {});
    proposed.judge(&good).unwrap();
    let swapped = commit_tree(&proposed, &good, &["proposals/r1", &main], &lines(&[&one]));
    assert_eq!(proposed.judge(&swapped), Err(MergeRefusal::Else("README.md".to_owned())));
    // Swapped where main has not moved: it adds nothing to its first parent.
    let early = commit_tree(&proposed, "proposals/r1", &["proposals/r1", &base], &lines(&[&one]));
    assert_eq!(proposed.judge(&early), Err(MergeRefusal::NotAdded(place(&one))));
    // The second parent is main itself, and not the branch.
    let no_branch = commit_tree(&proposed, &good, &[&main, &base], &lines(&[&one]));
    assert_eq!(proposed.judge(&no_branch), Err(MergeRefusal::NotOnBranch(place(&one))));
    // The branch was pushed over since: another proposal under the name that was reviewed.
    proposed.offer("proposals/r0", &[&zero]);
    let pushed_over = commit_tree(&proposed, "proposals/r0", &[&base, "proposals/r0"], &lines(&[&one]));
    assert_eq!(proposed.judge(&pushed_over).unwrap_err().code(), "not-human");
    // Of another repository, with the same tree: its parents are not here.
    let other = Proposed::new();
    other.write("README.md", "Proposals, explained\n");
    other.commit("Elsewhere");
    other.offer("proposals/r1", &[&one]);
    let foreign = other.merge("proposals/r1", &lines(&[&one]), |_| {});
    other.judge(&foreign).unwrap();
    let raw = Mirror::open(&other.path.join(".git")).unwrap().read(Kind::Commit, &foreign).unwrap();
    let mut command = git_command(&proposed.path);
    command.args(["hash-object", "-w", "--literally", "-t", "commit", "--stdin"]);
    assert_eq!(piped(command, &raw).1.trim(), foreign);
    assert!(matches!(proposed.judge(&foreign), Err(MergeRefusal::Missing { .. })));
}

/// Answers with other bytes for one object.
struct Lying<'a>(&'a Mirror, String, Vec<u8>);

impl Objects for Lying<'_> {
    fn read(&self, kind: Kind, id: &str) -> Option<Vec<u8>> {
        if id == self.1 { Some(self.2.clone()) } else { self.0.read(kind, id) }
    }
}

#[test]
fn every_object_is_held_against_its_id() {
    let proposed = Proposed::new();
    let one = sample::sealed("r1");
    proposed.offer("proposals/r1", &[&one]);
    let id = proposed.merge("proposals/r1", &lines(&[&one]), |_| {});
    let mirror = Mirror::open(&proposed.path.join(".git")).unwrap();
    let objects = [
        id.clone(),
        proposed.git(&["rev-parse", "HEAD^"]),
        proposed.git(&["rev-parse", "HEAD^2"]),
        proposed.git(&["rev-parse", "HEAD^{tree}"]),
        proposed.git(&["rev-parse", "HEAD:proposals"]),
        proposed.git(&["rev-parse", "HEAD:proposals/r1"]),
        proposed.git(&["rev-parse", &format!("HEAD:{}", place(&one))]),
        proposed.git(&["rev-parse", &format!("HEAD:{}/proposal.json", place(&one))]),
        proposed.git(&["rev-parse", &format!("HEAD:{}/README.md", place(&one))]),
    ];
    for object in &objects {
        let kind = match proposed.git(&["cat-file", "-t", object]).as_str() {
            "blob" => Kind::Blob,
            "tree" => Kind::Tree,
            _ => Kind::Commit,
        };
        let mut bytes = mirror.read(kind, object).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let refusal = judge(&Lying(&mirror, object.clone(), bytes), &id);
        assert_eq!(refusal, Err(MergeRefusal::OtherContent(object.clone())));
    }
    println!("{} objects changed", objects.len());
}
