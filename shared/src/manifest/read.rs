//! Reading TOML that people write: every problem is found in one pass and has its place.
//!
//! Each file becomes a tree with byte spans, and a [`Scope`] walks one table of it: what is asked for is known, what
//! was never asked for is reported as unknown, with a suggestion.

use crate::diagnostic::{Diagnostic, Severity, Source, closest};
use crate::manifest::effective::Place;
use crate::manifest::findings::Findings;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes of one file; a fleet of 10,000 runners with three host keys each has about 8 MB.
pub const MAX_FILE: usize = 32 << 20;
/// Bytes as text, or a diagnostic.
pub fn text<'b>(file: &str, bytes: &'b [u8], findings: &mut Findings) -> Option<&'b str> {
    if bytes.len() > MAX_FILE {
        findings.push(Diagnostic::whole_file(
            Severity::Error,
            file,
            format!("the file has {} bytes, more than {MAX_FILE}", bytes.len()),
            Some("split it".to_owned()),
        ));
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            let source = Source::new(file, valid);
            findings.error(
                &source,
                &(valid.len()..valid.len()),
                format!("the byte 0x{:02x} is not UTF-8", bytes[error.valid_up_to()]),
                "save the file as UTF-8",
            );
            None
        }
    }
}

/// Parses a TOML file with `schema = "<schema>"` and walks it; `None` when nothing in it can be trusted.
pub fn document<T>(
    source: &Source<'_>,
    schema: &'static str,
    findings: &mut Findings,
    walk: impl FnOnce(&mut Scope<'_>, &mut Findings) -> T,
) -> T {
    let (root, errors) = DeTable::parse_recoverable(source.text());
    let mut broken_lines = BTreeSet::new();
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let (line, _) = source.position(span.start);
        // One per line: what follows the first problem of a line is mostly its echo.
        if broken_lines.insert(line) {
            findings.error(source, &span, error.message(), syntax_hint(error.message()));
        }
    }
    let mark = findings.position();
    let mut scope = Scope {
        source,
        table: root.get_ref(),
        span: 0..0,
        title: String::new(),
        asked: Vec::new(),
        complete: errors.is_empty(),
    };
    scope.schema(schema, findings);
    let value = walk(&mut scope, findings);
    scope.finish(findings);
    findings.forgive(mark, source.file(), &broken_lines);
    value
}

fn syntax_hint(message: &str) -> &'static str {
    if message.contains("duplicate key") { "keep one of the two" } else { "this is not TOML; see https://toml.io" }
}

/// A string with its place.
#[derive(Debug, Clone)]
pub struct Text<'s> {
    /// The string.
    pub value: &'s str,
    /// Its bytes in the file.
    pub span: Range<usize>,
}

/// One table of a file.
#[derive(Debug)]
pub struct Scope<'s> {
    source: &'s Source<'s>,
    table: &'s DeTable<'s>,
    span: Range<usize>,
    title: String,
    asked: Vec<&'static str>,
    complete: bool,
}

impl<'s> Scope<'s> {
    /// The file that it is in.
    pub fn source(&self) -> &'s Source<'s> {
        self.source
    }

    /// The table's own bytes: its header, or its braces.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Whether the whole file parsed, so that a missing key is really missing.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// A place for people.
    pub fn place(&self, span: &Range<usize>) -> Place {
        place(self.source, span)
    }

    /// Whether the key is written.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The span of a key, if it is written.
    pub fn key_span(&self, key: &str) -> Option<Range<usize>> {
        Some(self.table.get_key_value(key)?.0.span())
    }

    /// Every key with its span, without marking any as known.
    pub fn keys(&self) -> impl Iterator<Item = (&'s str, Range<usize>)> + use<'s> {
        let keys = self.table.keys();
        keys.map(|key| (key.get_ref().as_ref(), key.span()))
    }

    /// For a table that has nothing but tables, as `[runners.web.example.org]` without quotes makes them: the names
    /// inside, with dots.
    pub fn names_inside(&self) -> Option<String> {
        let mut table = self.table;
        let mut names = Vec::new();
        while let Some((key, value)) = table.iter().next().filter(|_| table.values().all(|v| v.get_ref().is_table())) {
            names.push(key.get_ref().as_ref());
            table = value.get_ref().as_table()?;
        }
        (!names.is_empty()).then(|| names.join("."))
    }

    /// The value of a key, of whatever type; marks the key as known.
    pub fn value(&mut self, key: &'static str) -> Option<&'s Spanned<DeValue<'s>>> {
        self.asked.push(key);
        self.table.get(key)
    }

    /// Every key and value; marks all as known.
    pub fn entries(&mut self) -> impl Iterator<Item = (Text<'s>, &'s Spanned<DeValue<'s>>)> + use<'s> {
        self.asked.push("*");
        self.table.iter().map(|(key, value)| {
            let text = Text { value: key.get_ref().as_ref(), span: key.span() };
            (text, value)
        })
    }

    /// A string.
    pub fn text(&mut self, key: &'static str, findings: &mut Findings) -> Option<Text<'s>> {
        let value = self.value(key)?;
        as_text(self.source, value, &self.named(key), findings)
    }

    /// A string that must be there and not be empty.
    pub fn required(&mut self, key: &'static str, findings: &mut Findings) -> Option<Text<'s>> {
        if !self.has(key) {
            self.asked.push(key);
            self.missing(key, findings);
            return None;
        }
        let text = self.text(key, findings)?;
        if text.value.trim().is_empty() {
            let message = format!("{} is empty", self.named(key));
            findings.error(self.source, &text.span, message, "write it out");
            return None;
        }
        Some(text)
    }

    /// Reports a key that must be there.
    pub fn missing(&self, key: &str, findings: &mut Findings) {
        if self.complete {
            findings.error(
                self.source,
                &self.span,
                format!("{} is missing", self.named(key)),
                format!("add `{key} = ...`"),
            );
        }
    }

    /// A list of strings; absent = `None`.
    pub fn texts(&mut self, key: &'static str, findings: &mut Findings) -> Option<Vec<Text<'s>>> {
        let value = self.value(key)?;
        let Some(array) = value.get_ref().as_array() else {
            let message = format!("{} is {}, not a list of strings", self.named(key), kind(value.get_ref()));
            let hint = match value.get_ref().as_str() {
                Some(_) => format!("write `{key} = [...]`"),
                None => format!("write `{key} = [\"...\"]`"),
            };
            findings.error(self.source, &value.span(), message, hint);
            return None;
        };
        let title = format!("an entry of {}", self.named(key));
        let entries = array.iter();
        Some(entries.filter_map(|entry| as_text(self.source, entry, &title, findings)).collect())
    }

    /// A whole number within a range.
    pub fn integer(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<u32>,
        findings: &mut Findings,
    ) -> Option<u32> {
        let value = self.value(key)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|i| u32::from_str_radix(&i.as_str().replace('_', ""), i.radix()).ok())
            .filter(|number| range.contains(number));
        if number.is_none() {
            let message =
                format!("{} is not a whole number from {} to {}", self.named(key), range.start(), range.end());
            let hint = match value.get_ref() {
                DeValue::String(_) => "write the number without quotes".to_owned(),
                _ => format!("write a number in that range, such as `{key} = {}`", range.start().max(&1)),
            };
            findings.error(self.source, &value.span(), message, hint);
        }
        number
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &'static str, findings: &mut Findings) -> Option<bool> {
        let value = self.value(key)?;
        let answer = value.get_ref().as_bool();
        if answer.is_none() {
            let message = format!("{} is {}, not true or false", self.named(key), kind(value.get_ref()));
            findings.error(self.source, &value.span(), message, format!("write `{key} = true` or `{key} = false`"));
        }
        answer
    }

    /// One of a few words.
    pub fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
        findings: &mut Findings,
    ) -> Option<T> {
        let text = self.text(key, findings)?;
        let found = words.iter().find(|(word, _)| *word == text.value);
        if found.is_none() {
            let all: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            let message = format!("{} is not one of {}", self.named(key), all.join(", "));
            let hint = match suggestion(text.value, words.iter().map(|(word, _)| *word)) {
                hint if hint.is_empty() => format!("write one of them: `{key} = \"{}\"`", words[0].0),
                hint => hint,
            };
            findings.error(self.source, &text.span, message, hint);
        }
        found.map(|(_, value)| *value)
    }

    /// A table.
    pub fn table(&mut self, key: &'static str, findings: &mut Findings) -> Option<Scope<'s>> {
        let value = self.value(key)?;
        let span = self.key_span(key).unwrap_or_else(|| value.span());
        self.inner(key, span, value, findings)
    }

    /// The tables of a table, by name: `[groups.NAME]`.
    pub fn tables(&mut self, key: &'static str, findings: &mut Findings) -> Vec<(Text<'s>, Scope<'s>)> {
        let Some(mut outer) = self.table(key, findings) else {
            return Vec::new();
        };
        let entries: Vec<_> = outer.entries().collect();
        entries
            .into_iter()
            .filter_map(|(name, value)| {
                let scope = outer.inner(name.value, name.span.clone(), value, findings)?;
                Some((name, scope))
            })
            .collect()
    }

    /// The tables of an array of tables: `[[waive]]`.
    pub fn array_of_tables(&mut self, key: &'static str, findings: &mut Findings) -> Vec<Scope<'s>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            let message = format!("{} is {}, not a list of tables", self.named(key), kind(value.get_ref()));
            findings.error(self.source, &value.span(), message, format!("write `[[{key}]]`"));
            return Vec::new();
        };
        array.iter().filter_map(|entry| self.inner(key, entry.span(), entry, findings)).collect()
    }

    /// A value of this table as a table of its own.
    pub fn inner(
        &self,
        name: &str,
        span: Range<usize>,
        value: &'s Spanned<DeValue<'s>>,
        findings: &mut Findings,
    ) -> Option<Scope<'s>> {
        let title = match self.title.as_str() {
            "" => name.to_owned(),
            outer => format!("{outer}.{name}"),
        };
        match value.get_ref().as_table() {
            Some(table) => {
                Some(Scope { source: self.source, table, span, title, asked: Vec::new(), complete: self.complete })
            }
            None => {
                let message = format!("`{title}` is {}, not a table", kind(value.get_ref()));
                findings.error(self.source, &value.span(), message, format!("write `[{title}]`"));
                None
            }
        }
    }

    /// Reports every key that was never asked for.
    pub fn finish(&self, findings: &mut Findings) {
        if self.asked.contains(&"*") {
            return;
        }
        for key in self.table.keys() {
            let name: &str = key.get_ref().as_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let within = match self.title.as_str() {
                "" => String::new(),
                title => format!(" in `{title}`"),
            };
            let free = self.asked.iter().copied().filter(|known| !self.has(known));
            let hint = match closest(name, free) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            findings.error(self.source, &key.span(), format!("unknown key `{name}`{within}"), hint);
        }
    }

    fn named(&self, key: &str) -> String {
        match self.title.as_str() {
            "" => format!("`{key}`"),
            title => format!("`{title}.{key}`"),
        }
    }

    fn schema(&mut self, expected: &'static str, findings: &mut Findings) {
        if !self.has("schema") {
            self.asked.push("schema");
            if self.complete {
                let hint = format!("begin the file with `schema = \"{expected}\"`");
                findings.error(self.source, &(0..0), "`schema` is missing", hint);
            }
            return;
        }
        let Some(found) = self.text("schema", findings) else {
            return;
        };
        if found.value == expected {
            return;
        }
        let family = expected.trim_end_matches(|c: char| c.is_ascii_digit());
        let newer = found.value.strip_prefix(family).is_some_and(|major| major.parse::<u32>().is_ok());
        let message = if newer {
            format!("this program does not know the format `{}`", found.value)
        } else {
            format!("`{}` is not the format of this file", found.value)
        };
        findings.error(self.source, &found.span, message, format!("it is `{expected}`"));
    }
}

/// A place for people.
pub fn place(source: &Source<'_>, span: &Range<usize>) -> Place {
    let (line, column) = source.position(span.start);
    Place { file: source.file().to_owned(), line, column }
}

/// `did you mean X?`, or what there is instead, or that there is nothing.
pub fn suggestion_or_list<'c>(word: &str, what: &str, candidates: impl IntoIterator<Item = &'c str> + Clone) -> String {
    const LISTED: usize = 8;
    if let Some(candidate) = closest(word, candidates.clone()) {
        return format!("did you mean `{candidate}`?");
    }
    let mut all = candidates.into_iter();
    let listed: Vec<&str> = all.by_ref().take(LISTED).collect();
    match (listed.is_empty(), all.count()) {
        (true, _) => format!("there are no {what}"),
        (false, 0) => format!("the {what} are {}", listed.join(", ")),
        (false, more) => format!("the {what} are {} and {more} others", listed.join(", ")),
    }
}

/// `did you mean X?`, or nothing.
pub fn suggestion<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    match closest(word, candidates) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => String::new(),
    }
}

/// A value as a string.
pub fn as_text<'s>(
    source: &Source<'_>,
    value: &'s Spanned<DeValue<'s>>,
    title: &str,
    findings: &mut Findings,
) -> Option<Text<'s>> {
    match value.get_ref().as_str() {
        Some(text) => Some(Text { value: text, span: value.span() }),
        None => {
            let message = format!("{title} is {}, not a string", kind(value.get_ref()));
            findings.error(source, &value.span(), message, "put it in quotes");
            None
        }
    }
}

/// A TOML type with its article.
pub fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
