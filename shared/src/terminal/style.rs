//! Colours by meaning.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};

/// What a piece of text means; how that looks is decided here alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// No colour.
    #[default]
    Plain,
    /// The title of a part.
    Heading,
    /// All is well.
    Good,
    /// Somebody should look.
    Warn,
    /// Something is broken, or was taken away.
    Bad,
    /// A place: a file, a runner.
    Place,
    /// Of less weight.
    Dim,
}

impl Role {
    const fn style(self) -> Style {
        match self {
            Role::Plain => Style::new(),
            Role::Heading => Style::new().bold(),
            Role::Good => AnsiColor::Green.on_default(),
            Role::Warn => AnsiColor::Yellow.on_default(),
            Role::Bad => AnsiColor::Red.on_default().bold(),
            Role::Place => AnsiColor::Cyan.on_default(),
            Role::Dim => Style::new().dimmed(),
        }
    }
}

/// Whether colours are written at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// No escape sequence is ever written.
    Plain,
    /// ANSI colours.
    Coloured,
}

impl Palette {
    /// The text in the role's colours. The text must be visible already: escape sequences inside would pass.
    pub fn paint(self, role: Role, text: &str) -> Cow<'_, str> {
        let style = role.style();
        if self == Palette::Plain || text.is_empty() || style.is_plain() {
            return Cow::Owned(text.to_owned());
        }
        Cow::Owned(format!("{style}{text}{style:#}"))
    }
}
