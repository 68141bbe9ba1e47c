//! The packages of a full-size machine: real lists where `COUNTERSIGN_DATA` names them, generated ones elsewhere.

use super::names::{EPOCHS, FAMILIES, MULTILIB};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// How many package instances a full-size build runner has.
pub const FULL_SIZE: usize = 1846;
/// The native architecture of every fake machine.
pub const ARCH: &str = "x86_64";
/// Vendor of Fedora's own packages.
pub const VENDOR: &str = "Fedora Project";
/// Id of the key that fake packages of the ordinary repositories are signed with.
pub const KEY: &str = "d0622462e99d6ad1";

/// dnf's install reasons, as dnf5 prints them.
pub const USER: &str = "User";
/// See [`USER`].
pub const DEPENDENCY: &str = "Dependency";
/// See [`USER`].
pub const GROUP: &str = "Group";
/// See [`USER`].
pub const EXTERNAL: &str = "External User";

/// One installed instance of a fake machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakePackage {
    /// `%{name}`.
    pub name: String,
    /// `%{epochnum}`.
    pub epoch: u32,
    /// `%{version}`.
    pub version: String,
    /// `%{release}`.
    pub release: String,
    /// `%{arch}`.
    pub arch: String,
    /// `%{installtime}`, Unix seconds.
    pub install_time: i64,
    /// `%{dbinstance}`.
    pub db_instance: u32,
    /// `%{vendor}`.
    pub vendor: String,
    /// Id of the signing key, lower-case hex.
    pub key: String,
    /// dnf's reason, as dnf5 prints it.
    pub reason: &'static str,
    /// dnf's `from_repo`.
    pub from_repo: String,
}

impl FakePackage {
    /// A package of Fedora's repository `fedora`, not yet installed: times and instance are 0.
    ///
    /// `evr` is `[epoch:]version-release`.
    pub fn new(name: &str, evr: &str, arch: &str) -> Self {
        let (epoch, rest) = evr.split_once(':').unwrap_or(("0", evr));
        let (version, release) = rest.rsplit_once('-').unwrap_or((rest, "1.fc41"));
        Self {
            name: name.to_owned(),
            epoch: epoch.parse().unwrap_or(0),
            version: version.to_owned(),
            release: release.to_owned(),
            arch: arch.to_owned(),
            install_time: 0,
            db_instance: 0,
            vendor: VENDOR.to_owned(),
            key: KEY.to_owned(),
            reason: DEPENDENCY,
            from_repo: "fedora".to_owned(),
        }
    }

    /// The same with another of dnf's reasons.
    pub fn because(mut self, reason: &'static str) -> Self {
        self.reason = reason;
        self
    }

    /// The same from another repository.
    pub fn from(mut self, repo: &str) -> Self {
        repo.clone_into(&mut self.from_repo);
        self
    }

    /// `[epoch:]version-release`, epoch left out when 0.
    pub fn evr(&self) -> String {
        if self.epoch == 0 {
            format!("{}-{}", self.version, self.release)
        } else {
            format!("{}:{}-{}", self.epoch, self.version, self.release)
        }
    }

    /// `name-[epoch:]version-release.arch`, epoch left out when 0.
    pub fn nevra(&self) -> String {
        format!("{}-{}.{}", self.name, self.evr(), self.arch)
    }

    /// `%{sha256header}`: made from the identity, so that two equal builds have equal headers.
    pub fn header_sha256(&self) -> String {
        hex(&Sha256::digest(self.nevra()))
    }

    /// Whether dnf treats it as install-only.
    pub fn install_only(&self) -> bool {
        self.name == "kernel"
            || self.name.starts_with("kernel-core")
            || self.name.starts_with("kernel-modules")
            || self.name == "kernel-devel"
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}

/// Names of the packages that the story of the incident is about.
pub(super) fn names_of_the_story() -> BTreeSet<String> {
    of_the_story().into_iter().map(|p| p.name).collect()
}

/// The packages that the story of the incident is about, as they should be.
fn of_the_story() -> Vec<FakePackage> {
    let mut list = Vec::new();
    for name in ["clang", "clang-libs", "clang-tools-extra", "compiler-rt", "lld", "llvm", "llvm-devel", "llvm-libs"] {
        let reason =
            if matches!(name, "llvm" | "clang" | "clang-tools-extra" | "llvm-devel") { USER } else { DEPENDENCY };
        list.push(FakePackage::new(name, "19.1.0-1.fc41", ARCH).because(reason));
    }
    for release in ["6.11.4-301.fc41", "6.12.7-200.fc41", RUNNING_KERNEL] {
        for name in ["kernel", "kernel-core", "kernel-modules", "kernel-modules-core"] {
            list.push(FakePackage::new(name, release, ARCH).because(GROUP).from("updates"));
        }
    }
    list.push(FakePackage::new("kernel-devel", RUNNING_KERNEL, ARCH).because(USER).from("updates"));
    for (name, evr) in [
        ("htop", "3.3.0-4.fc41"),
        ("strace", "6.12-1.fc41"),
        ("dnf5", "5.2.8.1-1.fc41"),
        ("libdnf5", "5.2.8.1-1.fc41"),
        ("gcc", "14.2.1-7.fc41"),
        ("gcc-c++", "14.2.1-7.fc41"),
        ("rpm", "4.20.0-1.fc41"),
        ("rpm-libs", "4.20.0-1.fc41"),
        ("glibc", "2.40-17.fc41"),
        ("openssl-libs", "1:3.2.2-9.fc41"),
    ] {
        list.push(FakePackage::new(name, evr, ARCH).because(USER));
    }
    list
}

/// Version and release of the kernel that the machines of the story run.
pub const RUNNING_KERNEL: &str = "6.12.10-200.fc41";

/// `count` instances, sorted as `rpm -qa` would never do but people read best: by name. Real names and versions of
/// Fedora 41 when `COUNTERSIGN_DATA` names a folder that has them.
pub fn catalog(count: usize) -> Vec<FakePackage> {
    let mut list = of_the_story();
    let mut seen: BTreeSet<(String, String)> = list.iter().map(|p| (p.name.clone(), p.arch.clone())).collect();
    let rest = match std::env::var_os("COUNTERSIGN_DATA") {
        Some(folder) => real(Path::new(&folder)),
        None => Vec::new(),
    };
    let story: BTreeMap<String, FakePackage> = list.iter().map(|p| (p.name.clone(), p.clone())).collect();
    for mut package in rest.into_iter().chain(generated()) {
        if list.len() >= count {
            break;
        }
        if let Some(native) = story.get(&package.name) {
            // Both builds of one package are of one version.
            package = FakePackage { arch: package.arch, ..native.clone() }.because(DEPENDENCY);
        }
        if seen.insert((package.name.clone(), package.arch.clone())) {
            list.push(package);
        }
    }
    list.sort_by(|a, b| (&a.name, &a.version, &a.arch).cmp(&(&b.name, &b.version, &b.arch)));
    for (instance, package) in (1..).zip(&mut list) {
        package.db_instance = instance;
    }
    list
}

/// A complete Fedora CoreOS 41, filled up with the names of a Workstation.
fn real(folder: &Path) -> Vec<FakePackage> {
    let lists =
        ["packages/2025-01-31_testing-devel_4bbfeda08e0d_x86_64.tsv", "packages/workstation_f39_x86_64_no_epoch.tsv"];
    let mut packages = Vec::new();
    for list in lists {
        let Ok(text) = std::fs::read_to_string(folder.join(list)) else {
            continue;
        };
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [name, epoch, version, release, arch, ..] = fields[..] else {
                continue;
            };
            let epoch = if epoch.is_empty() { "0" } else { epoch };
            let release = release.replace(".fc39", ".fc41");
            packages.push(with_reason(FakePackage::new(name, &format!("{epoch}:{version}-{release}"), arch)));
        }
    }
    packages
}

/// Every name of the families, with versions made from the name.
fn generated() -> Vec<FakePackage> {
    let mut packages = Vec::new();
    for name in MULTILIB.split_whitespace() {
        packages.push(invented(name, "i686"));
    }
    for family in FAMILIES {
        let arch = if family.noarch { "noarch" } else { ARCH };
        for member in family.members.split_whitespace() {
            for suffix in family.suffixes {
                let name = format!("{}{member}{}{suffix}", family.prefix, family.ending);
                packages.push(invented(&name, arch));
            }
        }
    }
    packages
}

/// Subpackages of one source have one version, as in Fedora.
fn invented(name: &str, arch: &str) -> FakePackage {
    let source = name.trim_end_matches("-devel").trim_end_matches("-libs");
    let digest = Sha256::digest(source);
    let version = match digest[0] % 3 {
        0 => format!("{}.{}", digest[1] % 12, digest[2] % 50),
        1 => format!("{}.{}.{}", digest[1] % 12, digest[2] % 40, digest[3] % 20),
        _ => format!("{}.{}.{}", 1 + digest[1] % 4, digest[2] % 100, digest[3] % 10),
    };
    let epoch = EPOCHS.iter().find(|(stem, _)| name.starts_with(stem)).map_or(0, |(_, epoch)| *epoch);
    let release = 1 + digest[4] % 9;
    with_reason(FakePackage::new(name, &format!("{epoch}:{version}-{release}.fc41"), arch))
}

/// About what a machine looks like that was set up from groups and then used: dependencies mostly, some by a person.
/// Half of all packages have moved to `updates`.
fn with_reason(package: FakePackage) -> FakePackage {
    let digest = Sha256::digest(&package.name);
    let reason = match digest[5] % 16 {
        0..=2 => GROUP,
        3 => USER,
        _ => DEPENDENCY,
    };
    let repo = if digest[6].is_multiple_of(2) { "fedora" } else { "updates" };
    package.because(reason).from(repo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_shared::nevra::Nevra;

    #[test]
    fn the_generator_alone_fills_a_machine_and_every_name_is_one_that_rpm_allows() {
        let names: BTreeSet<_> = generated().iter().map(FakePackage::nevra).collect();
        assert!(names.len() >= 2000, "{} names", names.len());
        for name in &names {
            Nevra::parse(name).unwrap();
        }
    }

    #[test]
    fn a_catalog_has_exactly_the_size_asked_for_and_is_the_same_each_time() {
        for count in [200, FULL_SIZE, 2000] {
            assert_eq!(catalog(count).len(), count);
        }
        assert_eq!(catalog(FULL_SIZE), catalog(FULL_SIZE));
    }
}
