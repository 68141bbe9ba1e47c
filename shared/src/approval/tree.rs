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
    sha1(&object)
}

fn sha1(bytes: &[u8]) -> Result<String, Collision> {
    let result = Sha1::try_digest(bytes);
    if result.has_collision() { Err(Collision) } else { Ok(hex(result.hash().as_slice())) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EMPTY: [u8; ID] = [7; ID];

    fn raw(entries: &[(&str, &str)]) -> Vec<u8> {
        entries
            .iter()
            .flat_map(|(mode, name)| [mode.as_bytes(), b" ", name.as_bytes(), &[0], &EMPTY].concat())
            .collect()
    }

    #[test]
    fn ids_are_those_of_git() {
        assert_eq!(object_id(Kind::Tree, b"").unwrap(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        assert_eq!(object_id(Kind::Blob, b"").unwrap(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(object_id(Kind::Blob, b"hello\n").unwrap(), "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    /// The first 320 bytes of the two files of https://shattered.io, which have one SHA-1.
    #[test]
    fn the_published_collision_is_detected_on_both_sides() {
        let bytes = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
        };
        let same = bytes(SAME);
        for blocks in [ONE, OTHER] {
            let file = [same.clone(), bytes(blocks)].concat();
            assert_eq!(file.len(), 320);
            assert_eq!(sha1(&file), Err(Collision));
            assert_eq!(sha1(&[&file[..], b"and whatever follows"].concat()), Err(Collision));
            // One bit less, and it is a text like others.
            let mut harmless = file;
            harmless[200] ^= 1;
            assert!(sha1(&harmless).is_ok());
        }
    }

    const SAME: &str = "\
         255044462d312e330a25e2e3cfd30a0a0a312030206f626a0a3c3c2f57696474682032203020522f4865696768742033\
         203020522f547970652034203020522f537562747970652035203020522f46696c7465722036203020522f436f6c6f72\
         53706163652037203020522f4c656e6774682038203020522f42697473506572436f6d706f6e656e7420383e3e0a7374\
         7265616d0affd8fffe00245348412d3120697320646561642121212121852fec092339759c39b1a1c63c4c97e1fffe01";
    const ONE: &str = "\
         7346dc9166b67e118f029ab621b2560ff9ca67cca8c7f85ba84c79030c2b3de218f86db3a90901d5df45c14f26fedfb3\
         dc38e96ac22fe7bd728f0e45bce046d23c570feb141398bb552ef5a0a82be331fea48037b8b5d71f0e332edf93ac3500\
         eb4ddc0decc1a864790c782c76215660dd309791d06bd0af3f98cda4bc4629b1";
    const OTHER: &str = "\
         7f46dc93a6b67e013b029aaa1db2560b45ca67d688c7f84b8c4c791fe02b3df614f86db1690901c56b45c1530afedfb7\
         6038e972722fe7ad728f0e4904e046c230570fe9d41398abe12ef5bc942be33542a4802d98b5d70f2a332ec37fac3514\
         e74ddc0f2cc1a874cd0c78305a21566461309789606bd0bf3f98cda8044629a1";

    #[test]
    fn a_tree_is_read_as_git_writes_it() {
        let bytes = raw(&[
            ("100644", "a-"),
            ("40000", "a"),
            ("100755", "a0"),
            ("120000", "b"),
            ("160000", "c"),
            ("100644", "\u{e9}"),
        ]);
        let tree = RawTree::parse(&bytes).unwrap();
        assert_eq!(tree.get("a").unwrap().mode, Mode::Directory);
        assert_eq!(
            tree.get("a0").unwrap(),
            &Entry { mode: Mode::Executable, name: "a0".to_owned(), id: "07".repeat(20) }
        );
        assert_eq!(tree.get("none"), None);
        assert_eq!(RawTree::parse(b"").unwrap(), RawTree::default());
    }

    #[test]
    fn whatever_two_readers_could_read_differently_is_refused() {
        let cut = |bytes: Vec<u8>, n: usize| bytes[..bytes.len() - n].to_vec();
        let file = |name| raw(&[("100644", name)]);
        for (bytes, expected) in [
            (raw(&[("040000", "a")]), TreeError::Mode),
            (raw(&[("100664", "a")]), TreeError::Mode),
            (raw(&[("100600", "a")]), TreeError::Mode),
            (raw(&[("0100644", "a")]), TreeError::Mode),
            (raw(&[("", "a")]), TreeError::Mode),
            (file(""), TreeError::Name),
            (file("."), TreeError::Name),
            (file(".."), TreeError::Name),
            (file(".git"), TreeError::Name),
            (file(".GIT"), TreeError::Name),
            (file("a/b"), TreeError::Name),
            (raw(&[("100644", "b"), ("100644", "a")]), TreeError::Order),
            (raw(&[("100644", "a"), ("100644", "a")]), TreeError::Order),
            (raw(&[("40000", "a"), ("100644", "a.b")]), TreeError::Order),
            (raw(&[("100644", "a"), ("100644", "a.b"), ("40000", "a")]), TreeError::Order),
            (cut(file("a"), 1), TreeError::Short),
            (cut(file("a"), ID), TreeError::Short),
            (cut(file("a"), ID + 1), TreeError::Short),
            (b"100644".to_vec(), TreeError::Short),
            (vec![b'x'; LONGEST + 1], TreeError::TooLong),
        ] {
            assert_eq!(RawTree::parse(&bytes), Err(expected), "{:?}", String::from_utf8_lossy(&bytes));
        }
        let not_utf8 = [&b"100644 \xff"[..], &[0], &EMPTY].concat();
        assert_eq!(RawTree::parse(&not_utf8), Err(TreeError::Name));
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_is_written(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(tree) = RawTree::parse(&bytes) {
                prop_assert_eq!(write(&tree), bytes);
            }
        }

        #[test]
        fn names_in_any_order_are_read_in_one_only(names in proptest::collection::btree_set("[a-c.]{1,3}", 1..5)) {
            let mut entries: Vec<Entry> = names
                .into_iter()
                .filter(|name| !matches!(name.as_str(), "." | ".."))
                .map(|name| Entry { mode: Mode::File, name, id: "07".repeat(20) })
                .collect();
            let in_order = RawTree::parse(&write(&RawTree { entries: entries.clone() }));
            prop_assert!(in_order.is_ok());
            entries.reverse();
            let reversed = RawTree::parse(&write(&RawTree { entries: entries.clone() }));
            prop_assert_eq!(reversed.is_ok(), entries.len() < 2);
        }
    }

    fn write(tree: &RawTree) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in &tree.entries {
            let mode = match entry.mode {
                Mode::File => "100644",
                Mode::Executable => "100755",
                Mode::Symlink => "120000",
                Mode::Submodule => "160000",
                Mode::Directory => "40000",
            };
            bytes.extend_from_slice(format!("{mode} {}\0", entry.name).as_bytes());
            bytes.extend((0..40).step_by(2).map(|i| u8::from_str_radix(&entry.id[i..i + 2], 16).unwrap()));
        }
        bytes
    }
}
