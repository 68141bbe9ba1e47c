//! The one printer of errors: what failed, where, why, and what to do about it.

use std::error::Error;

use countersign_manifests_schema::error::{ERROR_SCHEMA, ErrorDocument};

use crate::terminal::{Palette, Role, cut, visible, width, wrap};

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
}

/// Where it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A runner, by its name in `fleet.toml`.
    Runner(String),
    /// A file.
    File {
        /// As it is known to the person: relative to the repository, or as given.
        path: String,
        /// What is wrong in it; `None` for the file as a whole.
        source: Option<Source>,
    },
}

/// A place inside a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The whole line, without its end.
    pub text: String,
    /// How many characters are wrong; at least 1 is marked.
    pub length: usize,
}

impl Source {
    /// The place of a byte range in the text of a file; a range that goes on to the next line is marked up to the end
    /// of its first.
    pub fn of(text: &str, span: std::ops::Range<usize>) -> Source {
        let at = |byte: usize| {
            (0..=byte.min(text.len()))
                .rev()
                .find(|b| text.is_char_boundary(*b))
                .unwrap_or(0)
        };
        let (start, end) = (at(span.start), at(span.end));
        let begin = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let finish = text[start..]
            .find('\n')
            .map_or(text.len(), |newline| start + newline);
        Source {
            line: text[..begin].matches('\n').count() + 1,
            column: text[begin..start].chars().count() + 1,
            text: text[begin..finish].trim_end_matches('\r').to_owned(),
            length: text[start..end.clamp(start, finish)].chars().count().max(1),
        }
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
        }
    }

    /// An error with the chain of its sources.
    pub fn of(code: impl Into<String>, error: &(dyn Error + 'static)) -> Failure {
        let causes = std::iter::successors(error.source(), |&cause| cause.source())
            .map(ToString::to_string)
            .collect();
        Failure {
            causes,
            ..Failure::new(code, error.to_string())
        }
    }

    /// What to do about it, in one sentence.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Failure {
        Failure {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Where.
    #[must_use]
    pub fn at(self, place: Place) -> Failure {
        Failure {
            place: Some(place),
            ..self
        }
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
        labelled(
            &mut lines,
            (Role::Bad, "Error"),
            &self.message,
            columns,
            palette,
        );
        match &self.place {
            None => {}
            Some(Place::Runner(name)) => lines.push(pointer(name, palette)),
            Some(Place::File { path, source }) => {
                let position = source
                    .as_ref()
                    .map(|s| format!(":{}:{}", s.line, s.column))
                    .unwrap_or_default();
                lines.push(pointer(&format!("{path}{position}"), palette));
                if let Some(source) = source {
                    marked(&mut lines, source, columns, palette);
                }
            }
        }
        for cause in &self.causes {
            labelled(
                &mut lines,
                (Role::Heading, "Caused by"),
                cause,
                columns,
                palette,
            );
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
        let at = self.place.as_ref().map(|place| match place {
            Place::Runner(name) => name.clone(),
            Place::File { path, source: None } => path.clone(),
            Place::File {
                path,
                source: Some(source),
            } => format!("{path}:{}:{}", source.line, source.column),
        });
        ErrorDocument {
            schema: ERROR_SCHEMA.to_owned(),
            code: self.code.clone(),
            message,
            hint: self.hint.clone(),
            at,
        }
    }

    /// [`Failure::document`] as one line of JSON with a newline.
    pub fn json(&self) -> String {
        let mut line =
            serde_json::to_string(&self.document()).expect("NOTE: strings always serialise");
        line.push('\n');
        line
    }
}

fn labelled(
    lines: &mut Vec<String>,
    (role, label): (Role, &str),
    text: &str,
    columns: usize,
    palette: Palette,
) {
    let text = visible(text);
    let indent = label.chars().take_while(|c| *c == ' ').count() + 2;
    let shown = format!("{}: {}", label.trim_start(), cut(&text, LONGEST));
    let mut wrapped = wrap(&shown, columns.saturating_sub(indent).max(20)).into_iter();
    let first = wrapped.next().unwrap_or_default();
    // A label of two words stays whole: it is far shorter than the narrowest line.
    let rest = first.strip_prefix(label.trim_start()).unwrap_or(&first);
    lines.push(format!(
        "{}{}{rest}",
        &"    "[..indent - 2],
        palette.paint(role, label.trim_start())
    ));
    lines.extend(wrapped.map(|line| format!("{}{line}", " ".repeat(indent))));
}

fn pointer(place: &str, palette: Palette) -> String {
    format!(
        "  {} {}",
        palette.paint(Role::Dim, "-->"),
        palette.paint(Role::Place, &visible(place))
    )
}

fn marked(lines: &mut Vec<String>, source: &Source, columns: usize, palette: Palette) {
    let number = source.line.to_string();
    let gutter = " ".repeat(number.len());
    let bar = palette.paint(Role::Dim, "|");
    let room = columns.saturating_sub(number.len() + 5).max(20);
    let before: String = source.text.chars().take(source.column - 1).collect();
    let inside: String = source
        .text
        .chars()
        .skip(source.column - 1)
        .take(source.length)
        .collect();
    let after: String = source
        .text
        .chars()
        .skip(source.column - 1 + source.length)
        .collect();
    // Tabs line up for nobody: one becomes one blank here, in the line and in the count alike.
    let [before, inside, after] =
        [before, inside, after].map(|part| visible(&part.replace('\t', " ")).into_owned());
    let mut start = width(&before);
    let mut line = format!("{before}{inside}{after}");
    if start + width(&inside).max(1) > room {
        // The mark must be on the screen: what is left of it is dropped from the front.
        let kept: String = tail(&before, room / 3);
        start = width(&kept) + 1;
        line = format!("…{kept}{inside}{after}");
    }
    let carets = "^".repeat(width(&inside).max(1).min(room.saturating_sub(start).max(1)));
    lines.push(format!(" {gutter} {bar}"));
    lines.push(format!(
        " {} {bar} {}",
        palette.paint(Role::Dim, &number),
        cut(&line, room)
    ));
    lines.push(format!(
        " {gutter} {bar} {}{}",
        " ".repeat(start),
        palette.paint(Role::Bad, &carets)
    ));
}

/// The last so many columns of a text.
fn tail(text: &str, columns: usize) -> String {
    let mut start = text.len();
    for (at, _) in text.char_indices().rev() {
        if width(&text[at..]) > columns {
            break;
        }
        start = at;
    }
    text[start..].to_owned()
}

#[cfg(test)]
mod tests;
