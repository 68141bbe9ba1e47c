//! Why nothing was done, in a word for programs and a sentence for people.

use countersign_manifests_schema::warden::WardenAnswer;
use countersign_shared::terminal::visible;
use std::error::Error;
use std::fmt::Write as _;

/// Bytes of a message at most; texts of dnf and rpm are in some.
const LONGEST: usize = 4000;

/// Why a request is refused. `code` is a gate's, or `request`, `warden`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(code: &'static str, message: impl AsRef<str>) -> Self {
        let mut message = visible(message.as_ref()).into_owned();
        if message.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
            message.truncate(end);
            message.push_str("...");
        }
        Self { code, message }
    }

    /// An error with all of its causes.
    pub(crate) fn because(code: &'static str, error: &dyn Error) -> Self {
        Self::new(code, chain(error))
    }
}

impl From<Refused> for WardenAnswer {
    fn from(refused: Refused) -> Self {
        WardenAnswer::Refused { code: refused.code.to_owned(), message: refused.message }
    }
}

/// `error: cause: cause`.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
