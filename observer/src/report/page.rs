//! Lines of a text report, none wider than the screen.

use countersign_shared::terminal::{Role, Screen, cut, visible, width, wrap, wrapped};

use super::counted;

/// Lines for a screen.
pub(super) struct Page {
    pub(super) screen: Screen,
    pub(super) lines: Vec<String>,
}

impl Page {
    pub(super) const fn new(screen: Screen) -> Page {
        Page { screen, lines: Vec::new() }
    }

    pub(super) fn blank(&mut self) {
        self.lines.push(String::new());
    }

    pub(super) fn paint(&self, role: Role, text: &str) -> String {
        self.screen.palette.paint(role, text).into_owned()
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.blank();
        for line in wrap(&visible(text), self.screen.width) {
            let line = self.paint(Role::Heading, &line);
            self.lines.push(line);
        }
    }

    /// A text under a mark, each further line under the first word.
    pub(super) fn item(&mut self, mark: (Role, &str), text: &str, most: usize) {
        let label = visible(mark.1);
        let room = self.screen.width.saturating_sub(4);
        let text = if text.is_empty() { label.to_string() } else { format!("{label}: {}", visible(text)) };
        for (i, line) in wrapped(&text, room, most).into_iter().enumerate() {
            let line = match line.strip_prefix(label.as_ref()) {
                Some(rest) if i == 0 => format!("  {}{rest}", self.paint(mark.0, &label)),
                _ if i == 0 => format!("  {}", self.paint(mark.0, &line)),
                _ => format!("    {line}"),
            };
            self.lines.push(line);
        }
    }

    /// Coloured pieces in a row, broken wherever the line is full, each further line indented by two more.
    pub(super) fn spans(&mut self, indent: usize, spans: &[(Role, String)]) {
        let mut line = " ".repeat(indent);
        let spans: Vec<_> = spans.iter().map(|(role, text)| (role, visible(text))).collect();
        if indent + spans.iter().map(|(_, text)| width(text)).sum::<usize>() <= self.screen.width {
            spans.iter().for_each(|(role, text)| line.push_str(&self.screen.palette.paint(**role, text)));
            self.lines.push(line);
            return;
        }
        let mut taken = indent;
        for (role, text) in spans {
            let mut run = String::new();
            for c in text.chars() {
                let columns = width(c.encode_utf8(&mut [0; 4]));
                if taken + columns > self.screen.width {
                    line.push_str(&self.paint(*role, &std::mem::take(&mut run)));
                    self.lines.push(std::mem::replace(&mut line, " ".repeat(indent + 2)));
                    taken = indent + 2;
                }
                run.push(c);
                taken += columns;
            }
            line.push_str(&self.paint(*role, &run));
        }
        self.lines.push(line);
    }

    /// A labelled sentence under an item.
    pub(super) fn note(&mut self, label: &str, text: &str) {
        let lines = wrap(&format!("{label:<9} {}", visible(text)), self.screen.width - 8);
        for (i, line) in lines.iter().enumerate() {
            let indent = if i == 0 { "      " } else { "        " };
            self.lines.push(format!("{indent}{line}"));
        }
    }

    pub(super) fn more(&mut self, hidden: usize, what: &str) {
        if hidden > 0 {
            self.dim(&format!("and {} more", counted(hidden as u64, what)));
        }
    }

    pub(super) fn dim(&mut self, text: &str) {
        let text = cut(text, self.screen.width - 2);
        let line = format!("  {}", self.paint(Role::Dim, &text));
        self.lines.push(line);
    }

    pub(super) fn sentence(&mut self, role: Role, text: &str) {
        for line in wrap(&visible(text), self.screen.width) {
            let line = self.paint(role, &line);
            self.lines.push(line);
        }
    }
}
