//! The package rows: one pass, nothing allocated per package.

use super::frame::{Frame, garbage};
use super::places;
use super::{Failure, Package, Packages, Reason};
use crate::evr::Evr;
use crate::nevra::Nevra;
use sha2::{Digest, Sha256};

/// Columns of a row: name, epoch, version, release, arch, install time, database instance, header digest, signing
/// key, reason, install-only, repository, vendor.
const COLUMNS: usize = 13;

/// Length of the list that one row more than suffices to refuse.
const PACKAGES_MAX: usize = 100_000;

/// Reads the rows of the `packages` section.
pub(super) fn parse<'a>(frame: &Frame<'a>) -> Result<Packages<'a>, Failure> {
    if frame.rows > PACKAGES_MAX {
        return Err(garbage(format!("{} packages", frame.rows)));
    }
    let mut list = Vec::with_capacity(frame.rows);
    let mut instances = Vec::with_capacity(frame.rows);
    for (number, line) in frame.lines() {
        let row = Row::split(line).ok_or_else(|| malformed(number, "not 13 columns"))?;
        if row.get(0) == "gpg-pubkey" {
            instances.push((row.get(0), row.instance().ok_or_else(|| malformed(number, "no instance"))?));
            continue;
        }
        let package = row.package().map_err(|what| malformed(number, what))?;
        instances.push((package.nevra.name, package.db_instance));
        list.push(package);
    }
    if list.is_sorted_by(|a, b| a.nevra.name <= b.nevra.name) {
        // The probe sorts rows as texts: only the few instances of one name may be in another order than rpm's.
        for instances in list.chunk_by_mut(|a, b| a.nevra.name == b.nevra.name) {
            instances.sort_unstable_by(|a, b| a.nevra.cmp(&b.nevra));
        }
    } else {
        list.sort_unstable_by(|a, b| a.nevra.cmp(&b.nevra));
    }
    Ok(Packages { list, rpmdb_digest: rpmdb_digest(instances) })
}

fn malformed(number: usize, what: &str) -> Failure {
    garbage(format!("line {number}: {what}"))
}

/// One row, cut at its tabs.
struct Row<'a> {
    line: &'a str,
    tabs: [usize; COLUMNS - 1],
}

impl<'a> Row<'a> {
    fn split(line: &'a str) -> Option<Self> {
        let mut tabs = [0; COLUMNS - 1];
        let mut found = 0;
        for at in places(b'\t', line.as_bytes()) {
            *tabs.get_mut(found)? = at;
            found += 1;
        }
        (found == COLUMNS - 1).then_some(Self { line, tabs })
    }

    fn get(&self, column: usize) -> &'a str {
        let start = if column == 0 { 0 } else { self.tabs[column - 1] + 1 };
        let end = if column == COLUMNS - 1 { self.line.len() } else { self.tabs[column] };
        &self.line[start..end]
    }

    fn instance(&self) -> Option<u32> {
        number(self.get(6))
    }

    fn package(&self) -> Result<Package<'a>, &'static str> {
        let (name, version, release, arch) = (self.get(0), self.get(2), self.get(3), self.get(4));
        let known = holds(name, NAME)
            && !matches!(name.as_bytes()[0], b'.' | b'+' | b'-')
            && holds(version, VERSION)
            && holds(release, VERSION)
            && holds(arch, ARCH);
        if !known {
            return Err("not a package");
        }
        let header_sha256 = self.get(7);
        if !(header_sha256.is_empty() || (header_sha256.len() == 64 && is_hex(header_sha256))) {
            return Err("not a header digest");
        }
        let key = self.get(8);
        if !(key.is_empty() || ((8..=64).contains(&key.len()) && is_hex(key))) {
            return Err("not a key");
        }
        Ok(Package {
            nevra: Nevra {
                name,
                evr: Evr { epoch: number(self.get(1)).ok_or("not an epoch")?, version, release },
                arch,
            },
            install_time: number(self.get(5)).ok_or("not a time")?,
            db_instance: self.instance().ok_or("no instance")?,
            header_sha256,
            vendor: self.get(12),
            key: key_id(key),
            reason: reason(self.get(9)).ok_or("not a reason")?,
            from_repo: self.get(11),
            install_only: match self.get(10) {
                "i" => true,
                "-" => false,
                _ => return Err("not a flag"),
            },
        })
    }
}

/// The 64-bit key id of a key id or fingerprint, by RFC 9580, section 5.5.4: the last 16 digits, and of the 64-digit
/// fingerprint of version 6 the first.
fn key_id(key: &str) -> &str {
    match key.len() {
        64 => &key[..16],
        17.. => &key[key.len() - 16..],
        _ => key,
    }
}

fn reason(letter: &str) -> Option<Reason> {
    Some(match letter {
        "u" => Reason::User,
        "g" => Reason::Group,
        "d" => Reason::Dependency,
        "w" => Reason::WeakDependency,
        "c" => Reason::Clean,
        "e" => Reason::External,
        "-" => Reason::Unknown,
        _ => return None,
    })
}

/// A decimal number without sign.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.starts_with('+') {
        return None;
    }
    text.parse().ok()
}

const NAME: u8 = 1;
const VERSION: u8 = 2;
const ARCH: u8 = 4;

/// Which kinds of text a byte may be part of; the same sets as `check_name` and `check_version`.
static KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        let mut kind = 0;
        if b.is_ascii_alphanumeric() || b == b'_' {
            kind |= NAME | VERSION | ARCH;
        }
        if matches!(b, b'.' | b'+') {
            kind |= NAME | VERSION;
        }
        if b == b'-' {
            kind |= NAME;
        }
        if matches!(b, b'~' | b'^') {
            kind |= VERSION;
        }
        kinds[byte] = kind;
        byte += 1;
    }
    kinds
};

/// Whether a text is not empty and has only bytes of one kind.
fn holds(text: &str, kind: u8) -> bool {
    let all = text.bytes().fold(kind, |all, b| all & KINDS[usize::from(b)]);
    !text.is_empty() && all != 0
}

/// Whether a text has only lower-case hex digits. No branches: these are half of all bytes.
fn is_hex(text: &str) -> bool {
    text.bytes().fold(true, |all, b| all & (b.is_ascii_digit() | (b.wrapping_sub(b'a') < 6)))
}

/// dnf's own digest of the set (`rpmdbCookie` of librpm): sha256 over the names in byte order, each followed by its
/// sorted database instances as little-endian 32-bit numbers.
fn rpmdb_digest(mut instances: Vec<(&str, u32)>) -> String {
    if !instances.is_sorted() {
        instances.sort_unstable();
    }
    let mut bytes = Vec::with_capacity(instances.len() * 32);
    let mut last = None;
    for (name, instance) in instances {
        if last != Some(name) {
            bytes.extend_from_slice(name.as_bytes());
            last = Some(name);
        }
        bytes.extend_from_slice(&instance.to_le_bytes());
    }
    hex(&Sha256::digest(&bytes))
}

/// The package-set digest of a list sorted by [`Nevra`]: sha256 over the sorted unique lines
/// `name\tepoch\tversion\trelease\tarch\n`, in C order.
pub fn set_digest(packages: &[Package<'_>]) -> String {
    let mut text = String::with_capacity(packages.len() * 48);
    let mut ends = Vec::with_capacity(packages.len());
    for package in packages {
        let Nevra { name, evr, arch } = package.nevra;
        for part in [name, "\t"] {
            text.push_str(part);
        }
        push_number(&mut text, evr.epoch);
        for part in ["\t", evr.version, "\t", evr.release, "\t", arch, "\n"] {
            text.push_str(part);
        }
        ends.push(text.len());
    }
    let mut start = 0;
    let mut lines: Vec<&str> = Vec::with_capacity(ends.len());
    for end in ends {
        lines.push(&text[start..end]);
        start = end;
    }
    // C order of lines is not rpm's order of versions.
    if !lines.is_sorted_by(|a, b| a < b) {
        lines.sort_unstable();
        lines.dedup();
        return hex(&Sha256::digest(lines.concat().as_bytes()));
    }
    hex(&Sha256::digest(text.as_bytes()))
}

fn push_number(text: &mut String, number: u32) {
    if number < 10 {
        text.push(char::from(b'0' + number as u8));
    } else {
        text.push_str(&number.to_string());
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
