//! The judgement of one offered host key or certificate.

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::ssh_key::{Algorithm, Certificate, HashAlg};

use super::entry::{Entry, Marker};
use super::pattern::matches_wildcards;
use crate::ssh::RemoteText;

/// What a server proved to hold the private key of.
#[derive(Debug, Clone, Copy)]
pub enum Offered<'a> {
    /// A bare host key.
    Key(&'a KeyData),
    /// A certificate, and so the key inside it.
    Certificate(&'a Certificate),
}

impl<'a> Offered<'a> {
    /// The key itself, inside or outside a certificate.
    pub fn key(self) -> &'a KeyData {
        match self {
            Self::Key(key) => key,
            Self::Certificate(certificate) => certificate.public_key(),
        }
    }
}

/// Why a host key was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// The key itself is known for this host.
    Key,
    /// An authority that is trusted for this host signed a certificate that is valid for it now.
    Certificate,
}

/// Why a host key was refused. Everything that the server sent is escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostKeyError {
    /// No key is known for this host; this one is never trusted because it came first.
    #[error("no host key is known for {host}; it offered {offered}")]
    Unknown {
        /// The name that was looked up.
        host: String,
        /// Type and SHA256 fingerprint.
        offered: String,
    },
    /// Other keys are known for this host.
    #[error("{host} offered {offered}, but other host keys are known for it: {}", known.join(", "))]
    Changed {
        /// The name that was looked up.
        host: String,
        /// Type and SHA256 fingerprint.
        offered: String,
        /// The same of every known key.
        known: Vec<String>,
    },
    /// The key, or the authority that signed its certificate, is marked `@revoked`.
    #[error("the host key of {host} is revoked: {offered}")]
    Revoked {
        /// The name that was looked up.
        host: String,
        /// Type and SHA256 fingerprint of what is revoked.
        offered: String,
    },
    /// A certificate by an authority that is not trusted for this host, over a key that is not known either.
    #[error("{host} offered a certificate by {authority}, which is no trusted authority for it")]
    UnknownAuthority {
        /// The name that was looked up.
        host: String,
        /// Type and SHA256 fingerprint of the authority's key.
        authority: String,
    },
    /// A trusted authority signed this, but it does not hold for this host now.
    #[error("the host certificate {id:?} of {host} does not hold: {problem}")]
    Certificate {
        /// The name that was looked up.
        host: String,
        /// The certificate's own id.
        id: RemoteText,
        /// What is wrong with it.
        problem: CertificateProblem,
    },
}

/// What is wrong with a certificate of a trusted authority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// It was made for a user.
    #[error("it is not a host certificate")]
    NotForHosts,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// It names no host. OpenSSH before 10.0 took that for "every host"; newer ones refuse it.
    #[error("it names no host")]
    NoPrincipals,
    /// It names other hosts.
    #[error("it is for {0}")]
    OtherPrincipals(RemoteText),
    /// It has critical options; none is defined for hosts.
    #[error("it has critical options that are not known")]
    CriticalOptions,
    /// Signed with `ssh-rsa` (SHA-1) or DSA.
    #[error("it is signed with an outdated algorithm")]
    WeakSignature,
    /// The signature does not fit.
    #[error("its signature is wrong")]
    BadSignature,
}

impl HostKeyError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => {
                "compare the fingerprint on the machine itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), \
                 then add the key to host_keys in fleet.toml or to known_hosts"
            }
            Self::Changed { .. } => {
                "somebody may be in between: find out why the key changed before replacing it in fleet.toml or known_hosts"
            }
            Self::Revoked { .. } => "give the machine a new host key; a revoked one is never accepted",
            Self::UnknownAuthority { .. } => {
                "add the authority's key as \"@cert-authority ...\" to host_keys in fleet.toml or to known_hosts"
            }
            Self::Certificate { .. } => "renew the machine's host certificate",
        }
    }
}

/// Type and fingerprint, as `ssh-keygen -l` prints the latter.
pub(super) fn describe(key: &KeyData) -> String {
    format!("{} {}", RemoteText::new(key.algorithm().as_str()), key.fingerprint(HashAlg::Sha256))
}

/// Judges against the entries about one name, the revoked ones apart. `host` is what certificates must name, without
/// a port; `shown` is the name for messages; `now` in seconds since 1970.
pub(super) fn judge(
    entries: &[&Entry],
    offered: Offered<'_>,
    host: &str,
    shown: &str,
    now: u64,
) -> Result<Accepted, HostKeyError> {
    // A certificate that does not help is dropped, and the key inside judged as if it had come alone.
    let problem = match offered {
        Offered::Key(_) => None,
        Offered::Certificate(certificate) => match judge_certificate(entries, certificate, host, now) {
            Some(Ok(())) => return Ok(Accepted::Certificate),
            Some(Err(problem)) => Some(HostKeyError::Certificate {
                host: shown.to_owned(),
                id: RemoteText::new(certificate.key_id()),
                problem,
            }),
            None => None,
        },
    };
    let key = offered.key();
    let known = || entries.iter().filter(|entry| entry.marker == Marker::Key);
    if known().any(|entry| entry.key == *key) {
        return Ok(Accepted::Key);
    }
    if let Some(problem) = problem {
        return Err(problem);
    }
    if known().next().is_some() {
        return Err(HostKeyError::Changed {
            host: shown.to_owned(),
            offered: describe(key),
            known: known().map(|entry| describe(&entry.key)).collect(),
        });
    }
    let has_authority = entries.iter().any(|entry| entry.marker == Marker::Authority);
    match offered {
        Offered::Certificate(certificate) if has_authority => Err(HostKeyError::UnknownAuthority {
            host: shown.to_owned(),
            authority: describe(certificate.signature_key()),
        }),
        _ => Err(HostKeyError::Unknown { host: shown.to_owned(), offered: describe(key) }),
    }
}

/// Refuses what is marked `@revoked`: the key, or the authority behind its certificate.
pub(super) fn refuse_revoked<'a>(
    revoked: impl Iterator<Item = &'a Entry>,
    offered: Offered<'_>,
    shown: &str,
) -> Result<(), HostKeyError> {
    for entry in revoked.filter(|entry| entry.marker == Marker::Revoked) {
        let by_authority = match offered {
            Offered::Key(_) => false,
            Offered::Certificate(certificate) => *certificate.signature_key() == entry.key,
        };
        if by_authority || entry.key == *offered.key() {
            return Err(HostKeyError::Revoked { host: shown.to_owned(), offered: describe(&entry.key) });
        }
    }
    Ok(())
}

/// `None` where no trusted authority signed it; the checks are those of `sshkey_cert_check_host` in OpenSSH 10.
fn judge_certificate(
    entries: &[&Entry],
    certificate: &Certificate,
    host: &str,
    now: u64,
) -> Option<Result<(), CertificateProblem>> {
    let authority = certificate.signature_key();
    entries.iter().find(|entry| entry.marker == Marker::Authority && entry.key == *authority)?;
    Some(check_certificate(certificate, host, now))
}

fn check_certificate(certificate: &Certificate, host: &str, now: u64) -> Result<(), CertificateProblem> {
    if certificate.cert_type() != CertType::Host {
        return Err(CertificateProblem::NotForHosts);
    }
    if now < certificate.valid_after() {
        return Err(CertificateProblem::NotYetValid);
    }
    if now >= certificate.valid_before() {
        return Err(CertificateProblem::Expired);
    }
    let principals = certificate.valid_principals();
    if principals.is_empty() {
        return Err(CertificateProblem::NoPrincipals);
    }
    if !principals.iter().any(|principal| matches_wildcards(host.as_bytes(), principal.as_bytes())) {
        return Err(CertificateProblem::OtherPrincipals(RemoteText::new(&principals.join(", "))));
    }
    if !certificate.critical_options().is_empty() {
        return Err(CertificateProblem::CriticalOptions);
    }
    if matches!(certificate.signature().algorithm(), Algorithm::Rsa { hash: None } | Algorithm::Dsa) {
        return Err(CertificateProblem::WeakSignature);
    }
    let authority = certificate.signature_key().fingerprint(HashAlg::Sha256);
    certificate.validate_at(now, [&authority]).map_err(|_| CertificateProblem::BadSignature)
}
