//! What somebody might try who is not a person that counts: each is refused with its code, and the proposal that was
//! done right beside it is ready.

use super::repositories::{commit, git, git_command, repository};
use super::stage::{RUNNER, Stage, directory, line};
use countersign_shared::proposal::Sealed;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

/// A proposal on its branch, with a lease, and nobody's approval.
fn waiting(stage: &Stage) -> (Sealed, String) {
    let sealed = stage.proposal(|_| ());
    let commit = stage.propose(&[&sealed]);
    stage.lease("ada", &[&sealed]);
    (sealed, commit)
}

/// Makes a raw commit object the tip of main.
fn make_main(stage: &Stage, raw: &str) -> String {
    let bare = stage.at("proposed.git");
    let mut child = git_command(&bare)
        .args(["hash-object", "--literally", "-t", "commit", "-w", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(raw.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    git(&bare, &["update-ref", "refs/heads/main", &id]);
    id
}

fn raw(bare: &Path, commit: &str) -> String {
    git(bare, &["cat-file", "commit", commit]) + "\n"
}

#[test]
fn a_bot_that_merges_is_nobody_even_when_it_is_listed() {
    let stage = Stage::with_policy("[approval]\nbots = [\"BOT\", \"INSTANCE\"]\n");
    // Somebody has put them on both lists, in good order.
    let everybody = stage.approvers(&["ada", "bob", "bot", "instance", "observer"]);
    stage.write("canonical/approvers", &everybody);
    let listed = stage.commit_as("canonical", Some("ada"), "List machines");
    stage.commit_as("canonical", Some("bob"), &format!("Yes\n\nCountersign-Endorses: {listed}"));
    stage.push("canonical");
    stage.write("approvers", &everybody);
    let (sealed, commit) = waiting(&stage);
    let main = git(&stage.at("proposed.git"), &["rev-parse", "main"]);
    // The forge's own key signs what is merged on its pages.
    for who in ["bot", "instance", "observer"] {
        stage.merge(who, &commit, &[&sealed]);
        assert!(stage.refused(&sealed, "not-human").contains("bot"), "{who}");
        git(&stage.at("proposed.git"), &["update-ref", "refs/heads/main", &main]);
        std::fs::remove_file(stage.at("state/tips.json")).unwrap();
    }
    stage.merge("eve", &commit, &[&sealed]);
    assert!(stage.refused(&sealed, "not-human").contains("not among the approvers"));
}

#[test]
fn a_merge_that_names_another_proposal_approves_neither() {
    let stage = Stage::new();
    let (sealed, commit) = waiting(&stage);
    let other = stage.proposal(|proposal| proposal.expires = super::stage::from_now(99));
    stage.merge("ada", &commit, &[&other]);
    assert!(stage.refused(&sealed, "not-human").contains("does not add"));
    let (status, document) = stage.json(&["plan", other.id()]);
    assert_eq!((status, document["code"].as_str()), (2, Some("no-such-proposal")));
}

#[test]
fn a_branch_that_was_pushed_anew_between_review_and_merge_is_not_what_was_approved() {
    let stage = Stage::new();
    let (reviewed, _) = waiting(&stage);
    let pushed = stage.proposal(|proposal| proposal.expires = super::stage::from_now(99));
    stage.propose(&[&pushed]);
    stage.lease("ada", &[&pushed, &reviewed]);
    // By name, as somebody does who does not use the printed command.
    stage.merge("ada", &format!("origin/proposals/{RUNNER}"), &[&reviewed]);
    stage.refused(&pushed, "not-human");
    assert_eq!(stage.json(&["plan", reviewed.id()]).0, 2);
}

#[test]
fn a_line_that_is_doubled_or_bent_spoils_the_merge() {
    for bend in [
        |sealed: &Sealed| format!("{0}\n{0}", line(sealed)),
        |sealed: &Sealed| format!("{}\n{}", line(sealed), line(sealed).to_uppercase()),
        |sealed: &Sealed| format!(" {}", line(sealed)),
        |sealed: &Sealed| line(sealed).replace(RUNNER, "runner-02"),
        |sealed: &Sealed| line(sealed)[..line(sealed).len() - 1].to_owned(),
        |_: &Sealed| "Looks good to me".to_owned(),
    ] {
        let stage = Stage::new();
        let (sealed, commit) = waiting(&stage);
        stage.on_main();
        let message = format!("Approve\n\n{}", bend(&sealed));
        stage.git_as("proposed", "ada", &["merge", "--quiet", "--no-ff", "-S", "-m", &message, &commit]);
        stage.push("proposed");
        stage.refused(&sealed, "not-human");
    }
}

#[test]
fn an_evil_merge_that_adds_or_changes_something_else_approves_nothing() {
    for (path, text) in [
        ("HALT.md", "more"),
        ("README.md", "changed"),
        ("proposals/runner-01/notes.txt", "beside"),
        ("DIRECTORY/extra.sh", "inside"),
    ] {
        let stage = Stage::new();
        let (sealed, commit) = waiting(&stage);
        stage.on_main();
        let message = format!("Approve\n\n{}", line(&sealed));
        stage.git_as("proposed", "ada", &["merge", "--quiet", "--no-ff", "--no-commit", &commit]);
        stage.write(&format!("proposed/{}", path.replace("DIRECTORY", &directory(&sealed))), text);
        stage.commit_as("proposed", Some("ada"), &message);
        stage.push("proposed");
        let row = stage.verdict(&sealed);
        assert_eq!(row.0["refusal"], "not-human", "{path}: {row:?}");
    }
}

#[test]
fn a_person_who_merges_an_edited_proposal_approves_what_was_named_and_not_what_is_there() {
    let stage = Stage::new();
    let sealed = stage.proposal(|_| ());
    stage.begin_branch();
    stage.lay_down(&sealed);
    // Under the right name, with the observer's own signature: the observer's host is somebody else's.
    let edited = std::str::from_utf8(sealed.bytes()).unwrap().replace("htop-3.3.0", "evil-3.3.0");
    stage.write(&format!("proposed/{}/proposal.json", directory(&sealed)), &edited);
    let commit = stage.commit_as("proposed", Some("observer"), "Add a proposal");
    stage.publish_branch();
    stage.lease("ada", &[&sealed]);
    stage.merge("ada", &commit, &[&sealed]);
    stage.decided(&sealed, "edited");
}

#[test]
fn an_edit_on_the_branch_by_somebody_else_is_not_the_observers() {
    let stage = Stage::new();
    let (_, commit) = waiting(&stage);
    let edited = stage.proposal(|proposal| proposal.transaction.rpms[0].sha256 = Some("e".repeat(64)));
    let work = stage.at("proposed");
    git(&work, &["checkout", "--quiet", "--detach", &commit]);
    stage.lay_down(&edited);
    let handwritten = stage.commit_as("proposed", Some("eve"), "Add a proposal");
    stage.publish_branch();
    stage.lease("ada", &[&edited]);
    stage.merge("ada", &handwritten, &[&edited]);
    assert!(stage.decided(&edited, "not-observer").contains("not declared"));
}

#[test]
fn a_handwritten_proposal_in_the_observers_name_is_not_the_observers() {
    let stage = Stage::new();
    let sealed = stage.proposal(|_| ());
    stage.begin_branch();
    stage.lay_down(&sealed);
    let work = stage.at("proposed");
    git(&work, &["add", "--all", "."]);
    let author = "Countersign observer <observer@countersign>";
    git(&work, &["commit", "--quiet", "--no-gpg-sign", "--author", author, "-m", "Add 1 proposal"]);
    let unsigned = git(&work, &["rev-parse", "HEAD"]);
    stage.publish_branch();
    stage.lease("ada", &[&sealed]);
    stage.merge("ada", &unsigned, &[&sealed]);
    assert!(stage.refused(&sealed, "not-observer").contains("not signed"));
}

#[test]
fn a_squash_is_neither_the_observers_nor_a_merge() {
    let stage = Stage::new();
    let (sealed, commit) = waiting(&stage);
    stage.on_main();
    git(&stage.at("proposed"), &["merge", "--quiet", "--squash", &commit]);
    stage.commit_as("proposed", Some("ada"), &format!("Approve\n\n{}", line(&sealed)));
    stage.push("proposed");
    assert_eq!(stage.verdict(&sealed).refusals(), ["not-observer", "not-human", "insufficient-approvals"]);
}

#[test]
fn a_fast_forward_approves_nothing() {
    let stage = Stage::new();
    let (sealed, commit) = waiting(&stage);
    git(&stage.at("proposed.git"), &["update-ref", "refs/heads/main", &commit]);
    stage.refused(&sealed, "not-human");
    // A person may still speak for it.
    stage.sign("ada", "countersign", "approvals", &sealed);
    stage.ready(&sealed);
}

#[test]
fn work_under_way_of_a_person_that_became_main_approves_nothing() {
    let stage = Stage::new();
    let (sealed, commit) = waiting(&stage);
    let work = stage.at("proposed");
    // Signed, with the line, on the branch, and not a merge.
    git(&work, &["checkout", "--quiet", "--detach", &commit]);
    let wip = stage.commit_as("proposed", Some("ada"), &format!("Try it\n\n{}", line(&sealed)));
    git(&work, &["push", "--quiet", "--force", "origin", &format!("{wip}:refs/heads/main")]);
    stage.refused(&sealed, "not-human");
}

#[test]
fn an_octopus_approves_nothing() {
    let stage = Stage::new();
    let (sealed, commit) = waiting(&stage);
    let work = stage.at("proposed");
    stage.begin_branch();
    stage.write("proposed/notes.md", "Other work\n");
    let other = stage.commit_as("proposed", None, "Other work");
    stage.on_main();
    let message = format!("Approve\n\n{}", line(&sealed));
    stage.git_as("proposed", "ada", &["merge", "--quiet", "--no-ff", "-S", "-m", &message, &commit, &other]);
    assert_eq!(git(&work, &["rev-list", "--parents", "--max-count=1", "HEAD"]).split(' ').count(), 4);
    stage.push("proposed");
    assert!(stage.refused(&sealed, "not-human").contains("3 parents"));
}

#[test]
fn a_signature_that_is_not_where_signatures_are_counts_for_nothing() {
    let stage = Stage::new();
    let (sealed, commit) = waiting(&stage);
    let bare = stage.at("proposed.git");
    let merge = stage.merge("ada", &commit, &[&sealed]);
    stage.ready(&sealed);
    let good = raw(&bare, &merge);
    let (header, message) = good.split_once("\n\n").unwrap();
    let at = header.find("gpgsig ").unwrap();
    let (fields, signature) = header.split_at(at);
    let payload = format!("{}\n{message}", fields.trim_end().to_owned() + "\n");
    let attempts = [
        ("in the message", format!("{payload}\n{signature}\n")),
        ("twice", format!("{fields}{signature}\n{signature}\n\n{message}")),
        ("as gpgsig-sha256", format!("{fields}{}\n\n{message}", signature.replacen("gpgsig ", "gpgsig-sha256 ", 1))),
        ("and gpgsig-sha256 beside", format!("{fields}{signature}\ngpgsig-sha256 x\n\n{message}")),
        ("over another message", format!("{fields}{signature}\n\n{message}One more line\n")),
        ("over another time", format!("{}{signature}\n\n{message}", fields.replacen("1763600000", "1763600001", 1))),
    ];
    for (what, object) in attempts {
        make_main(&stage, &object);
        std::fs::remove_file(stage.at("state/tips.json")).unwrap();
        let row = stage.verdict(&sealed);
        assert_eq!(row.0["refusal"], "not-human", "{what}: {row:?}");
    }
}

#[test]
fn a_signed_merge_of_another_repository_approves_nothing_here() {
    let stage = Stage::new();
    let (sealed, commit) = waiting(&stage);
    // ada merged the same tree elsewhere, in good faith, and without naming anything.
    let other = stage.at("other.git");
    repository(&other, &[("README.md", "Another project\n")]);
    git(stage.root.path(), &["clone", "--quiet", other.to_str().unwrap(), "other"]);
    git(&stage.at("other"), &["fetch", "--quiet", stage.at("proposed.git").to_str().unwrap(), &commit]);
    let allow = "--allow-unrelated-histories";
    let ours = ["merge", "--quiet", "--no-ff", "-S", "-X", "theirs", allow, "-m", "Take it over", &commit];
    stage.git_as("other", "ada", &ours);
    let merge = git(&stage.at("other"), &["rev-parse", "HEAD"]);
    // It lands on main here, by a fast-forward of what is merged on top of it.
    stage.on_main();
    let work = stage.at("proposed");
    git(&work, &["fetch", "--quiet", stage.at("other").to_str().unwrap(), &merge]);
    git(&work, &["merge", "--quiet", "--no-ff", "--no-gpg-sign", "-X", "ours", allow, "-m", "Merge", &merge]);
    stage.push("proposed");
    let row = stage.verdict(&sealed);
    assert!(row.refusals().starts_with(&["not-observer", "not-human"]), "{row:?}");
    // As main itself it is another history.
    git(&work, &["push", "--quiet", "--force", "origin", &format!("{merge}:refs/heads/main")]);
    assert_eq!(stage.verdict(&sealed).0["refusal"], "history-rewritten");
}

#[test]
fn an_expired_key_does_not_sign_by_a_clock_of_its_own() {
    let stage = Stage::new();
    // The commits of these tests say that they are of November 2025, when the key still counted.
    let sealed = stage.merged();
    stage.ready(&sealed);
    let line = format!("ada@example.org valid-before=\"20251231\" {}\n", stage.public("ada"));
    stage.write("approvers", &(line + &stage.approvers(&["bob"])));
    let row = stage.verdict(&sealed);
    assert!(row.detail("not-human").contains("not at this time"), "{row:?}");
    assert!(row.refusals().contains(&"not-human"));
    let line = format!("ada@example.org valid-before=\"29991231\" {}\n", stage.public("ada"));
    stage.write("approvers", &(line + &stage.approvers(&["bob"])));
    stage.ready(&sealed);
}

#[test]
fn a_revoked_key_counts_no_more() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.write("revoked", &format!("# lost\n{}\n", stage.public("eve")));
    stage.configure("revoked = \"revoked\"", "");
    stage.ready(&sealed);
    stage.write("revoked", &format!("{}\n", stage.public("ada")));
    let row = stage.verdict(&sealed);
    assert!(row.detail("not-human").contains("revoked"), "{row:?}");
    // A list that cannot be read revokes nobody, so nothing is judged.
    stage.write("revoked", "lost\n");
    let (status, document) = stage.json(&["plan", sealed.id()]);
    assert_eq!((status, document["code"].as_str()), (2, Some("revoked")));
    // Of the observer's key, what it made is nobody's.
    stage.write("revoked", &format!("{}\n", stage.public("observer")));
    assert!(stage.refused(&sealed, "not-observer").contains("revoked"));
}

#[test]
fn a_detached_signature_over_other_bytes_counts_for_nothing() {
    let stage = Stage::new();
    let (sealed, commit) = waiting(&stage);
    stage.merge_on_the_web(&commit, "Merge pull request");
    let other = stage.proposal(|proposal| proposal.expires = super::stage::from_now(99));
    stage.on_main();
    let signature = stage.signature("ada", "countersign", other.bytes());
    stage.write(&format!("proposed/approvals/{}/ada.sig", sealed.id()), &signature);
    stage.write(&format!("proposed/approvals/{}/noise.sig", sealed.id()), "-----BEGIN SSH SIGNATURE-----\n");
    stage.commit_as("proposed", None, "Add signatures");
    stage.push("proposed");
    stage.refused(&sealed, "not-human");
    stage.sign("ada", "countersign", "approvals", &sealed);
    stage.ready(&sealed);
}

#[test]
fn a_link_in_the_place_of_a_signature_or_a_proposal_is_not_followed() {
    let stage = Stage::new();
    let (sealed, _) = waiting(&stage);
    stage.begin_branch();
    stage.lay_down(&sealed);
    let file = stage.at(&format!("proposed/{}/proposal.json", directory(&sealed)));
    std::fs::remove_file(&file).unwrap();
    stage.write("proposed/elsewhere.json", std::str::from_utf8(sealed.bytes()).unwrap());
    std::os::unix::fs::symlink("../../../elsewhere.json", &file).unwrap();
    let commit = stage.commit_as("proposed", Some("observer"), "Add a proposal");
    stage.publish_branch();
    stage.merge("ada", &commit, &[&sealed]);
    let row = stage.verdict(&sealed);
    assert!(row.refusals().starts_with(&["not-human"]) && row.refusals().contains(&"edited"), "{row:?}");
}

#[test]
fn a_commit_on_main_without_a_merge_brings_nothing_that_was_approved() {
    let stage = Stage::new();
    let (sealed, _) = waiting(&stage);
    let json = String::from_utf8(sealed.bytes().to_vec()).unwrap();
    let (one, two) = (format!("{}/proposal.json", directory(&sealed)), format!("{}/README.md", directory(&sealed)));
    let readme = countersign_shared::proposal::render(&sealed);
    commit(&stage.at("proposed.git"), "main", &[("README.md", "Proposals\n"), (&one, &json), (&two, &readme)]);
    let row = stage.verdict(&sealed);
    assert_eq!(row.0["refusal"], "not-observer", "{row:?}");
}

#[test]
fn a_copy_in_another_place_stands_in_nobodys_way() {
    let stage = Stage::new();
    let sealed = stage.merged();
    let json = std::str::from_utf8(sealed.bytes()).unwrap();
    let elsewhere = format!("proposed/proposals/runner-02/{}/proposal.json", sealed.id());
    for text in [json.to_owned(), json.replace(RUNNER, "runner-02"), "{}".to_owned()] {
        stage.on_main();
        stage.write(&elsewhere, &text);
        stage.commit_as("proposed", None, "Copy it");
        stage.push("proposed");
        stage.ready(&sealed);
        git(&stage.at("proposed"), &["rm", "--quiet", "-r", "proposals/runner-02"]);
        stage.commit_as("proposed", None, "Take it away");
        stage.push("proposed");
        stage.ready(&sealed);
    }
}

#[test]
fn a_rejection_is_not_hidden_behind_others() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.on_main();
    for number in 0..256 {
        stage.write(&format!("proposed/rejections/{}/{number:03}.sig", sealed.id()), "noise\n");
    }
    stage.commit_as("proposed", None, "Noise");
    stage.push("proposed");
    stage.ready(&sealed);
    // As a program, and after more than is looked at.
    for number in 256..260 {
        stage.write(&format!("proposed/rejections/{}/{number:03}.sig", sealed.id()), "noise\n");
    }
    let signature = stage.signature("bob", "countersign-reject", sealed.bytes());
    let path = format!("rejections/{}/zzz.sig", sealed.id());
    stage.write(&format!("proposed/{path}"), &signature);
    std::fs::set_permissions(stage.at(&format!("proposed/{path}")), std::fs::Permissions::from_mode(0o755)).unwrap();
    stage.commit_as("proposed", None, "Reject");
    stage.push("proposed");
    stage.refused(&sealed, "withdrawn");
    git(&stage.at("proposed"), &["rm", "--quiet", &format!("rejections/{}/[0-2]*.sig", sealed.id())]);
    stage.commit_as("proposed", None, "Less noise");
    stage.push("proposed");
    assert!(stage.refused(&sealed, "withdrawn").contains("bob"));
}
