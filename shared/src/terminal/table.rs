//! Aligned columns that never take more than the width they are given.

use crate::terminal::{Palette, Role, cut, visible, width};

/// Between two columns.
const GAP: usize = 2;

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    title: &'static str,
    least: usize,
    right: bool,
    spare: bool,
}

impl Column {
    /// Cut where space is short, but never below `least` columns while another one can give.
    pub const fn text(title: &'static str, least: usize) -> Column {
        Column { title, least, right: false, spare: false }
    }

    /// Aligned to the right, never cut.
    pub const fn number(title: &'static str) -> Column {
        Column { title, least: usize::MAX, right: true, spare: false }
    }

    /// Left out entirely before any column is cut to less than twice its least.
    #[must_use]
    pub const fn spare(self) -> Column {
        Column { spare: true, ..self }
    }
}

/// A piece of text in a table. It is made visible on the way in, so that nothing a remote wrote passes as it is.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    role: Role,
}

impl Cell {
    /// Plain.
    pub fn new(text: impl AsRef<str>) -> Cell {
        Cell { text: visible(text.as_ref()).into_owned(), role: Role::Plain }
    }

    /// With a colour.
    pub fn of(role: Role, text: impl AsRef<str>) -> Cell {
        Cell { role, ..Cell::new(text) }
    }
}

/// Rows under titles; columns that are empty in every row are left out.
#[derive(Debug, Clone)]
pub struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    /// No rows yet.
    pub const fn new(columns: [Column; N]) -> Table<N> {
        Table { columns, rows: Vec::new() }
    }

    /// One more row.
    pub fn push(&mut self, row: [Cell; N]) {
        self.rows.push(row);
    }

    /// The titles, then the rows, one line each, indented by two.
    pub fn lines(&self, columns: usize, palette: Palette) -> Vec<String> {
        let widths = self.widths(columns.saturating_sub(2));
        let titles = self.columns.map(|column| Cell::of(Role::Dim, column.title));
        std::iter::once(&titles).chain(&self.rows).map(|row| self.line(row, &widths, palette)).collect()
    }

    fn line(&self, row: &[Cell; N], widths: &[usize; N], palette: Palette) -> String {
        let mut line = String::new();
        // Blanks are held back until something follows them: no line ends in blanks.
        let mut blanks = 2;
        for ((cell, column), &columns) in row.iter().zip(&self.columns).zip(widths) {
            if columns == 0 {
                continue;
            }
            let text = cut(&cell.text, columns);
            let rest = columns - width(&text);
            if column.right {
                blanks += rest;
            }
            if !text.is_empty() {
                line.extend(std::iter::repeat_n(' ', std::mem::take(&mut blanks)));
                line.push_str(&palette.paint(cell.role, &text));
            }
            blanks += GAP + if column.right { 0 } else { rest };
        }
        line
    }

    fn widths(&self, available: usize) -> [usize; N] {
        let mut widths = [0; N];
        for row in &self.rows {
            for (columns, cell) in widths.iter_mut().zip(row) {
                *columns = (*columns).max(width(&cell.text));
            }
        }
        for (columns, column) in widths.iter_mut().zip(&self.columns) {
            if *columns > 0 {
                *columns = (*columns).max(width(column.title));
            }
        }
        let mut comfortable = widths;
        for (columns, column) in comfortable.iter_mut().zip(&self.columns) {
            *columns = (*columns).min(column.least.saturating_mul(2));
        }
        for i in (0..N).rev() {
            if taken(&comfortable) > available && self.columns[i].spare {
                comfortable[i] = 0;
                widths[i] = 0;
            }
        }
        self.shrink(&mut widths, available, |column| column.least);
        self.shrink(&mut widths, available, |_| 1);
        widths
    }

    /// Takes from the column that is furthest above its least, until all fits or none can give.
    fn shrink(&self, widths: &mut [usize; N], available: usize, least: impl Fn(&Column) -> usize) {
        while taken(widths) > available {
            let furthest = (0..N)
                .filter(|&i| widths[i] > least(&self.columns[i]))
                .max_by_key(|&i| widths[i] - least(&self.columns[i]));
            let Some(i) = furthest else { return };
            widths[i] -= 1;
        }
    }
}

fn taken(widths: &[usize]) -> usize {
    let shown = widths.iter().filter(|columns| **columns > 0);
    shown.clone().sum::<usize>() + GAP * shown.count().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Table<4> {
        let mut table = Table::new([
            Column::number("items"),
            Column::text("package", 8),
            Column::text("wanted", 6).spare(),
            Column::text("by", 4),
        ]);
        table.push([Cell::new("12"), Cell::new("llvm.x86_64"), Cell::new("= 19.1.0-1.fc41"), Cell::new("")]);
        table.push([Cell::new("3"), Cell::of(Role::Bad, "日本語-\x1b[31m"), Cell::new("*"), Cell::new("")]);
        table
    }

    #[test]
    fn columns_line_up_whatever_the_characters() {
        let text = sample().lines(80, Palette::Plain).join("\n");
        insta::assert_snapshot!(text, @r"
          items  package          wanted
             12  llvm.x86_64      = 19.1.0-1.fc41
              3  日本語-\x1b[31m  *
        ");
    }

    #[test]
    fn spare_columns_go_before_others_are_cut_short() {
        let text = sample().lines(26, Palette::Plain).join("\n");
        insta::assert_snapshot!(text, @r"
          items  package
             12  llvm.x86_64
              3  日本語-\x1b[31m
        ");
        let text = sample().lines(18, Palette::Plain).join("\n");
        insta::assert_snapshot!(text, @r"
          items  package
             12  llvm.x86…
              3  日本語-\…
        ");
    }

    #[test]
    fn colours_do_not_move_columns() {
        let plain = sample().lines(60, Palette::Plain);
        let coloured = sample().lines(60, Palette::Coloured).join("\n");
        assert!(coloured.contains("\x1b["));
        let mut stripped = String::new();
        let mut inside = false;
        for c in coloured.chars() {
            match c {
                '\x1b' => inside = true,
                'm' if inside => inside = false,
                _ if inside => {}
                c => stripped.push(c),
            }
        }
        assert_eq!(stripped, plain.join("\n"));
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_screen(
            rows in proptest::collection::vec([any::<String>(), any::<String>(), any::<String>(), any::<String>()], 0..5),
            columns in 12usize..120,
        ) {
            let mut table = sample();
            for row in rows {
                table.push(row.map(Cell::new));
            }
            for line in table.lines(columns, Palette::Plain) {
                prop_assert!(width(&line) <= columns, "{line:?}");
            }
        }
    }
}
