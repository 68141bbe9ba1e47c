//! The fleet by drift code.

use std::collections::BTreeMap;

use countersign_manifests_schema::report::{RunnerReport, Status};
use maud::{Markup, html};

use super::{Text, names};
use crate::report::classes::home;
use crate::report::summary::Summary;
use crate::report::{counted, grouped, items_that_count};

/// Up to here every runner has a row of its own; beyond, runners with equal rows share one.
const ONE_EACH: usize = 40;
const MOST_ROWS: usize = 150;

/// What a row says.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row<'r> {
    /// Items under each code.
    Items(Vec<u64>),
    /// The cause.
    NotObserved(&'r str),
}

/// Who shares a row.
#[derive(Debug)]
struct Share<'r> {
    group: Option<&'r str>,
    runners: Vec<&'r str>,
}

impl Share<'_> {
    /// One name of usual length, that stays on one line.
    fn is_short(&self) -> bool {
        matches!(self.runners.as_slice(), [one] if one.len() <= 16)
    }
}

pub(super) fn matrix(summary: &Summary<'_>) -> Markup {
    let codes: Vec<&str> = summary.by_code.keys().copied().collect();
    if codes.is_empty() {
        return Markup::default();
    }
    let rows = rows(summary, &codes);
    let shared = rows.len() < summary.report.runners.len();
    html! {
        section #matrix aria-labelledby="h-matrix" {
            h2 #h-matrix {
                "Matrix"
                small { "drift items by code" @if shared { ", runners with equal rows together" } }
            }
            div .card .scroll tabindex="0" role="region" aria-labelledby="h-matrix" {
                table.matrix {
                    thead {
                        tr {
                            th scope="col" { "Runner" }
                            @for code in &codes { th scope="col" { span { (Text(code)) } } }
                            th scope="col" { "Items" }
                        }
                    }
                    tbody {
                        @for (row, share) in rows.iter().take(MOST_ROWS) {
                            tr { (label(share)) (cells(row, codes.len(), share.runners.len())) }
                        }
                        @if rows.len() > MOST_ROWS {
                            tr { td.none colspan=(codes.len() + 2) { "and " (counted((rows.len() - MOST_ROWS) as u64, "more row")) } }
                        }
                    }
                    tfoot {
                        tr {
                            th scope="row" { "All" }
                            @for number in summary.by_code.values() { td { (grouped(*number)) } }
                            td { (grouped(summary.counts.items)) }
                        }
                    }
                }
            }
        }
    }
}

fn rows<'r>(summary: &Summary<'r>, codes: &[&str]) -> Vec<(Row<'r>, Share<'r>)> {
    let rows = summary.report.runners.iter().map(|runner| (runner, row(runner, codes)));
    if summary.report.runners.len() <= ONE_EACH {
        return rows.map(|(runner, row)| (row, Share { group: None, runners: vec![runner.name.as_str()] })).collect();
    }
    let mut alike: BTreeMap<(Option<&str>, Row<'_>), Vec<&str>> = BTreeMap::new();
    for (runner, row) in rows {
        alike.entry((home(runner, summary.context), row)).or_default().push(&runner.name);
    }
    let mut rows: Vec<_> = alike.into_iter().map(|((group, row), runners)| (row, Share { group, runners })).collect();
    let quiet = |row: &Row<'_>| matches!(row, Row::Items(items) if items.iter().all(|number| *number == 0));
    rows.sort_by_key(|(row, share)| (quiet(row), std::cmp::Reverse(share.runners.len())));
    rows
}

fn row<'r>(runner: &'r RunnerReport, codes: &[&str]) -> Row<'r> {
    if runner.status == Status::Failed {
        return Row::NotObserved(runner.error.as_ref().map_or("unknown", |error| &error.code));
    }
    let mut items = vec![0; codes.len()];
    for item in items_that_count(runner) {
        if let Ok(column) = codes.binary_search(&item.code.as_str()) {
            items[column] += 1;
        }
    }
    Row::Items(items)
}

fn label(share: &Share<'_>) -> Markup {
    html! {
        th scope="row" class=[share.is_short().then_some("nowrap")] {
            @match share.runners.as_slice() {
                [one] => { (Text(one)) }
                many => {
                    details { summary { (counted(many.len() as u64, "runner")) @if let Some(group) = share.group { span.soft { " in " (Text(group)) } } } (names(many.iter().copied(), 200)) }
                }
            }
        }
    }
}

/// A row's numbers are those of one runner; runners that share a row have the same.
fn cells(row: &Row<'_>, codes: usize, runners: usize) -> Markup {
    html! {
        @match row {
            Row::NotObserved(cause) => {
                td.none colspan=(codes + 1) { span.bad { "not observed" } ": " (Text(cause)) }
            }
            Row::Items(items) => {
                @for number in items {
                    @if *number == 0 { td.z { "·" } } @else { td class=(heat(*number)) { (grouped(*number)) } }
                }
                @let sum = items.iter().sum::<u64>();
                td {
                    @if sum == 0 { span.good { "none" } } @else {
                        (grouped(sum)) @if runners > 1 { span.soft { " each" } }
                    }
                }
            }
        }
    }
}

fn heat(number: u64) -> &'static str {
    match number {
        0..=1 => "h1",
        2..=4 => "h2",
        5..=19 => "h3",
        _ => "h4",
    }
}
