//! Repositories made by the git CLI, with fixed times and no configuration of this machine.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs git for a test, with no configuration of this machine, and answers with its output.
pub(crate) fn git(directory: &Path, args: &[&str]) -> String {
    let output = git_command(directory).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?} in {directory:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// git with no configuration of this machine.
pub(crate) fn git_command(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(directory)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", directory)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "A Person")
        .env("GIT_AUTHOR_EMAIL", "person@example.org")
        .env("GIT_COMMITTER_NAME", "A Person")
        .env("GIT_COMMITTER_EMAIL", "person@example.org")
        .env("GIT_AUTHOR_DATE", "1763600000 +0000")
        .env("GIT_COMMITTER_DATE", "1763600000 +0000")
        .args(["-c", "init.defaultBranch=main", "-c", "safe.directory=*"]);
    command
}

/// A bare repository with one commit on `main` that holds these files.
pub(crate) fn repository(path: &Path, files: &[(&str, &str)]) -> String {
    fs::create_dir_all(path).unwrap();
    git(path, &["init", "--quiet", "--bare", "."]);
    commit(path, "main", files)
}

/// Adds a commit that holds exactly these files to a branch of a bare repository; answers with its id.
pub(crate) fn commit(path: &Path, branch: &str, files: &[(&str, &str)]) -> String {
    let work = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = work.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let git_dir = format!("--git-dir={}", path.display());
    let work_tree = format!("--work-tree={}", work.path().display());
    let reference = format!("refs/heads/{branch}");
    git(path, &["symbolic-ref", "HEAD", &reference]);
    git(path, &[&git_dir, &work_tree, "add", "--all", "."]);
    git(path, &[&git_dir, &work_tree, "commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", "A change"]);
    git(path, &["rev-parse", &reference])
}
