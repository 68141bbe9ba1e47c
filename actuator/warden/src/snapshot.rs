//! snapper, where it is configured for the root file system: the way back when packages alone are not enough.

use crate::run::{Program, Ran};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What an undo never takes back, besides our own memory and policy wherever they are: keys, logs, and what people have.
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

/// Takes back what changed since, but for what is [`KEPT`] and for `own`: where the warden remembers, and what it judges by,
/// wherever that is.
pub(crate) fn undo(home: &Path, number: u64, own: &[PathBuf]) -> io::Result<Vec<Ran>> {
    let own = own.iter().flat_map(|path| ways(path)).collect();
    let range = format!("{number}..0");
    let status = snapper(home).args(["status", &range]).run()?;
    if !status.good() {
        return Ok(vec![status]);
    }
    let list: String = status.stdout.lines().filter_map(changed).filter(|path| !is_kept(path, &own)).fold(
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

/// Where a path is in truth, and every link that leads there.
fn ways(path: &Path) -> BTreeSet<PathBuf> {
    let place = |path: &Path| match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    };
    let mut found = BTreeSet::new();
    let mut path = path.to_owned();
    // As many links as the kernel follows, path_resolution(7).
    for _ in 0..40 {
        found.insert(place(&path));
        let links = path.ancestors().filter_map(|step| Some((step, fs::read_link(step).ok()?)));
        let Some((link, target)) = links.last() else { break };
        found.insert(place(link));
        let target = link.parent().unwrap_or(link).join(target);
        path = match path.strip_prefix(link) {
            Ok(rest) if rest.as_os_str().is_empty() => target,
            Ok(rest) => target.join(rest),
            Err(_) => break,
        };
    }
    found
}

fn is_kept(path: &str, own: &BTreeSet<PathBuf>) -> bool {
    let path = Path::new(path);
    own.iter().any(|kept| path.starts_with(kept))
        || KEPT.iter().any(|kept| path.starts_with(kept))
        || path.components().any(|part| part.as_os_str() == ".ssh")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_or_of_people_is_left_alone() {
        let own = ["/var/lib/countersign-warden", "/opt/policy/approvers", "/opt/HALT"].map(PathBuf::from).into();
        let status = "\
c..... /etc/countersign/approvers
+..... /etc/countersignature
-..... /var/lib/countersign-warden/memory.json
c..... /var/lib/rpm/rpmdb.sqlite
+..... /home/builder/artefact
+..... /opt/ci/.ssh/authorized_keys
c..... /var/log/dnf5.log
c..... /opt/policy/approvers
c..... /opt/policy/other
+..... /opt/HALT
+..... /usr/bin/htop
not a line
";
        let taken: Vec<&str> = status.lines().filter_map(changed).filter(|path| !is_kept(path, &own)).collect();
        assert_eq!(taken, ["/etc/countersignature", "/var/lib/rpm/rpmdb.sqlite", "/opt/policy/other", "/usr/bin/htop"]);
    }

    #[test]
    fn a_path_is_kept_with_every_link_that_leads_there() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        for name in ["etc", "2026"] {
            fs::create_dir(top.join(name)).unwrap();
        }
        fs::write(top.join("2026/approvers"), "").unwrap();
        symlink("2026", top.join("policy")).unwrap();
        symlink("../policy/approvers", top.join("etc/approvers")).unwrap();
        symlink("there", top.join("here")).unwrap();
        symlink("here", top.join("there")).unwrap();
        symlink("below/itself", top.join("below")).unwrap();
        for (path, expected) in [
            ("2026/approvers", &["2026/approvers"][..]),
            ("policy/approvers", &["2026/approvers", "policy"]),
            ("etc/approvers", &["2026/approvers", "etc/approvers", "policy"]),
            ("etc/HALT", &["etc/HALT"]),
            ("nowhere/HALT", &["nowhere/HALT"]),
            ("here", &["here", "there"]),
        ] {
            let expected: BTreeSet<PathBuf> = expected.iter().map(|path| top.join(path)).collect();
            assert_eq!(ways(&top.join(path)), expected, "{path}");
        }
        assert!(ways(&top.join("below")).contains(&top.join("below")), "it ends");
    }
}
