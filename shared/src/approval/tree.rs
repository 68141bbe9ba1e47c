//! Git objects by their bytes: a tree parsed strictly, and ids with SHA-1 collisions detected.
//!
//! Stricter than git, because what git tolerates another reader may see differently: only the modes that git writes
//! today, names in git's order, no name twice, none that a file system or git itself would read otherwise.

use sha1_checked::Sha1;
use std::cmp::Ordering;
use std::fmt::Write as _;

/// Bytes of a SHA-1.
const ID: usize = 20;
/// Larger trees are refused; 10,000 runners need less than 1 MiB.
const LONGEST: usize = 8 << 20;

/// A kind of git object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The bytes of a file.
    Blob,
    /// A directory.
    Tree,
    /// A commit.
    Commit,
}

impl Kind {
    /// As in the header of an object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Blob => "blob",
            Kind::Tree => "tree",
            Kind::Commit => "commit",
        }
    }
}

/// What an entry of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `100644`
    File,
    /// `100755`
    Executable,
    /// `120000`
    Symlink,
    /// `160000`
    Submodule,
    /// `40000`
    Directory,
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub mode: Mode,
    /// Its name, without a slash.
    pub name: String,
    /// Id of the object, 40 hex digits.
    pub id: String,
}

/// A parsed tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawTree {
    /// In git's order.
    pub entries: Vec<Entry>,
}

/// Why a tree is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// Too large.
    #[error("it has more than {LONGEST} bytes")]
    TooLong,
    /// It ends within an entry.
    #[error("it ends within an entry")]
    Short,
    /// A mode that git does not write.
    #[error("an entry has a mode that git does not write")]
    Mode,
    /// A name that cannot be one.
    #[error("an entry has a name that is not accepted")]
    Name,
    /// Not sorted as git sorts, or a name twice.
    #[error("its entries are not in order, or a name is there twice")]
    Order,
}

/// Two contents were made to have this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its SHA-1 is that of a collision")]
pub struct Collision;

/// The id that git gives to an object, 40 hex digits.
pub fn object_id(kind: Kind, bytes: &[u8]) -> Result<String, Collision> {
    let mut object = format!("{} {}\0", kind.as_str(), bytes.len()).into_bytes();
    object.extend_from_slice(bytes);
    let result = Sha1::try_digest(&object);
    if result.has_collision() {
        return Err(Collision);
    }
    Ok(hex(result.hash().as_slice()))
}

impl RawTree {
    /// Reads the bytes of a tree object.
    pub fn parse(raw: &[u8]) -> Result<Self, TreeError> {
        if raw.len() > LONGEST {
            return Err(TreeError::TooLong);
        }
        let mut entries: Vec<Entry> = Vec::new();
        let mut rest = raw;
        while !rest.is_empty() {
            let (mode, after) = split(rest, b' ')?;
            let (name, after) = split(after, 0)?;
            let (id, after) = after.split_at_checked(ID).ok_or(TreeError::Short)?;
            let entry = Entry { mode: read_mode(mode)?, name: read_name(name)?, id: hex(id) };
            if entries.last().is_some_and(|last| !comes_before(last, &entry)) {
                return Err(TreeError::Order);
            }
            entries.push(entry);
            rest = after;
        }
        // A file `a` and a directory `a` are apart in git's order when `a.b` lies between them.
        let mut names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        names.sort_unstable();
        if names.is_sorted_by(|a, b| a < b) { Ok(Self { entries }) } else { Err(TreeError::Order) }
    }

    /// The entry of this name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

fn split(bytes: &[u8], at: u8) -> Result<(&[u8], &[u8]), TreeError> {
    let end = bytes.iter().position(|b| *b == at).ok_or(TreeError::Short)?;
    Ok((&bytes[..end], &bytes[end + 1..]))
}

fn read_mode(text: &[u8]) -> Result<Mode, TreeError> {
    Ok(match text {
        b"100644" => Mode::File,
        b"100755" => Mode::Executable,
        b"120000" => Mode::Symlink,
        b"160000" => Mode::Submodule,
        b"40000" => Mode::Directory,
        _ => return Err(TreeError::Mode),
    })
}

fn read_name(bytes: &[u8]) -> Result<String, TreeError> {
    let name = std::str::from_utf8(bytes).map_err(|_| TreeError::Name)?;
    let reserved = matches!(name, "" | "." | "..") || name.eq_ignore_ascii_case(".git");
    if reserved || name.contains('/') { Err(TreeError::Name) } else { Ok(name.to_owned()) }
}

/// Git compares as if the name of a directory ended in a slash.
fn comes_before(a: &Entry, b: &Entry) -> bool {
    let key = |entry: &Entry| {
        let slash = if entry.mode == Mode::Directory { "/" } else { "" };
        format!("{}{slash}", entry.name).into_bytes()
    };
    key(a).cmp(&key(b)) == Ordering::Less
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
