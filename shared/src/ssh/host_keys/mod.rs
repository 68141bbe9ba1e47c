//! Host keys, judged as OpenSSH judges them with `StrictHostKeyChecking=yes`: what is marked `@revoked` is refused
//! first, then a certificate of a trusted authority or a known key is accepted, and all else is an error. Pure: bytes
//! in, verdict out.
//!
//! Where OpenSSH's own versions differ, or where its parser has an accident, the stricter way is taken; `judge` and
//! `entry` say where.

mod entry;
mod judge;
mod known_hosts;
mod pattern;

use std::collections::BTreeSet;
use std::sync::Arc;

use russh::keys::ssh_key::{Algorithm, EcdsaCurve, HashAlg};

use entry::{Entry, Marker};

pub use entry::EntryError;
pub use judge::{Accepted, CertificateProblem, HostKeyError, Offered};
pub use known_hosts::{IgnoredLine, KnownHosts};

/// Host key algorithms in the order of preference; `ssh-rsa` (SHA-1) and DSA are never offered.
/// Ed25519 first, which is the cheapest to verify here: a whole connection takes 1.6 ms of CPU with it, and 1.8 ms with
/// ECDSA or RSA (`benches/ssh.rs`).
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// Everything that is known about the host keys of one server. Cheap to share: give all targets with the same sources
/// the same `Arc`.
#[derive(Debug, Default)]
pub struct HostKeys {
    pinned: Vec<Entry>,
    known_hosts: Option<Arc<KnownHosts>>,
}

/// What to ask of a server so that it presents a key that can be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Plain host key algorithms: those with a known key first, then the others, so that a changed key type can be
    /// named in the error.
    pub keys: Vec<Algorithm>,
    /// Certificate algorithms; empty where no line about this host is about an authority.
    pub certificates: Vec<Algorithm>,
}

/// A pinned key that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("host key number {number} cannot be used")]
pub struct PinnedKeyError {
    /// Counted from 1.
    pub number: usize,
    /// What is wrong with it.
    #[source]
    pub reason: EntryError,
}

impl HostKeys {
    /// `pinned`: the server's keys as in fleet.toml, each `TYPE BASE64 [COMMENT]` with an optional marker in front.
    /// Where one of them is not marked `@revoked`, known_hosts is asked for revocations only: a pin must not be
    /// widened by an old file.
    pub fn new<'a>(
        pinned: impl IntoIterator<Item = &'a str>,
        known_hosts: Option<Arc<KnownHosts>>,
    ) -> Result<Self, PinnedKeyError> {
        let pinned = pinned
            .into_iter()
            .enumerate()
            .map(|(index, text)| {
                entry::parse_pinned(text).map_err(|reason| PinnedKeyError { number: index + 1, reason })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { pinned, known_hosts })
    }

    /// Judges what the server at `host` and `port` offered. `now` in seconds since 1970, for certificates.
    pub fn judge(&self, host: &str, port: u16, offered: Offered<'_>, now: u64) -> Result<Accepted, HostKeyError> {
        let host = host.to_ascii_lowercase();
        let names = lookup_names(&host, port);
        let shown = names[0].as_str();
        judge::refuse_revoked(self.pinned.iter(), offered, shown)?;
        let mut about: Vec<Vec<&Entry>> = Vec::with_capacity(names.len());
        for name in &names {
            let entries: Vec<&Entry> = match &self.known_hosts {
                Some(known) => known.about(name).collect(),
                None => Vec::new(),
            };
            judge::refuse_revoked(entries.iter().copied(), offered, shown)?;
            about.push(entries);
        }
        if self.is_pinned() {
            about = vec![self.pinned.iter().collect()];
        }
        // As OpenSSH does: a line for the name without its port counts where none is for the name with it.
        let mut verdict = judge::judge(&about[0], offered, &host, shown, now);
        for entries in &about[1..] {
            if !matches!(verdict, Err(HostKeyError::Unknown { .. } | HostKeyError::UnknownAuthority { .. })) {
                break;
            }
            let without_port = judge::judge(entries, offered, &host, shown, now);
            if !matches!(without_port, Err(HostKeyError::Unknown { .. })) {
                verdict = without_port;
            }
        }
        verdict
    }

    /// Which algorithms to offer to the server, so that it presents a type that is known.
    pub fn wanted(&self, host: &str, port: u16) -> Wanted {
        let host = host.to_ascii_lowercase();
        let mut known = BTreeSet::new();
        let mut markers = false;
        let mut note = |entry: &Entry| match entry.marker {
            Marker::Key => {
                known.insert(entry.key.algorithm());
            }
            Marker::Authority | Marker::Revoked => markers = true,
        };
        self.pinned.iter().for_each(&mut note);
        if let Some(known_hosts) = &self.known_hosts {
            for name in lookup_names(&host, port) {
                for entry in known_hosts.about(&name) {
                    if entry.marker != Marker::Key || !self.is_pinned() {
                        note(entry);
                    }
                }
            }
        }
        let is_known = |algorithm: &Algorithm| known.contains(&without_hash(algorithm));
        let (first, last): (Vec<_>, Vec<_>) = ALGORITHMS.into_iter().partition(is_known);
        Wanted {
            keys: first.into_iter().chain(last).collect(),
            // Also for a revoked authority: without its certificate nobody would see that it is behind the key.
            certificates: if markers { ALGORITHMS.to_vec() } else { Vec::new() },
        }
    }

    fn is_pinned(&self) -> bool {
        self.pinned.iter().any(|entry| entry.marker != Marker::Revoked)
    }
}

/// The names under which known_hosts may list a server, the most exact first.
fn lookup_names(host: &str, port: u16) -> Vec<String> {
    match port {
        22 => vec![host.to_owned()],
        port => vec![format!("[{host}]:{port}"), host.to_owned()],
    }
}

/// RSA keys have one type and several signature algorithms.
fn without_hash(algorithm: &Algorithm) -> Algorithm {
    match algorithm {
        Algorithm::Rsa { .. } => Algorithm::Rsa { hash: None },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
