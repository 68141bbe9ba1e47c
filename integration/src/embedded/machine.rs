//! The truth about one fake machine, and the ways in which people change it.
//!
//! The same means as on a real one: dnf writes history, `rpm` behind dnf's back writes none, a killed dnf leaves a
//! transaction without an end. dnf's digest of the package set is computed here on its own, from dnf's rule, so that
//! it checks the observer's and does not repeat it.

use super::catalog::{EXTERNAL, FakePackage, hex};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One machine.
#[derive(Debug, Clone)]
pub struct FakeMachine {
    /// Every instance of the rpm database.
    pub packages: Vec<FakePackage>,
    /// `uname -r`.
    pub kernel_release: String,
    /// Unix seconds at which it booted.
    pub booted: i64,
    /// `getenforce`, in lower case.
    pub selinux: &'static str,
    /// Repository ids and whether they are enabled.
    pub repos: Vec<(&'static str, bool)>,
    /// Oldest first.
    pub history: Vec<FakeTransaction>,
    /// What its warden shows of what it started, a line each.
    pub applications: Vec<String>,
    /// Unix seconds of root's newest repository metadata.
    pub metadata: i64,
    /// The next `%{dbinstance}`.
    next_instance: u32,
}

/// One entry of dnf's history.
#[derive(Debug, Clone)]
pub struct FakeTransaction {
    /// dnf's number, from 1.
    pub id: u64,
    /// Unix seconds.
    pub begin: i64,
    /// Unix seconds; 0 when dnf was killed.
    pub end: i64,
    /// Login uid of who ran it.
    pub uid: u32,
    /// Login name of who ran it.
    pub user: String,
    /// The command line.
    pub command: String,
    /// dnf's digest of the set before.
    pub rpmdb_begin: String,
    /// dnf's digest of the set after; empty when dnf was killed.
    pub rpmdb_end: String,
    /// NEVRA, action and reason as dnf5 writes them, and the repository.
    pub changes: Vec<(String, &'static str, &'static str, String)>,
}

/// What a transaction does to one package.
#[derive(Debug, Clone)]
pub enum Change {
    /// A new instance; other instances of the name stay only when it is install-only.
    Install(FakePackage),
    /// Every instance of this name goes.
    Remove(Cow<'static, str>),
}

impl FakeMachine {
    /// A machine that was set up at `installed` (Unix seconds) with these packages and has been used by nobody since.
    pub fn new(packages: Vec<FakePackage>, kernel_release: &str, installed: i64) -> Self {
        let next_instance = packages.iter().map(|p| p.db_instance).max().unwrap_or(0) + 1;
        let mut machine = Self {
            packages,
            kernel_release: format!("{kernel_release}.x86_64"),
            booted: installed + 3600,
            selinux: "enforcing",
            repos: vec![
                ("fedora", true),
                ("fedora-cisco-openh264", false),
                ("fedora-source", false),
                ("updates", true),
                ("updates-testing", false),
            ],
            history: Vec::new(),
            applications: Vec::new(),
            metadata: installed,
            next_instance,
        };
        for package in &mut machine.packages {
            package.install_time = installed;
        }
        machine
    }

    /// A completed dnf transaction of `user` that began at `at` (Unix seconds) and took 20 s.
    pub fn dnf(&mut self, at: i64, user: (u32, &str), command: &str, changes: Vec<Change>) {
        self.transaction(at, user, command, changes, true);
    }

    /// The same, but dnf was killed when the packages were in place: no end, and dnf does not know the packages.
    pub fn dnf_killed(&mut self, at: i64, user: (u32, &str), command: &str, changes: Vec<Change>) {
        self.transaction(at, user, command, changes, false);
    }

    /// `rpm -i`: behind dnf's back.
    pub fn rpm_install(&mut self, at: i64, package: FakePackage) {
        self.insert(at, package.because(EXTERNAL).from(""));
    }

    /// `rpm -e`: behind dnf's back.
    pub fn rpm_erase(&mut self, name: &str) {
        self.packages.retain(|p| p.name != name);
    }

    fn transaction(&mut self, at: i64, (uid, user): (u32, &str), command: &str, changes: Vec<Change>, completed: bool) {
        let begin = self.rpmdb_digest();
        let end = at + 20;
        let mut recorded = Vec::new();
        for change in changes {
            match change {
                Change::Install(package) => {
                    let outgoing = self.take(&package.name, &package.arch, package.install_only());
                    let action = match &outgoing {
                        None => "Install",
                        Some(old) if newer(&package, old) => "Upgrade",
                        Some(_) => "Downgrade",
                    };
                    recorded.push((package.nevra(), action, package.reason, package.from_repo.clone()));
                    if let Some(old) = outgoing {
                        recorded.push((old.nevra(), "Replaced", old.reason, "@System".to_owned()));
                    }
                    let package = if completed { package } else { package.because(EXTERNAL).from("") };
                    self.insert(end, package);
                }
                Change::Remove(name) => {
                    for old in self.packages.extract_if(.., |p| p.name == *name) {
                        recorded.push((old.nevra(), "Remove", old.reason, "@System".to_owned()));
                    }
                }
            }
        }
        self.history.push(FakeTransaction {
            id: self.history.len() as u64 + 1,
            begin: at,
            end: if completed { end } else { 0 },
            uid,
            user: user.to_owned(),
            command: command.to_owned(),
            rpmdb_begin: begin,
            rpmdb_end: if completed { self.rpmdb_digest() } else { String::new() },
            changes: recorded,
        });
    }

    fn take(&mut self, name: &str, arch: &str, install_only: bool) -> Option<FakePackage> {
        if install_only {
            return None;
        }
        let at = self.packages.iter().position(|p| p.name == name && p.arch == arch)?;
        Some(self.packages.remove(at))
    }

    fn insert(&mut self, at: i64, mut package: FakePackage) {
        package.install_time = at;
        package.db_instance = self.next_instance;
        self.next_instance += 1;
        let place = self
            .packages
            .partition_point(|p| (&p.name, &p.version, &p.arch) <= (&package.name, &package.version, &package.arch));
        self.packages.insert(place, package);
    }

    /// dnf's own digest of the set: sha256 over the names in byte order, each followed by its instances, ascending, as
    /// little-endian u32.
    pub fn rpmdb_digest(&self) -> String {
        let mut instances: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for package in &self.packages {
            instances.entry(&package.name).or_default().push(package.db_instance);
        }
        let mut digest = Sha256::new();
        for (name, mut numbers) in instances {
            digest.update(name);
            numbers.sort_unstable();
            for number in numbers {
                digest.update(number.to_le_bytes());
            }
        }
        hex(&digest.finalize())
    }
}

/// Whether `a` is a later version than `b`.
pub(super) fn newer(a: &FakePackage, b: &FakePackage) -> bool {
    let order = countersign_shared::evr::compare_version;
    a.epoch
        .cmp(&b.epoch)
        .then_with(|| order(&a.version, &b.version))
        .then_with(|| order(&a.release, &b.release))
        .is_gt()
}
