//! OpenSSH's signature format, see PROTOCOL.sshsig: parsed strictly, verified over a message and a namespace.

use ssh_key::public::KeyData;
use ssh_key::{Algorithm, Certificate, HashAlg, LineEnding, Mpint, PublicKey, Signature, SshSig};

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";
/// Characters of base64 in a line.
const LINE: usize = 70;
/// Bits of the smallest RSA key that counts.
const RSA_BITS: usize = 3072;
/// User presence, PROTOCOL.u2f.
const TOUCHED: u8 = 0x01;
/// Characters of the longest signature that is read; RSA of 16384 bits in a certificate of the same has about 12,000.
const LONGEST: usize = 32 << 10;
/// Flags and counter after the signature of a security key.
const SECURITY_KEY_TRAILER: usize = 5;

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not an SSH signature at all, such as one by OpenPGP.
    #[error("it is not an SSH signature")]
    NotSsh,
    /// Not of the form of PROTOCOL.sshsig.
    #[error("the signature is malformed")]
    Malformed,
    /// A version, hash or key type that is not accepted.
    #[error("the signature uses {0}, which is not accepted")]
    Unsupported(String),
    /// The key is too small.
    #[error("the RSA key has fewer than {RSA_BITS} bits")]
    SmallRsa,
    /// Made for another purpose.
    #[error("the signature is for the namespace {0:?}")]
    Namespace(String),
    /// The signature is not over this message by this key.
    #[error("the signature does not fit what it should be over")]
    Wrong,
}

/// A parsed signature, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSignature(SshSig);

/// Who made a signature that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The key that signed; with a certificate, the key inside.
    pub key: KeyData,
    /// The certificate, if the signature came with one. Nothing about it has been judged.
    pub certificate: Option<Certificate>,
    /// Whether a security key says that it was touched; `None` for keys in software.
    pub touched: Option<bool>,
}

impl SshSignature {
    /// Reads the armoured form: nothing before, nothing after.
    pub fn parse(armoured: &str) -> Result<Self, SignatureError> {
        if armoured.len() > LONGEST {
            return Err(SignatureError::Malformed);
        }
        let body = armoured.strip_prefix(BEGIN).ok_or(SignatureError::NotSsh)?;
        let body = body.strip_suffix(END).ok_or(SignatureError::Malformed)?;
        // Programs break the lines differently; ssh-key reads them as ssh-keygen writes them.
        let mut canonical = BEGIN.to_owned();
        for (index, c) in body.chars().filter(|c| *c != '\n').enumerate() {
            if index > 0 && index % LINE == 0 {
                canonical.push('\n');
            }
            canonical.push(c);
        }
        canonical.push('\n');
        canonical.push_str(END);
        let parsed = SshSig::from_pem(&canonical).map_err(|_| SignatureError::Malformed)?;
        if !parsed.reserved().is_empty() {
            return Err(SignatureError::Malformed);
        }
        if parsed.version() != SshSig::VERSION {
            return Err(SignatureError::Unsupported(format!("version {}", parsed.version())));
        }
        Ok(Self(parsed))
    }

    /// As ssh-keygen writes it: one signature has one spelling.
    pub fn armoured(&self) -> String {
        let mut text = self.0.to_pem(LineEnding::LF).unwrap_or_default();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }

    /// Whether a security key says that it was touched; `None` for keys in software. A claim until it is verified.
    pub fn touched(&self) -> Option<bool> {
        touched(self.0.signature())
    }

    /// Verifies it over `message` and answers with who made it. Whether they may is asked of the allowed signers.
    pub fn verify(&self, namespace: &str, message: &[u8]) -> Result<Signer, SignatureError> {
        if self.0.namespace() != namespace {
            return Err(SignatureError::Namespace(self.0.namespace().chars().take(40).collect()));
        }
        let (key, certificate) = match self.0.public_key() {
            KeyData::Certificate(certificate) => (certificate.public_key(), Some(Certificate::clone(certificate))),
            key => (key, None),
        };
        check_key(key)?;
        check_algorithm(key, self.0.signature())?;
        // With a certificate, it is the key inside that signed.
        let plain = SshSig::new(key.clone(), namespace, self.0.hash_alg(), self.0.signature().clone());
        let plain = plain.map_err(|_| SignatureError::Wrong)?;
        PublicKey::from(key.clone()).verify(namespace, message, &plain).map_err(|_| SignatureError::Wrong)?;
        Ok(Signer { key: key.clone(), certificate, touched: touched(self.0.signature()) })
    }
}

/// ed25519, ecdsa, RSA of enough bits, and their security keys.
pub(super) fn check_key(key: &KeyData) -> Result<(), SignatureError> {
    match key {
        KeyData::Rsa(rsa) if bits(rsa.n()) < RSA_BITS => Err(SignatureError::SmallRsa),
        KeyData::Rsa(_)
        | KeyData::Ed25519(_)
        | KeyData::Ecdsa(_)
        | KeyData::SkEd25519(_)
        | KeyData::SkEcdsaSha2NistP256(_) => Ok(()),
        other => Err(SignatureError::Unsupported(other.algorithm().as_str().to_owned())),
    }
}

fn bits(number: &Mpint) -> usize {
    let bytes = number.as_positive_bytes().unwrap_or_default();
    let leading = bytes.first().map_or(0, |b| b.leading_zeros() as usize);
    bytes.len() * 8 - leading
}

/// RSA with SHA-1 is what `ssh-rsa` means, and is not accepted (sshsig.c: rsa-sha2-256 and rsa-sha2-512 only).
pub(super) fn check_algorithm(key: &KeyData, signature: &Signature) -> Result<(), SignatureError> {
    let fits = match (key, signature.algorithm()) {
        (KeyData::Rsa(_), Algorithm::Rsa { hash }) => matches!(hash, Some(HashAlg::Sha256 | HashAlg::Sha512)),
        (key, algorithm) => key.algorithm() == algorithm,
    };
    if fits { Ok(()) } else { Err(SignatureError::Unsupported(signature.algorithm().as_str().to_owned())) }
}

fn touched(signature: &Signature) -> Option<bool> {
    match signature.algorithm() {
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => {
            let bytes = signature.as_bytes();
            let flags = bytes.len().checked_sub(SECURITY_KEY_TRAILER).map(|at| bytes[at]);
            Some(flags.is_some_and(|flags| flags & TOUCHED != 0))
        }
        _ => None,
    }
}
