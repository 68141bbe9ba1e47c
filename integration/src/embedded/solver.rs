//! The fake machines' dnf5, asked for a plan: closed transactions for what the story plants, and nothing else.
//!
//! It knows three rules: the parts of a compiler toolchain are of one version, gcc-toolset-13 takes its unused parts
//! along, and everything else stands alone. Its repositories offer what the story needs, to go back and to return.

use super::catalog::{ARCH, DEPENDENCY, FakePackage, GROUP, RUNNING_KERNEL, USER, hex};
use super::incident::NEXT_KERNEL;
use super::machine::{FakeMachine, newer};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Packages that are built from one source, and need one another in one version.
const TOOLCHAIN: [&str; 8] =
    ["clang", "clang-libs", "clang-tools-extra", "compiler-rt", "lld", "llvm", "llvm-devel", "llvm-libs"];
/// Which of them needs which.
const NEEDS: [(&str, &str); 4] =
    [("clang", "clang-libs"), ("clang-tools-extra", "clang-libs"), ("clang-libs", "llvm-libs"), ("llvm", "llvm-libs")];
/// What came with gcc-toolset-13, and nothing else needs.
const TOOLSET: [&str; 2] = ["gcc-toolset-13-gcc", "gcc-toolset-13-runtime"];

/// Everything that the repositories offer, from which one.
pub(super) fn offered() -> Vec<FakePackage> {
    let mut offered = Vec::new();
    for evr in ["18.1.8-2.fc41", "19.1.0-1.fc41", "20.1.2-3.fc41"] {
        let repo = if evr.starts_with("19") { "fedora" } else { "updates" };
        offered.extend(TOOLCHAIN.map(|name| FakePackage::new(name, evr, ARCH).from(repo)));
    }
    offered.push(FakePackage::new("htop", "3.3.0-4.fc41", ARCH));
    offered.push(FakePackage::new("gcc-toolset-13", "13.0-2.fc41", "noarch"));
    offered.extend(
        TOOLSET.iter().zip(["13.3.1-2.fc41", "13.0-2.fc41"]).map(|(name, evr)| FakePackage::new(name, evr, ARCH)),
    );
    offered
        .extend([RUNNING_KERNEL, NEXT_KERNEL].map(|evr| FakePackage::new("kernel-devel", evr, ARCH).from("updates")));
    offered
}

/// sha256 of a package's file: made from the identity, so that two equal builds are equal files.
pub(super) fn file_sha256(package: &FakePackage) -> String {
    hex(&Sha256::digest(format!("the file of {}", package.nevra())))
}

/// What dnf says to one resolution: exit status, lines on stdout, lines on stderr.
pub(super) fn attempt(machine: &FakeMachine, wants: &[(String, String)]) -> (i32, Vec<String>, Vec<String>) {
    match resolve(machine, wants) {
        Err(words) => (1, Vec::new(), vec!["Failed to resolve the transaction:".to_owned(), words]),
        Ok(plan) if plan.is_empty() => (0, vec!["Nothing to do.".to_owned()], Vec::new()),
        Ok(plan) => (1, table(&plan), vec!["Operation aborted by the user.".to_owned()]),
    }
}

/// One line of dnf's table: its section, the package, and what it replaces.
type Entry = (&'static str, FakePackage, Option<FakePackage>);

fn resolve(machine: &FakeMachine, wants: &[(String, String)]) -> Result<Vec<Entry>, String> {
    let offered = offered();
    let find = |name: &str, evr: &str| offered.iter().find(|p| p.name == name && p.evr() == evr);
    let installed = |name: &str| machine.packages.iter().find(|p| p.name == name && p.arch != "i686");
    let mut gone: BTreeMap<String, &'static str> = BTreeMap::new();
    let mut comes: BTreeMap<String, (FakePackage, bool)> = BTreeMap::new();
    let mut version: Option<String> = None;
    for (verb, nevra) in wants {
        if verb == "remove" {
            let package = machine.packages.iter().find(|p| p.nevra() == *nevra);
            let package = package.ok_or_else(|| format!("No packages to remove for argument: {nevra}"))?;
            gone.insert(package.name.clone(), "Removing:");
            if package.name == "gcc-toolset-13" {
                gone.extend(TOOLSET.map(|name| (name.to_owned(), "Removing unused dependencies:")));
            }
            continue;
        }
        let package = offered.iter().find(|p| p.nevra() == *nevra);
        let package = package.ok_or_else(|| format!("No match for argument: {nevra}"))?;
        if TOOLCHAIN.contains(&package.name.as_str()) {
            let evr = package.evr();
            if version.as_ref().is_some_and(|other| *other != evr) {
                return Err(format!("Problem: {nevra} needs all of its toolchain in {evr}"));
            }
            version = Some(evr);
        }
        comes.insert(package.name.clone(), (package.clone(), true));
    }
    if let Some(evr) = version {
        let there = TOOLCHAIN.iter().filter(|name| installed(name).is_some()).map(|name| (*name).to_owned());
        let mut open: BTreeSet<String> = there.chain(comes.keys().cloned()).collect();
        while let Some(name) = open.pop_first() {
            open.extend(NEEDS.iter().filter(|(who, _)| *who == name).map(|(_, what)| (*what).to_owned()));
            if let Some(package) = find(&name, &evr) {
                comes.entry(name).or_insert_with(|| (package.clone(), false));
            }
        }
    }
    let mut plan = Vec::new();
    for (name, section) in gone {
        plan.extend(installed(&name).map(|package| (section, package.clone(), None)));
    }
    for (package, asked) in comes.into_values() {
        match installed(&package.name) {
            Some(old) if old.evr() == package.evr() => {}
            Some(old) if package.install_only() => {
                let beside = old.evr() != package.evr();
                plan.extend(beside.then_some(("Installing:", package, None)));
            }
            Some(old) if newer(&package, old) => plan.push(("Upgrading:", package, Some(old.clone()))),
            Some(old) => plan.push(("Downgrading:", package, Some(old.clone()))),
            None if asked => plan.push(("Installing:", package, None)),
            None => plan.push(("Installing dependencies:", package, None)),
        }
    }
    plan.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    Ok(plan)
}

/// As dnf5 5.4 prints it.
fn table(plan: &[Entry]) -> Vec<String> {
    let line = |indent: &str, package: &FakePackage| {
        let (evr, repo) = (format!("{}:{}-{}", package.epoch, package.version, package.release), &package.from_repo);
        format!("{:<44}{:<7}{evr:<28}{repo:<16}   1.0 MiB", format!("{indent}{}", package.name), package.arch)
    };
    let mut lines = vec![format!("{:<44}{:<7}{:<28}{:<16}      Size", "Package", "Arch", "Version", "Repository")];
    let mut section = "";
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (title, package, replaced) in plan {
        if *title != section {
            section = title;
            lines.push((*title).to_owned());
        }
        lines.push(line(" ", package));
        if let Some(old) = replaced {
            lines.push(line("   replacing ", old));
            *counts.entry("Replacing").or_default() += 1;
        }
        let what = title.split([' ', ':']).next().unwrap_or_default();
        *counts.entry(what).or_default() += 1;
    }
    lines.extend([String::new(), "Transaction Summary:".to_owned()]);
    for (what, count) in counts {
        lines.push(format!(" {:<19}{count} package{}", format!("{what}:"), if count == 1 { "" } else { "s" }));
    }
    lines.push(String::new());
    lines
}

/// The answer's rows about what is offered and what is installed: `any NAME` and `offer NEVRA`.
pub(super) fn offers(machine: &FakeMachine, items: &[(String, String)]) -> [String; 3] {
    let [mut available, mut installed, mut digests] = [const { String::new() }; 3];
    for package in offered() {
        let nevra = package.nevra();
        if items.iter().any(|(key, what)| if key == "any" { *what == package.name } else { *what == nevra }) {
            let _ = writeln!(available, " {nevra}\t{}", package.from_repo);
            let _ = writeln!(digests, " {nevra}\t{}\t{}", package.from_repo, file_sha256(&package));
        }
    }
    for package in machine.packages.iter().filter(|p| items.iter().any(|(_, what)| *what == p.nevra())) {
        let reason = match package.reason {
            USER => "User",
            GROUP => "Group",
            DEPENDENCY => "Dependency",
            _ => "External User",
        };
        let _ = writeln!(installed, " {}\t{reason}\t{}", package.nevra(), package.from_repo);
    }
    [available, installed, digests]
}

/// Which build is installed where: sha256 over the sorted lines `name instance` of every package.
pub(super) fn base(machine: &FakeMachine) -> String {
    let lines: BTreeSet<String> = machine.packages.iter().map(|p| format!("{} {}", p.name, p.db_instance)).collect();
    hex(&Sha256::digest(lines.iter().fold(String::new(), |text, line| text + line + "\n")))
}
