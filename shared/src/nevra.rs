//! The identity of a package build: name, epoch, version, release, architecture.

use crate::evr::{Evr, ParseError, split_epoch};
use std::cmp::Ordering;
use std::fmt;

/// Architectures that rpm knows and Fedora-family systems use, `noarch` and `src` included; nothing else counts
/// as the arch in `name.arch`.
pub const KNOWN_ARCHES: &[&str] = &[
    "aarch64",
    "armv6hl",
    "armv7hl",
    "armv7hnl",
    "athlon",
    "i386",
    "i486",
    "i586",
    "i686",
    "ia64",
    "loongarch64",
    "mips64el",
    "mipsel",
    "noarch",
    "nosrc",
    "ppc64",
    "ppc64le",
    "riscv64",
    "s390",
    "s390x",
    "src",
    "x86_64",
    "x86_64_v2",
    "x86_64_v3",
    "x86_64_v4",
];

/// Whether `arch` is an architecture that rpm knows.
pub fn is_known_arch(arch: &str) -> bool {
    KNOWN_ARCHES.contains(&arch)
}

/// One package build, borrowed from the text that it was read from.
///
/// Ordered by name in byte order (never by version rules: `gcc-c` and `gcc-c++` are two packages), then by [`Evr`],
/// then by architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nevra<'a> {
    /// `%{name}`.
    pub name: &'a str,
    /// Epoch, version and release.
    pub evr: Evr<'a>,
    /// `%{arch}`.
    pub arch: &'a str,
}

impl<'a> Nevra<'a> {
    /// Checks the parts.
    pub fn new(name: &'a str, evr: Evr<'a>, arch: &'a str) -> Result<Self, ParseError> {
        check_name(name)?;
        check_arch(arch)?;
        Ok(Self { name, evr, arch })
    }

    /// Reads `name-[epoch:]version-release.arch`.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        const FORM: ParseError = ParseError::Form("name-[epoch:]version-release.arch");
        let (rest, arch) = text.rsplit_once('.').ok_or(FORM)?;
        let (rest, release) = rest.rsplit_once('-').ok_or(FORM)?;
        let (name, version) = rest.rsplit_once('-').ok_or(FORM)?;
        let (epoch, version) = split_epoch(version)?;
        Self::new(name, Evr::new(epoch.unwrap_or(0), version, release)?, arch)
    }
}

/// Checks a package name against `^[A-Za-z0-9][A-Za-z0-9._+-]*$` plus `_` in front, as rpm allows.
pub fn check_name(name: &str) -> Result<(), ParseError> {
    let first = name.chars().next().ok_or(ParseError::Empty("the name"))?;
    if !first.is_ascii_alphanumeric() && first != '_' {
        return Err(ParseError::Character("the name", first));
    }
    match name.chars().find(|c| !c.is_ascii_alphanumeric() && !"._+-".contains(*c)) {
        Some(c) => Err(ParseError::Character("the name", c)),
        None => Ok(()),
    }
}

fn check_arch(arch: &str) -> Result<(), ParseError> {
    if arch.is_empty() {
        return Err(ParseError::Empty("the architecture"));
    }
    match arch.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '_') {
        Some(c) => Err(ParseError::Character("the architecture", c)),
        None => Ok(()),
    }
}

impl Ord for Nevra<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(other.name).then_with(|| self.evr.cmp(&other.evr)).then_with(|| self.arch.cmp(other.arch))
    }
}

impl PartialOrd for Nevra<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `name-[epoch:]version-release.arch`, epoch left out when 0.
impl fmt::Display for Nevra<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}.{}", self.name, self.evr, self.arch)
    }
}
