//! Public keys as OpenSSH writes them: `ssh-ed25519 AAAA... comment`. Shape only; nothing here trusts or verifies.

use std::fmt;

/// Algorithms of host keys and people's keys, with the number of fields after the type in the key (RFC 4253, 5656,
/// 8709; PROTOCOL.u2f).
const ALGORITHMS: &[(&str, usize)] = &[
    ("ssh-ed25519", 1),
    ("ecdsa-sha2-nistp256", 2),
    ("ecdsa-sha2-nistp384", 2),
    ("ecdsa-sha2-nistp521", 2),
    ("ssh-rsa", 2),
    ("sk-ssh-ed25519@openssh.com", 2),
    ("sk-ecdsa-sha2-nistp256@openssh.com", 3),
];
/// Bits of the shortest RSA key of a host.
const HOST_RSA_BITS: usize = 2048;
/// Bits of the shortest RSA key of a person or a program.
const SIGNER_RSA_BITS: usize = 3072;
/// Longest text of a key; RSA of 16384 bits has about 2,800 characters.
const MAX_TEXT: usize = 8192;

/// A public key. Equal when algorithm and key are; the comment does not count.
#[derive(Debug, Clone)]
pub struct PublicKey {
    algorithm: &'static str,
    base64: Box<str>,
    comment: Box<str>,
}

/// Why a text is not a public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not two words.
    #[error("a public key is `type base64 comment`")]
    Form,
    /// A private key.
    #[error("this is a private key")]
    Private,
    /// A certificate where a plain key is wanted.
    #[error("`{0}` is a certificate, not a key")]
    Certificate(String),
    /// DSA, or something unknown.
    #[error("`{0}` is not a key type that is taken")]
    Algorithm(String),
    /// The second word is not base64, or not a key.
    #[error("the key is damaged: {0}")]
    Damaged(&'static str),
    /// The key inside is of another type than the first word says.
    #[error("the key says `{0}` inside, not `{1}`")]
    OtherType(String, &'static str),
    /// RSA of the first number of bits where the second is the least.
    #[error("an RSA key of {0} bits is too short")]
    ShortRsa(usize, usize),
}

impl KeyError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            KeyError::Form | KeyError::Damaged(_) | KeyError::OtherType(..) => {
                "copy the whole line of the .pub file, or of `ssh-keyscan`".to_owned()
            }
            KeyError::Private => {
                "take it out of the repository, make a new key, and write the .pub file's line here".to_owned()
            }
            KeyError::Certificate(_) => "write the public key that is certified, or the authority's".to_owned(),
            KeyError::Algorithm(_) => "use ssh-ed25519, ecdsa, rsa or a security key".to_owned(),
            KeyError::ShortRsa(_, least) => {
                format!("use ssh-ed25519, or RSA of at least {least} bits")
            }
        }
    }
}

impl PublicKey {
    /// Reads `type base64 [comment]` of a host; RSA has at least 2048 bits.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        Self::parse_with(text, HOST_RSA_BITS)
    }

    /// Reads `type base64 [comment]` of a person or a program; RSA has at least 3072 bits.
    pub fn parse_signer(text: &str) -> Result<Self, KeyError> {
        Self::parse_with(text, SIGNER_RSA_BITS)
    }

    fn parse_with(text: &str, least: usize) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.contains("PRIVATE KEY") {
            return Err(KeyError::Private);
        }
        if text.len() > MAX_TEXT || text.contains(['\n', '\r']) {
            return Err(KeyError::Form);
        }
        let mut words = text.splitn(3, [' ', '\t']);
        let (Some(name), Some(base64)) = (words.next(), words.next()) else {
            return Err(KeyError::Form);
        };
        if name.ends_with("-cert-v01@openssh.com") {
            return Err(KeyError::Certificate(name.to_owned()));
        }
        let (algorithm, fields) =
            ALGORITHMS.iter().find(|(known, _)| *known == name).ok_or_else(|| KeyError::Algorithm(name.to_owned()))?;
        let blob = decode_base64(base64).ok_or(KeyError::Damaged("it is not base64"))?;
        let mut rest = blob.as_slice();
        let inside = field(&mut rest).ok_or(KeyError::Damaged("it ends too early"))?;
        if inside != algorithm.as_bytes() {
            let inside = String::from_utf8_lossy(inside).into_owned();
            return Err(KeyError::OtherType(inside, algorithm));
        }
        let mut parts = Vec::with_capacity(*fields);
        for _ in 0..*fields {
            parts.push(field(&mut rest).ok_or(KeyError::Damaged("it ends too early"))?);
        }
        if !rest.is_empty() {
            return Err(KeyError::Damaged("something follows it"));
        }
        match *algorithm {
            "ssh-ed25519" | "sk-ssh-ed25519@openssh.com" if parts[0].len() != 32 => {
                return Err(KeyError::Damaged("it has not 32 bytes"));
            }
            "ssh-rsa" => {
                let bits = bits(parts[1]);
                if bits < least {
                    return Err(KeyError::ShortRsa(bits, least));
                }
            }
            _ => {}
        }
        Ok(Self { algorithm, base64: base64.into(), comment: words.next().unwrap_or_default().trim().into() })
    }

    /// `ssh-ed25519`, `ecdsa-sha2-nistp256`, ...
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// The key in base64, as it was written.
    pub fn base64(&self) -> &str {
        &self.base64
    }

    /// The rest of the line.
    pub fn comment(&self) -> &str {
        &self.comment
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        (self.algorithm, &self.base64) == (other.algorithm, &other.base64)
    }
}
impl Eq for PublicKey {}

impl std::hash::Hash for PublicKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.base64.hash(state);
    }
}

/// `type base64`, without the comment.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.base64)
    }
}

/// What a host key of the fleet stands for, as in a known_hosts file (sshd(8)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// The host has this key.
    Key,
    /// `@cert-authority`: the key signs host certificates.
    Authority,
    /// `@revoked`: the key is never accepted.
    Revoked,
}

/// A host key of the fleet: an optional marker and a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// What it stands for.
    pub marker: Marker,
    /// The key.
    pub key: PublicKey,
}

impl HostKey {
    /// Reads `[@cert-authority|@revoked] type base64 [comment]`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let (marker, rest) = match text.split_once([' ', '\t']) {
            Some(("@cert-authority", rest)) => (Marker::Authority, rest),
            Some(("@revoked", rest)) => (Marker::Revoked, rest),
            _ => (Marker::Key, text),
        };
        Ok(Self { marker, key: PublicKey::parse(rest)? })
    }
}

/// `[marker] type base64`, without the comment.
impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.marker {
            Marker::Key => {}
            Marker::Authority => f.write_str("@cert-authority ")?,
            Marker::Revoked => f.write_str("@revoked ")?,
        }
        self.key.fmt(f)
    }
}

fn field<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    let (value, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(value)
}

fn bits(number: &[u8]) -> usize {
    let significant = number.iter().position(|byte| *byte != 0);
    significant.map_or(0, |start| {
        let rest = &number[start..];
        rest.len() * 8 - rest[0].leading_zeros() as usize
    })
}

/// Strict base64 (RFC 4648 section 4): full padding, no bits left over, so that one key has one text.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || !bytes.len().is_multiple_of(4) {
        return None;
    }
    let padding = bytes.iter().rev().take_while(|b| **b == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    let (mut buffer, mut filled) = (0u32, 0u32);
    for byte in &bytes[..bytes.len() - padding] {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        buffer = (buffer << 6 | u32::from(value)) & 0xff_ffff;
        filled += 6;
        if filled >= 8 {
            filled -= 8;
            out.push((buffer >> filled & 0xff) as u8);
        }
    }
    (buffer & ((1 << filled) - 1) == 0).then_some(out)
}
