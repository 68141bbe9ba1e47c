//! known_hosts files, read once and asked for every host.

use std::collections::HashMap;

use russh::keys::ssh_key::PublicKey;

use super::entry::{Entry, EntryError, Marker, parse_line};
use super::pattern::HostPattern;

/// The content of one or more known_hosts files.
///
/// Names without wildcards are found through an index. A hashed name costs one HMAC-SHA1 per line and host (about
/// 0.5 us), so a file with thousands of hashed lines is slow for thousands of hosts.
#[derive(Debug, Default)]
pub struct KnownHosts {
    entries: Vec<Entry>,
    /// Lines that consist of plain names only.
    by_name: HashMap<Box<[u8]>, Vec<u32>>,
    /// Lines that every name must be compared with.
    patterns: Vec<(HostPattern, u32)>,
    ignored: Vec<IgnoredLine>,
}

/// A line that was not understood and so has no effect, as in OpenSSH. A revocation among them would be missed: show
/// these to whoever wrote the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IgnoredLine {
    /// Counted from 1, through all the files that were added.
    pub line: usize,
    /// What is wrong with it.
    pub reason: EntryError,
}

impl KnownHosts {
    /// Reads the bytes of a known_hosts file (`sshd(8)`, SSH_KNOWN_HOSTS FILE FORMAT).
    pub fn parse(file: &[u8]) -> Self {
        let mut known = Self::default();
        for (index, line) in file.split(|byte| *byte == b'\n').enumerate() {
            match parse_line(line) {
                None => {}
                Some(Ok((hosts, entry))) => known.add(hosts, entry),
                Some(Err(reason)) => known.ignored.push(IgnoredLine { line: index + 1, reason }),
            }
        }
        known
    }

    /// The lines that have no effect because they cannot be read.
    pub fn ignored(&self) -> &[IgnoredLine] {
        &self.ignored
    }

    /// How many keys were read.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key was read.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The lines about a server as pinned keys for fleet.toml, `[marker] TYPE BASE64`, in the order of the file: those
    /// for its name with the port, or else for its name alone. A key that is revoked somewhere is given as such only.
    pub fn pins(&self, host: &str, port: u16) -> Vec<String> {
        let names = super::lookup_names(&host.to_ascii_lowercase(), port);
        let about: Vec<Vec<&Entry>> = names.iter().map(|name| self.about(name).collect()).collect();
        let revoked: Vec<&Entry> = about.iter().flatten().copied().filter(|e| e.marker == Marker::Revoked).collect();
        let is_good =
            |entry: &&Entry| entry.marker != Marker::Revoked && !revoked.iter().any(|revoked| revoked.key == entry.key);
        let good = about.iter().map(|entries| entries.iter().copied().filter(is_good).collect::<Vec<_>>());
        let mut pins: Vec<String> = Vec::new();
        for entry in good.into_iter().find(|entries| !entries.is_empty()).unwrap_or_default().into_iter().chain(revoked)
        {
            let marker = match entry.marker {
                Marker::Key => "",
                Marker::Authority => "@cert-authority ",
                Marker::Revoked => "@revoked ",
            };
            let Ok(key) = PublicKey::from(entry.key.clone()).to_openssh() else { continue };
            let pin = format!("{marker}{key}");
            if !pins.contains(&pin) {
                pins.push(pin);
            }
        }
        pins
    }

    fn add(&mut self, hosts: HostPattern, entry: Entry) {
        let index = u32::try_from(self.entries.len()).expect("NOTE: a file of 2^32 lines does not fit into memory");
        if let Some(names) = hosts.plain_names() {
            for name in names {
                self.by_name.entry(name.into()).or_default().push(index);
            }
        } else {
            self.patterns.push((hosts, index));
        }
        self.entries.push(entry);
    }

    /// Every entry about `name`; see [`HostPattern::matches`] for its form.
    pub(super) fn about(&self, name: &str) -> impl Iterator<Item = &Entry> {
        let indexed = self.by_name.get(name.as_bytes()).into_iter().flatten().copied();
        let compared = self.patterns.iter().filter(move |(pattern, _)| pattern.matches(name)).map(|(_, index)| *index);
        indexed.chain(compared).map(|index| &self.entries[index as usize])
    }
}
