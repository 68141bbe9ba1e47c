//! The one question that is put to the probe.

use std::collections::BTreeSet;
use std::fmt;

/// First words of every request and answer, with the version of the format.
pub const MAGIC: &str = "countersign-probe/1";

/// Bytes that the probe accepts.
pub const REQUEST_MAX: usize = 262_144;

/// Names that the probe accepts.
pub const NAMES_MAX: usize = 8192;

/// Why a request cannot be put.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A name that might be taken for an option, a path or a glob.
    #[error("{0:?} cannot be sent to a runner: letters, digits and ._+:~^- only, a letter or digit first")]
    Name(String),
    /// More names than the probe accepts.
    #[error("{0} packages are more than the probe accepts")]
    TooMany(usize),
    /// More bytes than the probe accepts.
    #[error("the request has {0} bytes, the probe accepts {REQUEST_MAX}")]
    TooLong(usize),
    /// Not the 64 hex digits of an earlier answer.
    #[error("{0:?} is not a token of the probe")]
    Token(String),
}

/// Ties an answer to its request: 128 random bits, shown as 32 hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// From fresh random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Self(random.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The 32 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an earlier answer knows itself by; with these a warm answer leaves out what has not moved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Moves with the package set, dnf's reasons, its configuration and the listed names.
    pub packages: Option<String>,
    /// Moves with dnf's history.
    pub history: Option<String>,
}

/// A request, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    nonce: Nonce,
    text: String,
}

impl Request {
    /// Asks for everything; `names` are the packages that the runner's manifest lists, without arch.
    pub fn new<'a>(
        nonce: Nonce,
        names: impl IntoIterator<Item = &'a str>,
        tokens: &Tokens,
    ) -> Result<Self, RequestError> {
        let names: BTreeSet<&str> = names.into_iter().collect();
        if names.len() > NAMES_MAX {
            return Err(RequestError::TooMany(names.len()));
        }
        let mut text = format!("{MAGIC} request\nnonce {nonce}\n");
        for (key, token) in [("packages", &tokens.packages), ("history", &tokens.history)] {
            if let Some(token) = token {
                if !is_token(token) {
                    return Err(RequestError::Token(token.clone()));
                }
                text.push_str(&format!("{key} {token}\n"));
            }
        }
        for name in names {
            if !is_parameter(name) {
                return Err(RequestError::Name(name.to_owned()));
            }
            text.push_str("name ");
            text.push_str(name);
            text.push('\n');
        }
        text.push_str("end\n");
        if text.len() > REQUEST_MAX {
            return Err(RequestError::TooLong(text.len()));
        }
        Ok(Self { nonce, text })
    }

    /// The nonce that the answer must carry.
    pub fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// The bytes for the probe's stdin; the end of input must follow them.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// `^[A-Za-z0-9][A-Za-z0-9._+:~^-]*$`, at most 128 bytes: never an option, a path, a glob or a group.
pub fn is_parameter(text: &str) -> bool {
    text.len() <= 128 && is_plain(text)
}

/// The same of any length.
pub(super) fn is_plain(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+:~^-".contains(&b))
}

/// 64 lower-case hex digits.
pub(super) fn is_token(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce() -> Nonce {
        Nonce::new([0xab; 16])
    }

    #[test]
    fn names_are_sorted_and_sent_once() {
        let request = Request::new(nonce(), ["zlib", "bash", "zlib", "gtk+extra"], &Tokens::default()).unwrap();
        assert_eq!(
            std::str::from_utf8(request.as_bytes()).unwrap(),
            "countersign-probe/1 request\nnonce abababababababababababababababab\nname bash\nname gtk+extra\nname zlib\nend\n"
        );
    }

    #[test]
    fn options_paths_globs_and_line_breaks_are_refused() {
        for name in [
            "",
            "-y",
            "--setopt=x",
            "/etc/passwd",
            "./x.rpm",
            "a/b",
            "@group",
            "a*",
            "a?",
            "[a]",
            "a b",
            "a\nend",
            "a\tb",
            "é",
            "$(id)",
            "a;b",
            "_x",
            "a=b",
            "a%b",
        ] {
            let refused = Request::new(nonce(), [name], &Tokens::default());
            assert_eq!(refused, Err(RequestError::Name(name.to_owned())), "{name:?}");
        }
        let long = "a".repeat(129);
        assert!(Request::new(nonce(), [long.as_str()], &Tokens::default()).is_err());
    }

    #[test]
    fn a_foreign_token_is_refused() {
        for token in ["", "zz", "-", &"A".repeat(64), &"a".repeat(63), &format!("{}\nend", "a".repeat(60))] {
            let tokens = Tokens { packages: Some(token.to_owned()), history: None };
            assert!(Request::new(nonce(), [], &tokens).is_err(), "{token:?}");
        }
        let tokens = Tokens { packages: Some("a".repeat(64)), history: Some("b".repeat(64)) };
        let request = Request::new(nonce(), [], &tokens).unwrap();
        assert!(String::from_utf8_lossy(request.as_bytes()).contains(&format!("\nhistory {}\n", "b".repeat(64))));
    }

    #[test]
    fn sizes_are_bounded() {
        let names: Vec<String> = (0..=NAMES_MAX).map(|n| format!("p{n}")).collect();
        let all = names.iter().map(String::as_str);
        assert_eq!(Request::new(nonce(), all, &Tokens::default()), Err(RequestError::TooMany(NAMES_MAX + 1)));
        let names: Vec<String> = (0..3000).map(|n| format!("{n:0>120}")).collect();
        let long = Request::new(nonce(), names.iter().map(String::as_str), &Tokens::default());
        assert!(matches!(long, Err(RequestError::TooLong(_))));
    }
}
