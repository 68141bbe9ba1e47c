//! Namespaces: the one way into a root file system.

use std::path::Path;
use std::process::Command;

/// A command as process 1 of `root`, in namespaces of its own that die with the command (`enter.sh` says the rest).
pub(super) fn enter(root: &Path, name: &str, repo: &Path, address: Option<&str>) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--net", "--propagation", "unchanged"])
        .args(["sh", "-c", include_str!("enter.sh"), "enter"])
        .arg(root)
        .arg(name)
        .arg(repo)
        .arg(address.unwrap_or("none"))
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("LC_ALL", "C");
    command
}
