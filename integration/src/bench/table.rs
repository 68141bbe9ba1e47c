//! Figures as Markdown.

use super::measure::Cost;
use std::fmt;

/// A table with a heading.
#[derive(Debug)]
pub(super) struct Table {
    heading: String,
    rows: Vec<Row>,
}

/// One line of it.
#[derive(Debug)]
pub(super) struct Row {
    what: String,
    hosts: usize,
    cost: Result<Cost, &'static str>,
}

impl Row {
    /// What something cost over so many hosts.
    pub(super) fn of(what: &str, hosts: usize, cost: Cost) -> Self {
        Self { what: what.to_owned(), hosts, cost: Ok(cost) }
    }

    /// Why there is no figure.
    pub(super) fn absent(what: &str, why: &'static str) -> Self {
        Self { what: what.to_owned(), hosts: 0, cost: Err(why) }
    }
}

impl Table {
    pub(super) fn new(heading: &str) -> Self {
        Self { heading: heading.to_owned(), rows: Vec::new() }
    }

    pub(super) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.heading)?;
        writeln!(f, "| | CPU per host | CPU | wall | peak memory |\n|---|---|---|---|---|")?;
        for Row { what, hosts, cost } in &self.rows {
            match cost {
                Ok(cost) => {
                    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                    let (each, peak) = (cost.cpu * 1e3 / *hosts as f64, cost.peak as f64 / f64::from(1 << 20));
                    let Cost { cpu, wall, .. } = cost;
                    writeln!(f, "| {what} | {each:.2} ms | {cpu:.2} s | {wall:.2} s | {peak:.0} MiB |")?;
                }
                Err(why) => writeln!(f, "| {what} | {why} | | | |")?,
            }
        }
        Ok(())
    }
}
