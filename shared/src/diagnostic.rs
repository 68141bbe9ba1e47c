//! Problems in files that people write: file, line, column, the line with a caret, and one hint.

use crate::terminal::{Failure, Palette, visible, width};
use std::fmt;
use std::ops::Range;

/// Columns of a source line that are shown around the caret.
const WINDOW: usize = 100;

/// Whether a problem makes the files unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing may be judged by these files.
    Error,
    /// Probably not what was meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One problem at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Path inside the repository, as it was given.
    pub file: String,
    /// Line, from 1; 0 when the problem is with the file as a whole.
    pub line: u32,
    /// Column in characters, from 1; 0 when the problem is with the file as a whole.
    pub column: u32,
    /// Bytes of the file that it is about.
    pub span: Range<usize>,
    /// What is wrong, in one sentence. May hold text of the file, so it is escaped wherever it is shown.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line, ready to be shown.
    pub excerpt: Option<Excerpt>,
}

/// A part of a source line, escaped, with the place to underline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The text, without control characters.
    pub text: String,
    /// Terminal columns before the underlined part.
    pub offset: usize,
    /// Terminal columns to underline, at least 1.
    pub width: usize,
}

impl Diagnostic {
    /// A problem with a file as a whole.
    pub fn whole_file(severity: Severity, file: &str, message: impl Into<String>, hint: Option<String>) -> Self {
        Self {
            severity,
            file: file.to_owned(),
            line: 0,
            column: 0,
            span: 0..0,
            message: message.into(),
            hint,
            excerpt: None,
        }
    }

    /// `file:line:column`; the file alone when the problem is with all of it. Not escaped.
    pub fn at(&self) -> String {
        match self.line {
            0 => self.file.clone(),
            line => format!("{}:{line}:{}", self.file, self.column),
        }
    }

    /// The problem as people read it, several lines, with a newline at the end.
    pub fn text(&self, columns: usize, palette: Palette) -> String {
        Failure::from(self).text(columns, palette)
    }
}

/// Plain, 100 columns wide.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(100, Palette::Plain))
    }
}

/// A text file with its line starts, to turn byte offsets into places.
#[derive(Debug)]
pub struct Source<'a> {
    file: &'a str,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Finds the lines of a text.
    pub fn new(file: &'a str, text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(i, _)| i + 1)).collect();
        Self { file, text, starts }
    }

    /// The path that was given.
    pub fn file(&self) -> &'a str {
        self.file
    }

    /// The whole text.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Line and column, both from 1, the column in characters.
    pub fn position(&self, offset: usize) -> (u32, u32) {
        let offset = self.boundary(offset);
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let column = self.text[start..offset].chars().count() + 1;
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (narrow(line), narrow(column))
    }

    /// The bytes of a word that begins at a line and column, both from 1; a quote in front of it is taken in.
    pub fn span_at(&self, line: u32, column: u32, word: &str) -> Range<usize> {
        let line = (line.max(1) as usize - 1).min(self.starts.len() - 1);
        let start = self.starts[line];
        let skipped = self.text[start..].chars().take(column.max(1) as usize - 1);
        let start = start + skipped.map(char::len_utf8).sum::<usize>();
        let rest = &self.text[start..];
        let quotes = usize::from(rest.starts_with(['"', '\'']));
        let is_word = rest[quotes..].starts_with(word);
        let width = if is_word { word.len() + 2 * quotes } else { 1 };
        start..(start + width).min(self.text.len())
    }

    /// A problem at these bytes.
    pub fn diagnostic(
        &self,
        severity: Severity,
        span: Range<usize>,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Diagnostic {
        let (line, column) = self.position(span.start);
        Diagnostic {
            severity,
            file: self.file.to_owned(),
            line,
            column,
            message: message.into(),
            hint,
            excerpt: Some(self.excerpt(line, &span)),
            span,
        }
    }

    fn boundary(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    fn excerpt(&self, line: u32, span: &Range<usize>) -> Excerpt {
        let index = line as usize - 1;
        let start = self.starts[index];
        let end = self.starts.get(index + 1).map_or(self.text.len(), |e| e - 1);
        let line = self.text[start..end].trim_end_matches('\r');
        let from = self.boundary(span.start).clamp(start, start + line.len()) - start;
        let to = self.boundary(span.end).clamp(start, start + line.len()) - start;
        let (before, rest) = line.split_at(from);
        let (marked, after) = rest.split_at(to.saturating_sub(from));

        // Long lines are cut so that the mark stays in view.
        let before_shown = tail(before, WINDOW / 2);
        let marked_shown = head(marked, WINDOW / 2);
        let after_shown = head(after, WINDOW.saturating_sub(before_shown.len() + marked_shown.len()).max(WINDOW / 4));
        let mut text = String::new();
        if before_shown.len() < before.len() {
            text.push_str("...");
        }
        escape(before_shown, &mut text);
        let offset = width(&text);
        escape(marked_shown, &mut text);
        let marked_width = (width(&text) - offset).max(1);
        if marked_shown.len() < marked.len() {
            text.push_str("...");
        } else {
            escape(after_shown, &mut text);
            if after_shown.len() < after.len() {
                text.push_str("...");
            }
        }
        Excerpt { text, offset, width: marked_width }
    }
}

fn head(text: &str, characters: usize) -> &str {
    let end = text.char_indices().nth(characters);
    &text[..end.map_or(text.len(), |(index, _)| index)]
}

fn tail(text: &str, characters: usize) -> &str {
    let start = text.char_indices().rev().take(characters).last();
    &text[start.map_or(text.len(), |(index, _)| index)..]
}

/// Appends a part of a line so that nothing in it can move a cursor, hide or reorder what is shown.
fn escape(text: &str, out: &mut String) {
    for (index, part) in text.split('\t').enumerate() {
        if index > 0 {
            out.push_str("    ");
        }
        out.push_str(&visible(part));
    }
}

/// The candidate that a misspelt word most likely means.
pub fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(word, candidate, limit)?, candidate)))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits from one word to the other (insert, delete, replace, swap neighbours), if there are at most `limit`.
fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let fold = |word: &str| -> Vec<char> {
        word.chars().map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    if a.len().abs_diff(b.len()) > 4 * limit {
        return None;
    }
    let (a, b) = (fold(a), fold(b));
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    Some(last[b.len()]).filter(|edits| *edits <= limit)
}
