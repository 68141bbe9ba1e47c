//! snapper, where it is configured for the root file system: the way back when packages alone are not enough.

use crate::run::{Program, Ran};
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// What an undo never takes back: our own memory and policy, keys, logs, and what people have.
const KEPT: &[&str] = &[
    "/etc/countersign",
    "/etc/ssh",
    "/home",
    "/root",
    "/run",
    "/srv",
    "/tmp",
    "/usr/libexec/countersign",
    "/var/cache",
    "/var/home",
    "/var/log",
    "/var/roothome",
    "/var/tmp",
];

/// Whether there can be snapshots of the root file system.
pub(crate) fn is_there() -> bool {
    Path::new("/etc/snapper/configs/root").is_file() && Path::new("/usr/bin/snapper").exists()
}

fn snapper(home: &Path) -> Program<'_> {
    Program::new("snapper", home).args(["--no-dbus", "-c", "root"]).limit(Duration::from_secs(1800))
}

/// Takes one and answers with its number.
pub(crate) fn take(home: &Path, proposal: &str) -> io::Result<(Option<u64>, Ran)> {
    let description = format!("before countersign {proposal}");
    let ran = snapper(home)
        .args(["create", "--type", "single", "--cleanup-algorithm", "number", "--print-number", "--description"])
        .args([description])
        .run()?;
    let number = ran.stdout.trim().parse().ok().filter(|_| ran.good());
    Ok((number, ran))
}

/// Takes back what changed since, but for what is [`KEPT`] and for `own`, the warden's directory.
pub(crate) fn undo(home: &Path, number: u64, own: &Path) -> io::Result<Vec<Ran>> {
    let range = format!("{number}..0");
    let status = snapper(home).args(["status", &range]).run()?;
    if !status.good() {
        return Ok(vec![status]);
    }
    let list: String = status.stdout.lines().filter_map(changed).filter(|path| !is_kept(path, own)).fold(
        String::new(),
        |mut list, path| {
            list.push_str(path);
            list.push('\n');
            list
        },
    );
    let file = home.join("undochange");
    fs::write(&file, list)?;
    let undone = snapper(home).args(["undochange", "--input", &file.to_string_lossy(), &range]).run()?;
    Ok(vec![status, undone])
}

/// The path in a line such as `c..... /etc/x`.
fn changed(line: &str) -> Option<&str> {
    let (flags, path) = line.split_once(' ')?;
    (flags.len() == 6 && path.starts_with('/')).then_some(path)
}

fn is_kept(path: &str, own: &Path) -> bool {
    let path = Path::new(path);
    path.starts_with(own)
        || KEPT.iter().any(|kept| path.starts_with(kept))
        || path.components().any(|part| part.as_os_str() == ".ssh")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_or_of_people_is_left_alone() {
        let own = Path::new("/var/lib/countersign-warden");
        let status = "\
c..... /etc/countersign/approvers
+..... /etc/countersignature
-..... /var/lib/countersign-warden/memory.json
c..... /var/lib/rpm/rpmdb.sqlite
+..... /home/builder/artefact
+..... /opt/ci/.ssh/authorized_keys
c..... /var/log/dnf5.log
+..... /usr/bin/htop
not a line
";
        let taken: Vec<&str> = status.lines().filter_map(changed).filter(|path| !is_kept(path, own)).collect();
        assert_eq!(taken, ["/etc/countersignature", "/var/lib/rpm/rpmdb.sqlite", "/usr/bin/htop"]);
    }
}
