//! A full-size package set: 1,846 packages, with the names and versions of a real Fedora Workstation where they are at hand.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// Packages on the full-size runner, without gpg-pubkey.
pub const WORKSTATION_PACKAGES: usize = 1846;

const TABLE: &str = "packages/workstation_f39_x86_64_no_epoch.tsv";

/// Name, version, release, arch of the packages to fill up with.
pub(super) struct Workstation(Vec<[String; 4]>);

impl Workstation {
    /// The real names from `COUNTERSIGN_DATA` when it is set, else made ones; never one of a package of the lab.
    pub(super) fn read() -> Result<Self> {
        let mut rows = match std::env::var_os("COUNTERSIGN_DATA") {
            Some(data) => {
                let path = PathBuf::from(data).join(TABLE);
                let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                text.lines().skip(1).filter_map(row).collect()
            }
            None => Vec::new(),
        };
        rows.retain(|[name, ..]| name != "gpg-pubkey" && !super::PACKAGES.iter().any(|package| package.name == name));
        rows.sort();
        rows.dedup_by(|a, b| a[0] == b[0]);
        for number in rows.len()..WORKSTATION_PACKAGES {
            rows.push([format!("made-{number:04}"), format!("1.{number}"), "1.fc41".to_owned(), "noarch".to_owned()]);
        }
        Ok(Self(rows))
    }

    /// Every byte that decides what comes out.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|row| row.join("\t") + "\n").collect()
    }

    /// One spec with a subpackage per name, so many that they and their metapackage fill up `installed` to the full size.
    pub(super) fn spec(&self, installed: usize) -> Result<String> {
        let count = WORKSTATION_PACKAGES
            .checked_sub(installed + 1)
            .context("the base packages alone are more than a full-size set")?;
        let mut requires = String::new();
        let mut packages = String::new();
        for [name, version, release, arch] in self.0.iter().take(count) {
            writeln!(requires, "Requires: {name}")?;
            let noarch = if arch == "noarch" { "BuildArch: noarch\n" } else { "" };
            write!(
                packages,
                "%package -n {name}\nVersion: {version}\nRelease: {release}\nSummary: {name}\n{noarch}%description -n {name}\n{name}.\n%files -n {name}\n"
            )?;
        }
        Ok(format!(
            "Name: workstation\nVersion: 41\nRelease: 1\nSummary: A full-size package set\nLicense: MIT\nVendor: Lab\nAutoReqProv: no\n\
             {requires}%description\nA full-size package set.\n%files\n{packages}"
        ))
    }
}

fn row(line: &str) -> Option<[String; 4]> {
    let mut cells = line.split('\t');
    let name = cells.next()?;
    let [version, release, arch] = [cells.nth(1)?, cells.next()?, cells.next()?];
    matches!(arch, "x86_64" | "noarch").then(|| [name, version, release, arch].map(str::to_owned))
}
