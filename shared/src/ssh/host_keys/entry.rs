//! One host key that people vouched for, or took back: a line of a known_hosts file, or a pinned key of the fleet.

use russh::keys::ssh_key::PublicKey;
use russh::keys::ssh_key::public::KeyData;

use super::pattern::HostPattern;

/// What a line says about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// The host has this key.
    Key,
    /// `@cert-authority`: this key signs host certificates.
    Authority,
    /// `@revoked`: neither this key nor a certificate of or by it is ever accepted.
    Revoked,
}

/// A key with what it stands for.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) marker: Marker,
    pub(super) key: KeyData,
}

/// Why a line or a pinned key was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// `@something` that is neither `@cert-authority` nor `@revoked`, or more than one marker.
    #[error("the marker is neither @cert-authority nor @revoked")]
    Marker,
    /// A host field that is no pattern list and no `|1|salt|hash`.
    #[error("the host names cannot be read")]
    Hosts,
    /// The line ends before its key.
    #[error("there is no key")]
    NoKey,
    /// Not a key type and its base64 text, or the two do not fit together.
    #[error("the key cannot be read")]
    Key,
}

/// Reads one line of a known_hosts file; `None` for blank lines and comments.
pub(super) fn parse_line(line: &[u8]) -> Option<Result<(HostPattern, Entry), EntryError>> {
    let line = skip_blanks(line);
    match line.first() {
        None | Some(b'#' | b'\r') => None,
        Some(_) => Some(parse_entry_line(line)),
    }
}

fn parse_entry_line(line: &[u8]) -> Result<(HostPattern, Entry), EntryError> {
    let (marker, rest) = split_marker(line)?;
    let (hosts, rest) = split_field(rest);
    let rest = skip_blanks(rest);
    if rest.is_empty() || rest.starts_with(b"#") {
        return Err(EntryError::NoKey);
    }
    let pattern = HostPattern::parse(hosts).ok_or(EntryError::Hosts)?;
    let key = parse_key(rest)?;
    Ok((pattern, Entry { marker, key }))
}

/// Reads a pinned key: optional marker, key type, base64, comment.
pub(super) fn parse_pinned(text: &str) -> Result<Entry, EntryError> {
    let (marker, rest) = split_marker(skip_blanks(text.as_bytes()))?;
    if rest.is_empty() {
        return Err(EntryError::NoKey);
    }
    let key = parse_key(rest)?;
    Ok(Entry { marker, key })
}

fn split_marker(line: &[u8]) -> Result<(Marker, &[u8]), EntryError> {
    if line.first() != Some(&b'@') {
        return Ok((Marker::Key, line));
    }
    let (word, rest) = split_field(line);
    let marker = match word {
        b"@revoked" => Marker::Revoked,
        // OpenSSH ends a marker at the first space of the line, and at a tab only where there is no space: with
        // `@cert-authority<TAB>hosts key` it ignores the line. To trust more than it does would be wrong; to revoke
        // more is not.
        b"@cert-authority" if rest.first() == Some(&b'\t') && line.contains(&b' ') => {
            return Err(EntryError::Marker);
        }
        b"@cert-authority" => Marker::Authority,
        _ => return Err(EntryError::Marker),
    };
    let rest = skip_blanks(rest);
    if rest.first() == Some(&b'@') {
        return Err(EntryError::Marker);
    }
    Ok((marker, rest))
}

/// `type base64 [comment]`; the type outside must be the one inside.
fn parse_key(text: &[u8]) -> Result<KeyData, EntryError> {
    let (kind, rest) = split_field(text);
    let (blob, _comment) = split_field(skip_blanks(rest));
    let blob = blob.strip_suffix(b"\r").unwrap_or(blob);
    let kind = std::str::from_utf8(kind).map_err(|_| EntryError::Key)?;
    let blob = std::str::from_utf8(blob).map_err(|_| EntryError::Key)?;
    let key = PublicKey::from_openssh(&format!("{kind} {blob}")).map_err(|_| EntryError::Key)?;
    match key.key_data() {
        // A certificate names a key; it is none that a host could be pinned to.
        KeyData::Certificate(_) => Err(EntryError::Key),
        data => Ok(data.clone()),
    }
}

fn split_field(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| is_blank(*b)).unwrap_or(text.len());
    text.split_at(end)
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|b| !is_blank(*b)).unwrap_or(text.len());
    &text[start..]
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
