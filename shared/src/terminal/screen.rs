//! What the text is written to.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::fd::AsFd;

use crate::terminal::Palette;

/// Width used where there is no terminal: files, pipes, mail.
const WITHOUT_TERMINAL: usize = 100;

/// The narrowest width that anything is laid out for.
const NARROWEST: usize = 40;

/// A terminal, or what stands in for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Whether colours are written.
    pub palette: Palette,
}

impl Screen {
    /// A file or a pipe: no colours.
    pub const FILE: Screen = Screen { width: WITHOUT_TERMINAL, palette: Palette::Plain };

    /// What this stream is, by the terminal behind it, `NO_COLOR` (no-color.org) and `TERM`.
    pub fn of<S: IsTerminal + AsFd>(stream: &S) -> Screen {
        let columns = terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0));
        Screen::judge(stream.is_terminal(), columns, std::env::var_os("NO_COLOR"), std::env::var_os("TERM"))
    }

    fn judge(terminal: bool, columns: Option<usize>, no_color: Option<OsString>, term: Option<OsString>) -> Screen {
        if !terminal {
            return Screen::FILE;
        }
        let wants_none = no_color.is_some_and(|value| !value.is_empty()) || term.as_deref() == Some(OsStr::new("dumb"));
        Screen {
            // A pseudo terminal that nobody sized says 0.
            width: columns.filter(|columns| *columns > 0).unwrap_or(80).max(NARROWEST),
            palette: if wants_none { Palette::Plain } else { Palette::Coloured },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_on_a_terminal_that_did_not_refuse_them() {
        let os = |text: &str| Some(OsString::from(text));
        let cases = [
            (true, None, os("xterm-256color"), Palette::Coloured),
            (true, None, None, Palette::Coloured),
            (true, os(""), os("xterm"), Palette::Coloured),
            (true, os("1"), os("xterm"), Palette::Plain),
            (true, os("0"), os("xterm"), Palette::Plain),
            (true, None, os("dumb"), Palette::Plain),
            (false, None, os("xterm"), Palette::Plain),
        ];
        for (terminal, no_color, term, palette) in cases {
            let screen = Screen::judge(terminal, Some(120), no_color.clone(), term.clone());
            assert_eq!(screen.palette, palette, "{terminal} {no_color:?} {term:?}");
        }
    }

    #[test]
    fn a_width_that_nobody_set_is_eighty() {
        assert_eq!(Screen::judge(true, Some(0), None, None).width, 80);
        assert_eq!(Screen::judge(true, None, None, None).width, 80);
        assert_eq!(Screen::judge(true, Some(132), None, None).width, 132);
        assert_eq!(Screen::judge(true, Some(7), None, None).width, NARROWEST);
        assert_eq!(Screen::judge(false, Some(7), None, None), Screen::FILE);
    }
}
