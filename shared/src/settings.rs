//! The configuration file of a program: what is wrong in it is said with its place, a caret and one hint.

use crate::diagnostic::{Severity, Source};
use crate::terminal::{Failure, Place};
use serde::de::DeserializeOwned;
use std::ops::Range;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// Code of every failure here.
const CODE: &str = "config";

/// Reads the file.
pub fn read(path: &Path) -> Result<String, Box<Failure>> {
    std::fs::read_to_string(path).map_err(|error| {
        let failure = Failure::new(CODE, "the configuration cannot be read").because(error.to_string());
        Box::new(failure.at(Place::File(path.display().to_string())).hint("--config names another file"))
    })
}

/// The text of a file, and what is said about it.
#[derive(Debug)]
pub struct Settings<'a> {
    source: Source<'a>,
    hint: &'a str,
}

impl<'a> Settings<'a> {
    /// The text of `file`; the hint says where its keys are described.
    pub fn new(file: &'a str, text: &'a str, hint: &'a str) -> Self {
        Self { source: Source::new(file, text), hint }
    }

    /// The file as its type has it.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Box<Failure>> {
        toml::from_str(self.source.text())
            .map_err(|error| self.failure(error.span().unwrap_or(0..0), error.message().to_owned()))
    }

    /// What cannot be meant at this key, `["ssh", "parallel"]`; a key that is not there is its table's problem.
    pub fn wrong(&self, key: &[&str], message: impl Into<String>) -> Box<Failure> {
        self.failure(self.span(key), message.into())
    }

    fn failure(&self, span: Range<usize>, message: String) -> Box<Failure> {
        let problem = self.source.diagnostic(Severity::Error, span, message, Some(self.hint.to_owned()));
        Box::new(Failure::from(&problem).code(CODE))
    }

    fn span(&self, key: &[&str]) -> Range<usize> {
        let Ok(document) = DeTable::parse(self.source.text()) else {
            return 0..0;
        };
        let (mut table, mut span) = (document.get_ref(), 0..0);
        for name in key {
            let Some(value) = table.get(*name) else { break };
            span = value.span();
            let DeValue::Table(inner) = value.get_ref() else { break };
            table = inner;
        }
        span
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_place_and_a_missing_one_that_of_its_table() {
        let text = "state_dir = \"/s\"\n\n[ssh]\nparallel = 0\n[a]\nb.c = 1\n";
        let settings = Settings::new("x.toml", text, "see the manual");
        for (key, at) in [
            (&["state_dir"][..], "x.toml:1:13"),
            (&["ssh", "parallel"], "x.toml:4:12"),
            (&["ssh", "key"], "x.toml:3:1"),
            (&["a", "b", "c"], "x.toml:6:7"),
            (&["nothing"], "x.toml:1:1"),
        ] {
            let document = settings.wrong(key, "wrong").document();
            assert_eq!((document.at.as_deref(), document.code.as_str()), (Some(at), CODE), "{key:?}");
        }
    }
}
