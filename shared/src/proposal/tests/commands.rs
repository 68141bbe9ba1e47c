//! The commands of a README, run as they are by a shell, with real git and a real key.

use super::story::{CLAIMED, incident, proposal, way_back_to_the_manifest};
use crate::proposal::{Sealed, render};
use std::path::Path;
use std::process::{Command, Output};

fn sealed() -> Sealed {
    let (effective, observation) = incident();
    proposal(&effective, &observation, CLAIMED, &way_back_to_the_manifest()).unwrap()
}

/// A shell as a person has it, without that person's own configuration.
fn shell(at: &Path, script: &str) -> Output {
    Command::new("sh")
        .args(["-c", script])
        .current_dir(at)
        .env_clear()
        .envs([("PATH", std::env::var("PATH").unwrap_or_default()), ("LC_ALL", "C".to_owned())])
        .env("HOME", at)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap()
}

fn done(at: &Path, script: &str) -> String {
    let output = shell(at, script);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{script}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The block of commands after a line of the README.
fn block<'r>(readme: &'r str, after: &str) -> &'r str {
    let rest = readme.split_once(after).unwrap().1;
    rest.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0
}

/// A bare repository with a `main`, and a branch with the proposal; a person's clone with a signing key.
fn repositories(sealed: &Sealed, json: &[u8]) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    done(
        root,
        "git init -q --bare -b main proposed.git && git clone -q proposed.git observer 2>/dev/null && cd observer \
         && git config user.name observer && git config user.email o@example.org && git checkout -q -b main \
         && git commit -q --allow-empty -m start && git push -q origin main && git checkout -q -b proposals/runner-04",
    );
    let folder = root.join("observer/proposals/runner-04").join(sealed.id());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("proposal.json"), json).unwrap();
    std::fs::write(folder.join("README.md"), render(sealed)).unwrap();
    done(&root.join("observer"), "git add . && git commit -q -m proposal && git push -q origin HEAD");
    done(
        root,
        "ssh-keygen -q -t ed25519 -N '' -f key && git clone -q proposed.git person && cd person \
         && git config user.name Ada && git config user.email ada@example.org && git config gpg.format ssh \
         && git config user.signingkey ../key.pub && printf 'ada@example.org %s\\n' \"$(cat ../key.pub)\" >../people \
         && git config gpg.ssh.allowedSignersFile ../people",
    );
    place
}

#[test]
fn the_commands_for_plain_git_make_a_signed_merge_that_names_the_proposal() {
    let sealed = sealed();
    let place = repositories(&sealed, sealed.bytes());
    let person = place.path().join("person");
    done(&person, block(&render(&sealed), "The same with git alone"));
    done(&person, "git verify-commit HEAD");
    let message = done(&person, "git log -1 --format=%B origin/main");
    let statement = format!("Countersign-Approves: runner-04 sha256:{}", sealed.id());
    assert_eq!(message.lines().filter(|line| *line == statement).count(), 1, "{message}");
    assert_eq!(done(&person, "git rev-list --no-walk --parents HEAD").split_whitespace().count(), 3);
    let brought = done(&person, "git diff --name-only HEAD^1 HEAD");
    let folder = format!("proposals/runner-04/{}", sealed.id());
    assert_eq!(brought, format!("{folder}/README.md\n{folder}/proposal.json\n"));
}

#[test]
fn the_commands_for_plain_git_merge_nothing_when_the_content_is_another() {
    let sealed = sealed();
    let place = repositories(&sealed, &[sealed.bytes(), b" "].concat());
    let person = place.path().join("person");
    let before = done(&person, "git rev-parse HEAD");
    assert!(!shell(&person, block(&render(&sealed), "The same with git alone")).status.success());
    assert_eq!(done(&person, "git rev-parse HEAD"), before);
    assert_eq!(done(&person, "git ls-remote origin main | cut -f 1"), before);
}

#[test]
fn the_commands_for_plain_git_merge_nothing_that_they_do_not_name() {
    let sealed = sealed();
    let place = repositories(&sealed, sealed.bytes());
    let (observer, person) = (place.path().join("observer"), place.path().join("person"));
    done(
        &observer,
        "mkdir -p proposals/runner-05/x && echo '{}' >proposals/runner-05/x/proposal.json && git add . \
         && git commit -q --amend -m both && git push -q --force origin HEAD",
    );
    let before = done(&person, "git rev-parse HEAD");
    assert!(!shell(&person, block(&render(&sealed), "The same with git alone")).status.success());
    assert_eq!(done(&person, "git rev-parse HEAD"), before);
}

/// Writes each README as a page for a browser: `COUNTERSIGN_PAGES=DIR cargo test -p countersign-shared readmes_as_pages`.
#[test]
fn readmes_as_pages() {
    let Some(directory) = std::env::var_os("COUNTERSIGN_PAGES") else { return };
    let style = "body{font:16px/1.5 sans-serif;max-width:62em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}\
        td,th{border:1px solid #ccc;padding:.3em .6em}code,pre{background:#f3f3f3}pre{padding:1em;overflow:auto}";
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/proposal/tests/snapshots");
    for entry in std::fs::read_dir(snapshots).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(name) = name.split("readme__").nth(1) else { continue };
        let text = std::fs::read_to_string(&path).unwrap();
        let readme = text.splitn(3, "---\n").nth(2).unwrap();
        let parser = pulldown_cmark::Parser::new_ext(readme, pulldown_cmark::Options::ENABLE_TABLES);
        let mut html = format!("<!doctype html><meta charset=utf-8><style>{style}</style>");
        pulldown_cmark::html::push_html(&mut html, parser);
        std::fs::write(Path::new(&directory).join(format!("{name}.html")), html).unwrap();
    }
}
