//! Nothing of this machine, of the caller or of the remote side gets a say.

use super::repositories::{git, repository};
use super::{FILES, Place, fetch_error, main_branch, remote, servers};
use countersign_shared::git::Mirror;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn objects_that_git_would_not_accept_do_not_come_in() {
    let place = Place::new();
    let source = place.path("a.git");
    repository(&source, FILES);
    let repository = git2::Repository::open(&source).unwrap();
    let odb = repository.odb().unwrap();
    let blob = repository.blob(b"[core]\n\tsshCommand = touch /tmp/x\n").unwrap();
    let mut tree = b"100644 ..\0".to_vec();
    tree.extend_from_slice(blob.as_bytes());
    let tree = odb.write(git2::ObjectType::Tree, &tree).unwrap();
    let text = format!("tree {tree}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n");
    let bad = odb.write(git2::ObjectType::Commit, text.as_bytes()).unwrap();
    git(&source, &["update-ref", "refs/heads/main", &bad.to_string()]);
    let error = fetch_error(&place, &remote(source.to_str().unwrap()));
    assert_eq!(error.code(), "damaged", "{error:?}");
}

#[test]
fn hooks_in_the_mirror_are_not_run() {
    let place = Place::new();
    let source = place.path("a.git");
    repository(&source, FILES);
    let mirror = place.mirror();
    let marker = place.path("hook-ran");
    let hooks = mirror.path().join("hooks");
    fs::create_dir_all(&hooks).unwrap();
    let hook = hooks.join("reference-transaction");
    fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", marker.display())).unwrap();
    std::os::unix::fs::symlink("/bin/true", hooks.join("post-fetch")).unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    mirror.fetch(&remote(source.to_str().unwrap()), &main_branch()).unwrap();
    assert!(!marker.exists());
    // The hook would run: git with its own settings runs it.
    git(mirror.path(), &["fetch", "--quiet", source.to_str().unwrap(), "main:refs/heads/x"]);
    assert!(marker.exists());
}

const HOSTILE: &str = "COUNTERSIGN_TEST_HOSTILE_PLACE";

/// The body of the next test, run in a process with a hostile environment.
#[test]
fn hostile_environment_child() {
    let Some(root) = std::env::var_os(HOSTILE) else {
        return;
    };
    let root = PathBuf::from(root);
    let mirror = Mirror::open_or_create(&root.join("mirror")).unwrap();
    let tip = mirror.fetch(&remote(root.join("a.git").to_str().unwrap()), &main_branch()).unwrap();
    println!("fetched {tip}");
    let dead = remote(&format!("ssh://127.0.0.1:{}/a.git", servers::dead_port()));
    let error = mirror.fetch(&dead, &main_branch()).unwrap_err();
    println!("ssh {}", error.code());
}

#[test]
fn nothing_of_the_callers_environment_or_configuration_counts() {
    let place = Place::new();
    let tip = repository(&place.path("a.git"), FILES);
    repository(&place.path("evil.git"), &[("fleet.toml", "evil")]);
    let marker = place.path("marker");
    let home = place.path("home");
    fs::create_dir_all(home.join(".config/git")).unwrap();
    let rewrite = format!(
        "[url \"{}\"]\n\tinsteadOf = {}\n[core]\n\tsshCommand = touch {}\n",
        place.path("evil.git").display(),
        place.path("a.git").display(),
        marker.display()
    );
    fs::write(home.join(".gitconfig"), &rewrite).unwrap();
    fs::write(home.join(".config/git/config"), &rewrite).unwrap();
    let touch = format!("touch {}", marker.display());
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hermetic::hostile_environment_child", "--nocapture"])
        .env(HOSTILE, place.root.path())
        .env("HOME", &home)
        .env("GIT_CONFIG_GLOBAL", home.join(".gitconfig"))
        .env("GIT_CONFIG_SYSTEM", home.join(".gitconfig"))
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "core.sshCommand")
        .env("GIT_CONFIG_VALUE_0", &touch)
        .env("GIT_SSH_COMMAND", &touch)
        .env("GIT_SSH", &touch)
        .env("GIT_ASKPASS", &touch)
        .env("GIT_EXEC_PATH", place.path("nowhere"))
        .env("GIT_DIR", place.path("evil.git"))
        .env("GIT_OBJECT_DIRECTORY", place.path("evil.git/objects"))
        .env("GIT_ALLOW_PROTOCOL", "ext")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(&format!("fetched {tip}")), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("ssh unreachable"), "{said}");
    assert!(!marker.exists());
}

#[test]
fn git_is_started_in_one_file_and_nothing_else_is_started_anywhere() {
    let mut starting = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // Modules of tests are in no program; they start git and ssh-keygen to compare with.
                if !path.ends_with("tests") {
                    open.push(path);
                }
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            if text.contains("process::Command") || text.contains("Command::new") {
                starting.push(path);
            }
        }
    }
    assert_eq!(starting.len(), 1, "{starting:?}");
    assert!(starting[0].ends_with("src/git/transport.rs"), "{starting:?}");
}
