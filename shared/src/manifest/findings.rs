//! Problems as they are found, over all files.

use crate::diagnostic::{Diagnostic, Severity, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Problems that are kept per file.
const MAX_PER_FILE: usize = 200;

/// What was found so far, over all files.
#[derive(Debug, Default)]
pub struct Findings {
    list: Vec<Diagnostic>,
    per_file: BTreeMap<String, usize>,
    errors: usize,
}

impl Findings {
    /// Adds one; from the 201st of a file on they are only counted.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if diagnostic.severity == Severity::Error {
            self.errors += 1;
        }
        let count = self.per_file.entry(diagnostic.file.clone()).or_default();
        *count += 1;
        if *count < MAX_PER_FILE {
            self.list.push(diagnostic);
        } else if *count == MAX_PER_FILE {
            self.list.push(Diagnostic::whole_file(
                diagnostic.severity,
                &diagnostic.file,
                "this file has more problems than are shown",
                Some("correct these first".to_owned()),
            ));
        }
    }

    /// Adds an error at a place.
    pub fn error(
        &mut self,
        source: &Source<'_>,
        span: &Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self.push(source.diagnostic(Severity::Error, span.clone(), message, hint));
    }

    /// Adds a warning at a place.
    pub fn warning(
        &mut self,
        source: &Source<'_>,
        span: &Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self.push(source.diagnostic(Severity::Warning, span.clone(), message, hint));
    }

    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// All of them, by file and place.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by(|a, b| {
            (&a.file, a.span.start, a.severity, &a.message).cmp(&(&b.file, b.span.start, b.severity, &b.message))
        });
        self.list.dedup();
        self.list
    }

    pub(super) fn position(&self) -> usize {
        self.list.len()
    }

    /// Takes back what was added since `mark` on lines that do not parse: a value that was repaired by the parser says
    /// nothing about what the person meant.
    pub(super) fn forgive(&mut self, mark: usize, file: &str, broken_lines: &BTreeSet<u32>) {
        let mut index = mark;
        while index < self.list.len() {
            let item = &self.list[index];
            if item.file == file && broken_lines.contains(&item.line) {
                self.list.remove(index);
            } else {
                index += 1;
            }
        }
    }
}
