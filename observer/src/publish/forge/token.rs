//! The forge's token: read from a file or from the service manager's credentials, sent in one header, never shown.

use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Longest token, in bytes.
const LONGEST: u64 = 4096;

/// A secret. Neither `Debug` nor an error shows it.
#[derive(Clone)]
pub struct Token(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("the token file {} cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others on this machine can read it.
    #[error("the token file {} can be read by others (mode {mode:04o})", path.display())]
    Permissions {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not one line of printable characters.
    #[error("the token file {} does not hold one line of printable ASCII", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
    },
}

impl TokenError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            TokenError::Read { .. } => "check token_file in [forge], or LoadCredential= in the unit",
            TokenError::Permissions { .. } => "chmod 600 it, and have the forge make a new token",
            TokenError::Form { .. } => "put the token there as the forge showed it, and nothing else",
        }
    }
}

impl Token {
    /// Reads `file`; a credential of the same name in `credentials` ($CREDENTIALS_DIRECTORY, systemd.exec(5)) wins.
    pub fn load(file: &Path, credentials: Option<&Path>) -> Result<Self, TokenError> {
        let credential = credentials.zip(file.file_name()).map(|(directory, name)| directory.join(name));
        match credential.filter(|path| path.exists()) {
            Some(path) => Self::read(&path),
            None => Self::read(file),
        }
    }

    fn read(path: &Path) -> Result<Self, TokenError> {
        let failed = |source| TokenError::Read { path: path.to_owned(), source };
        // The text and the mode come from one open file, so that both are about the same one.
        let file = std::fs::File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let mode = metadata.permissions().mode() & 0o7777;
        let open_to_others = if metadata.uid() == rustix::process::geteuid().as_raw() { 0o077 } else { 0o007 };
        if mode & open_to_others != 0 {
            return Err(TokenError::Permissions { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        file.take(LONGEST + 1).read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text).ok_or_else(|| TokenError::Form { path: path.to_owned() })
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end_matches(['\n', '\r']);
        let fits = (8..=LONGEST as usize).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// The value of the header that carries it.
    pub(super) fn header(&self, scheme: &str) -> Option<reqwest::header::HeaderValue> {
        let mut value = reqwest::header::HeaderValue::from_str(&format!("{scheme} {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// A text from outside without the token, should it be in there.
    pub(super) fn redact(&self, text: &str) -> String {
        text.replace(&self.0, "***")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn put(directory: &Path, text: &str, mode: u32) -> PathBuf {
        let path = directory.join("forge_token");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_token_comes_from_a_closed_file_or_from_the_credentials() {
        let (plain, credentials) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = put(plain.path(), "aaaaaaaaaaaa\n", 0o600);
        let read = |credentials| Token::load(&file, credentials).unwrap().redact("aaaaaaaaaaaa bbbbbbbbbbbb");
        assert_eq!(read(None), "*** bbbbbbbbbbbb");
        assert_eq!(read(Some(credentials.path())), "*** bbbbbbbbbbbb");
        put(credentials.path(), "bbbbbbbbbbbb", 0o400);
        assert_eq!(read(Some(credentials.path())), "aaaaaaaaaaaa ***");
        assert!(!format!("{:?}", Token::load(&file, None).unwrap()).contains('a'));
        assert!(!format!("{:?}", Token::load(&file, None).unwrap().header("token").unwrap()).contains("aaa"));
    }

    #[test]
    fn what_is_no_token_or_no_secret_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Token::load(&directory.path().join("none"), None), Err(TokenError::Read { .. })));
        for mode in [0o644, 0o640, 0o604] {
            let file = put(directory.path(), "aaaaaaaaaaaa", mode);
            assert!(matches!(Token::load(&file, None), Err(TokenError::Permissions { .. })), "{mode:o}");
        }
        for text in ["", "\n", "short", "two\nlines here", "with a space", "with\u{e9}accent", &"x".repeat(5000)] {
            let file = put(directory.path(), text, 0o600);
            assert!(matches!(Token::load(&file, None), Err(TokenError::Form { .. })), "{text:?}");
        }
    }
}
