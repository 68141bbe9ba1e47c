//! Package files: fetched as root, then believed in nothing that was not checked.

use crate::digest;
use crate::dnf::{Dnf, Records};
use crate::refused::Refused;
use crate::run::Program;
use crate::set::Instance;
use crate::staged::PackageFile;
use countersign_manifests_schema::transaction::{Change, Transaction};
use countersign_shared::nevra::Nevra;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

/// Files that one staging may have.
const FILES_MAX: usize = 10_000;
const COLUMNS: &str = "%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\t%{SHA256HEADER}\\n";

/// Fetches what comes: each file from its approved repository, with the approved content, a checked signature, and the
/// package inside that it is said to be.
pub(crate) fn incoming(
    dnf: &Dnf<'_>,
    directory: &Path,
    transaction: &Transaction,
    records: &mut Records,
) -> Result<Vec<PackageFile>, Refused> {
    let changes = transaction.rpms.iter().filter(|change| change.action.is_incoming());
    let mut by_repo: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        by_repo.entry(&change.repo_id).or_default().push(change);
    }
    let mut found = Vec::new();
    for (number, (repo, changes)) in by_repo.iter().enumerate() {
        match dnf.is_checked(repo)? {
            Some(true) => {}
            Some(false) => {
                return Err(Refused::new("unsigned-repo", format!("packages of {repo} need no signature here")));
            }
            None => return Err(Refused::new("transaction-differs", format!("{repo} is not enabled here"))),
        }
        let name = format!("incoming-{number}");
        let into = directory.join(&name);
        fs::create_dir(&into).map_err(failed)?;
        let nevras: Vec<String> = changes.iter().map(|change| change.nevra.clone()).collect();
        let ran = dnf.download(Some(repo), &nevras, &into).map_err(failed)?;
        records.push(ran.record.clone());
        if !ran.good() {
            let text = format!("what comes cannot be fetched from {repo}: {}", ran.words());
            return Err(Refused::new("transaction-differs", text));
        }
        let files = files(directory, &name, records)?;
        for change in changes {
            found.push(approved(change, &files)?);
        }
    }
    if let Some(file) = found.iter().find(|file| !file.signed) {
        let text = format!("{} is not signed by a key of this runner", file.nevra);
        return Err(Refused::new("unsigned-repo", text));
    }
    Ok(found)
}

fn approved(change: &Change, files: &[PackageFile]) -> Result<PackageFile, Refused> {
    let differs = |text: String| Err(Refused::new("transaction-differs", text));
    let mut named = files.iter().filter(|file| file.nevra == change.nevra);
    let (Some(file), None) = (named.next(), named.next()) else {
        return differs(format!("what was fetched for {} is another package", change.nevra));
    };
    if Some(&file.sha256) != change.sha256.as_ref() {
        return differs(format!("{} has another content than was approved: sha256 {}", change.nevra, file.sha256));
    }
    if file.header.is_empty() {
        return differs(format!("{} has no sha256 of its header", change.nevra));
    }
    Ok(file.clone())
}

/// Fetches what goes, so that it can come back: the very builds that are installed. Those that cannot be had are named.
pub(crate) fn outgoing(
    dnf: &Dnf<'_>,
    directory: &Path,
    leaving: &[Instance],
    records: &mut Records,
) -> Result<(Vec<PackageFile>, Vec<String>), Refused> {
    if leaving.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let into = directory.join("outgoing");
    fs::create_dir(&into).map_err(failed)?;
    let nevras: Vec<String> = leaving.iter().map(|instance| instance.nevra.clone()).collect();
    // Whether this works does not matter; what came of it does.
    let ran = dnf.download(None, &nevras, &into).map_err(failed)?;
    records.push(ran.record);
    let mut have = files(directory, "outgoing", records)?;
    let is = |file: &PackageFile, instance: &Instance| {
        file.nevra == instance.nevra && file.header == instance.header && !instance.header.is_empty()
    };
    let mut missing = Vec::new();
    for instance in leaving {
        if have.iter().any(|file| is(file, instance)) {
            continue;
        }
        let copied = kept(&instance.nevra, directory).map_err(failed)?;
        let copies = if copied { files(directory, "kept", records)? } else { Vec::new() };
        match copies.into_iter().find(|file| is(file, instance)) {
            Some(file) => have.push(file),
            None => missing.push(instance.nevra.clone()),
        }
    }
    have.retain(|file| leaving.iter().any(|instance| is(file, instance)));
    Ok((have, missing))
}

/// Copies what dnf5's local plugin keeps of a package; whether there was anything.
fn kept(nevra: &str, directory: &Path) -> io::Result<bool> {
    let Ok(nevra) = Nevra::parse(nevra) else { return Ok(false) };
    let name = format!("{}-{}-{}.{}.rpm", nevra.name, nevra.evr.version, nevra.evr.release, nevra.arch);
    let into = directory.join("kept");
    fs::create_dir_all(&into)?;
    let mut found = false;
    for plugin in ["local", "local-nogpgcheck"] {
        let path = Path::new("/var/lib/dnf/plugins").join(plugin).join(&name);
        if path.is_file() {
            fs::copy(&path, into.join(format!("{plugin}-{name}")))?;
            found = true;
        }
    }
    Ok(found)
}

/// Every package file in a directory, by what is inside it.
fn files(directory: &Path, name: &str, records: &mut Records) -> Result<Vec<PackageFile>, Refused> {
    let mut paths: Vec<String> = Vec::new();
    for entry in fs::read_dir(directory.join(name)).map_err(failed)? {
        let file = entry.map_err(failed)?.file_name();
        // dnf names files as the repository says; what is not plain is not taken.
        let plain = file.to_str().filter(|file| {
            file.ends_with(".rpm") && file.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+~^-%:".contains(&b))
        });
        paths.extend(plain.map(|file| format!("{name}/{file}")));
    }
    paths.sort();
    if paths.len() > FILES_MAX {
        return Err(Refused::new("transaction-differs", format!("more than {FILES_MAX} files were fetched")));
    }
    let mut found = Vec::new();
    for path in paths {
        let absolute = directory.join(&path);
        let absolute = absolute.to_string_lossy();
        let signed = Program::new("rpmkeys", directory)
            .args(["--define", "_pkgverify_level all", "-K", &absolute])
            .run()
            .map_err(failed)?;
        records.push(signed.record.clone());
        let asked = Program::new("rpm", directory).args(["-qp", "--qf", COLUMNS, &absolute]).run().map_err(failed)?;
        records.push(asked.record.clone());
        let inside = asked.good().then(|| inside(&asked.stdout)).flatten();
        let Some((nevra, header)) = inside else {
            return Err(Refused::new("transaction-differs", format!("{path} is no package: {}", asked.words())));
        };
        let sha256 = digest::of_file(&directory.join(&path)).map_err(failed)?;
        found.push(PackageFile { nevra, file: path, sha256, header, signed: signed.good() });
    }
    Ok(found)
}

/// What rpm says of one file.
fn inside(row: &str) -> Option<(String, String)> {
    let mut lines = row.lines();
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let [name, epoch, version, release, arch, header] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    let text = format!("{name}-{epoch}:{version}-{release}.{arch}");
    let nevra = Nevra::parse(&text).ok()?.to_string();
    let header = if header == "(none)" { "" } else { header };
    Some((nevra, header.to_owned()))
}

/// Whether every file still has the content that was checked.
pub(crate) fn unchanged<'f>(directory: &Path, files: impl IntoIterator<Item = &'f PackageFile>) -> Result<(), Refused> {
    for file in files {
        let digest = digest::of_file(&directory.join(&file.file)).map_err(failed)?;
        if digest != file.sha256 {
            return Err(Refused::new("transaction-differs", format!("{} has changed since it was staged", file.file)));
        }
    }
    Ok(())
}

/// The installed instances that leave, and are not only replaced in the set by themselves.
pub(crate) fn leaving(transaction: &Transaction, former: &[Instance]) -> Vec<Instance> {
    let outgoing: BTreeSet<&str> =
        transaction.rpms.iter().filter(|c| c.action.is_outgoing()).map(|c| c.nevra.as_str()).collect();
    former.iter().filter(|instance| outgoing.contains(instance.nevra.as_str())).cloned().collect()
}

fn failed(error: io::Error) -> Refused {
    Refused::new("warden", format!("the staging cannot be made: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_of_one_package_is_read_and_nothing_else() {
        let sum = "ab".repeat(32);
        let row = format!("htop\t0\t3.3.0\t4.fc41\tx86_64\t{sum}\n");
        assert_eq!(inside(&row), Some(("htop-3.3.0-4.fc41.x86_64".to_owned(), sum)));
        for bad in ["", "\n", &row.repeat(2), &row.replace('\t', " "), &row.replace("htop", "-y"), "a\tb\tc\td\te\tf\n"]
        {
            assert_eq!(inside(bad), None, "{bad:?}");
        }
    }
}
