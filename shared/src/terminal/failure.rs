//! The one printer of errors: what failed, where, why, and what to do about it.

use std::error::Error;

use countersign_manifests_schema::error::{ERROR_SCHEMA, ErrorDocument};

use crate::diagnostic::{Diagnostic, Excerpt, Severity};
use crate::terminal::{Palette, Role, cut, visible, wrap};

/// Text of others is shown up to here.
const LONGEST: usize = 2_000;

/// Something that failed, as a person or a program is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    code: String,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    place: Option<Place>,
    severity: Severity,
}

/// Where it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A runner, by its name in `fleet.toml`.
    Runner(String),
    /// A file.
    File(String),
    /// A place inside a file.
    Line {
        /// `file:line:column`.
        at: String,
        /// From 1.
        line: u32,
        /// The line with what to underline.
        excerpt: Excerpt,
    },
}

/// A problem in a file that people write.
impl From<&Diagnostic> for Failure {
    fn from(problem: &Diagnostic) -> Failure {
        let place = match &problem.excerpt {
            Some(excerpt) => Place::Line { at: problem.at(), line: problem.line, excerpt: excerpt.clone() },
            None => Place::File(problem.at()),
        };
        let failure = Failure::new("invalid-file", problem.message.clone()).at(place);
        Failure { hint: problem.hint.clone(), severity: problem.severity, ..failure }
    }
}

impl Failure {
    /// A failure without a cause below it. The code is stable, lower-case with dashes.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure {
            code: code.into(),
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            place: None,
            severity: Severity::Error,
        }
    }

    /// An error with the chain of its sources.
    pub fn of(code: impl Into<String>, error: &(dyn Error + 'static)) -> Failure {
        let causes = std::iter::successors(error.source(), |&cause| cause.source()).map(ToString::to_string).collect();
        Failure { causes, ..Failure::new(code, error.to_string()) }
    }

    /// The same failure under another code.
    #[must_use]
    pub fn code(self, code: impl Into<String>) -> Failure {
        Failure { code: code.into(), ..self }
    }

    /// What to do about it, in one sentence.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Failure {
        Failure { hint: Some(hint.into()), ..self }
    }

    /// Where.
    #[must_use]
    pub fn at(self, place: Place) -> Failure {
        Failure { place: Some(place), ..self }
    }

    /// One more cause, below those that are known.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Failure {
        self.causes.push(cause.into());
        self
    }

    /// For people: several lines with a newline at the end.
    pub fn text(&self, columns: usize, palette: Palette) -> String {
        let mut lines = Vec::new();
        let label = match self.severity {
            Severity::Error => (Role::Bad, "Error"),
            Severity::Warning => (Role::Warn, "Warning"),
        };
        labelled(&mut lines, label, &self.message, columns, palette);
        if let Some(place) = &self.place {
            let at = visible(place.as_str());
            lines.push(format!("  {} {}", palette.paint(Role::Dim, "-->"), palette.paint(Role::Place, &at)));
        }
        if let Some(Place::Line { line, excerpt, .. }) = &self.place {
            marked(&mut lines, *line, excerpt, palette);
        }
        for cause in &self.causes {
            labelled(&mut lines, (Role::Heading, "Caused by"), cause, columns, palette);
        }
        if let Some(hint) = &self.hint {
            labelled(&mut lines, (Role::Good, "Hint"), hint, columns, palette);
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// For programs: the one document of a command that failed before it had anything else to say.
    pub fn document(&self) -> ErrorDocument {
        let mut message = self.message.clone();
        for cause in &self.causes {
            message.push_str(": ");
            message.push_str(cause);
        }
        ErrorDocument {
            schema: ERROR_SCHEMA.to_owned(),
            code: self.code.clone(),
            message,
            hint: self.hint.clone(),
            at: self.place.as_ref().map(|place| place.as_str().to_owned()),
        }
    }

    /// [`Failure::document`] as one line of JSON with a newline.
    pub fn json(&self) -> String {
        let mut line = serde_json::to_string(&self.document()).expect("NOTE: strings always serialise");
        line.push('\n');
        line
    }
}

fn labelled(lines: &mut Vec<String>, (role, label): (Role, &str), text: &str, columns: usize, palette: Palette) {
    let text = visible(text);
    let indent = label.chars().take_while(|c| *c == ' ').count() + 2;
    let shown = format!("{}: {}", label.trim_start(), cut(&text, LONGEST));
    let mut wrapped = wrap(&shown, columns.saturating_sub(indent).max(20)).into_iter();
    let first = wrapped.next().unwrap_or_default();
    // A label of two words stays whole: it is far shorter than the narrowest line.
    let rest = first.strip_prefix(label.trim_start()).unwrap_or(&first);
    lines.push(format!("{}{}{rest}", &"    "[..indent - 2], palette.paint(role, label.trim_start())));
    lines.extend(wrapped.map(|line| format!("{}{line}", " ".repeat(indent))));
}

fn marked(lines: &mut Vec<String>, line: u32, excerpt: &Excerpt, palette: Palette) {
    let number = line.to_string();
    let gutter = " ".repeat(number.len());
    let bar = palette.paint(Role::Dim, "|");
    let carets = "^".repeat(excerpt.width);
    lines.push(format!(" {gutter} {bar}"));
    lines.push(format!(" {} {bar} {}", palette.paint(Role::Dim, &number), excerpt.text));
    lines.push(format!(" {gutter} {bar} {}{}", " ".repeat(excerpt.offset), palette.paint(Role::Bad, &carets)));
}

impl Place {
    fn as_str(&self) -> &str {
        match self {
            Place::Runner(text) | Place::File(text) | Place::Line { at: text, .. } => text,
        }
    }
}

#[cfg(test)]
mod tests;
